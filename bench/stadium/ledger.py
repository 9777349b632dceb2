"""What each token was sent, a line a request, and the dice that decide what goes wrong next."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A request, as Apple saw it.

    Attributes:
        status: None where it was never looked at.
        fault: What struck it; empty if nothing did.
        state: Which state it carried; -1 if none.
        stamp_s: The `timestamp` of its aps.
        alert: With which state the alert of an update was published; -1 if it carried none.
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

    def to_line(self) -> str:
        """Write it, a word a part."""
        words = (self.at_ms, self.token, self.status or 0, self.reason or "-", self.fault or "-", self.connection)
        return " ".join(map(str, (*words, self.event or "-", self.state, self.stamp_s, self.run, self.alert))) + "\n"

    @staticmethod
    def of(line: str) -> "Entry":
        """Read it."""
        at_ms, token, status, reason, fault, connection, event, state, stamp_s, run, alert = line.split()
        return Entry(
            int(at_ms),
            token,
            int(status) or None,
            "" if reason == "-" else reason,
            "" if fault == "-" else fault,
            int(connection),
            "" if event == "-" else event,
            int(state),
            int(stamp_s),
            int(run),
            int(alert),
        )


class Ledger(RequestLog[ReceivedPush]):
    """Keeps a line of each request in a file, in place of all of them in memory."""

    def __init__(self, path: Path, *, seed: int) -> None:
        super().__init__()
        self._file = path.open("w", encoding="ascii")
        self._writing = threading.Lock()
        self._number = 0
        self._dice = random.Random(seed)  # noqa: S311 luck, not a secret
        self.faults: Faults | None = None

    def add(self, push: ReceivedPush) -> int:
        """Record a request, and roll the dice."""
        with self._writing:
            self._file.write(_entry(push).to_line())
            self._number += 1
        if self.faults is not None:
            self._roll(self.faults)
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

    def _roll(self, faults: Faults) -> None:
        rolled = self._dice.randrange(1_000_000)
        for fault, chance in PER_MILLION.items():
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
        int(aps["alert"]["body"]) if aps.get("event") == "update" and "alert" in aps else -1,
    )
