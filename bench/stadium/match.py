"""The match: a start for everybody, ten updates at random moments, and what phones and people do meanwhile."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.cloud import Cloud
from bench.stadium.crowd import ACTIVITY, ATTRIBUTES_TYPE, TEAM, Crowd
from bench.stadium.fan import Fan
from bench.stadium.functions import Functions
from bench.stadium.ledger import Entry, Reader
from onebox.queues import Queues

UPDATES = 10

# In every state; it must be in no log.
SECRET = "the-goalkeeper-is-hurt"  # noqa: S105 a state's word

_LOOK_S = 0.3
# Longer than anything here takes.
_GIVE_UP_S = 2400


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    How much happens.

    Attributes:
        mean_gap_s: Between two updates.
        crashes: Of functions that serve slices, for each state.
        timeout_s: Of the push function; reserve and leases shrink with it.
        page: Phones of a page; of those without markers, twice as many.
        channel: Which kind of channel the start asks for; None for none.
    """

    phones: int
    mean_gap_s: float
    crashes: int
    timeout_s: float
    page: int
    channel: str | None = None


class Record(Protocol):
    """Whoever keeps a ledger of what Apple was sent."""

    @property
    def ledger(self) -> Path:
        """The file with a line of each request."""

    def flush(self) -> None:
        """Let the ledger have all that came so far."""


class StillBusy(Exception):
    """It does not come to rest."""


class Match:
    """
    The publisher and the hand of fate.

    Attributes:
        entries: All that Apple was sent.
        published_ms: When each state was published; the start's is the first.
        run: Of the activity, as the starts say.
    """

    def __init__(
        self, cloud: Cloud, apple: Record, crowd: Crowd, functions: Functions, sizes: Sizes, dice: random.Random
    ) -> None:
        self.entries: list[Entry] = []
        self.published_ms: list[int] = []
        self.run = 0
        self._apple = apple
        self._crowd = crowd
        self._functions = functions
        self._sizes = sizes
        self._dice = dice
        self._reader = Reader(apple.ledger)
        self._queues = Queues(cloud.aws.sqs, cloud.aws.queues)
        self._sources = list(cloud.sources)
        self._newly: list[Fan] = []
        self._calm_since_s = 0.0

    def kick_off(self) -> None:
        """Start everybody by push, register their cards, and let those whose start got lost open their apps."""
        for fan in self._dice.sample(self._crowd.fans, self._sizes.phones // 300):
            self._crowd.remove_app(fan)
        self._doom()
        start = {"event": "start", "attributes-type": ATTRIBUTES_TYPE, "attributes": {"stadium": "Uno"}}
        if self._sizes.channel:
            self._functions.doom_on_channels(self._dice)
        channel = {"channel": self._sizes.channel} if self._sizes.channel else {}
        self._publish({**start, "alert": {"title": "Kick-off", "body": "0"}}, to={"audience": TEAM}, **channel)
        # What can't work: without a state.
        self._queues.send("PublishQueue", {"activity": ACTIVITY, "aps": {"event": "update"}})
        for _ in self._until_quiet():
            self._crowd.show([fan for fan in self._newly if not fan.late and not fan.registered], self.run)
            self._newly.clear()
        started = {
            self._crowd.of[one.token].index
            for one in self.entries
            if one.event == "start" and one.status == 200 and one.token in self._crowd.of
        }
        for fan in self._crowd.fans:
            if fan.index not in started and not fan.gone_ms:
                self._crowd.open_app(fan)

    def play(self) -> None:
        """Publish the updates, whether or not the one before has gone out."""
        late = [fan for fan in self._crowd.fans if fan.late and not fan.gone_ms and not fan.registered]
        each = -(-len(late) // UPDATES)
        for n in range(UPDATES):
            gap_s = self._dice.uniform(0, 2 * self._sizes.mean_gap_s)
            until_s = time.monotonic() + gap_s
            self._meanwhile(late[n * each : (n + 1) * each])
            while time.monotonic() < until_s:
                self._look()
            self._doom()
            if n == 3 or (n == 7 and not self._sizes.channel):
                self._functions.doom(self._dice, slices=False, pushes=0)
            if n == 7 and self._sizes.channel:
                self._functions.doom_on_channels(self._dice)
            alert = {"alert": {"title": "Goal", "body": str(n + 1)}} if n % 3 == 1 else {}
            self._publish({"event": "update", **alert})
        for _ in self._until_quiet():
            pass

    def _meanwhile(self, late: list[Fan]) -> None:
        """Let some phones tell of their cards only now, some get another token, and some lose the app."""
        shown = [fan for fan in self._crowd.fans if fan.registered and not fan.gone_ms]
        share = max(1, self._sizes.phones // 1000)
        for fan in late:
            self._crowd.tell(fan, self.run)
        for fan in self._dice.sample([fan for fan in shown if not fan.channel], share):
            self._crowd.rotate(fan, self.run)
        for fan in self._dice.sample(shown, share):
            self._crowd.remove_app(fan)

    def _doom(self) -> None:
        # Some slices of an update, each of a few calls and a sixteenth of the pushes.
        for _ in range(self._sizes.crashes):
            self._functions.doom(self._dice, slices=True, pushes=self._sizes.phones // 16)

    def _publish(self, aps: Mapping[str, Any], **more: Any) -> None:
        state = {"state": len(self.published_ms), "word": SECRET}
        body = {"activity": ACTIVITY, "aps": {**aps, "content-state": state}, **more}
        self.published_ms.append(int(time.time() * 1000))
        self._queues.send("PublishQueue", json.dumps(body))

    def _until_quiet(self) -> Iterator[None]:
        """Yield now and then until the queues are empty; raises StillBusy."""
        give_up_s = time.monotonic() + _GIVE_UP_S
        while True:
            # Counted before the last look, so that nothing of it is missed.
            left = {queue: self._queues.count(queue) for queue in self._sources}
            self._look()
            yield
            if not any(left.values()):
                return
            if self._functions.errors:
                raise self._functions.errors[0]
            if time.monotonic() > give_up_s:
                raise StillBusy(str(left))

    def _look(self) -> None:
        """Read what Apple was sent meanwhile."""
        time.sleep(_LOOK_S)
        self._apple.flush()
        for entry in self._reader.new():
            self.entries.append(entry)
            fan = self._crowd.of.get(entry.token)
            if entry.event == "start" and entry.status == 200 and fan is not None:
                self.run = entry.run
                fan.channel = entry.channel
                self._newly.append(fan)
