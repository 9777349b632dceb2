"""`python -m onebox schema`: from Swift to JSON Schema, and what a change of it would break."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lockstep.json_values import JsonObject, parse
from onebox.swift.attributes import DIALECT, schemas_of
from onebox.swift.changes import Break, breaks, gone

_USAGE = 2


class Unusable(Exception):
    """What the command line names can't be read or written."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what `schema` takes."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="Attributes.swift",
        help="Swift that declares attributes, and the files whose types they use",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="write <AttributesType>.json there")
    parser.add_argument(
        "--check",
        type=Path,
        metavar="OLD",
        help="a schema made earlier, or a folder of them: name what would break running cards; with -o, write if nothing would",
    )


def schema(sources: list[Path], output: Path | None, old: Path | None) -> int:
    """Translate, check and write; returns the exit status: 1 for what is refused or would break, 2 for what can't be read."""
    try:
        return _schema_of(sources, output, old)
    except Unusable as failure:
        print(failure, file=sys.stderr)
        return _USAGE


def _schema_of(sources: list[Path], output: Path | None, old: Path | None) -> int:
    made = schemas_of({str(source): _text(source) for source in sources})
    before = {} if old is None else _earlier(old)
    for line in made.findings.lines():
        print(line, file=sys.stderr)
    if made.findings.refused:
        return 1
    if not made.by_type:
        print(
            f"{' '.join(map(str, sources))}: error: no struct conforms to ActivityAttributes in these files: "
            "if one does by a protocol of yours, name the protocol's file as well",
            file=sys.stderr,
        )
        return 1
    if old is not None:
        if found := list(_compared(before, made.by_type)):
            print(*found, sep="\n")
            return 1
        print("Nothing here would break running cards.")
    _write(made.by_type, output, is_checked=old is not None)
    return 0


def _compared(old: Mapping[str, JsonObject], new: Mapping[str, JsonObject]) -> Iterator[Break]:
    for name, before in old.items():
        if name in new:
            yield from breaks(before, new[name])
        else:
            yield from gone(name)


def _write(schemas: Mapping[str, JsonObject], output: Path | None, *, is_checked: bool) -> None:
    if output is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
            for name, one in schemas.items():
                (output / f"{name}.json").write_text(_json(one))
        except OSError as failure:
            raise Unusable(f"{output}: can't be written: {failure}") from failure
    elif len(schemas) == 1 and not is_checked:
        print(*map(_json, schemas.values()), sep="", end="")
    elif not is_checked:
        raise Unusable(f"these are {len(schemas)} schemas ({', '.join(schemas)}): say where with -o FOLDER")


def _json(one: JsonObject) -> str:
    return json.dumps(one, indent=2, ensure_ascii=False) + "\n"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise Unusable(f"{path}: can't be read: {failure}") from failure


def _earlier(old: Path) -> dict[str, JsonObject]:
    """Read schemas made earlier, by their attributes types."""
    paths = sorted(old.glob("*.json")) if old.is_dir() else [old]
    if not paths:
        raise Unusable(f"{old}: there is no schema in this folder")
    return dict(_schema(path) for path in paths)


def _schema(path: Path) -> tuple[str, JsonObject]:
    try:
        found = parse(_text(path))
    except ValueError as failure:
        raise Unusable(f"{path}: is no JSON: {failure}") from failure
    title = found.get("title") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(title, str) or found.get("$schema") != DIALECT:
        raise Unusable(f"{path}: is no schema of attributes: `$schema` or `title` is missing")
    return title, found
