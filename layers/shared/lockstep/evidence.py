"""What was read of an activity, for who asks why it shows or doesn't: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lockstep.outcomes import Outcomes
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.row import Row
from lockstep.slices import Known


class Trace(NamedTuple):
    """
    A phone's card, or the marker of its start.

    Attributes:
        at_ms: When it was noted, by our clock.
        dead_at_ms: When Apple called the card's token dead; None where it did not.
    """

    row: Card | Marker
    at_ms: int
    dead_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    All that was read.

    Attributes:
        cards_heard: What became of the last delivery's pushes to cards, and of its broadcasts.
        starts_heard: The same of the last starts.
        traces: Of phones that have, or had, a card, or were started.
        named: Start tokens of the phones that the start names.
        phones: All of those phones that exist, by hash.
        cut: Whether there is more than was read.
    """

    row: Row
    cards_heard: Outcomes | None
    starts_heard: Outcomes | None
    traces: tuple[Trace, ...] = ()
    named: tuple[StartToken, ...] = ()
    phones: Mapping[str, Phone] = field(default_factory=dict)
    slices: tuple[Known, ...] = ()
    cut: bool = False
