"""lockstep.publish as a producer has it: installed from the repository into an environment of its own, and used there."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bench.installing import run
from bench.nghttpd import Missing
from onebox import ROOT
from onebox.stack import Stack
from tests.foreign.conftest import ready
from tests.producer_side import run_the_page

# What docs/publish-helper.md says it was tried with. Any but our own may be missing here.
VERSIONS = ("3.12", "3.13")


@cache
def interpreter(version: str) -> str:
    """Find a Python of a version; raises Missing."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    for found in (f"python{version}", *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        try:
            asked = subprocess.run(
                [str(found), "-c", "import sys; print(sys.executable)"], capture_output=True, text=True
            )
        except FileNotFoundError:
            continue
        if asked.returncode == 0:
            return asked.stdout.strip()
    raise Missing(f"there is no Python {version} here")


def tree() -> set[Path]:
    """List what lies in the repository and in its layers, bytecode left out."""
    return {path for path in (*ROOT.iterdir(), *ROOT.glob("layers/**/*")) if "__pycache__" not in path.parts}


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=os.sep).stdout.strip()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_installed_helper_does_what_its_page_says(stack: Stack, tmp_path: Path, version: str) -> None:
    try:
        found = interpreter(version)
    except Missing as missing:
        pytest.skip(str(missing))
    environment, before = tmp_path / "environment", tree()
    python = str(environment / "bin" / "python")

    run(found, "-m", "venv", str(environment))
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    ready(lambda: run(*pip, f"{ROOT}[schemas]"), "lockstep.publish")

    run_the_page(stack, tmp_path / "producer", python)
    where = Path(said(python, "-c", "import lockstep.publish; print(lockstep.publish.__file__)"))
    assert environment in where.parents
    assert where.with_name("py.typed").exists(), "or its types are none to who installs it"
    listed = said(python, "-m", "pip", "list", "--format", "freeze")
    brought = {line.partition("==")[0].lower() for line in listed.splitlines()} - {"pip"}
    boto3 = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
    assert brought == {"lockstep", "jsonschema_rs", *boto3}
    # What a build leaves in layers/shared would go to Lambda with it.
    assert tree() == before
