"""States that a phone was sent more than once, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bench.stadium.crowd import Fan
from bench.stadium.ledger import Entry

# So long after a token was told its catch-up may come, queues being full.
_CAUGHT_UP_MS = 60_000

# What keeps an answer from a function though the phone has the push.
_LOSSES = ("lost_answer", "rst_stream", "reset", "goaway")

LOST, CRASHED = "an answer was lost", "a function died"
RETRIED, CAUGHT_UP = "a retry met a newer state's pass", "a catch-up met a pass"
LATE_ALERT = "an alert came after a newer state"
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
    """

    broken: frozenset[int]
    last_ms: dict[int, int]
    crashed_ms: Sequence[int]
    unanswered: AbstractSet[str]

    @staticmethod
    def of(entries: Iterable[Entry], crashed_ms: Sequence[int], unanswered: AbstractSet[str]) -> "Circumstances":
        """Read them off all requests."""
        broken, last_ms = set(), {}
        for one in entries:
            last_ms[one.connection] = one.at_ms
            if one.fault in ("reset", "goaway"):
                broken.add(one.connection)
        return Circumstances(frozenset(broken), last_ms, crashed_ms, unanswered)

    def why(self, fan: Fan, firsts: Sequence[Entry], again: Entry, between: Sequence[Entry]) -> str:
        """
        Say why a phone was sent a state again.

        Args:
            firsts: What brought it the state before.
            between: What it was sent until then, this included.
        """
        if any(first.fault in _LOSSES or first.connection in self.broken for first in firsts):
            return LOST
        if any(first.at_ms <= at_ms <= again.at_ms for first in firsts for at_ms in self._deaths_on(first.connection)):
            return CRASHED
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

    def _deaths_on(self, connection: int) -> list[int]:
        """Name the deaths that a connection did not outlive; a function's death is noted some milliseconds later."""
        return [at_ms for at_ms in self.crashed_ms if self.last_ms[connection] <= at_ms]


def repeats(of_fan: dict[int, list[tuple[Fan, Entry]]], around: Circumstances) -> Counter[str]:
    """Count the pushes that brought a phone a state it had been sent before, by cause."""
    causes: Counter[str] = Counter()
    for sent in of_fan.values():
        firsts: dict[int, list[Entry]] = {}
        before: list[Entry] = []
        for fan, one in sent:
            before.append(one)
            if one.status != 200:
                continue
            if had := firsts.get(one.state):
                why = around.why(fan, had, one, before)
                again = one.alert >= 0 and one.alert in {first.alert for first in had}
                causes[f"{why}, and it rang again" if again else why] += 1
            firsts.setdefault(one.state, []).append(one)
    return causes
