"""
Pushes to one APNs environment, over one HTTP/2 connection at a time.

What APNs provably did not take goes on over a new connection. What it may have taken is never sent again here.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from lockstep.apns import Accepted, Outcome, Push, Rejected, Unanswered
from lockstep.connection import Connection
from lockstep.host import Host
from lockstep.provider_token import ProviderToken
from lockstep.reasons import Remedy

# A push that is provably not taken is tried so often, each time over a new connection; then it is left to the caller.
TRIES_MAX = 4

# So many connections in a row whose first push did not bring them up mean that none will now. Opening more of them is
# what Apple may take for an attack ("Sending notification requests to APNs").
FAILED_PRIMES_MAX = 2

# How far to look for an update, harmless to repeat, where a push must go alone.
_LOOK_AHEAD = 16

# The deadline is of wall clock, which may jump: look at it this often.
_WAIT_S = 1.0


class Engine:
    """
    Sends pushes of one topic; not for use by two threads.

    Args:
        url: Of the APNs host, without a path.
        topic: `apns-topic`: the bundle id with `.push-type.liveactivity`.
        ca_file: PEM file of the roots that are trusted.
        in_flight: Streams open at once, where the server allows as many.
        request_timeout_s: Of one push.
        alone_timeout_s: Of a push that goes alone, as a connection's first one does; the connecting included.
        resolve: Addresses in place of those that DNS has: "host:port:address[,address]".
    """

    def __init__(
        self,
        url: str,
        topic: str,
        provider_token: ProviderToken,
        *,
        ca_file: str,
        now: Callable[[], float] = time.time,
        in_flight: int = 100,
        request_timeout_s: float = 10,
        alone_timeout_s: float = 5,
        resolve: Sequence[str] = (),
    ) -> None:
        self._host = Host(url.rstrip("/"), topic, ca_file, in_flight, request_timeout_s, alone_timeout_s, resolve)
        self._provider_token = provider_token
        self._now = now
        self._connection: Connection | None = None

    def send(self, pushes: Iterable[Push], *, deadline_s: float) -> Iterator[tuple[Push, Outcome]]:
        """
        Yield one outcome for every push, in the order answers come; never raise for a push.

        Args:
            pushes: Read lazily, as streams come free. Bodies are whole JSON, 4096 bytes at most.
            deadline_s: Unix seconds. What has no answer by then is `Unanswered`, and whether APNs may have taken it.
        """
        run = _Run(self, iter(pushes), deadline_s)
        try:
            yield from run.outcomes()
        finally:
            # Whoever stopped reading: nothing stays under way.
            self.cut("abandoned")

    def close(self) -> None:
        """Close the connection; the next push opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- for _Run

    def now(self) -> float:
        """Wall clock, Unix seconds."""
        return self._now()

    def connection(self) -> Connection:
        """Return the connection: with pushes under way that one, else one that is good for more."""
        connection = self._connection
        if connection is not None and connection.in_flight:
            return connection
        bearer = self._provider_token.current()
        if connection is None or not connection.take_up(bearer):
            self.close()
            self._connection = connection = Connection(self._host, bearer, self._now)
        return connection

    def cut(self, why: str) -> list[tuple[Push, Unanswered]]:
        """Give up what is under way, and the connection with it."""
        connection = self._connection
        if connection is None or not connection.in_flight:
            return []
        self._connection = None
        return connection.close(why)

    def expired(self) -> None:
        """Apple calls the provider token expired."""
        self._provider_token.expired()


class _Run:
    """One call of `send`."""

    def __init__(self, engine: Engine, source: Iterator[Push], deadline_s: float) -> None:
        self._engine = engine
        self._source = source
        self._deadline_s = deadline_s
        self._again: deque[tuple[Push, int]] = deque()
        self._failed_primes = 0
        # Whether there may be more to send.
        self._more = True
        # Why nothing more may be sent, once something forbids it.
        self._stopped = ""

    def outcomes(self) -> Iterator[tuple[Push, Outcome]]:
        while True:
            left_s = self._deadline_s - self._engine.now()
            if left_s <= 0:
                self._stop("deadline")
                yield from self._engine.cut(self._stopped)
            connection = self._engine.connection()
            if not self._stopped:
                self._fill(connection)
            if not connection.in_flight:
                break
            wait_s = min(_WAIT_S, max(0.0, left_s))
            landed = connection.landed(wait_s, more=self._more and not self._stopped)
            if landed:
                # Until a connection is up there is one push on it.
                self._failed_primes = 0 if connection.came_up else self._failed_primes + 1
            for push, tries, outcome in landed:
                if isinstance(outcome, Accepted) or not self._goes_again(push, tries, outcome):
                    yield push, outcome
        while (item := self._next()) is not None:
            yield item[0], Unanswered(False, self._stopped)

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    # --- into flight

    def _fill(self, connection: Connection) -> None:
        room = connection.room
        if not connection.alone and not self._again:
            # Nearly always, and then nothing need be asked for each push.
            self._more = connection.add(islice(self._source, room)) == room
            return
        for _ in range(room):
            item = self._next_to_go_alone() if connection.alone else self._next()
            self._more = item is not None
            if item is None:
                return
            push, tries = item
            connection.add([push], tries)

    def _next(self) -> tuple[Push, int] | None:
        if self._again:
            return self._again.popleft()
        push = next(self._source, None)
        return None if push is None else (push, 0)

    def _next_to_go_alone(self) -> tuple[Push, int] | None:
        """Prefer an update: what becomes of a push that goes alone is the least certain."""
        passed: list[tuple[Push, int]] = []
        chosen = None
        while len(passed) < _LOOK_AHEAD and (item := self._next()) is not None:
            if not item[0].once:
                chosen = item
                break
            passed.append(item)
        if chosen is None and passed:
            chosen = passed.pop(0)
        self._again.extendleft(reversed(passed))
        return chosen

    # --- out of flight

    def _goes_again(self, push: Push, tries: int, outcome: Rejected | Unanswered) -> bool:
        """Do what the outcome asks of us; queue its push, if it may go once more over a new connection, and say so."""
        if self._failed_primes >= FAILED_PRIMES_MAX:
            self._stop(outcome.reason if isinstance(outcome, Rejected) else f"no connection: {outcome.why}")
        again = self._may_go_again(outcome, tries) and not self._stopped
        if again:
            self._again.append((push, tries + 1))
        return again

    def _may_go_again(self, outcome: Rejected | Unanswered, tries: int) -> bool:
        if isinstance(outcome, Unanswered):
            return not outcome.maybe_taken and tries + 1 < TRIES_MAX
        if outcome.remedy is Remedy.STOP_AND_ALARM:
            self._stop(outcome.reason)
        if outcome.remedy is Remedy.NEW_PROVIDER_TOKEN:
            self._engine.expired()
        return outcome.reconnects and tries == 0
