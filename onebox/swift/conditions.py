"""`#if`: what is compiled for iPhones, what is not, and what this command can't know."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from onebox.swift.findings import Place
from onebox.swift.syntax import Source, text_of

_HERE = re.compile(r"canImport\((ActivityKit|Foundation|SwiftUI|UIKit|WidgetKit|AppIntents)\)|os\(iOS\)|true")
_ELSEWHERE = re.compile(r"canImport\((AppKit|Cocoa)\)|os\(\w+\)|targetEnvironment\(macCatalyst\)|false")

_QUESTION = re.compile(r"\w+(\([^()]*\))?")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_WORDS = {"true": True, "false": False, "unknown": None}


@dataclass(frozen=True, slots=True)
class Item:
    """A declaration among others."""

    node: Node
    # Where the `#if` stands that decides whether it is there at all.
    condition: Place | None


@dataclass(slots=True)
class _Chain:
    """An `#if` with its `#elseif` and `#else`: whether each branch's own condition holds; None where nobody knows."""

    place: Place
    conditions: list[bool | None] = field(default_factory=list)

    @property
    def is_compiled(self) -> bool | None:
        """Say whether the branch of now is."""
        *before, now = self.conditions
        if True in before:
            return False
        return now if None not in before or now is False else None


def items(source: Source, parent: Node) -> Iterator[Item]:
    """Yield what a file or a body declares, as far as it is compiled for iPhones."""
    chains: list[_Chain] = []
    for node in parent.children:
        if node.type == "directive":
            _follow(chains, source.place(node), text_of(node))
        elif all(chain.is_compiled is not False for chain in chains):
            yield Item(node, next((chain.place for chain in chains if chain.is_compiled is None), None))


def _follow(chains: list[_Chain], place: Place, directive: str) -> None:
    if directive.startswith("#endif"):
        del chains[-1:]
    elif directive.startswith("#if"):
        chains.append(_Chain(place, [_holds(directive.removeprefix("#if"))]))
    elif chains and directive.startswith("#else"):
        condition = directive.removeprefix("#elseif")
        chains[-1].conditions.append(True if condition == directive else _holds(condition))


def _holds(condition: str) -> bool | None:
    """Say whether a condition holds on iPhones; None where that depends, or where this can't be read."""
    known = _QUESTION.sub(lambda found: _word(_asked(found[0])), "".join(condition.split()))
    # From the innermost brackets outwards.
    while (inner := _BRACKETS.sub(lambda found: _word(_flat(found[1])), known)) != known:
        known = inner
    return _flat(known)


def _asked(question: str) -> bool | None:
    if _HERE.fullmatch(question):
        return True
    return False if _ELSEWHERE.fullmatch(question) else None


def _word(holds: bool | None) -> str:
    return next(word for word, meant in _WORDS.items() if meant is holds)


def _flat(condition: str) -> bool | None:
    """Judge what has no brackets."""
    ways = [[_is_true(part) for part in way.split("&&")] for way in condition.split("||")]
    together = [False if False in way else None if None in way else True for way in ways]
    return True if True in together else None if None in together else False


def _is_true(part: str) -> bool | None:
    if part.startswith("!"):
        other = _is_true(part.removeprefix("!"))
        return None if other is None else not other
    return _WORDS.get(part)
