"""What a function loads before its first event. Time is not measured here: `make coldstart` does that."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cold_environment import cold_environment
from bench.coldstart import BASE
from onebox import ROOT
from tests.template import TEMPLATE

SPECS = {spec.handler.partition(".")[0]: spec for spec in TEMPLATE.functions}

# What each function leaves out, and why it can.
NOT_LOADED = {
    "pydantic": ("push sweep", "reads what apps say; producers' bodies are Apple's own dictionary, checked by hand"),
    "pycurl": ("register explain sweep", "pushes; the sweep asks Apple by httpx"),
    "cryptography": ("register explain", "signs provider tokens"),
    "httpx": ("register explain push sweep", "only a stack with channels asks Apple so, from its first request on"),
    "jsonschema_rs": ("register explain push sweep", "checks publishes, where a stack has schemas; from init on there"),
    "jwt": ("register explain", "writes provider tokens"),
    "aws_lambda_powertools.event_handler": ("push sweep", "routes requests, and brings asyncio"),
    "aws_lambda_powertools.utilities.data_classes": ("push sweep", "all events that AWS knows"),
    "aws_lambda_powertools.utilities.parameters": ("register explain", "reads the signing key"),
    "aws_lambda_powertools.utilities.parser": ("register explain push sweep", "models by Pydantic of all events"),
    "lockstep.event_bus": ("register explain push sweep", "only a stack with an event bus tells of outcomes"),
    "lockstep.outcome_events": ("register explain push sweep", "the same"),
    "lockstep.tally": ("register explain push sweep", "the same"),
    "lockstep.missing_cards": ("register explain push sweep", "the same"),
    "aws_xray_sdk": ("register explain push sweep", "nobody traces"),
}

# Python source, in kilobytes, that a function loads beyond what `import boto3` and a client do, with a seventh to spare.
SOURCE_MAX_KB = {"register": 3_300, "explain": 3_300, "push": 1_460, "sweep": 1_230}


def loaded_by(program: str, function: str, schemas: Path) -> dict[str, str]:
    """Run a program in a fresh process, in a function's environment; return the modules it loaded, and their files."""
    tell = "import sys\nfor name, module in [*sys.modules.items()]: print(name, getattr(module, '__file__', None))"
    run = subprocess.run(
        [sys.executable, "-c", f"{program}\n{tell}"],
        env={
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'layers' / 'shared'}",
            **cold_environment(TEMPLATE, SPECS[function], schemas=schemas),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


@pytest.mark.parametrize("function", SPECS)
def test_init_loads_nothing_that_the_function_can_do_without(function: str, tmp_path: Path) -> None:
    modules = loaded_by(f"import {function}", function, tmp_path)

    assert "boto3" in modules, "it was imported whole"
    left_out = {name: why for name, (functions, why) in NOT_LOADED.items() if function in functions.split()}
    assert {name: why for name, why in left_out.items() if name in modules} == {}


@pytest.mark.parametrize(("function", "most_kb"), SOURCE_MAX_KB.items())
def test_what_init_loads_beyond_boto3_does_not_grow_unseen(function: str, most_kb: int, tmp_path: Path) -> None:
    own = loaded_by(f"import {function}", function, tmp_path)
    base = loaded_by(BASE, function, tmp_path)

    files = {file for name, file in own.items() if name not in base and file.endswith(".py")}
    assert sum(Path(file).stat().st_size for file in files) / 1000 <= most_kb


def test_a_stack_with_a_schema_loads_what_checks_by_it_at_init(tmp_path: Path) -> None:
    """The first publish would pay for it else, and a snapshot would lack it."""
    (tmp_path / "OrderAttributes.json").write_text('{"properties": {"content-state": {}}}')

    assert "jsonschema_rs" in loaded_by("import push", "push", tmp_path)


# --- bytecode


def test_make_build_packs_bytecode_that_is_taken_whenever_and_wherever_it_is_unzipped(tmp_path: Path) -> None:
    module = tmp_path / "SharedLayer" / "python" / "packed.py"
    for layer in ("DependenciesLayer", "SharedLayer"):
        (tmp_path / layer / "python").mkdir(parents=True)
    module.write_text("where = (lambda: 0).__code__.co_filename\n")
    said = subprocess.run(
        ["make", "-n", "build", f"BUILD_DIR={tmp_path}"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    [loop] = re.findall(r"^for layer in .*?done$", said, re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-euc", loop], cwd=ROOT, check=True)

    bytecode = Path(importlib.util.cache_from_source(str(module))).read_bytes()
    # A hash that nobody checks (PEP 552): neither the archive's dates nor the source are looked at.
    assert bytecode[4:8] == (1).to_bytes(4, "little")
    assert b"/opt/python/packed.py" in bytecode
    assert str(tmp_path).encode() not in bytecode
