"""
Pushes to one APNs environment over one HTTP/2 connection, by libcurl's multi interface.

APNs allows a new connection one stream until a push with a valid token was answered, and libcurl doesn't wait for the
server's SETTINGS. So a connection is primed: one push alone, until its answer. After a transport error nothing is added,
the rest finishes or fails, and what APNs provably did not take goes on over a new connection.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import pycurl

from lockstep.apns import Outcome, Push, Rejected, Unanswered
from lockstep.connection import Connection
from lockstep.curl_handle import CurlHandle
from lockstep.provider_token import ProviderToken
from lockstep.reasons import REASONS, Remedy

# A push that is provably not taken is tried so often, each time over a new connection; then it is left to the caller.
TRIES_MAX = 4

# So many connections in a row that don't come up mean that none will now.
FAILED_PRIMES_MAX = 2

# How far to look for an update, harmless to repeat, to prime a connection with.
_LOOK_AHEAD = 16

_SELECT_S = 1.0


class Engine:
    """
    Sends pushes of one topic; not for use by two threads.

    Args:
        url: Of the APNs host, without a path.
        topic: `apns-topic`: the bundle id with `.push-type.liveactivity`.
        ca_file: PEM file of the roots that are trusted.
        in_flight: Streams open at once, where the server allows as many.
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
    ) -> None:
        self.now = now
        self._connection = Connection(
            url,
            topic,
            provider_token,
            ca_file=ca_file,
            now=now,
            in_flight=in_flight,
            request_timeout_s=request_timeout_s,
        )

    def send(self, pushes: Iterable[Push], *, deadline_s: float) -> Iterator[tuple[Push, Outcome]]:
        """
        Yield one outcome for every push, in the order answers come; never raise for a push.

        Args:
            pushes: Read lazily, as streams come free. Bodies are whole JSON, 4096 bytes at most.
            deadline_s: Unix seconds. What has no answer by then is `Unanswered`, and whether APNs may have taken it.
        """
        run = _Run(self._connection, iter(pushes), deadline_s)
        try:
            yield from run.outcomes()
        finally:
            run.abandon()

    def close(self) -> None:
        """Close the connection; the next push opens another."""
        self._connection.close()


class _Run:
    """One call of `send`."""

    def __init__(self, connection: Connection, source: Iterator[Push], deadline_s: float) -> None:
        self._connection = connection
        self._source = source
        self._deadline_s = deadline_s
        self._again: deque[tuple[Push, int]] = deque()
        self._in_flight: dict[pycurl.Curl, CurlHandle] = {}
        self._priming = False
        self._failed_primes = 0
        # Why nothing more may be sent, once something forbids it.
        self._stopped = ""
        # Whether the connection has failed or was disowned: what is under way may finish, nothing is added.
        self._draining = False

    def outcomes(self) -> Iterator[tuple[Push, Outcome]]:
        while True:
            if self._draining and not self._in_flight:
                self._connection.close()
                self._draining = False
            if self._connection.now() >= self._deadline_s:
                self._stopped = self._stopped or "deadline"
                yield from self._cut()
            if self._stopped and not self._in_flight:
                yield from ((push, Unanswered(False, self._stopped)) for push in self._rest())
                return
            if not self._in_flight and self._connection.fresh() is None:
                if not self._start_prime():
                    return
            elif not self._fill() and not self._in_flight:
                return
            yield from self._pump()

    def abandon(self) -> None:
        """Leave no handle behind, whoever stopped reading."""
        if self._in_flight:
            for _ in self._cut():
                pass

    # --- into flight

    def _start_prime(self) -> bool:
        item = self._next_to_prime()
        if item is None:
            return False
        multi = self._connection.open()
        self._add(multi, self._connection.load(*item, prime=True))
        self._priming = True
        return True

    def _fill(self) -> bool:
        """Add pushes while there are streams; say whether any was added or is still to come."""
        if self._draining or self._stopped or self._priming:
            return True
        multi = self._connection.in_use()
        added = False
        while len(self._in_flight) < self._connection.in_flight_max:
            item = self._next()
            if item is None:
                return added
            self._add(multi, self._connection.load(*item, prime=False))
            added = True
        return True

    def _add(self, multi: pycurl.CurlMulti, handle: CurlHandle) -> None:
        self._in_flight[handle.curl] = handle
        multi.add_handle(handle.curl)

    def _next(self) -> tuple[Push, int] | None:
        if self._again:
            return self._again.popleft()
        push = next(self._source, None)
        return None if push is None else (push, 0)

    def _next_to_prime(self) -> tuple[Push, int] | None:
        """Prefer an update: what becomes of the first push on a connection is the least certain."""
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

    def _rest(self) -> Iterator[Push]:
        while (item := self._next()) is not None:
            yield item[0]

    # --- out of flight

    def _pump(self) -> Iterator[tuple[Push, Outcome]]:
        multi = self._connection.in_use()
        multi.perform()
        done = False
        queued = 1
        while queued:
            queued, good, bad = multi.info_read()
            for curl in good:
                done = True
                yield from self._land(multi, curl, None)
            for curl, code, message in bad:
                done = True
                yield from self._land(multi, curl, f"{code} {message}")
        if not done and self._in_flight:
            multi.select(min(_SELECT_S, max(0.0, self._deadline_s - self._connection.now())))

    def _land(self, multi: pycurl.CurlMulti, curl: pycurl.Curl, error: str | None) -> Iterator[tuple[Push, Outcome]]:
        handle = self._in_flight.pop(curl)
        push, tries = handle.push, handle.tries
        assert push is not None
        outcome = handle.answered() if error is None else handle.unanswered(error)
        multi.remove_handle(curl)
        if error is None:
            self._connection.unload(handle)
        else:
            handle.close()
        if self._priming:
            self._priming = False
            self._failed_primes = 0 if error is None else self._failed_primes + 1
            if self._failed_primes >= FAILED_PRIMES_MAX:
                self._stopped = self._stopped or f"no connection: {error}"
            self._connection.opened()
        if isinstance(outcome, Unanswered):
            self._draining = True
            if not outcome.maybe_taken and tries + 1 < TRIES_MAX and not self._stopped:
                self._again.append((push, tries + 1))
                return
        else:
            self._connection.used()
        if isinstance(outcome, Rejected) and self._disown(outcome) and tries == 0:
            self._again.append((push, tries + 1))
            return
        yield push, outcome

    def _disown(self, outcome: Rejected) -> bool:
        """Leave the connection where the reason says so; say whether the push may be sent once more over a new one."""
        reason = REASONS.get(outcome.reason)
        if outcome.remedy is Remedy.STOP_AND_ALARM:
            self._stopped = self._stopped or outcome.reason
        if reason is None or not reason.reconnects:
            return False
        if outcome.remedy is Remedy.NEW_PROVIDER_TOKEN and not self._draining:
            self._connection.expired()
        self._draining = True
        return outcome.remedy in (Remedy.NEW_PROVIDER_TOKEN, Remedy.RETRY) and not self._stopped

    def _cut(self) -> Iterator[tuple[Push, Outcome]]:
        """Give up what is under way, and the connection with it."""
        for curl, handle in list(self._in_flight.items()):
            push = handle.push
            assert push is not None
            outcome = handle.unanswered(self._stopped or "abandoned")
            self._connection.in_use().remove_handle(curl)
            handle.close()
            del self._in_flight[curl]
            yield push, outcome
        self._connection.close()
