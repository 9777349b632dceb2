"""JSON as a type, and the two ways in which we read and write it."""

import json
from typing import cast

type Json = None | bool | int | float | str | list[Json] | dict[str, Json]
type JsonObject = dict[str, Json]


def compact(value: Json) -> str:
    """Write JSON without spaces and without escapes, as APNs counts it; raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: Json) -> str:
    """Write JSON so that equal values have equal texts."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False)


def parse(text: str) -> Json:
    """Read strict JSON; raises ValueError for everything else: NaN, text that is not Unicode, nesting too deep."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = cast("Json", json.loads(text, parse_constant=refuse))
        compact(value).encode()  # half a surrogate pair parses, but could never be sent
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value
