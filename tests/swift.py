"""Swift, read by its grammar: what nobody here can compile can still be held against what it speaks of."""

import re
from collections.abc import Iterator
from pathlib import Path

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_swift.language()))


def read(path: Path) -> Node:
    """Parse a file."""
    return _PARSER.parse(path.read_bytes()).root_node


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    """Return what stands there."""
    return (node.text or b"").decode()


def wrong(node: Node) -> list[str]:
    """Say where what stands there is no Swift."""
    return [
        f"line {one.start_point.row + 1}: {text(one)[:80]!r}"
        for one in walk(node)
        if one.type == "ERROR" or one.is_missing
    ]


def structs(node: Node) -> dict[str, Node]:
    """Return the types that a file declares, by their names, those inside others too."""
    found = ((one.child_by_field_name("name"), one) for one in walk(node) if one.type == "class_declaration")
    return {text(name): one for name, one in found if name is not None}


def functions(node: Node) -> dict[str, str]:
    """Return the functions that a file declares, those of its types too, as they stand, by their names."""
    found = ((one.child_by_field_name("name"), one) for one in walk(node) if one.type == "function_declaration")
    return {text(name): text(one) for name, one in found if name is not None}


def fields(struct: Node) -> list[str]:
    """Return the names of a type's stored properties."""
    body = struct.child_by_field_name("body")
    declared = [] if body is None else [one for one in body.children if one.type == "property_declaration"]
    names = (one.child_by_field_name("name") for one in declared)
    return [text(name) for name in names if name is not None]


def json_keys(struct: Node) -> dict[str, str]:
    """Return the JSON key of each of a struct's cases of CodingKeys."""
    body = struct.child_by_field_name("body")
    assert body is not None
    [keys] = [one for one in body.children if one.type == "class_declaration" and "CodingKeys" in text(one)[:20]]
    found: dict[str, str] = {}
    for case in (one for one in walk(keys) if one.type == "enum_entry"):
        for name, _, value in re.findall(r'(\w+)( = "(\w+)")?', text(case).removeprefix("case ")):
            found[name] = value or name
    return found


def calls(node: Node, name: str) -> list[list[str]]:
    """Return the arguments of each call of a function, as they stand, without their labels."""
    found = [one for one in walk(node) if one.type == "call_expression" and text(one).startswith(f"{name}(")]
    return [[_value(argument) for argument in walk(call) if argument.type == "value_argument"] for call in found]


def _value(argument: Node) -> str:
    value = argument.child_by_field_name("value")
    return text(value if value is not None else argument)
