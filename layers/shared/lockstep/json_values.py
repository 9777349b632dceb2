"""JSON as a type, and the two ways in which we read and write it."""

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import cast

type Json = None | bool | int | float | str | list[Json] | dict[str, Json]
type JsonObject = dict[str, Json]

# Swift's JSONDecoder, with which an iPhone reads a push, gives up at one more (swift-foundation, `JSONScanner.swift`).
NESTING_MAX = 512

# Strings, whole or broken off, and what else is no bracket. Possessive: nothing is looked at twice, whatever it is.
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class NestedTooDeep(ValueError):
    """It is JSON, perhaps, of more levels than were asked for."""


def compact(value: Json) -> str:
    """Write JSON without spaces and without escapes, as APNs counts it; raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: Json) -> str:
    """Write JSON so that equal values have equal texts."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False)


def parse(text: str, *, nesting_max: int | None = None) -> Json:
    """
    Read strict JSON.

    Args:
        nesting_max: How many levels of arrays and objects it may have. For what others wrote: how deep Python itself can go
            depends on where it is asked, so what was read here might not be written there. None: as deep as Python goes.

    Raises:
        ValueError: It is anything else: NaN, text that is not Unicode, numbers of thousands of digits, nested too deep.
    """
    if nesting_max is not None and _is_deeper(text, nesting_max):
        raise NestedTooDeep(f"nested over {nesting_max} levels")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = cast("Json", json.loads(text, parse_constant=refuse))
        compact(value).encode()  # half a surrogate pair parses, but could never be sent
    except RecursionError:
        raise NestedTooDeep("nested too deep") from None
    return value


def objects_in(value: Json) -> Iterator[JsonObject]:
    """Yield each object in a value, itself among them, however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left += one.values()
        elif isinstance(one, list):
            left += one


def levels_of(value: Json) -> int:
    """Count the levels of arrays and objects."""
    levels, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        levels += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return levels


def _is_deeper(text: str, levels: int) -> bool:
    """Count levels in the text, before anything recurses into it."""
    if text.count("[") + text.count("{") <= levels:
        return False
    return max(accumulate(_STEPS[bracket] for bracket in _NO_BRACKETS.sub("", text)), default=0) > levels
