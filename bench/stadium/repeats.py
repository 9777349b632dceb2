"""States that a phone heard more than once, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.stadium.causes import KEPT, UNEXPLAINED, Circumstances
from bench.stadium.fan import Fan
from bench.stadium.hearing import Heard
from bench.stadium.ledger import Entry


@dataclass(frozen=True, slots=True)
class Repeats:
    """
    What came again, by cause.

    Attributes:
        pushes: Those that brought a phone a state it had heard before.
        hearings: The same of broadcasts: one for each phone.
        broadcasts: The broadcasts that did so.
        unexplained: Of pushes and hearings whose cause is not known, what came when by which connections.
    """

    pushes: Counter[str] = field(default_factory=Counter)
    hearings: Counter[str] = field(default_factory=Counter)
    broadcasts: Counter[str] = field(default_factory=Counter)
    unexplained: Counter[str] = field(default_factory=Counter)


def repeats(heard: Mapping[Fan, Sequence[Heard]], around: Circumstances, said: Mapping[int, str]) -> Repeats:
    """
    Count what phones heard again.

    Args:
        said: Why a broadcast was said, by its id.
    """
    found, broadcasts = Repeats(), {}
    for fan, all_heard in heard.items():
        firsts: dict[int, list[Entry]] = {}
        before: list[Entry] = []
        for each in all_heard:
            one = each.entry
            before.append(one)
            if one.status != 200:
                continue
            if had := firsts.get(one.state):
                why = (
                    KEPT if each.kept else said[id(one)] if one.is_broadcast else around.why_sent(fan, had, one, before)
                )
                rings = one.alert >= 0 and one.alert in {first.alert for first in had}
                cause = f"{why}, and it rang again" if rings else why
                if why == UNEXPLAINED:
                    found.unexplained[_describe(had[0], one)] += 1
                if one.is_broadcast:
                    found.hearings[cause] += 1
                else:
                    found.pushes[cause] += 1
                if one.is_broadcast and not each.kept:
                    broadcasts[id(one)] = why
            firsts.setdefault(one.state, []).append(one)
    found.broadcasts.update(broadcasts.values())
    return found


def _describe(first: Entry, again: Entry) -> str:
    gap_s = (again.at_ms - first.at_ms) // 1000
    return f"{again.event} with state {again.state} by connection {first.connection} and {gap_s} s later by {again.connection}"
