"""How the house is laid out: what importing costs (test_cold_start.py: of the functions), and which way the arrows go."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers" / "shared" / "lockstep"

# What touches the world, or stands on what does, and by what. All other modules are pure. (`dynamodb` and `queues` are
# given their clients, so that even they load nothing.)
WORLDLY = {
    "activities": "botocore's errors",
    "aws_clients": "boto3",
    "aws_faults": "botocore's errors",
    "aws_transport": "libcurl, botocore",
    "batch": "stands on deliver",
    "card_pages": "stands on both tables; botocore's errors",
    "channel_keeping": "stands on channels_api and both tables; botocore's errors",
    "channels_api": "stands on single_requests",
    "commit": "stands on activities",
    "connection": "libcurl",
    "curl_handle": "libcurl",
    "deliver": "stands on sender and both tables; botocore's errors",
    "engine": "libcurl",
    "event_bus": "boto3",
    "followers": "stands on tokens",
    "forgetting": "stands on tokens",
    "handover": "stands on both tables",
    "http": "Powertools' events and answers",
    "inquiry": "stands on both tables",
    "jobs": "stands on settle",
    "key_source": "Powertools' parameters, which bring boto3",
    "missing_cards": "stands on event_bus and tokens",
    "misfits": "jsonschema-rs, which only a stack with schemas loads",
    "registration": "stands on both tables",
    "retries": "stands on telemetry",
    "returns": "stands on telemetry",
    "schema_file": "stands on misfits",
    "sender": "stands on engine and key_source",
    "settle": "stands on telemetry and tokens",
    "single_requests": "httpx, and stands on key_source",
    "slice_items": "botocore's errors",
    "slicing": "stands on deliver",
    "starting": "stands on both tables",
    "sweeping": "stands on channels_api and activities; botocore's errors",
    "telemetry": "Powertools' logger and metrics",
    "tokens": "botocore's errors",
}
MODULES = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
PURE = sorted(MODULES - set(WORLDLY))

# What a cold start pays for, and what reaches out.
HEAVY = ("boto3", "botocore", "pycurl", "httpx", "aws_lambda_powertools", "jsonschema_rs")


def loaded_by(*modules: str) -> set[str]:
    """Import modules in a fresh process; return the heavy ones that this loaded."""
    names = [f"lockstep.{module}" for module in modules]
    run = subprocess.run(
        [sys.executable, "-c", f"import sys, {', '.join(names)}\nprint(*sys.modules)"],
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


@pytest.mark.parametrize("module", WORLDLY)
def test_a_module_that_is_listed_as_worldly_is(module: str) -> None:
    assert loaded_by(module)


def test_importing_the_package_imports_nothing() -> None:
    assert (PACKAGE / "__init__.py").read_text() == ""


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_the_package_knows_nothing_of_the_functions_nor_of_one_machine(path: Path) -> None:
    outward = {name.partition(".")[0] for name in imports_of(path)} & {
        "functions",
        "register",
        "push",
        "sweep",
        "explain",
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


# A file is read in one go: 250 lines at most, or there is a reason.
LONG = {
    "registration": "the order of a report's writes is one argument, and can only be checked in one place",
    "tokens": "every condition on the tokens table in one place, so that one can be held against another",
}


def test_a_file_is_at_most_250_lines_or_says_why_it_is_not() -> None:
    paths = [*PACKAGE.glob("*.py"), *(ROOT / "functions").glob("*.py")]

    assert {path.stem for path in paths if len(path.read_text().splitlines()) > 250} == set(LONG)
