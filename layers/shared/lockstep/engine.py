"""
Pushes to one APNs environment over one HTTP/2 connection, by libcurl's multi interface.

APNs allows a new connection one stream until a push with a valid token was answered. libcurl doesn't wait for the
server's SETTINGS, and answers REFUSED_STREAM by opening further connections. So a connection is opened on purpose and
primed: one push alone, until its answer. All other sockets are refused; what then fails is sorted by what it proves, and
goes on over a new connection if APNs provably did not take it.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import pycurl

from lockstep.apns import Outcome, Push, Rejected, Unanswered
from lockstep.curl_handle import CurlHandle
from lockstep.provider_token import ProviderToken
from lockstep.reasons import REASONS, Remedy

# Of wall clock, since a frozen container's monotonic clock stands still: a connection idle for longer may be dead.
IDLE_S = 60

# A new connection's first push is answered by then, or the connection is given up.
PRIME_TIMEOUT_S = 5

# A push that is provably not taken is tried so often, each time over a new connection; then it is left to the caller.
TRIES_MAX = 4

# So many connections in a row that don't come up mean that none will now.
FAILED_PRIMES_MAX = 2

# How far to look for an update, harmless to repeat, to prime a connection with.
_LOOK_AHEAD = 16

_SELECT_S = 1.0
_HEADERS_MAX = 1000


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
        self._url = url.rstrip("/")
        self._topic = topic
        self._provider_token = provider_token
        self._ca_file = ca_file
        self._now = now
        self._in_flight_max = in_flight
        self._request_timeout_ms = int(request_timeout_s * 1000)
        self._multi: pycurl.CurlMulti | None = None
        self._prime: CurlHandle | None = None
        self._used_at_s = 0.0
        self._bearer = ""
        self._sockets: list[socket.socket] = []
        self._idle: list[CurlHandle] = []
        self._headers: dict[tuple[object, ...], list[str]] = {}

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
            run.abandon()

    def close(self) -> None:
        """Close the connection; the next push opens another."""
        if self._multi is not None:
            self._multi.close()
            self._multi = None
        for handle in self._idle:
            handle.close()
        self._idle.clear()
        self._headers.clear()
        self._close_our_sockets()

    # --- for _Run

    @property
    def in_flight_max(self) -> int:
        """Streams open at once."""
        return self._in_flight_max

    def now(self) -> float:
        """Wall clock, Unix seconds."""
        return self._now()

    def connection(self) -> pycurl.CurlMulti | None:
        """
        Return the connection if it is there and fresh.

        Apple minds a second provider token within 20 minutes on one connection, so each has a connection of its own.
        """
        fresh = 0 <= self._now() - self._used_at_s <= IDLE_S and self._bearer == self._provider_token.current()
        if self._multi is not None and not fresh:
            self.close()
        return self._multi

    def connection_in_use(self) -> pycurl.CurlMulti:
        """Return the connection that has pushes under way, fresh or not."""
        assert self._multi is not None
        return self._multi

    def open(self) -> pycurl.CurlMulti:
        """Make ready for a new connection; the next push alone may open its socket."""
        self.close()
        self._bearer = self._provider_token.current()
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, self._in_flight_max)
        return multi

    def opened(self) -> None:
        """From here on no socket is opened."""
        self._prime = None
        self._close_our_sockets()
        self.used()

    def used(self) -> None:
        """The connection has just brought an answer."""
        self._used_at_s = self._now()

    def expired(self) -> None:
        """Apple calls the provider token expired."""
        self._provider_token.expired()

    def load(self, push: Push, tries: int, *, prime: bool) -> CurlHandle:
        """Put a push into a handle."""
        handle = self._idle.pop() if self._idle else CurlHandle(ca_file=self._ca_file, open_socket=self._open_socket)
        timeout_ms = min(PRIME_TIMEOUT_S * 1000, self._request_timeout_ms) if prime else self._request_timeout_ms
        handle.take(push, tries, url=self._url, headers=self._headers_of(push), timeout_ms=timeout_ms)
        if prime:
            self._prime = handle
        return handle

    def unload(self, handle: CurlHandle) -> None:
        """Take back a handle that is no longer in use."""
        handle.push = None
        self._idle.append(handle)

    def _headers_of(self, push: Push) -> list[str]:
        key = (push.priority, push.expiration_s, push.collapse_id)
        headers = self._headers.get(key)
        if headers is None:
            if len(self._headers) >= _HEADERS_MAX:
                self._headers.clear()
            headers = [
                f"authorization: bearer {self._bearer}",
                f"apns-topic: {self._topic}",
                "apns-push-type: liveactivity",
                f"apns-priority: {push.priority}",
                f"apns-expiration: {push.expiration_s}",
                "content-type: application/json",
                # libcurl's own, which Apple doesn't ask for.
                "accept:",
                *([f"apns-collapse-id: {push.collapse_id}"] if push.collapse_id else []),
            ]
            self._headers[key] = headers
        return headers

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        """libcurl may try the next address until the first push has a connection; at any other time it may open none."""
        if self._prime is None or self._prime.issued:
            return int(pycurl.SOCKET_BAD)
        family, kind, protocol, _ = address
        self._sockets.append(socket.socket(family, kind, protocol))
        return self._sockets[-1]

    def _close_our_sockets(self) -> None:
        """pycurl works with duplicates of the sockets that it was given."""
        while self._sockets:
            self._sockets.pop().close()


class _Run:
    """One call of `send`."""

    def __init__(self, engine: Engine, source: Iterator[Push], deadline_s: float) -> None:
        self._engine = engine
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
                self._engine.close()
                self._draining = False
            if self._engine.now() >= self._deadline_s:
                self._stopped = self._stopped or "deadline"
                yield from self._cut()
            if self._stopped and not self._in_flight:
                yield from ((push, Unanswered(False, self._stopped)) for push in self._rest())
                return
            if not self._in_flight and self._engine.connection() is None:
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
        multi = self._engine.open()
        self._add(multi, self._engine.load(*item, prime=True))
        self._priming = True
        return True

    def _fill(self) -> bool:
        """Add pushes while there are streams; say whether any was added or is still to come."""
        if self._draining or self._stopped or self._priming:
            return True
        multi = self._engine.connection_in_use()
        added = False
        while len(self._in_flight) < self._engine.in_flight_max:
            item = self._next()
            if item is None:
                return added
            self._add(multi, self._engine.load(*item, prime=False))
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
        multi = self._engine.connection_in_use()
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
            multi.select(min(_SELECT_S, max(0.0, self._deadline_s - self._engine.now())))

    def _land(self, multi: pycurl.CurlMulti, curl: pycurl.Curl, error: str | None) -> Iterator[tuple[Push, Outcome]]:
        handle = self._in_flight.pop(curl)
        push, tries = handle.push, handle.tries
        assert push is not None
        outcome = handle.answered() if error is None else handle.unanswered(error)
        multi.remove_handle(curl)
        if error is None:
            self._engine.unload(handle)
        else:
            handle.close()
        if self._priming:
            self._priming = False
            self._failed_primes = 0 if error is None else self._failed_primes + 1
            if self._failed_primes >= FAILED_PRIMES_MAX:
                self._stopped = self._stopped or f"no connection: {error}"
            self._engine.opened()
        if isinstance(outcome, Unanswered):
            self._draining = True
            if not outcome.maybe_taken and tries + 1 < TRIES_MAX and not self._stopped:
                self._again.append((push, tries + 1))
                return
        else:
            self._engine.used()
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
            self._engine.expired()
        self._draining = True
        return outcome.remedy in (Remedy.NEW_PROVIDER_TOKEN, Remedy.RETRY) and not self._stopped

    def _cut(self) -> Iterator[tuple[Push, Outcome]]:
        """Give up what is under way, and the connection with it."""
        for curl, handle in list(self._in_flight.items()):
            push = handle.push
            assert push is not None
            outcome = handle.unanswered(self._stopped or "abandoned")
            self._engine.connection_in_use().remove_handle(curl)
            handle.close()
            del self._in_flight[curl]
            yield push, outcome
        self._engine.close()
