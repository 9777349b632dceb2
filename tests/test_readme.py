"""The README's commands and JSON, run or held against what they speak of."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from pydantic import BaseModel

from lockstep.models import CardRegistration, Report, ReportAnswer, StartTokenRegistration
from lockstep.telemetry import Count
from tests.messages import read

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*(ROOT / name for name in ("README.md", "DECISIONS.md", "CHANGELOG.md")), *(ROOT / "docs").glob("*.md")]
README = DOCUMENTS[0].read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    assert found
    return found


def commands() -> Iterator[list[str]]:
    """Yield the words of each command, comments left out."""
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while "&&" in words:
                cut = words.index("&&")
                yield words[:cut]
                words = words[cut + 1 :]
            if words:
                yield words


def of(program: str) -> list[list[str]]:
    return [words for words in commands() if words[0] == program]


def test_every_command_is_of_a_kind_that_is_checked_here() -> None:
    assert {words[0] for words in commands()} == {"make", "sam", "aws"}


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    spoken = "\n".join(document.read_text() for document in DOCUMENTS)
    targets = {words[1] for words in of("make")} | set(re.findall(r"(?:`|^)make ([a-z-]+)", spoken, re.MULTILINE))

    assert {"demo", "test", "up", "check", "build", "clean"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_local_invocation_is_of_a_function_and_an_event_that_exist() -> None:
    local = [words[2:] for words in of("sam") if words[1] == "local"]

    assert [words[0] for words in local] == ["invoke", "start-api"]
    assert all(words[-2:] == ["-n", ".local/env.json"] for words in local)
    _, function, _, event, *_ = local[0]
    assert function in (ROOT / "template.yaml").read_text()
    assert (ROOT / event).exists()


def test_every_aws_command_and_option_exists() -> None:
    session = botocore.session.get_session()
    for _, service, command, *options in of("aws"):
        model = session.get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(operations[command]).input_shape
        assert shape is not None
        assert {xform_name(name, "-") for name in shape.members} >= {o[2:] for o in options if o.startswith("--")}


def parsed() -> list[dict[str, Any]]:
    return [json.loads(block) for block in blocks("json")]


@pytest.mark.parametrize("body", [body for body in parsed() if "aps" in body])
def test_every_publish_is_taken(body: dict[str, Any]) -> None:
    assert read(body).activity == "order-42"


MODELS: dict[frozenset[str], type[BaseModel]] = {
    frozenset(
        {"observed_at_ms", "environment", "os_version", "frequent_updates", "follows", "start_tokens", "cards"}
    ): Report,
    frozenset({"activities"}): ReportAnswer,
    frozenset({"activity", "run", "token", "observed_at_ms"}): CardRegistration,
    frozenset({"token", "observed_at_ms"}): StartTokenRegistration,
}


def test_every_message_of_the_app_fits_its_model_and_none_is_left_out() -> None:
    bodies = [body for body in parsed() if "aps" not in body]

    assert {frozenset(body) for body in bodies} == set(MODELS)
    for body in bodies:
        model = MODELS[frozenset(body)]
        assert model.model_validate_json(json.dumps(body)).model_dump(exclude_none=True) == body


def test_every_metric_is_one_that_is_counted() -> None:
    section = README.split("Metrics: ")[1].split(".\n")[0]
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", section))

    assert named == {count.value for count in Count} | {"Rejected", "PublishToAcceptance", "Channels"}


def test_every_output_is_one_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text().split("\nOutputs:")[1]
    for name in re.findall(r"output `([A-Za-z]+)`", README):
        assert re.search(rf"^  {name}:", template, re.MULTILINE), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_local_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target
