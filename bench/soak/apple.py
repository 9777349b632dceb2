"""Apple for the soak: a simulator in this process that errs with one request in twenty, and can be restarted."""

import threading
from pathlib import Path

from bench.stadium.ledger import Ledger
from lockstep.apns import Environment
from onebox.apns.faults import Fault
from onebox.apns.simulator import ApnsSimulator

# How many of a million requests are followed by a fault that strikes the next one it can strike: 5 % together. Twice
# as many as the stadium has, and of what ends a connection three or four times as many.
PUSHES: dict[Fault, int] = {
    Fault("answer", status=429, reason="TooManyRequests"): 20_000,
    Fault("answer", status=503, reason="ServiceUnavailable"): 10_500,
    Fault("answer", status=500, reason="InternalServerError"): 10_000,
    Fault("refused_stream"): 4_000,
    Fault("rst_stream"): 2_000,
    Fault("rst_stream", taken=True): 2_000,
    Fault("goaway", last_stream="at"): 800,
    Fault("reset"): 300,
    Fault("reset", taken=True): 300,
    Fault("lost_answer"): 100,
}

# The same of a thousand broadcasts.
BROADCASTS: dict[Fault, int] = {
    Fault("answer", on="broadcast", status=429, reason="TooManyRequests"): 20,
    Fault("answer", on="broadcast", status=503, reason="ServiceUnavailable"): 10,
    Fault("rst_stream", on="broadcast"): 10,
    Fault("reset", on="broadcast", taken=True): 10,
}


def ledger_in(folder: Path, *, seed: int) -> Ledger:
    """Make what keeps and strikes the requests of a soak."""
    return Ledger(folder / "ledger", seed=seed, pushes=PUSHES, broadcasts=BROADCASTS)


class Apple:
    """
    Apple, as seen by whoever has phones, and by who restarts it.

    Attributes:
        ledger: The file with a line of each request.
    """

    def __init__(self, apns: ApnsSimulator, ledger: Ledger, path: Path) -> None:
        self.ledger = path
        self._apns = apns
        self._record = ledger
        self._changing = threading.Lock()
        self._listens = True

    def issue(self, environment: Environment, count: int) -> list[str]:
        """Make live tokens."""
        return [self._apns.issue_token(environment) for _ in range(count)]

    def kill(self, token: str) -> None:
        """Answer 410 for it from now on."""
        self._apns.kill_token(token)

    def flush(self) -> None:
        """Let the ledger have all that came so far."""
        with self._changing:
            if self._listens:
                self._apns.catch_up()
            self._record.flush()

    def err(self) -> None:
        """Let things go wrong from now on."""
        self._record.strike(self._apns.faults)

    def calm(self) -> None:
        """Let nothing more go wrong."""
        self._record.spare()
        self._apns.faults.clear()

    def stop(self) -> None:
        """Cut every connection and listen no more; phones, tokens and channels stay."""
        with self._changing:
            self._listens = False
            self._apns.stop()

    def start(self) -> None:
        """Listen again, on the same ports."""
        with self._changing:
            self._apns.start()
            self._listens = True
