"""docs/schemas.md: its Swift is translated, and what it says came of that did."""

import json
import re
import shlex
from pathlib import Path

import pytest

from lockstep.errors import InvalidInput
from lockstep.schemas import Schemas
from onebox import ROOT
from onebox.__main__ import main
from onebox.swift.changes import Side, breaks
from tests.swift_side import attributes, schema_of

PAGE = (ROOT / "docs" / "schemas.md").read_text()
COMMAND = ".venv/bin/python -m onebox "


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def blocks(language: str, text: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


def call(command: str) -> int:
    assert command.startswith(COMMAND)
    return main(shlex.split(command.removeprefix(COMMAND)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stay where the page's reader has their Swift."""
    monkeypatch.chdir(tmp_path)
    [swift] = blocks("swift", section("Make a schema"))
    (tmp_path / "Attributes.swift").write_text(swift)
    return tmp_path


def test_the_schema_is_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    [command] = blocks("sh", section("Make a schema"))
    [warning] = blocks("text", section("Make a schema"))
    [schema] = blocks("json", section("Make a schema"))

    assert call(command) == 0

    printed = capsys.readouterr()
    assert printed.err == warning
    assert list(json.loads(printed.out).items()) == list(json.loads(schema).items())


def test_a_schema_that_is_put_where_the_page_says_has_a_publish_refused_in_its_words(folder: Path) -> None:
    text = section("Have push refuse what does not fit")
    [said] = blocks("sh", text)
    make, build = said.splitlines()

    assert call(make) == 0
    schemas = Schemas.from_folder(folder / "layers" / "schemas")
    with pytest.raises(InvalidInput) as refused:
        schemas.check("OrderAttributes", None, {"stage": "cooking"})

    assert f"`{refused.value}`" in text
    assert build == "make build && sam deploy"


def test_what_the_page_says_is_refused_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = section("What is translated, and what is refused")
    [(folder / "Match.swift").write_text(swift) for swift in blocks("swift", text)]

    assert main(["schema", "Match.swift"]) == 1
    assert [capsys.readouterr().err] == blocks("text", text)


def test_what_the_page_says_breaks_cards_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = section("Check a change")
    [swift] = blocks("swift", text)
    [command] = blocks("sh", text)
    main(["schema", "Attributes.swift", "-o", "layers/schemas"])
    (folder / "Attributes.swift").write_text(swift)
    capsys.readouterr()

    assert call(command) == 1
    assert [capsys.readouterr().out] == blocks("text", text)


# What each row of the table of changes speaks of.
CHANGES = {
    "a new optional, or an optional removed": ("var a: Int?", "var b: Int?"),
    "a new required property": ("", "var a: Int"),
    "a required property removed, or made optional": ("var a: Int; var b: Int", "var a: Int?"),
    "an optional made required": ("var a: Int?", "var a: Int"),
    "a new case of an enum": (
        "var a: A\nenum A: Int, Codable { case x }",
        "var a: A\nenum A: Int, Codable { case x, y }",
    ),
    "a case removed": ("var a: A\nenum A: Int, Codable { case x, y }", "var a: A\nenum A: Int, Codable { case x }"),
    "a type made wider (`Int` to `Double`)": ("var a: Int", "var a: Double"),
    "a type made narrower (`Double` to `Int`)": ("var a: Double", "var a: Int"),
    "another type": ("var a: Int", "var a: String"),
    "`Double` made `Date`, or back": ("var a: Double", "var a: Date"),
}


def test_the_table_of_changes_says_which_side_breaks() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \| .*\|$", section("Check a change"), re.MULTILINE)[2:]

    assert [row[0] for row in rows] == list(CHANGES)
    for change, *sides in rows:
        before, after = (schema_of(attributes(state)) for state in CHANGES[change])
        broken = {one.side for one in breaks(before, after)}
        assert [side != "fine" for side in sides] == [Side.OLD_APP in broken, Side.NEW_APP in broken], change


def test_a_schema_is_renewed_as_the_page_says(folder: Path) -> None:
    [checked, unchecked] = blocks("sh", section("Renew a schema"))[0].splitlines()
    schema = folder / "layers" / "schemas" / "OrderAttributes.json"
    main(["schema", "Attributes.swift", "-o", "layers/schemas"])
    made = schema.read_text()
    schema.write_text(
        made.replace('"activity"\n', '"activity",\n          "old"\n').replace('"run": {', '"old": {}, "run": {', 1)
    )

    assert call(checked) == 1
    assert call(unchecked) == 0
    assert schema.read_text() == made
    assert call(checked) == 0


def test_the_pages_types_are_translated_as_its_table_says(folder: Path) -> None:
    rows = re.findall(r"^\| (`.*?) \| (string|boolean|integer|number|array|object|not required)", PAGE, re.MULTILINE)
    kinds = {"`String`, `Bool`": ["string", "boolean"]}
    for swift, kind in rows:
        for index, type_ in enumerate(re.findall(r"`([^`]+)`", swift)):
            name = type_.replace("T", "Bool") if re.search(r"[<\[:]|[?!]$", type_) else type_
            (folder / "One.swift").write_text(
                "struct A: ActivityAttributes { let activity: String; let run: Int\n"
                f"struct ContentState: Codable, Hashable {{ var it: {name} }} }}"
            )
            assert main(["schema", "One.swift", "-o", "."]) == 0, name
            state = json.loads((folder / "A.json").read_text())["properties"]["content-state"]
            wanted = kinds.get(swift, [kind] * 9)[index]
            assert state["required"] == ([] if kind == "not required" else ["it"])
            assert kind == "not required" or state["properties"]["it"]["type"] == wanted, name

    assert len(rows) == 9
