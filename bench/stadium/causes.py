"""What may explain that a phone hears a state twice."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bench.stadium.fan import Fan
from bench.stadium.ledger import Entry

# So long after a token was told its catch-up may come, queues being full.
_CAUGHT_UP_MS = 60_000

# What keeps an answer from a function though the phone has the push. Where GOAWAY lets a request through, libcurl waits for
# its answer; httpx, by which broadcasts go, gives it up.
_LOSSES = ("lost_answer", "rst_stream", "reset")

# So long before a call to AWS fails for good may a page's first push have been taken.
_LAPSE_MS = 15_000

LOST, CRASHED, LAPSED = "an answer was lost", "a function died", "a call to AWS failed, or Apple was restarted"
RETRIED, CAUGHT_UP = "a retry met a newer state's pass", "a catch-up met a pass"
LATE_ALERT = "an alert came after a newer state"
KEPT, SAID_AGAIN = "its channel had kept it", "said again for those just started"
UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What may explain a repeat.

    Attributes:
        broken: Connections whose end lost answers.
        last_ms: When each connection was last used.
        crashed_ms: When functions died.
        unanswered: Phones of which a function had no answer: Apple need never have seen what is then retried.
        lapsed_ms: When a function could not note what it had learnt: AWS had refused it, or Apple cut its connections.
    """

    broken: frozenset[int]
    last_ms: dict[int, int]
    crashed_ms: Sequence[int]
    unanswered: AbstractSet[str]
    lapsed_ms: Sequence[int] = ()

    @staticmethod
    def of(
        entries: Iterable[Entry],
        crashed_ms: Sequence[int],
        unanswered: AbstractSet[str],
        lapsed_ms: Sequence[int] = (),
    ) -> "Circumstances":
        """Read them off all requests."""
        broken, last_ms = set(), {}
        for one in entries:
            last_ms[one.connection] = one.at_ms
            if one.fault == "reset" or (one.fault == "goaway" and (one.status is None or one.is_broadcast)):
                broken.add(one.connection)
        return Circumstances(frozenset(broken), last_ms, crashed_ms, unanswered, sorted(lapsed_ms))

    def why_sent(self, fan: Fan, firsts: Sequence[Entry], again: Entry, between: Sequence[Entry]) -> str:
        """
        Say why a phone was sent a state again.

        Args:
            firsts: What brought it the state before.
            between: What it was sent until then, this included.
        """
        if why := self.why_repeated(firsts, again):
            return why
        if again.alert >= 0 and again.alert not in {one.alert for one in between if one is not again}:
            return LATE_ALERT
        if any(one.status != 200 or one.fault for one in between) or fan.phone in self.unanswered:
            return RETRIED
        told_ms = list(fan.told_ms.values())
        # The first token's catch-up finds that the start carried the row's state, unless that has moved meanwhile.
        moved = any(0 <= again.at_ms - at_ms < _CAUGHT_UP_MS for at_ms in told_ms[:1])
        if moved or any(at_ms <= again.at_ms for at_ms in told_ms[1:]) or fan.late:
            return CAUGHT_UP
        return UNEXPLAINED

    def why_repeated(self, firsts: Sequence[Entry], again: Entry) -> str | None:
        """Say whether who sent it first had no answer, or died before they could note it."""
        if any(first.fault in _LOSSES or first.connection in self.broken for first in firsts):
            return LOST
        if any(first.at_ms <= at_ms <= again.at_ms for first in firsts for at_ms in self._deaths_on(first.connection)):
            return CRASHED
        if any(self.has_lapsed(first, again) for first in firsts):
            return LAPSED
        return None

    def has_lapsed(self, first: Entry, again: Entry) -> bool:
        """Say whether what became of the first may not have been noted when the second was sent."""
        next_lapse = bisect_left(self.lapsed_ms, first.at_ms)
        until_ms = min(again.at_ms, first.at_ms + _LAPSE_MS)
        return next_lapse < len(self.lapsed_ms) and self.lapsed_ms[next_lapse] <= until_ms

    def _deaths_on(self, connection: int) -> list[int]:
        """Name the deaths that a connection did not outlive; a function's death is noted some milliseconds later."""
        return [at_ms for at_ms in self.crashed_ms if self.last_ms[connection] <= at_ms]
