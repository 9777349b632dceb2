"""Who heard what: a push by the phone that it was for, a broadcast by all who were on its channel at that moment."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.stadium.crowd import Crowd
from bench.stadium.fan import Fan
from bench.stadium.ledger import Entry
from lockstep.apns import Environment


@dataclass(frozen=True, slots=True)
class Heard:
    """
    A push that was for a phone, whatever became of it; or a broadcast that reached it.

    Attributes:
        kept: Whether the channel had kept it until the phone came.
    """

    entry: Entry
    kept: bool = False


class Channels:
    """
    Who is on which channel, as the requests pass by.

    Args:
        environments: Of each channel that there is.
        keeps: Whether each keeps what was said last.
    """

    def __init__(self, environments: Mapping[str, Environment], *, keeps: bool) -> None:
        self._environments = environments
        self._keeps = keeps
        self._subscribed: dict[str, list[Fan]] = defaultdict(list)
        self._kept: dict[str, Entry] = {}

    def subscribe(self, fan: Fan, channel: str) -> Entry | None:
        """Let a phone hear a channel from now on; returns what was kept for it. One that it can't be on stays silent."""
        if not can_hear(fan, channel, self._environments):
            return None
        self._subscribed[channel].append(fan)
        return self._kept.get(channel)

    def say(self, one: Entry) -> list[Fan]:
        """Say what Apple took; returns who hears it."""
        if self._keeps:
            self._kept[one.channel] = one
        return [fan for fan in self._subscribed[one.channel] if not 0 < fan.gone_ms <= one.at_ms]


def can_hear(fan: Fan, channel: str, environments: Mapping[str, Environment]) -> bool:
    """Say whether a phone's iOS takes channels, and this one is there, in the phone's environment."""
    return fan.takes_channels and environments.get(channel) is fan.environment


def who_heard(
    entries: Iterable[Entry], crowd: Crowd, environments: Mapping[str, Environment], *, keeps: bool
) -> dict[Fan, list[Heard]]:
    """Go through all requests, in their order."""
    heard: dict[Fan, list[Heard]] = defaultdict(list)
    channels = Channels(environments, keeps=keeps)
    themselves = deque(sorted((fan for fan in crowd.fans if fan.started_ms), key=lambda fan: fan.started_ms))

    def come(fan: Fan, channel: str) -> None:
        kept = channels.subscribe(fan, channel)
        if kept is not None:
            heard[fan].append(Heard(kept, kept=True))

    for one in entries:
        while themselves and themselves[0].started_ms <= one.at_ms:
            fan = themselves.popleft()
            come(fan, fan.channel)
        if one.is_broadcast:
            for fan in channels.say(one) if one.status == 200 else ():
                heard[fan].append(Heard(one))
        elif one.token in crowd.of:
            fan = crowd.of[one.token]
            heard[fan].append(Heard(one))
            if one.event == "start" and one.status == 200 and one.channel:
                come(fan, one.channel)
    for fan in themselves:
        come(fan, fan.channel)
    return heard
