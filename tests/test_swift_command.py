"""`python -m onebox schema`, as its user calls it."""

import json
from pathlib import Path

import pytest

from onebox.__main__ import main
from tests.swift_side import attributes

ORDER = attributes("var minutes: Int")
MATCH = ORDER.replace("OrderAttributes", "MatchAttributes")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stay in a folder that has Swift."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Order.swift").write_text(ORDER)
    (tmp_path / "Match.swift").write_text(MATCH)
    return tmp_path


def title(path: Path) -> str:
    return str(json.loads(path.read_text())["title"])


def test_one_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "Order.swift"]) == 0

    printed = capsys.readouterr()
    assert json.loads(printed.out)["title"] == "OrderAttributes"
    assert printed.out.endswith("}\n")
    assert printed.err == ""


def test_each_attributes_type_gets_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "Order.swift", "Match.swift", "-o", "layers/schemas"]) == 0

    assert {path.name: title(path) for path in (folder / "layers/schemas").iterdir()} == {
        "OrderAttributes.json": "OrderAttributes",
        "MatchAttributes.json": "MatchAttributes",
    }
    assert capsys.readouterr().out == ""


def test_several_schemas_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "Order.swift", "Match.swift"]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "-o FOLDER" in printed.err


def test_what_is_refused_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Order.swift").write_text(attributes("var a: Engine\nvar since: Date\nvar b: Any"))

    assert main(["schema", "Order.swift", "-o", "schemas"]) == 1

    printed = capsys.readouterr()
    assert [line.partition(": ")[0] for line in printed.err.splitlines()] == [
        f"Order.swift:{line}" for line in (6, 7, 8)
    ]
    assert printed.out == ""
    assert not (folder / "schemas").exists()


def test_a_warning_keeps_nothing_from_being_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Order.swift").write_text(attributes("var since: Date"))

    assert main(["schema", "Order.swift", "-o", "."]) == 0

    assert capsys.readouterr().err.startswith("Order.swift:6: warning: Date: ")
    assert title(folder / "OrderAttributes.json") == "OrderAttributes"


def test_a_file_without_attributes_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Order.swift").write_text("struct Order: Codable { let id: Int }")

    assert main(["schema", "Order.swift"]) == 1
    assert "no struct conforms to ActivityAttributes" in capsys.readouterr().err


def test_attributes_by_a_protocol_of_another_file_are_found_when_that_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "Order.swift").write_text(ORDER.replace(": ActivityAttributes", ": Ours"))
    (folder / "Ours.swift").write_text("protocol Ours: ActivityAttributes { }")

    assert main(["schema", "Order.swift"]) == 1
    assert "name the protocol's file as well" in capsys.readouterr().err
    assert main(["schema", "Order.swift", "Ours.swift"]) == 0


@pytest.mark.parametrize("old", ["schemas", "schemas/OrderAttributes.json"])
def test_a_change_that_breaks_nobody_passes_and_is_written_where_that_is_asked(
    old: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "Order.swift", "-o", "schemas"])
    (folder / "Order.swift").write_text(attributes("var minutes: Int; var note: String?"))

    assert main(["schema", "Order.swift", "--check", old, "-o", "schemas"]) == 0

    assert capsys.readouterr().out == "Nothing here would break running cards.\n"
    assert '"note"' in (folder / "schemas" / "OrderAttributes.json").read_text()


@pytest.mark.parametrize("old", ["schemas", "schemas/OrderAttributes.json"])
def test_a_change_that_breaks_cards_fails_and_is_not_written(
    old: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "Order.swift", "-o", "schemas"])
    (folder / "Order.swift").write_text(attributes("var minutes: Double"))

    assert main(["schema", "Order.swift", "--check", old, "-o", "schemas"]) == 1

    assert capsys.readouterr().out.startswith("OrderAttributes: content-state.minutes: was Int, is Double\n")
    assert '"integer"' in (folder / "schemas" / "OrderAttributes.json").read_text()
    assert main(["schema", "Order.swift", "-o", "schemas"]) == 0
    assert main(["schema", "Order.swift", "--check", old]) == 0


def test_doing_what_a_warning_asks_breaks_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Order.swift").write_text(attributes("var minutes: Int", own="let shop: String"))
    assert main(["schema", "Order.swift", "-o", "schemas"]) == 0
    asked = [line.partition("`")[2].partition("`")[0] for line in capsys.readouterr().err.splitlines()]
    assert len(asked) == 2

    (folder / "Order.swift").write_text(attributes("var minutes: Int", own="; ".join(["let shop: String", *asked])))

    assert main(["schema", "Order.swift", "--check", "schemas"]) == 0
    assert capsys.readouterr() == ("Nothing here would break running cards.\n", "")


def test_attributes_that_are_gone_break_cards_and_new_ones_do_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", "Order.swift", "-o", "schemas"])

    assert main(["schema", "Order.swift", "Match.swift", "--check", "schemas"]) == 0
    assert main(["schema", "Match.swift", "--check", "schemas"]) == 1
    assert "OrderAttributes: the struct: is gone, or has another name\n" in capsys.readouterr().out


def test_one_schema_of_several_may_be_checked() -> None:
    main(["schema", "Order.swift", "Match.swift", "-o", "schemas"])

    assert main(["schema", "Order.swift", "Match.swift", "--check", "schemas/MatchAttributes.json"]) == 0
    assert main(["schema", "Order.swift", "--check", "schemas/MatchAttributes.json"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["Missing.swift"],
        ["latin1.swift"],
        ["Order.swift", "--check", "missing.json"],
        ["Order.swift", "--check", "empty"],
        ["Order.swift", "--check", "Order.swift"],
        ["Order.swift", "--check", "other.json"],
        ["Order.swift", "-o", "Order.swift"],
    ],
)
def test_what_cannot_be_read_or_written_is_no_verdict(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "latin1.swift").write_bytes("// é".encode("latin-1"))
    (folder / "other.json").write_text("{}")
    (folder / "empty").mkdir()

    assert main(["schema", *arguments]) == 2

    assert capsys.readouterr().err.startswith(f"{arguments[-1]}: ")


def test_no_source_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["schema"])

    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err
