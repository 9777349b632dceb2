"""What the simulator was sent, and what became of each request."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lockstep.apns import Environment


@dataclass(frozen=True, slots=True)
class ReceivedPush:
    """
    One request, whatever became of it.

    Attributes:
        token: The device token in its path; empty if there was none.
        headers: Without the pseudo-headers; of a repeated one the first.
        payload: The body as JSON; None if it is none.
        status: What the simulator decided; None for a request that it never looked at.
        verdict: What the phone made of it; None if no phone got it.
        answered: Whether the answer was sent.
        answered_at_ms: When it was.
        channel: The channel that a broadcast was for; None for a push to a device.
        verdicts: What became of a broadcast, and on how many phones.
        fault: The kind of the fault that struck it; "stream_limit" also for a stream above the limit.
    """

    environment: Environment
    token: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    payload: Any = field(repr=False)
    body: bytes = field(repr=False)
    at_ms: int
    status: int | None
    reason: str | None
    verdict: str | None
    connection: int
    stream: int
    answered: bool = False
    answered_at_ms: int | None = None
    fault: str | None = None
    channel: str | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether APNs took it, even if its answer was lost."""
        return self.status == 200

    def to_json(self) -> dict[str, Any]:
        """Say what it is in JSON, without the provider token."""
        return {
            "environment": self.environment,
            "token": self.token,
            "headers": {name: value for name, value in self.headers.items() if name != "authorization"},
            "payload": self.payload,
            "at_ms": self.at_ms,
            "status": self.status,
            "reason": self.reason,
            "verdict": self.verdict,
            "connection": self.connection,
            "stream": self.stream,
            "answered": self.answered,
            "answered_at_ms": self.answered_at_ms,
            "fault": self.fault,
            "channel": self.channel,
            "verdicts": dict(self.verdicts),
        }


class Record(Protocol):
    """A record of a request."""

    @property
    def answered(self) -> bool:
        """Whether the answer was sent."""


class RequestLog[R: Record]:
    """All requests since the start or the last clear, in the order they were decided. May be used from any thread."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._next = 0
        self._requests: dict[int, R] = {}

    def add(self, request: R) -> int:
        """Record a request; returns the number to call it by."""
        with self._changed:
            number = self._next
            self._next += 1
            self._requests[number] = request
            self._changed.notify_all()
            return number

    def mark_answered(self, number: int) -> None:
        """Record that its answer was sent."""
        with self._changed:
            if number in self._requests:
                answer = {"answered": True, "answered_at_ms": int(self._now() * 1000)}
                self._requests[number] = replace(self._requests[number], **answer)  # type: ignore[type-var]  # a dataclass
                self._changed.notify_all()

    def received(self) -> list[R]:
        """List what is recorded now."""
        with self._changed:
            return list(self._requests.values())

    def clear(self) -> None:
        """Forget all that is recorded."""
        with self._changed:
            self._requests.clear()

    def wait_for(self, predicate: Callable[[list[R]], bool], timeout_s: float) -> list[R]:
        """
        Wait until the predicate is true of what is recorded, and return that.

        Raises:
            TimeoutError: It was not true in time.
        """
        found: list[R] = []

        def holds() -> bool:
            found[:] = self._requests.values()
            return predicate(found)

        with self._changed:
            if not self._changed.wait_for(holds, timeout_s):
                raise TimeoutError(f"not seen within {timeout_s} s; {len(found)} requests came")
        return found
