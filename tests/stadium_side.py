"""Requests and phones for the stadium's judge, and what it makes of them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from bench.stadium.broadcasts import Saying
from bench.stadium.crowd import Crowd
from bench.stadium.fan import Fan
from bench.stadium.judge import Judge
from bench.stadium.ledger import Entry
from lockstep.apns import Environment
from onebox.queues import QueuedMessage

LAST = 2


class Few(Crowd):
    """Phones that are in no table."""

    def __init__(self, fans: Sequence[Fan]) -> None:
        self.fans = [fan for fan in fans if fan.follows]
        self.strangers = [fan for fan in fans if not fan.follows]
        self.of = {token: fan for fan in fans for token in (fan.start_token, fan.token)}
        self.lost: set[str] = set()

    def has_card(self, fan: Fan) -> bool:
        return fan.token not in self.lost

    def stored_start_token(self, fan: Fan) -> str | None:
        return fan.start_token


def fan(index: int = 0, *, follows: bool = True, os_version: str = "18.2") -> Fan:
    return Fan(index, Environment.PRODUCTION, os_version, True, f"start-{index}", f"card-{index}", follows=follows)


def took(
    at_ms: int,
    token: str,
    state: int,
    *,
    status: int | None = 200,
    fault: str = "",
    stamp_s: int | None = None,
    connection: int = 1,
    alert: int = -1,
) -> Entry:
    event = "start" if token.startswith("start") else "update"
    stamp_s = state if stamp_s is None else stamp_s
    return Entry(at_ms, token, status, "", fault, connection, event, state, stamp_s, 1, alert)


def said(
    at_ms: int,
    state: int,
    *,
    status: int | None = 200,
    fault: str = "",
    stamp_s: int | None = None,
    connection: int = 9,
    alert: int = -1,
    channel: str = "channel",
    event: str = "update",
) -> Entry:
    """A broadcast."""
    stamp_s = state if stamp_s is None else stamp_s
    return Entry(at_ms, "", status, "", fault, connection, event, state, stamp_s, 1, alert, channel)


def on_channel(at_ms: int, index: int = 0, channel: str = "channel") -> Entry:
    """A start that puts its card on a channel."""
    return replace(took(at_ms, f"start-{index}", 0), channel=channel)


NOTHING_KEPT = Saying(says_again=True)
CHANNELS = {"channel": Environment.PRODUCTION, "of the sandbox": Environment.SANDBOX}
GOOD_ON_CHANNEL = [on_channel(1), said(2, 1), said(3, LAST)]

GOOD = [took(1, "start-0", 0), took(2, "card-0", 1), took(3, "card-0", LAST)]
REFUSED = QueuedMessage("m", "{}", {"reason": "aps.content-state: missing"}, 1)


def found(
    entries: Sequence[Entry],
    crowd: Few | None = None,
    *,
    crashed_ms: Sequence[int] = (),
    letters: Sequence[QueuedMessage] = (REFUSED,),
    logs: Sequence[Path] = (),
    saying: Saying | None = None,
) -> dict[str, list[str]]:
    """What broke each promise, by its number; "e" is for each phone once per state."""
    judge = Judge(entries, crowd or Few([fan()]), crashed_ms, last_state=LAST, page=1, channels=CHANNELS, saying=saying)
    queues = {"PublishDeadLetterQueue": list(letters), "SliceDeadLetterQueue": []}
    return {one.promise[0]: list(one.found) for one in judge.verdicts(queues, logs) if not one.held}


def causes(
    entries: Sequence[Entry],
    crowd: Few | None = None,
    *,
    crashed_ms: Sequence[int] = (),
    unheard: Collection[str] = (),
    lapsed_ms: Sequence[int] = (),
) -> dict[str, int]:
    judge = Judge(
        entries,
        crowd or Few([fan()]),
        crashed_ms,
        last_state=LAST,
        page=1,
        unanswered=frozenset(unheard),
        lapsed_ms=lapsed_ms,
    )
    return dict(judge.repeats.pushes)


def why_heard(
    entries: Sequence[Entry],
    crowd: Few | None = None,
    *,
    crashed_ms: Sequence[int] = (),
    saying: Saying | None = None,
) -> dict[str, int]:
    judge = Judge(entries, crowd or Few([fan()]), crashed_ms, last_state=LAST, page=1, channels=CHANNELS, saying=saying)
    return dict(judge.repeats.hearings)
