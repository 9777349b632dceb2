"""The deliberate breakages of tests/mutants: that they are ones of this code, and enough. `make mutants` tries them."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import FOLDER, PROMISES, ROOT, Mutant

PATCHES = sorted(FOLDER.glob("*.patch"))


def test_each_promise_is_broken_in_two_ways_at_least() -> None:
    by_promise = Counter(Mutant.read(path).promise for path in PATCHES)

    assert len(PATCHES) >= 12
    assert all(by_promise[promise] >= 2 for promise in PROMISES)


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_a_breakage_applies_to_the_code_of_now_and_names_tests_that_exist(path: Path) -> None:
    mutant = Mutant.read(path)

    applied = subprocess.run(["git", "apply", "--check", str(path)], cwd=ROOT, capture_output=True, text=True)

    assert not applied.returncode, applied.stderr
    assert all((ROOT / test).exists() for test in mutant.tests)
