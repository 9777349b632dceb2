"""What one delivery says of a row, each body made once, and never longer than Apple takes: pure."""

from collections.abc import Iterable
from functools import cached_property

from lockstep.json_values import compact
from lockstep.payload import DEVICE_BODY_MAX_BYTES, end_body, late_dismissal_s, start_body, update_body
from lockstep.row import Row


class Bodies:
    """
    Bodies for phones, or for channels.

    Args:
        rings: Whether the row's alert rides along, where it fits.
        max_bytes: Apple's limit.
    """

    def __init__(self, row: Row, *, rings: bool, max_bytes: int = DEVICE_BODY_MAX_BYTES) -> None:
        self._row = row
        self._rings = (True, False) if rings else (False,)
        self._max_bytes = max_bytes
        self._starts: dict[str | None, bytes | None] = {}

    def start(self, channel: str | None = None) -> bytes | None:
        """Start a card that is to be on a channel, where the channel's id fits, or to have a token of its own."""
        if channel not in self._starts:
            self._starts[channel] = self._fitting(start_body(self._row, channel=one) for one in (channel, None))
        return self._starts[channel]

    @cached_property
    def update(self) -> bytes | None:
        """Show the state; None where there is none yet."""
        return self._fitting(update_body(self._row, ring=ring) for ring in self._rings)

    @cached_property
    def end(self) -> bytes:
        """End a card with the final state."""
        return self._fitting(end_body(self._row, ring=ring) for ring in self._rings) or self._bare_end

    @cached_property
    def late_end(self) -> bytes:
        """The same for a card that learns late of the end."""
        late = end_body(self._row, ring=False, dismissal_date_s=late_dismissal_s(self._row))
        return self._fitting([late, end_body(self._row, ring=False)]) or self._bare_end

    @cached_property
    def end_of_earlier_run(self) -> bytes:
        """The new run's state isn't the old card's: it ends with what it showed, and goes at once."""
        stamp = self._row.timestamp_s
        return compact({"aps": {"timestamp": stamp, "event": "end", "dismissal-date": stamp}}).encode()

    @property
    def _bare_end(self) -> bytes:
        """Where end and state don't fit together, the card ends with what it shows."""
        return compact({"aps": {"timestamp": self._row.timestamp_s, "event": "end"}}).encode()

    def _fitting(self, bodies: Iterable[bytes | None]) -> bytes | None:
        """Take the first body that Apple's limit lets through: an older alert may not fit beside a newer state."""
        return next((body for body in bodies if body is not None and len(body) <= self._max_bytes), None)
