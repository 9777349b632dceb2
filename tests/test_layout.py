"""How the house is laid out: what importing costs, and which way the arrows go."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers" / "shared" / "lockstep"

# Those that touch the world, or stand on one that does. All others are pure.
WORLDLY = {
    "activities",
    "batch",
    "commit",
    "connection",
    "curl_handle",
    "deliver",
    "engine",
    "forgetting",
    "http",
    "key_source",
    "registration",
    "sender",
    "settle",
    "telemetry",
    "tokens",
}
MODULES = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
PURE = sorted(MODULES - WORLDLY)

# What a cold start pays for, and what reaches out.
HEAVY = ("boto3", "botocore", "pycurl", "httpx", "aws_lambda_powertools")


def loaded_by(*modules: str) -> set[str]:
    """Import modules in a fresh process; return the heavy ones that this loaded."""
    code = f"import sys, {', '.join(f'lockstep.{module}' for module in modules)}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in run.stdout.split()} & set(HEAVY)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_importing_the_pure_modules_loads_nothing_that_touches_the_world() -> None:
    # All in one process; where that fails, one at a time says which.
    if loaded_by(*PURE):
        assert {module: found for module in PURE if (found := loaded_by(module))} == {}


def test_the_worldly_modules_are_those_that_are_listed() -> None:
    assert WORLDLY <= MODULES


def test_importing_the_package_imports_nothing() -> None:
    assert (PACKAGE / "__init__.py").read_text() == ""


def test_register_does_not_load_what_only_push_needs() -> None:
    wiring = imports_of(ROOT / "functions" / "register.py")
    own = {name.removeprefix("lockstep.") for name in wiring if name.startswith("lockstep.")}

    assert "registration" in own
    assert loaded_by(*own).isdisjoint({"pycurl", "httpx"})


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_the_package_knows_nothing_of_the_functions_nor_of_one_machine(path: Path) -> None:
    outward = {name.partition(".")[0] for name in imports_of(path)} & {
        "functions",
        "register",
        "push",
        "onebox",
        "tests",
    }

    assert outward == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_only_the_functions_read_the_environment(path: Path) -> None:
    assert "environ[" not in path.read_text()
    assert "os" not in imports_of(path)


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*.py")), ids=lambda path: path.stem)
def test_no_function_is_named_after_a_standard_module(path: Path) -> None:
    assert path.stem not in sys.stdlib_module_names
