"""The README's and the guides' commands and JSON, run or held against what they speak of."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lockstep.models import CardRegistration, Report, ReportAnswer, StartTokenRegistration
from lockstep.telemetry import Count
from tests import documents
from tests.aws_command import AwsCommand
from tests.documents import DOCUMENTS, ROOT
from tests.messages import read

README = (ROOT / "README.md").read_text()

# Which blocks are tried, and where: in this file, and for the guides in test_ios_guide.py, test_producers_guide.py and
# test_operations_guide.py, for the other pages in test_events_document.py, test_publish_page.py and test_schemas_page.py.
TRIED = {
    "": {path.name for path in DOCUMENTS},  # drawings, and what a command prints
    "text": {"schemas.md"},
    "sh": {path.name for path in DOCUMENTS},
    "json": {"README.md", "producers.md", "events.md", "schemas.md"},
    "python": {"producers.md", "publish-helper.md"},
    "yaml": {"producers.md"},
    "hcl": {"producers.md"},
    "swift": {"ios.md", "schemas.md"},
    "xml": {"ios.md"},
    "toml": {"operations.md"},
}


def commands() -> list[list[str]]:
    """Return the words of each command in any document."""
    return [words for block in documents.blocks("sh") for words in documents.commands(block)]


def of(program: str) -> list[list[str]]:
    return [words for words in commands() if words[0] == program]


def test_every_block_is_of_a_language_that_a_test_knows_there() -> None:
    assert [str(one) for one in documents.blocks() if one.document not in TRIED.get(one.language, set())] == []


def test_no_block_is_overlooked() -> None:
    for path in DOCUMENTS:
        fences = sum(line.lstrip().startswith("```") for line in path.read_text().splitlines())
        assert fences == 2 * len(documents.blocks(document=path.name)), path.name


def test_every_command_is_of_a_kind_that_is_checked_here() -> None:
    # Requests by curl are made in test_ios_guide.py, tests/clients installs by pip, and `export` says what else a command
    # finds in its environment.
    made_here = {"make", "sam", "aws"}
    assert {words[0] for words in commands()} == made_here | {"export", "curl", "jq", "date", "pip", ".venv/bin/python"}
    assert {words[1] for words in of("sam")} == {"local", "deploy", "delete"}
    assert {" ".join(words[:3]) for words in of(".venv/bin/python")} <= {
        ".venv/bin/python -m onebox",
        ".venv/bin/python -c import uuid; print(uuid.uuid4())",
    }


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


def test_every_aws_command_and_option_exists(tmp_path: Path) -> None:
    (tmp_path / "update.json").write_text("{}")
    variables = Counter[str]()

    for words in of("aws"):
        AwsCommand.of(words, {name: name for name in re.findall(r"\$([A-Z_]+)", " ".join(words))}, folder=tmp_path)
        variables.update(re.findall(r"\$([A-Z_]+)", " ".join(words)))

    assert variables["PUBLISH_QUEUE_URL"] > 1


def parsed() -> list[dict[str, Any]]:
    return [json.loads(block.text) for block in documents.blocks("json", document="README.md")]


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


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "layers" / "schemas" / "README.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_local_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        there = document.parent / name if name else document
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def anchors(document: Path) -> set[str]:
    """Return what links to a page's headings end in."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
