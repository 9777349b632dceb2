"""Why a state was said on a channel again."""

import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stadium.causes import LATE_ALERT, RETRIED, SAID_AGAIN, UNEXPLAINED, Circumstances
from bench.stadium.ledger import Entry
from lockstep.apns import Environment
from lockstep.delivery import SUBSCRIBING_MS

_UNSAID = re.compile(
    r'"message":"broadcast".*"reason":"(?:there was no time left|could not connect).*"environment":"(\w+)"'
)


@dataclass(frozen=True, slots=True)
class Saying:
    """
    What may explain a repeat on a channel, beside what explains one of a push.

    Attributes:
        says_again: Whether channels keep nothing, so that a state is said again for phones that were just started.
        unsaid: How many broadcasts of an environment never got to Apple, as the functions' logs say, and were retried.
        page_ms: So long may the starts of one page take.
    """

    says_again: bool = False
    unsaid: Mapping[Environment, int] | None = None
    page_ms: int = 0


def unsaid(logs: Iterable[Path]) -> Counter[Environment]:
    """Count the broadcasts that functions logged as never sent."""
    found: Counter[Environment] = Counter()
    for log in logs:
        for line in log.read_text(encoding="utf-8").splitlines():
            if said := _UNSAID.search(line):
                found[Environment(said[1])] += 1
    return found


def why_said(
    entries: Sequence[Entry], around: Circumstances, saying: Saying, environments: Mapping[str, Environment]
) -> dict[int, str]:
    """Say of each broadcast that Apple took, by its id, why a phone may have had its state before."""
    said: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        if one.is_broadcast:
            said[one.channel].append(one)
    starts_ms = [one.at_ms for one in entries if one.event == "start" and one.status == 200 and one.channel]
    unsaid = saying.unsaid or {}
    lacking = {channel: unsaid.get(environment, 0) for channel, environment in environments.items()}
    causes: dict[int, str] = {}
    for channel, broadcasts in said.items():
        on_channel = _Channel(around, saying, starts_ms, lacking.get(channel, 0))
        for one in broadcasts:
            if one.status == 200:
                causes[id(one)] = on_channel.why(one)
            else:
                on_channel.refused(one)
    return causes


class _Channel:
    """One channel, as its broadcasts pass by."""

    def __init__(self, around: Circumstances, saying: Saying, starts_ms: Sequence[int], unsaid: int) -> None:
        self._around = around
        self._saying = saying
        self._starts_ms = starts_ms
        self._taken: dict[int, list[Entry]] = defaultdict(list)
        self._alerts: set[int] = set()
        self._last_ms = 0
        # The states of those that Apple did not take: a retry of each is to come, with whatever is the state by then.
        self._awaited: list[int] = [-1] * unsaid

    def refused(self, one: Entry) -> None:
        self._awaited.append(one.state)

    def why(self, one: Entry) -> str:
        firsts = self._taken[one.state]
        why = self._around.why_repeated(firsts, one) or self._why(one, repeats=bool(firsts))
        firsts.append(one)
        self._alerts.add(one.alert)
        self._last_ms = one.at_ms
        return why

    def _why(self, one: Entry, *, repeats: bool) -> str:
        if repeats and one.alert >= 0 and one.alert not in self._alerts:
            return LATE_ALERT
        if one.state in self._awaited:
            self._awaited.remove(one.state)
            return RETRIED
        if self._saying.says_again and self._is_for_those_just_started(one):
            return SAID_AGAIN
        if repeats and self._awaited:
            self._awaited.pop()
            return RETRIED
        return UNEXPLAINED

    def _is_for_those_just_started(self, one: Entry) -> bool:
        """Whether phones were started so late before that what was said before may have passed them by."""
        since_ms = self._last_ms - SUBSCRIBING_MS - self._saying.page_ms
        return bisect(self._starts_ms, since_ms) < bisect(self._starts_ms, one.at_ms)
