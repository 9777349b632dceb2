"""
`python -m tests.mutants [NAME …]`: break the product on purpose, and see that the tests notice.

Each patch of this folder says which of the README's promises it breaks, how, and which tests must fail. It is applied to a
clean copy of what git tracks. The exit status is 1 unless every one of them is noticed.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(__file__).parent

PROMISES = range(1, 6)

# So many copies are under test at once; each is mostly one busy process.
_AT_ONCE = 2

# What pytest's exit status says: tests ran, and some failed. Any other but 0 means that they could not run.
_SOME_FAILED = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """One breakage."""

    path: Path
    promise: int
    breakage: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> "Mutant":
        """Read the head of a patch; raises ValueError if it is none of ours."""
        head = dict(re.findall(r"^(Promise|Breakage|Tests): (.+)$", path.read_text().split("\ndiff ")[0], re.MULTILINE))
        if set(head) != {"Promise", "Breakage", "Tests"} or int(head["Promise"]) not in PROMISES:
            raise ValueError(f"{path.name}: its head must say Promise, Breakage and Tests")
        return cls(path, int(head["Promise"]), head["Breakage"], tuple(head["Tests"].split()))


def copy(target: Path) -> None:
    """Copy what git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def survives(mutant: Mutant | None, tests: tuple[str, ...]) -> str | None:
    """Run tests in a copy with the breakage, if any; return what is wrong with the tests, None if they fail as they must."""
    with TemporaryDirectory(prefix="lockstep-mutant-") as folder:
        target = Path(folder)
        copy(target)
        if mutant is not None:
            applied = subprocess.run(["git", "apply", str(mutant.path)], cwd=target, capture_output=True, text=True)
            if applied.returncode:
                return f"does not apply: {applied.stderr.strip()}"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        ran = subprocess.run(command, cwd=target, capture_output=True, text=True)
    if ran.returncode == _SOME_FAILED:
        return None
    return "the tests pass" if ran.returncode == 0 else f"the tests can't run: {ran.stdout}{ran.stderr}"


def main(names: list[str]) -> int:
    """Break what is named, or everything; returns the exit status."""
    mutants = [Mutant.read(path) for path in sorted(FOLDER.glob("*.patch")) if not names or path.stem in names]
    if not mutants:
        print("there is no such mutant")
        return 1
    sound = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    if (wrong := survives(None, sound)) != "the tests pass":
        print(f"the tests fail without any breakage: {wrong or 'run them'}")
        return 1
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(lambda mutant: survives(mutant, mutant.tests), mutants))
    for mutant, wrong in zip(mutants, results, strict=True):
        print(
            f"{'NOT NOTICED' if wrong else 'noticed':12} promise {mutant.promise}  {mutant.name}: {wrong or mutant.breakage}"
        )
    by_promise = Counter(mutant.promise for mutant in mutants)
    print(f"{len(mutants)} breakages, by promise: {dict(sorted(by_promise.items()))}")
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
