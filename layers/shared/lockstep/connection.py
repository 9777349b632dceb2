"""
One HTTP/2 connection to APNs, by libcurl's multi interface: opened on purpose, and left for good.

APNs allows a new connection one stream until a push with a valid token was answered. libcurl doesn't wait for the
server's SETTINGS, and answers REFUSED_STREAM by opening further connections. So the first push goes alone and opens the
connection; every other socket is refused, and what then fails is sorted by what it proves.
"""

import select
import socket
from collections.abc import Callable, Iterable

import pycurl

from lockstep.apns import ACCEPTED, Outcome, Push, Rejected, Unanswered
from lockstep.curl_handle import SENT_BYTES, Address, CurlHandle
from lockstep.host import Host

# Of wall clock, since a frozen container's monotonic clock stands still: a connection idle for longer may be dead.
IDLE_S = 60

# One idle for longer than this may have died silently: one push finds out, not a hundred. Where it lives, that costs the
# others a round trip.
TRIED_AFTER_S = 5

# So many pushes are handed to libcurl at once, or as many as had a stream at once. Where streams are few they wait for one
# in libcurl, which counts that as part of the request's time: the last of a hundred would have none left.
_HANDED_MAX = 16

# Lists of headers are kept by what differs in them: priority, expiration_s and collapse_id.
_IN_HEADERS = slice(2, 5)
_HEADERS_MAX = 1000

# A push that has landed, how often it was tried before, and what became of it.
type Landed = tuple[Push, int, Outcome]

# A connection that the other side has closed, or half of it.
_CLOSED = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


class Connection:
    """
    Makes no socket before the first push.

    Attributes:
        in_flight: The pushes under way.
        alone: Whether the next push must be under way by itself: we know nothing, or nothing more, of the connection.
        came_up: Whether it brought an answer with which it could go on.
        disowned: Whether no push may be added any more; what is under way may finish.
    """

    def __init__(self, host: Host, bearer: str, now: Callable[[], float]) -> None:
        self.in_flight: dict[pycurl.Curl, CurlHandle] = {}
        self.alone = True
        self.came_up = False
        self.disowned = False
        self._host = host
        self._request_timeout_ms = int(host.request_timeout_s * 1000)
        self._alone_timeout_ms = int(host.alone_timeout_s * 1000)
        self._bearer = bearer
        self._now = now
        self._answered_at_s = 0.0
        # Those in flight that have no stream yet, as far as we know; and whether that is for want of one. Then nothing is
        # added: libcurl lets a newcomer take the next free stream before those that wait.
        self._waiting: list[CurlHandle] = []
        self._short_of_streams = False
        # How many had a stream at once, as far as that still holds: Apple lowers its limit after a refusal.
        self._streams_had = 0
        self._file = -1
        self._first: CurlHandle | None = None
        self._sockets: list[socket.socket] = []
        self._idle: list[CurlHandle] = []
        self._headers: dict[object, list[str]] = {}
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, host.streams)

    @property
    def room(self) -> int:
        """How many pushes may be added now."""
        if self.disowned or self._short_of_streams:
            return 0
        under_way, waiting = len(self.in_flight), len(self._waiting)
        streams = 1 if self.alone else self._host.streams
        return max(0, min(streams - under_way, max(_HANDED_MAX, self._streams_had) - waiting))

    def take_up(self, bearer: str) -> bool:
        """
        Say whether the connection, with nothing under way, is good for pushes with this provider token.

        Apple minds a second provider token within 20 minutes on one connection, so each has a connection of its own.
        """
        if self.disowned or bearer != self._bearer:
            return False
        if not self.came_up:
            return True
        idle_s = self._now() - self._answered_at_s
        if self._file < 0 or not 0 <= idle_s <= IDLE_S:
            return False
        poll = select.poll()
        poll.register(self._file, select.POLLIN | _CLOSED)
        news = sum(events for _, events in poll.poll(0))
        # libcurl asks whether a connection lives only if it was idle for a second, and hears a GOAWAY only after it has
        # sent. What waits to be read may be that, or new SETTINGS: one push finds out, not a hundred.
        self.alone = self.alone or bool(news) or idle_s > TRIED_AFTER_S
        return not news & _CLOSED

    def add(self, pushes: Iterable[Push], tries: int = 0) -> int:
        """Put pushes on their way, no more than the connection has room for; return how many there were."""
        alone, count = self.alone, 0
        timeout_ms = self._alone_timeout_ms if alone else self._request_timeout_ms
        idle, known, in_flight = self._idle, self._headers, self.in_flight
        wait, start = self._waiting.append, self._multi.add_handle
        for push in pushes:
            handle = idle.pop() if idle else self._new_handle()
            headers = known.get(push[_IN_HEADERS]) or self._headers_of(push)
            # What became of a push that goes alone is the least certain.
            handle.take(push, tries, headers, timeout_ms, tell=push.once or alone)
            if alone:
                self._first = None if self.came_up else handle
            curl = handle.curl
            in_flight[curl] = handle
            wait(handle)
            start(curl)
            count += 1
        return count

    def landed(self, wait_s: float, *, more: bool) -> list[Landed]:
        """
        Take the pushes that have landed off the connection.

        Args:
            wait_s: How long to wait for anything to happen.
            more: Whether there are pushes to add: then it doesn't wait where there has come room for them.
        """
        multi = self._multi
        multi.perform()
        self._waiting = [handle for handle in self._waiting if not handle.curl.getinfo(SENT_BYTES)]
        self._short_of_streams = bool(self._waiting)
        self._streams_had = 0 if self._short_of_streams else max(self._streams_had, len(self.in_flight))
        landed: list[Landed] = []
        queued = 1
        while queued:
            queued, good, bad = multi.info_read()
            if good:
                self._answered(good, landed)
            landed += [self._land(curl, f"{code} {words}") for curl, code, words in bad]
        if not landed and not (more and self.room):
            # libcurl's own timers; select knows nothing of them.
            timer_ms = multi.timeout()
            multi.select(wait_s if timer_ms < 0 else min(wait_s, timer_ms / 1000))
        return landed

    def _answered(self, good: Iterable[pycurl.Curl], landed: list[Landed]) -> None:
        """Take those off that were answered: nearly always with 200, and then as little is asked of each as may be."""
        self._answered_at_s = self._now()
        pop, keep, remove = self.in_flight.pop, self._idle.append, self._multi.remove_handle
        if self.alone:
            landed += [self._land(curl, None) for curl in good]
            return
        for curl in good:
            handle = pop(curl)
            outcome: Outcome = ACCEPTED
            if curl.getinfo(pycurl.RESPONSE_CODE) != 200:
                outcome = self._heeded(handle.answered())
            remove(curl)
            keep(handle)
            landed.append((handle.push, handle.tries, outcome))

    def _land(self, curl: pycurl.Curl, error: str | None) -> Landed:
        """Take a push off: one that went alone, or had no answer."""
        handle = self.in_flight.pop(curl)
        outcome: Outcome
        if handle in self._waiting:
            self._waiting.remove(handle)
            self._short_of_streams = bool(self._waiting)
        if error is None:
            outcome = self._heeded(handle.answered())
        else:
            outcome = handle.unanswered(error)
            self.disowned = True
        if self.alone:
            self._first = None
            self._close_our_sockets()
            if not self.disowned:
                self._file = int(curl.getinfo(pycurl.ACTIVESOCKET))
                self.came_up, self.alone = True, False
        self._multi.remove_handle(curl)
        if error is None:
            self._idle.append(handle)
        else:
            handle.close()
        return handle.push, handle.tries, outcome

    def _heeded(self, outcome: Outcome) -> Outcome:
        """Draw the conclusions for the connection from an answer."""
        if isinstance(outcome, Rejected):
            self.disowned = self.disowned or outcome.reconnects
            self._streams_had = 0
        return outcome

    def close(self, why: str = "closed") -> list[tuple[Push, Unanswered]]:
        """Close it; return what was under way."""
        self.disowned = True
        cut = []
        for curl, handle in self.in_flight.items():
            cut.append((handle.push, handle.unanswered(why)))
            self._multi.remove_handle(curl)
            handle.close()
        self.in_flight.clear()
        self._multi.close()
        while self._idle:
            self._idle.pop().close()
        self._close_our_sockets()
        return cut

    def _new_handle(self) -> CurlHandle:
        host = self._host
        return CurlHandle(host.url, ca_file=host.ca_file, resolve=host.resolve, open_socket=self._open_socket)

    def _headers_of(self, push: Push) -> list[str]:
        if len(self._headers) >= _HEADERS_MAX:
            self._headers.clear()
        self._headers[push[_IN_HEADERS]] = headers = self._host.headers(push, self._bearer)
        return headers

    def _open_socket(self, _purpose: int, address: Address) -> socket.socket | int:
        """libcurl may try the next address until the first push has a connection; at any other time it may open none."""
        if self._first is None or self._first.issued:
            return int(pycurl.SOCKET_BAD)
        family, kind, protocol, _ = address
        self._sockets.append(socket.socket(family, kind, protocol))
        return self._sockets[-1]

    def _close_our_sockets(self) -> None:
        """pycurl works with duplicates of the sockets that it was given."""
        while self._sockets:
            self._sockets.pop().close()
