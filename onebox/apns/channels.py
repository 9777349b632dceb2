"""The broadcast channels that exist: which messages each keeps, and who is subscribed."""

import base64
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lockstep.apns import Environment
from onebox.apns.device_tokens import Receive
from onebox.apns.received import ReceivedPush

# Apple: "up to 10,000 channels per app in each environment".
LIMIT = 10_000

# Apple keeps the most recent message for eight hours at most.
_KEPT_MS = 8 * 3600 * 1000


@dataclass(slots=True)
class LiveChannel:
    """
    A channel.

    Attributes:
        storage_policy: 0 keeps nothing, 1 the most recent message.
        subscribers: Each is called with what is said.
        kept: What was said last, if it is kept.
    """

    environment: Environment
    id: str
    storage_policy: int
    created_at_ms: int
    subscribers: list[Receive] = field(default_factory=list)
    kept: ReceivedPush | None = None


class Channels:
    """The channels of both environments, which know nothing of each other. May be used from any thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.limit = LIMIT
        # Whether the broadcast capability is ticked for the topic.
        self.enabled = True
        self._now = now
        self._lock = threading.RLock()
        self._channels: dict[tuple[Environment, str], LiveChannel] = {}

    def create(self, environment: Environment, storage_policy: int, channel: str | None = None) -> str | None:
        """Make a channel, or one that stands in data of another day; None where there are as many as there may be."""
        with self._lock:
            if len(self.every(environment)) >= self.limit:
                return None
            made = channel or base64.b64encode(secrets.token_bytes(16)).decode()
            self._channels[environment, made] = LiveChannel(environment, made, storage_policy, int(self._now() * 1000))
            return made

    def find(self, environment: Environment, channel: str) -> LiveChannel | None:
        """Find a channel; one of the other environment is not known here."""
        return self._channels.get((environment, channel))

    def delete(self, environment: Environment, channel: str) -> bool:
        """Delete a channel; says whether it was there."""
        with self._lock:
            return self._channels.pop((environment, channel), None) is not None

    def every(self, environment: Environment) -> list[LiveChannel]:
        """List the channels of an environment."""
        with self._lock:
            return [one for (where, _), one in self._channels.items() if where is environment]

    def subscribe(self, environment: Environment, channel: str, receive: Receive) -> None:
        """Let somebody hear what is said from now on, and what is kept. A channel that isn't there stays silent."""
        with self._lock:
            found = self.find(environment, channel)
            if found is None:
                return
            found.subscribers.append(receive)
            kept = found.kept
        if kept is not None and self._is_fresh(kept):
            receive(kept)

    def unsubscribe(self, environment: Environment, channel: str, receive: Receive) -> None:
        """Let somebody hear no more."""
        with self._lock:
            found = self.find(environment, channel)
            if found is not None and receive in found.subscribers:
                found.subscribers.remove(receive)

    def say(self, channel: str, push: ReceivedPush) -> Counter[str]:
        """Hand a push to all who are subscribed; returns how many made what of it."""
        with self._lock:
            found = self.find(push.environment, channel)
            if found is None:
                return Counter()
            found.kept = push if found.storage_policy == 1 else None
            subscribers = list(found.subscribers)
        return Counter(receive(push) for receive in subscribers)

    def clear(self) -> None:
        """Delete all."""
        with self._lock:
            self._channels.clear()
        self.limit, self.enabled = LIMIT, True

    def _is_fresh(self, push: ReceivedPush) -> bool:
        now_ms = self._now() * 1000
        return now_ms < min(int(push.headers["apns-expiration"]) * 1000, push.at_ms + _KEPT_MS)
