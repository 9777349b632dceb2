"""
The one connection to an APNs host: opened on purpose, and by nobody else.

libcurl would open further connections where a server refuses a stream or a connection dies. All sockets but those of a
connection's first push are refused to it, so that what fails, fails, and can be sorted by what that proves.
"""

import socket
from collections.abc import Callable

import pycurl

from lockstep.apns import Push
from lockstep.curl_handle import CurlHandle
from lockstep.provider_token import ProviderToken

# Of wall clock, since a frozen container's monotonic clock stands still: a connection idle for longer may be dead.
IDLE_S = 60

# A new connection's first push is answered by then, or the connection is given up.
PRIME_TIMEOUT_S = 5

_HEADERS_MAX = 1000


class Connection:
    """The connection, and the handles of the pushes on it; `Engine` says what its arguments mean."""

    def __init__(
        self,
        url: str,
        topic: str,
        provider_token: ProviderToken,
        *,
        ca_file: str,
        now: Callable[[], float],
        in_flight: int,
        request_timeout_s: float,
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

    @property
    def in_flight_max(self) -> int:
        """Streams open at once."""
        return self._in_flight_max

    def now(self) -> float:
        """Wall clock, Unix seconds."""
        return self._now()

    def fresh(self) -> pycurl.CurlMulti | None:
        """
        Return the connection if it is there and fresh.

        Apple minds a second provider token within 20 minutes on one connection, so each has a connection of its own.
        """
        idle_s = self._now() - self._used_at_s
        good = 0 <= idle_s <= IDLE_S and self._bearer == self._provider_token.current()
        if self._multi is not None and not good:
            self.close()
        return self._multi

    def in_use(self) -> pycurl.CurlMulti:
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
