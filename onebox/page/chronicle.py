"""What was published and done since the stack began: what the timeline knows beside Apple's and the phones' own records."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from onebox.control import Act

# Of the latest of each, the page tells.
KEPT = 60

# What every line has that tells what became of a publish; most lines need not be read.
_PUBLISHED, _REFUSED = '"message":"published"', '"message":"refused"'


@dataclass(frozen=True, slots=True)
class Published:
    """
    One message of the publish queue.

    Attributes:
        message: None where it came by another road, and its content is not known here.
        at_ms: When it was published, by whoever did or by the function's log.
        outcome: "took", "repeated", "superseded" or "refused"; None until the function says so.
        settled_at_ms: When it said so: the commit.
        reason: Why it was refused.
    """

    id: str
    at_ms: int
    message: Any = field(default=None, repr=False)
    activity: str | None = None
    event: str | None = None
    outcome: str | None = None
    settled_at_ms: int | None = None
    revision: int | None = None
    reason: str | None = None

    @property
    def aps(self) -> Mapping[str, Any]:
        """Apple's dictionary in it, as far as it is known."""
        aps = self.message.get("aps") if isinstance(self.message, dict) else None
        return aps if isinstance(aps, dict) else {}


@dataclass(frozen=True, slots=True)
class Deed:
    """
    Something that was done to phones or to Apple.

    Attributes:
        what: "phone", "fault", "clear", or what was done with a phone, as the control interface calls it.
    """

    number: int
    at_ms: int
    what: str
    phone: str | None = None
    activity: str | None = None
    faults: tuple[Mapping[str, Any], ...] = ()


class Chronicle:
    """Hears of acts and of what push prints. May be used from any thread."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._published: dict[str, Published] = {}
        self._deeds: deque[Deed] = deque(maxlen=KEPT)
        self._done = 0

    def published(self) -> list[Published]:
        """Return the latest publishes, the oldest first."""
        with self._lock:
            return sorted(self._published.values(), key=lambda one: one.at_ms)

    def deeds(self) -> list[Deed]:
        """Return the latest deeds, the oldest first."""
        with self._lock:
            return list(self._deeds)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._published.clear()
            self._deeds.clear()

    def see(self, act: Act) -> None:
        """Note what somebody did by the control interface."""
        match act:
            case Act(path="/publishes", asked=message, answered={"message_id": str(message_id)}):
                self._note_publish(message_id, message, act.at_ms)
            case Act(path="/phones", asked={"do": str(what), "phone": str(phone)} as asked):
                self._note_deed(act, what, phone, asked.get("activity"))
            case Act(path="/phones", answered={"name": str(phone)}):
                self._note_deed(act, "phone", phone)
            case Act(path="/faults", asked=list(faults)):
                self._note_deed(act, "fault", faults=tuple(faults))
            case Act(path="/faults"):
                self._note_deed(act, "clear")

    def hear(self, line: str) -> None:
        """Note what push printed, if it tells what became of a publish."""
        if _PUBLISHED not in line and _REFUSED not in line:
            return
        try:
            said = json.loads(line)
        except ValueError:
            return
        now_ms = int(self._now() * 1000)
        match said:
            case {"message": "published", "correlation_id": str(message_id)}:
                known = {name: said.get(name) for name in ("activity", "event", "outcome", "revision")}
                self._settle(message_id, said.get("published_at_ms") or now_ms, known, now_ms)
            case {"message": "refused", "message_id": str(message_id)}:
                self._settle(message_id, now_ms, {"outcome": "refused", "reason": said.get("reason")}, now_ms)

    def _note_publish(self, message_id: str, message: Any, at_ms: int) -> None:
        with self._lock:
            # The function may have been quicker than the queue's answer.
            known = self._published.get(message_id, Published(message_id, at_ms))
            named = message.get("activity") if isinstance(message, dict) else None
            fresh = replace(known, at_ms=at_ms, message=message)
            fresh = replace(fresh, activity=fresh.activity or (named if isinstance(named, str) else None))
            self._keep(replace(fresh, event=fresh.event or _word(fresh.aps.get("event"))))

    def _settle(self, message_id: str, published_at_ms: int, known: Mapping[str, Any], now_ms: int) -> None:
        with self._lock:
            publish = self._published.get(message_id, Published(message_id, published_at_ms))
            if publish.settled_at_ms is None:
                self._keep(replace(publish, **known, settled_at_ms=now_ms))

    def _keep(self, publish: Published) -> None:
        self._published[publish.id] = publish
        while len(self._published) > KEPT:
            del self._published[next(iter(self._published))]

    def _note_deed(
        self, act: Act, what: str, phone: str | None = None, activity: Any = None, faults: tuple[Any, ...] = ()
    ) -> None:
        with self._lock:
            self._done += 1
            self._deeds.append(Deed(self._done, act.at_ms, what, phone, _word(activity), faults))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
