"""
Publishes held against the schemas, so that a state is refused rather than sent where no app could decode it.

A start, and whatever else names its attributes type, is checked by itself. An update or an end is checked by the start it
belongs to, which the stored row knows, or the batch; so what it is found to be depends on what the row has become meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from lockstep.errors import InvalidInput
from lockstep.json_values import JsonObject
from lockstep.merge import merge
from lockstep.payload import attributes_of
from lockstep.publishes import Publish
from lockstep.row import Register, Registers, Row, Version
from lockstep.schemas import Schemas


@dataclass(frozen=True, slots=True)
class Fitted:
    """
    What of a batch's publishes may become a part of a row.

    Attributes:
        stored: The row to merge into: without its state, where a start has come whose app could not decode it.
        said: All publishes that fit, merged.
        refused: For each publish, in their order, why it doesn't fit; None where it does.
        left_out: Why the newest state was left out, though nobody could refuse it when it came; None if none was.
    """

    stored: Row | None
    said: Registers
    refused: tuple[InvalidInput | None, ...]
    left_out: InvalidInput | None = None


def check(schemas: Schemas, publish: Publish) -> None:
    """Refuse what doesn't fit the attributes type that it names itself; raises InvalidInput."""
    start = publish.registers.start
    attributes = None
    if start is not None and "attributes" in start.value:
        run = publish.version.published_at_ms
        attributes = attributes_of(Row(publish.activity, publish.registers, run=run))
    schemas.check(publish.attributes_type, attributes, _content_state(publish.registers.state))


def fit(schemas: Schemas, stored: Row | None, publishes: Sequence[Publish]) -> Fitted:
    """
    Check publishes of one activity by the starts that are known, each of which was checked by itself.

    A state that came before anybody knew its type is looked at again once a start tells it. What doesn't fit then is left
    out with all that its publish said, as that would have been refused had the start come first; else the start would
    carry it, and make no card. What stands in the row by a start of the same type was looked at when it came.
    """
    if not schemas.attributes_types:
        return Fitted(stored, _merged(publish.registers for publish in publishes), (None,) * len(publishes))
    before = stored.registers if stored else Registers()
    known = [before, *(publish.registers for publish in publishes)]
    refused = tuple(_misfit(schemas, publish, known) for publish in publishes)
    taken = [publish.registers for publish, reason in zip(publishes, refused, strict=True) if reason is None]
    said = _merged(taken)
    merged = merge(before, said)
    looked_at = merged.state == before.state and _type(merged.start) == _type(before.start)
    wrong = None if looked_at else _wrong(schemas, merged.start, merged.state)
    if wrong is None:
        return Fitted(stored, said, refused)
    kept = [_without_misfit(schemas, merged.start, one) for one in (before, *taken)]
    return Fitted(
        stored and replace(stored, registers=replace(kept[0], state=None)),
        replace(_merged(kept[1:]), state=_merged(kept).state),
        refused,
        wrong,
    )


def _without_misfit(schemas: Schemas, start: Register | None, said: Registers) -> Registers:
    """Leave out a state that doesn't fit, and what else its publish said since the start."""
    state = said.state
    if start is None or state is None or _wrong(schemas, start, state) is None:
        return said
    gone = replace(said, state=None)
    if state.version > start.version:
        alert, end = (None if one and one.version == state.version else one for one in (said.alert, said.end))
        gone = replace(gone, alert=alert, end=end)
    return gone


def _merged(registers: Iterable[Registers]) -> Registers:
    return reduce(merge, registers, Registers())


def _misfit(schemas: Schemas, publish: Publish, known: Sequence[Registers]) -> InvalidInput | None:
    """
    Check an update or an end by the newest start before it, else by the first one after it.

    Where an end came before the latter, it is of a former run, and nobody knows that one's start any more; and nothing that
    is older than the start of what has ended is shown. What stands in the row, and comes again, was taken once.
    """
    stored = known[0]
    if publish.registers.start is not None or _stands(publish, stored):
        return None
    starts = sorted((one.start for one in known if one.start), key=_version)
    before = [start for start in starts if start.version < publish.version]
    if before:
        return _wrong(schemas, before[-1], publish.registers.state)
    ended = any(publish.version < one.end.version < starts[0].version for one in known if starts and one.end)
    return _wrong(schemas, starts[0], publish.registers.state) if starts and not ended and not stored.ended else None


def _stands(publish: Publish, stored: Registers) -> bool:
    return any(register.version == publish.version for register in stored.given().values())


def _type(start: Register | None) -> str | None:
    attributes_type = start.value.get("attributes-type") if start else None
    return attributes_type if isinstance(attributes_type, str) else None


def _wrong(schemas: Schemas, start: Register | None, state: Register | None) -> InvalidInput | None:
    try:
        schemas.check(_type(start), None, _content_state(state))
    except InvalidInput as error:
        return error
    return None


def _version(register: Register) -> Version:
    return register.version


def _content_state(state: Register | None) -> JsonObject | None:
    value = state.value.get("content-state") if state else None
    return value if isinstance(value, dict) else None
