"""SnapStart: off by default, and right where it is on: versions, triggers, and nothing in a snapshot that must be unique."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cold_environment import cold_environment
from onebox import ROOT
from onebox.template import FunctionSpec, Template
from tests.template import SOURCE, TEMPLATE, TEXT, named, properties

FUNCTIONS = ["RegisterFunction", "ExplainFunction", "PushFunction", "SweepFunction"]

# What Lambda keeps of a version's description.
DESCRIPTION_MAX = 256


def version_of(function: str, template: Template = TEMPLATE) -> str:
    """Return the logical id of a function's version, by which CloudFormation knows whether it is published already."""
    [version] = [
        name
        for name, resource in template.of_type("AWS::Lambda::Version").items()
        if named(resource["Properties"]["FunctionName"]) == function
    ]
    return version


def named_in(expression: Any) -> set[str]:
    """Return the template's parameters that an expression names, however deep inside."""
    text = json.dumps(expression)
    names = re.findall(r'\{"Ref": "(\w+)"\}|\$\{(\w+)\}', text)
    return {name for pair in names for name in pair} & set(TEMPLATE.parameters)


def changed(tmp_path: Path, before: str, after: str) -> Template:
    """Return the template with a text in it changed, as the next deployment may bring it."""
    assert before in TEXT
    path = tmp_path / "template.yaml"
    path.write_text(TEXT.replace(before, after))
    return Template.load(path, region="us-east-1")


# --- the parameter


def test_it_is_off_unless_asked_for() -> None:
    assert SOURCE["Parameters"]["SnapStart"]["Default"] == "None"


def test_the_parameter_is_what_each_function_gets() -> None:
    # In CloudFormation's own words, so that no condition stands between.
    assert SOURCE["Parameters"]["SnapStart"]["AllowedValues"] == ["None", "PublishedVersions"]
    for function in properties("AWS::Lambda::Function").values():
        assert function["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}


def test_nothing_of_a_function_forbids_a_snapshot() -> None:
    for function in properties("AWS::Lambda::Function").values():
        assert not {"EphemeralStorage", "FileSystemConfigs", "ImageConfig"} & set(function)
    assert all("ProvisionedConcurrencyConfig" not in alias for alias in properties("AWS::Lambda::Alias").values())


# --- versions, and who calls them


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_alias_is_of_the_version_that_was_published_last(function: str) -> None:
    alias = properties("AWS::Lambda::Alias")[f"{function}Aliaslive"]

    assert named(alias["FunctionName"]) == function
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version_of(function), "Version"]}


def triggers() -> Iterator[Any]:
    """Yield what each trigger invokes, and what each is permitted to invoke."""
    for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"):
        yield from (one["FunctionName"] for one in properties(kind).values())
    for rule in properties("AWS::Events::Rule").values():
        yield from (target["Arn"] for target in rule["Targets"])
    for api in properties("AWS::ApiGatewayV2::Api").values():
        for operations in api["Body"]["paths"].values():
            for operation in operations.values():
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                yield {"Ref": uri.partition("/functions/${")[2].partition("}")[0]}


def test_every_trigger_goes_to_the_alias() -> None:
    assert {named(target) for target in triggers()} == set(properties("AWS::Lambda::Alias"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_changed_parameter_publishes_a_version(function: str) -> None:
    """SAM looks at the template alone (its issue 3820): without this, the alias would keep the old setting for good."""
    description = properties("AWS::Lambda::Version")[version_of(function)]["Description"]

    # None more, either: Lambda refuses a version in which nothing changed.
    assert named_in(description) == named_in(properties("AWS::Lambda::Function")[function])


def test_a_description_has_room_for_the_longest_settings() -> None:
    longest = {
        name: max(
            [str(parameter.get(limit, "")) for limit in ("MaxValue", "Default")]
            + parameter.get("AllowedValues", [])
            + ["x" * parameter.get("MaxLength", 0)],
            key=len,
        )
        for name, parameter in TEMPLATE.parameters.items()
    } | {"BundleId": "b" * 155}

    for version in properties("AWS::Lambda::Version").values():
        text = re.sub(r"\$\{(\w+)\}", lambda match: longest[match[1]], version["Description"]["Fn::Sub"])
        assert len(text) <= DESCRIPTION_MAX


@pytest.mark.parametrize("layer", ["The lockstep package.", "What Lambda does not bring, pinned."])
def test_a_changed_layer_publishes_a_version_of_each_function(layer: str, tmp_path: Path) -> None:
    template = changed(tmp_path, layer, "Another.")

    for function in FUNCTIONS:
        assert version_of(function, template) != version_of(function)


def test_a_template_that_stayed_the_same_publishes_nothing(tmp_path: Path) -> None:
    template = changed(tmp_path, "Where the app registers.", "Another.")

    assert [version_of(function, template) for function in FUNCTIONS] == [
        version_of(function) for function in FUNCTIONS
    ]


def test_old_versions_go_for_their_snapshots_are_billed() -> None:
    for version in TEMPLATE.of_type("AWS::Lambda::Version").values():
        assert version["DeletionPolicy"] == "Delete"


# --- what is in a snapshot


def in_a_fresh_process(program: str, spec: FunctionSpec) -> str:
    """Run a program with the function imported beforehand, as Lambda has it; returns what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", program.replace("FUNCTION", spec.handler.partition(".")[0])],
        env={"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'layers' / 'shared'}", **cold_environment(TEMPLATE, spec)},
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout


TELLING_WHOM_IT_TALKS_TO = """
import sys
sys.addaudithook(lambda event, _: print(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
import FUNCTION
"""

RESTORED_TWICE = """
import random, snapshot_restore_py, FUNCTION
snapshot = random.getstate()
for _ in range(2):
    random.setstate(snapshot)
    for hook, arguments, options in snapshot_restore_py.get_after_restore():
        hook(*arguments, **options)
    print(random.random())
"""


@pytest.mark.parametrize("spec", TEMPLATE.functions, ids=lambda spec: spec.logical_id)
def test_init_talks_to_nobody_so_no_connection_address_or_key_is_in_a_snapshot(spec: FunctionSpec) -> None:
    assert in_a_fresh_process(TELLING_WHOM_IT_TALKS_TO, spec) == ""


@pytest.mark.parametrize("spec", TEMPLATE.functions, ids=lambda spec: spec.logical_id)
def test_two_that_begin_with_one_snapshot_spread_their_retries_differently(spec: FunctionSpec) -> None:
    one, other = in_a_fresh_process(RESTORED_TWICE, spec).split()

    assert one != other
