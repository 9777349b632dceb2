"""What each token and channel was sent, a line a request, and the dice that decide what goes wrong next."""

import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.apns import Environment
from onebox.apns.faults import Fault, Faults
from onebox.apns.received import ReceivedPush, RequestLog

# How many of a million requests are followed by a fault that strikes the next one it can strike.
PER_MILLION: dict[Fault, int] = {
    Fault("answer", status=429, reason="TooManyRequests"): 10_000,
    Fault("answer", status=503, reason="ServiceUnavailable"): 5_000,
    Fault("answer", status=500, reason="InternalServerError"): 5_000,
    Fault("refused_stream"): 2_000,
    Fault("rst_stream"): 1_000,
    Fault("rst_stream", taken=True): 1_000,
    Fault("goaway", last_stream="at"): 200,
    Fault("reset"): 100,
    Fault("reset", taken=True): 100,
    Fault("lost_answer"): 30,
}

# The same of a thousand broadcasts: there are so few that each kind should have its chance.
PER_THOUSAND_BROADCASTS: dict[Fault, int] = {
    Fault("answer", on="broadcast", status=429, reason="TooManyRequests"): 60,
    Fault("answer", on="broadcast", status=503, reason="ServiceUnavailable"): 40,
    Fault("refused_stream", on="broadcast"): 30,
    Fault("rst_stream", on="broadcast"): 30,
    Fault("rst_stream", on="broadcast", taken=True): 30,
    Fault("goaway", on="broadcast", last_stream="at"): 30,
    Fault("reset", on="broadcast"): 30,
    Fault("reset", on="broadcast", taken=True): 30,
    Fault("lost_answer", on="broadcast"): 10,
}

# One of these strikes the making of channels. What costs a channel strikes in the environment of few phones: they are then
# served by their tokens.
ON_CHANNELS = (
    Fault("answer", on="channels", environment=Environment.SANDBOX, status=503, reason="ServiceUnavailable"),
    Fault("lost_answer", on="channels", environment=Environment.SANDBOX),
    Fault("goaway", on="channels", environment=Environment.SANDBOX, last_stream="at"),
    Fault("goaway", on="channels", environment=Environment.PRODUCTION, last_stream="at"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A request, as Apple saw it.

    Attributes:
        token: Empty for a broadcast.
        status: None where it was never looked at.
        fault: What struck it; empty if nothing did.
        state: Which state it carried; -1 if none.
        stamp_s: The `timestamp` of its aps.
        alert: With which state its alert was published; -1 if it carried none.
        channel: Which channel a broadcast was for, or a start put its card on; empty if none.
    """

    at_ms: int
    token: str
    status: int | None
    reason: str
    fault: str
    connection: int
    event: str
    state: int
    stamp_s: int
    run: int
    alert: int
    channel: str = ""

    @property
    def is_broadcast(self) -> bool:
        return not self.token

    def to_line(self) -> str:
        """Write it, a word a part."""
        words = (
            self.at_ms,
            self.token or "-",
            self.status or 0,
            self.reason or "-",
            self.fault or "-",
            self.connection,
        )
        said = (self.event or "-", self.state, self.stamp_s, self.run, self.alert, self.channel or "-")
        return " ".join(map(str, (*words, *said))) + "\n"

    @staticmethod
    def of(line: str) -> "Entry":
        """Read it."""
        words = ["" if word == "-" else word for word in line.split()]
        at_ms, token, status, reason, fault, connection, event, state, stamp_s, run, alert, channel = words
        return Entry(
            int(at_ms),
            token,
            int(status) or None,
            reason,
            fault,
            int(connection),
            event,
            int(state),
            int(stamp_s),
            int(run),
            int(alert),
            channel,
        )


class Ledger(RequestLog[ReceivedPush]):
    """
    Keeps a line of each request in a file, in place of all of them in memory.

    Args:
        pushes, broadcasts: How many of a million pushes, of a thousand broadcasts, are followed by each fault.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int,
        pushes: Mapping[Fault, int] = PER_MILLION,
        broadcasts: Mapping[Fault, int] = PER_THOUSAND_BROADCASTS,
    ) -> None:
        super().__init__()
        self._pushes, self._broadcasts = pushes, broadcasts
        self._file = path.open("w", encoding="ascii")
        self._writing = threading.Lock()
        self._number = 0
        self._dice = random.Random(seed)  # noqa: S311 luck, not a secret
        self._faults: Faults | None = None

    def strike(self, faults: Faults) -> None:
        """Let things go wrong from now on."""
        faults.add(self._dice.choice(ON_CHANNELS))
        self._faults = faults

    def spare(self) -> None:
        """Let nothing more go wrong from now on, but for what was already to come."""
        self._faults = None

    def add(self, push: ReceivedPush) -> int:
        """Record a request, and roll the dice."""
        with self._writing:
            self._file.write(_entry(push).to_line())
            self._number += 1
        if self._faults is not None:
            if push.channel is None:
                self._roll(self._faults, self._pushes, of=1_000_000)
            else:
                self._roll(self._faults, self._broadcasts, of=1000)
        return self._number

    def mark_answered(self, number: int) -> None:
        """Nobody asks."""

    def flush(self) -> None:
        """Let others read all lines."""
        with self._writing:
            self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _roll(self, faults: Faults, chances: Mapping[Fault, int], *, of: int) -> None:
        rolled = self._dice.randrange(of)
        for fault, chance in chances.items():
            rolled -= chance
            if rolled < 0:
                faults.add(fault)
                return


class Reader:
    """Reads a ledger on from where it was read last."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(encoding="ascii")
        self._rest = ""

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def new(self) -> Iterator[Entry]:
        """Yield the requests since the last time."""
        while chunk := self._file.read(1 << 20):
            *lines, self._rest = (self._rest + chunk).split("\n")
            yield from map(Entry.of, lines)


def _entry(push: ReceivedPush) -> Entry:
    payload: Any = push.payload if isinstance(push.payload, dict) else {}
    aps = payload.get("aps", {})
    return Entry(
        push.at_ms,
        push.token,
        push.status,
        push.reason or "",
        push.fault or "",
        push.connection,
        str(aps.get("event", "")),
        int(aps.get("content-state", {}).get("state", -1)),
        int(aps.get("timestamp", 0)),
        int(aps.get("attributes", {}).get("run", 0)),
        int(aps["alert"]["body"]) if "alert" in aps else -1,
        push.channel or str(aps.get("input-push-channel", "")),
    )
