"""What one schema's values may hold that another can't decode."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from onebox.swift.schema_parts import Part


class Kind(Enum):
    """Why it can't."""

    MISSING = auto()
    NULL = auto()
    VALUES = auto()
    TYPE = auto()
    # It can, and takes it for another time.
    MEANING = auto()


@dataclass(frozen=True, slots=True)
class Misfit:
    """A place where what is written does not fit what is read."""

    path: str
    kind: Kind
    written: Part | None
    read: Part


# What this command writes, and what says nothing about values. What else a person wrote is only equal to itself.
_KEYWORDS = {
    *("$schema", "title", "$defs", "type", "properties", "required", "enum", "items", "minItems", "maxItems"),
    *("minimum", "maximum", "propertyNames", "format", "contentEncoding", "pattern"),
    *("description", "$comment", "examples", "default"),
}

# Nothing else of a number or a text can differ in what this command writes.
_LIMITS = (("minimum", float("-inf"), 1), ("maximum", float("inf"), -1))


def misfits(written: Part, read: Part, path: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Iterator[Misfit]:
    """
    Yield what does not fit.

    Keys that a schema doesn't name are of no account: producers don't send them, and Swift passes over them.
    """
    if written.is_nullable and not read.is_nullable:
        yield Misfit(path, Kind.NULL, written, read)
    if written.reference is not None and read.reference is not None:
        pair = (written.reference, read.reference)
        if pair in seen:
            return
        seen |= {pair}
    if not _kinds_fit(written, read):
        yield Misfit(path, Kind.TYPE, written, read)
    elif read.values is not None and written.values is not None:
        if any(value not in read.values for value in written.values):
            yield Misfit(path, Kind.VALUES, written, read)
    elif written.is_date != read.is_date and read.kind in ("number", "integer"):
        yield Misfit(path, Kind.MEANING, written, read)
    elif read.kind == "object":
        yield from _of_properties(written, read, path, seen)
    elif read.kind in ("array", "dictionary"):
        yield from misfits(written.inner, read.inner, path + ("[]" if read.kind == "array" else ".*"), seen)


def _of_properties(written: Part, read: Part, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Misfit]:
    for key, wanted in read.properties.items():
        inner = f"{path}.{key}" if path else key
        given = written.properties.get(key)
        is_missing = key in read.required and (given is None or key not in written.required)
        if is_missing:
            yield Misfit(inner, Kind.MISSING, given, wanted)
        if given is not None:
            found = misfits(given, wanted, inner, seen)
            # An optional may be left out or null, which is one thing to tell.
            yield from (one for one in found if not (is_missing and one.kind is Kind.NULL and one.path == inner))


def _kinds_fit(written: Part, read: Part) -> bool:
    by_hand = read.schema.keys() - _KEYWORDS - ({"additionalProperties"} if read.kind == "dictionary" else set())
    if not written.kind or not read.kind or by_hand:
        return written.schema == read.schema
    if written.kind != read.kind and (written.kind, read.kind) != ("integer", "number"):
        return False
    if read.kind == "array":
        return all(
            written.limit(key, otherwise) == read.limit(key, otherwise) or read.limit(key, otherwise) == otherwise
            for key, otherwise in (("minItems", 0), ("maxItems", float("inf")))
        )
    if read.kind == "dictionary":
        return "propertyNames" not in read.schema or written.schema.get("propertyNames") == read.schema["propertyNames"]
    if read.values is not None:
        return written.values is not None
    if read.kind == "string":
        return read.text_rules.items() <= written.text_rules.items()
    return all(
        sign * value >= sign * read.limit(key, otherwise)
        for key, otherwise, sign in _LIMITS
        for value in (_numbers(written) or [written.limit(key, otherwise)])
    )


def _numbers(part: Part) -> list[float]:
    return [value for value in part.values or [] if isinstance(value, int | float)]
