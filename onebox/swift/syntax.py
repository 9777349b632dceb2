"""Swift's syntax tree, as tree-sitter makes it, and the questions that we ask of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

from onebox.swift.findings import Findings, Place

_SWIFT = Language(tree_sitter_swift.language())

# Where there are Live Activities, these hold: what they enclose is read, and what is for elsewhere is passed over.
_OURS = re.compile(r"(canImport\((ActivityKit|Foundation|SwiftUI|UIKit|WidgetKit|AppIntents)\)|os\(iOS\))")


@dataclass(frozen=True, slots=True)
class Source:
    """One file, parsed."""

    file: str
    root: Node

    def place(self, node: Node) -> Place:
        return Place(self.file, node.start_point.row + 1)


@dataclass(frozen=True, slots=True)
class Item:
    """A declaration among others."""

    node: Node
    # Where the `#if` stands that decides whether it is there at all.
    condition: Place | None


def parse(file: str, text: str, findings: Findings) -> Source:
    """Parse a file; what isn't understood is refused, for it may hide a declaration."""
    source = Source(file, Parser(_SWIFT).parse(text.encode()).root_node)
    if source.root.has_error:
        for node in _errors(source.root):
            findings.refuse(
                source.place(node),
                f"can't be read as Swift at `{_shown(node)}`: if it compiles, move the attributes to a file of their own",
            )
    return source


def _errors(node: Node) -> Iterator[Node]:
    if node.is_error or node.is_missing:
        # The grammar knows no `;` behind a bracket or a brace: nothing is lost by it.
        if text_of(node) != ";":
            yield node
    elif node.has_error:
        for child in node.children:
            yield from _errors(child)


def _shown(node: Node) -> str:
    first = text_of(node).strip().partition("\n")[0]
    return first if len(first) <= 40 else f"{first[:39]}…"


def text_of(node: Node) -> str:
    return (node.text or b"").decode()


def name_of(node: Node) -> str:
    """Return an identifier as Swift knows it, without the backticks that a keyword needs."""
    return text_of(node).strip("`")


def child(node: Node, *types: str) -> Node | None:
    return next((found for found in node.children if found.type in types), None)


def fields(node: Node) -> Iterator[tuple[str | None, Node]]:
    """Yield a node's children with their names in the grammar."""
    for index, found in enumerate(node.children):
        yield node.field_name_for_child(index), found


def attributes_of(node: Node) -> Iterator[str]:
    """Yield the names of what is written with an @ before a declaration."""
    modifiers = child(node, "modifiers")
    for found in modifiers.children if modifiers else ():
        if found.type == "attribute" and (named := child(found, "user_type")):
            yield text_of(named)


def modifiers_of(node: Node) -> set[str]:
    """Return the words before a declaration: static, lazy, public."""
    modifiers = child(node, "modifiers")
    return {text_of(found) for found in modifiers.children} if modifiers else set()


def items(source: Source, parent: Node) -> Iterator[Item]:
    """Yield what a file or a body declares, as far as it is compiled for iOS."""
    conditions: list[_Condition] = []
    for node in parent.children:
        if node.type != "directive":
            if not any(condition.is_elsewhere for condition in conditions):
                yield Item(node, next((one.place for one in conditions if not one.is_known), None))
            continue
        words = text_of(node)
        if words.startswith("#if"):
            conditions.append(_Condition(source.place(node), is_known=_holds(words.removeprefix("#if"))))
        elif words.startswith("#endif"):
            del conditions[-1:]
        elif conditions and conditions[-1].is_known:
            conditions[-1] = _Condition(conditions[-1].place, is_known=True, is_elsewhere=True)


@dataclass(frozen=True, slots=True)
class _Condition:
    place: Place
    is_known: bool
    is_elsewhere: bool = False


def _holds(condition: str) -> bool:
    """Say whether a condition holds on iPhones for certain; of others we say nothing."""
    ways = "".join(condition.split()).split("||")
    return any(all(_OURS.fullmatch(part) for part in way.split("&&")) for way in ways)
