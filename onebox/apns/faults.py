"""What goes wrong on demand: the same requests in the same order always meet the same faults."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any, Literal, TypeIs, get_args

from lockstep.apns import Environment

Kind = Literal[
    "answer",
    "latency",
    "goaway",
    "rst_stream",
    "refused_stream",
    "reset",
    "stall",
    "lost_answer",
    "silence",
    "stream_limit",
]


Place = Literal["push", "broadcast", "channels"]

# From what to what each may be: what HTTP has for a status, and 31 or 32 bits where HTTP/2 has no more for it.
_WHOLE = {
    "count": (1, None),
    "skip": (0, None),
    "status": (200, 599),
    "timestamp_ms": (0, None),
    "retry_after_s": (0, None),
    "error_code": (0, 2**32 - 1),
    "limit": (0, 2**32 - 1),
}
_STREAM_MAX = 2**31 - 1


class Phase(Enum):
    """When a fault strikes. One fault of each phase strikes a push at most."""

    CONNECTION = "a connection was made"
    ARRIVAL = "a whole request is here, and nothing of it was looked at"
    TAKEN = "a push has passed every check"
    LATENCY = "an answer is decided"
    LIMIT = "an answer is about to leave"


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that goes wrong.

    - `answer`: `status` and `reason` (None: no body) in place of 200. A 410 has a `timestamp_ms` (default: now).
    - `latency`: the answer leaves `latency_s` later. The phone has the push at once.
    - `goaway`: GOAWAY with `reason`, then the streams it lets through are answered and the connection closes.
      Its `last_stream` lies "below" this push, "at" it, or "above" it (the highest stream yet opened), or is a number.
    - `refused_stream`: RST_STREAM with REFUSED_STREAM; the push is not looked at.
    - `rst_stream`: RST_STREAM with `error_code` (default INTERNAL_ERROR).
    - `reset`: the TCP connection is reset.
    - `stall`: from this push on its connection says nothing more and reads nothing.
    - `lost_answer`: the phone has the push, its stream is never answered.
    - `silence`: a new connection completes its TLS handshake and never says anything.
    - `stream_limit`: this answer comes with `limit` as the new MAX_CONCURRENT_STREAMS, which holds until the next
      accepted push.

    `rst_stream` and `reset` strike before anything is looked at or, with `taken`, after the phone has the push.

    Attributes:
        count: How many pushes (connections for `silence`) it strikes; None: until cleared.
        skip: How many of those it could strike it lets by first. `answer`, `lost_answer` and what has `taken` count
            only pushes that pass every check; the others count every request.
        environment: Strike only there.
        on: What it strikes: pushes to devices, broadcasts, or the management of channels. New connections are of the
            first or the last.
        token: Strike only this device token.
    """

    kind: Kind
    count: int | None = 1
    skip: int = 0
    environment: Environment | None = None
    on: Place = "push"
    token: str | None = field(default=None, repr=False)
    status: int | None = None
    reason: str | None = None
    timestamp_ms: int | None = None
    retry_after_s: int | None = None
    latency_s: float | None = None
    last_stream: Literal["below", "at", "above"] | int | None = None
    error_code: int | None = None
    taken: bool = False
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind: no such fault: {self.kind}")
        if self.on not in get_args(Place):
            raise ValueError(f"on: one of {', '.join(get_args(Place))}, not {self.on!r}")
        needed = {"answer": "status", "latency": "latency_s", "stream_limit": "limit"}.get(self.kind)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{needed}: missing, and {self.kind} needs it")
        for name, (least, most) in _WHOLE.items():
            number = getattr(self, name)
            if number is None and name != "skip":
                continue
            if not _is_whole(number, least, most):
                raise ValueError(f"{name}: a whole number {_between(least, most)}, not {number!r}")
        if self.last_stream not in (None, "below", "at", "above") and not _is_whole(self.last_stream, 0, _STREAM_MAX):
            raise ValueError(f'last_stream: "below", "at", "above" or a number, not {self.last_stream!r}')
        if self.latency_s is not None and not (_is_number(self.latency_s) and self.latency_s >= 0):
            raise ValueError(f"latency_s: a number from 0 up, not {self.latency_s!r}")
        for name, text in (("token", self.token), ("reason", self.reason)):
            if not isinstance(text, str | None):
                raise ValueError(f"{name}: a text, not {text!r}")
        if not isinstance(self.taken, bool):
            raise ValueError(f"taken: true or false, not {self.taken!r}")
        if self.taken and self.kind not in ("rst_stream", "reset"):
            raise ValueError(f"taken: says nothing about {self.kind}")

    @property
    def phase(self) -> Phase:
        """When it strikes."""
        if self.kind in ("answer", "lost_answer") or self.taken:
            return Phase.TAKEN
        named = {"silence": Phase.CONNECTION, "latency": Phase.LATENCY, "stream_limit": Phase.LIMIT}
        return named.get(self.kind, Phase.ARRIVAL)

    @classmethod
    def from_json(cls, value: object) -> "Fault":
        """
        Make a fault of what the control interface was sent.

        Raises:
            ValueError: An unknown name or kind, a part that is not what it should be, or one that is missing.
        """
        if not isinstance(value, Mapping):
            raise ValueError("a fault: an object")
        unknown = set(value) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"{min(unknown)}: no such part of a fault")
        if "kind" not in value:
            raise ValueError("kind: missing")
        environment = value.get("environment")
        return cls(**{**value, "environment": None if environment is None else Environment(environment)})

    def to_json(self) -> dict[str, Any]:
        """Say what it is in JSON, without what was left to its default."""
        default = Fault("goaway")
        return {name: each for name, each in asdict(self).items() if name == "kind" or each != getattr(default, name)}


@dataclass(slots=True)
class _Armed:
    fault: Fault
    skip: int
    count: int | None


class Faults:
    """The faults still to come. May be changed from any thread, at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Let it happen from the next request on, after the faults that were added before it."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.count))

    def clear(self) -> None:
        """Let nothing more go wrong. A connection that stalled stays as it is."""
        with self._lock:
            self._armed.clear()

    def pending(self) -> list[Fault]:
        """List the faults that have yet to strike, or to strike again, with as many strokes as are left of them."""
        with self._lock:
            return [replace(armed.fault, skip=armed.skip, count=armed.count) for armed in self._armed]

    def take(
        self, phase: Phase, environment: Environment, token: str | None = None, *, on: str = "push"
    ) -> Fault | None:
        """Use up one stroke of the first fault that is due here; the token in lower case. Each counts its own skips."""
        if not self._armed:
            return None
        with self._lock:
            found: _Armed | None = None
            for armed in self._armed:
                if not _concerns(armed.fault, phase, environment, token, on):
                    continue
                if armed.skip > 0:
                    armed.skip -= 1
                elif found is None:
                    found = armed
            if found is None:
                return None
            if found.count is not None:
                found.count -= 1
                if found.count <= 0:
                    self._armed.remove(found)
            return found.fault


def _concerns(fault: Fault, phase: Phase, environment: Environment, token: str | None, on: str) -> bool:
    return (
        fault.phase is phase
        and fault.on == on
        and fault.environment in (None, environment)
        and (fault.token is None or fault.token.lower() == token)
    )


def _is_number(value: object) -> TypeIs[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object, least: int, most: int | None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return least <= value and (most is None or value <= most)


def _between(least: int, most: int | None) -> str:
    return f"from {least} up" if most is None else f"from {least} to {most}"
