"""Swift's syntax tree, as tree-sitter makes it, and the questions that we ask of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

from onebox.swift.findings import Findings, Place

_SWIFT = Language(tree_sitter_swift.language())


@dataclass(frozen=True, slots=True)
class Source:
    """One file, parsed."""

    file: str
    root: Node

    def place(self, node: Node) -> Place:
        return Place(self.file, node.start_point.row + 1)


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
