"""Starts that Apple took and of which a phone shows no card: found in what the phone itself reports."""

from collections.abc import Iterable

from lockstep.aws_faults import AWS_FAULTS
from lockstep.event_bus import EventBus
from lockstep.models import Report
from lockstep.phones import Card, Marker, Phone, PhoneRow
from lockstep.row import Row
from lockstep.tokens import Tokens

# From Apple's acceptance until a phone that is online shows a card, and its app lists it; ample.
GRACE_MS = 30_000


class MissingCards:
    """
    Tells of such starts, each once; only where there is a bus.

    A report reads the phone's markers anyway. What is written is one mark for each start that is told of, or whose card
    ended, so that no later report takes it for a start without a card.
    """

    def __init__(self, tokens: Tokens, bus: EventBus) -> None:
        self._tokens = tokens
        self._bus = bus

    def look(
        self, phone: Phone, report: Report, known: Iterable[PhoneRow], wanting: Iterable[Row], *, observed_at_ms: int
    ) -> None:
        """
        Tell of the running activities that were started on a phone and of which it never had a card.

        Args:
            known: The rows of the phone from before the report.
            wanting: The activities that want this phone.
            observed_at_ms: When the phone looked: its own clock, or ours where that is behind.
        """
        if report.cards is None:
            return
        rows = {row.activity: row for row in wanting}
        shown = {(card.activity, card.run or 0) for card in report.cards}
        had = list(known)
        shown |= {(card.activity, card.run) for card in had if isinstance(card, Card) and card.owner == phone.owner}
        for marker in had:
            row = rows.get(marker.activity) if isinstance(marker, Marker) else None
            if row is None or not isinstance(marker, Marker) or not _is_of_a_start(marker, row, phone):
                continue
            if any(activity == row.activity and row.is_of_run(run or row.run) for activity, run in shown):
                continue
            started_at_ms = self._settled(marker, noted_by_ms=observed_at_ms - GRACE_MS)
            if started_at_ms is not None:
                self._bus.missing(phone, marker, started_at_ms=started_at_ms, reported_at_ms=observed_at_ms)

    def ended(self, card: Card, known: Iterable[PhoneRow], *, now_ms: int) -> None:
        """Note that a start came to a card, which is over by now."""
        for marker in known:
            if not isinstance(marker, Marker) or (marker.activity, marker.owner) != (card.activity, card.owner):
                continue
            if card.run in (0, marker.run):
                self._settled(marker, noted_by_ms=now_ms)

    def _settled(self, marker: Marker, *, noted_by_ms: int) -> int | None:
        """Note it once. Where DynamoDB errs nobody is told, and what the app asked for is done all the same."""
        try:
            return self._tokens.settle_marker(marker, noted_by_ms=noted_by_ms)
        except AWS_FAULTS:
            return None


def _is_of_a_start(marker: Marker, row: Row, phone: Phone) -> bool:
    """A marker of revision 0 is of a card that was swiped away."""
    taken = marker.confirmed and marker.revision > 0 and not marker.settled
    return taken and (marker.run, marker.owner) == (row.run, phone.owner)
