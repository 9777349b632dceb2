"""Enums with raw values, and the `CodingKeys` of a struct."""

import re
import sys

from tree_sitter import Node

from lockstep.json_values import Json, JsonObject
from onebox.swift.findings import Findings
from onebox.swift.program import Nominal
from onebox.swift.standard import INTEGERS
from onebox.swift.syntax import text_of

_ESCAPES = {"0": "\0", "\\": "\\", "t": "\t", "n": "\n", "r": "\r", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,8})\}|(.))")
# `\\(…)` among them, which only a running app can tell; no text of Swift has half a surrogate pair.
_UNKNOWN = "\ud800"


def enum_schema(enum: Nominal, findings: Findings) -> JsonObject:
    """Translate an enum with raw values; what else it is gets refused."""
    if any(case.has_values for case in enum.cases):
        for case in enum.cases:
            if case.has_values:
                findings.refuse(
                    case.place,
                    f"case {case.name} of {enum.name} has associated values: give the enum raw values "
                    "(`enum … : String, Codable`), and put the values into properties beside it",
                )
        return {}
    _check_conditions(enum, findings)
    raw_type = enum.main.raw_type
    if raw_type != "String" and raw_type not in INTEGERS:
        findings.refuse(
            enum.main.place,
            f"{enum.name} has no raw values of String or Int: write `enum {enum.name}: String, Codable` "
            "(without any, Swift decodes it from an object whose key is the case's name)",
        )
        return {}
    for name, place in enum.by_hand("init(rawValue:)", "init?(rawValue:)", "rawValue"):
        findings.refuse(place, f"{enum.name} makes its raw values itself ({name}): write them at its cases")
    values: list[Json] = [*(_strings(enum, findings) if raw_type == "String" else _integers(enum, findings))]
    return {"type": "string" if raw_type == "String" else "integer", "enum": values}


def coding_keys(enum: Nominal, findings: Findings) -> dict[str, str]:
    """Return the JSON keys that a `CodingKeys` gives to properties, by the names of these."""
    for name, place in enum.by_hand("init?(stringValue:)", "stringValue"):
        findings.refuse(place, f"CodingKeys makes its keys itself ({name}): write them at its cases")
    _check_conditions(enum, findings)
    names = [case.name for case in enum.cases]
    # Of `CodingKeys: Int` the case's name is the key.
    return dict(zip(names, _strings(enum, findings) if enum.main.raw_type == "String" else names, strict=True))


def _check_conditions(enum: Nominal, findings: Findings) -> None:
    for case in enum.cases:
        if case.condition is not None:
            findings.refuse(
                case.condition, f"#if decides whether {enum.name} has the case {case.name}: take the #if away"
            )


def _strings(enum: Nominal, findings: Findings) -> list[str]:
    values = []
    for case in enum.cases:
        value = case.name if case.raw is None else _string(case.raw)
        if value is None:
            findings.refuse(case.place, f'the raw value of {case.name} is no plain text: write it as "…"')
        values.append(value or "")
    return values


def _integers(enum: Nominal, findings: Findings) -> list[int]:
    values: list[int] = []
    following = 0
    for case in enum.cases:
        value = following if case.raw is None else _integer(case.raw)
        if value is None:
            findings.refuse(case.place, f"the raw value of {case.name} is no whole number: write it as one")
            value = 0
        values.append(value)
        following = value + 1
    return values


def _string(literal: Node) -> str | None:
    if literal.type != "line_string_literal":
        return None
    written = text_of(literal)[1:-1]
    plain = _ESCAPE.sub(lambda found: _scalar(found[1]) if found[1] else _ESCAPES.get(found[2], _UNKNOWN), written)
    return None if _UNKNOWN in plain else plain


def _scalar(digits: str) -> str:
    number = int(digits, 16)
    is_one = number <= sys.maxunicode and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_one else _UNKNOWN


def _integer(literal: Node) -> int | None:
    written = text_of(literal).replace("_", "").replace(" ", "")
    try:
        return int(written, 0) if written.lstrip("-").startswith(("0x", "0b", "0o")) else int(written, 10)
    except ValueError:
        return None
