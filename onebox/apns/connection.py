"""One client's connection: which of its streams are looked at, and the faults that strike on the way."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from onebox.apns.faults import Fault, Phase
from onebox.apns.gateway import Gateway, Ruling
from onebox.apns.management import Management
from onebox.apns.provider_tokens import Sender
from onebox.apns.requests import Request, to_request
from onebox.apns.wire import UNLIMITED, Wire, reset_tcp

# From the last answer after a GOAWAY, whoever sent it, to the close: time for the client to close first. Closing while
# its frames are on their way makes the kernel reset the connection, and answers that the client has not read yet would
# be lost.
_CLOSING_S = 0.1


@dataclass(slots=True)
class _Stream:
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)


class Connection(asyncio.Protocol):
    """
    Takes requests off the wire, one by one as they become whole, and puts answers on it.

    Args:
        connected: Called when TLS is up; gives the connection its number.
    """

    def __init__(self, gateway: Gateway | Management, connected: Callable[["Connection"], int]) -> None:
        self._gateway = gateway
        self._connected = connected
        self._sender = Sender(gateway.keys, gateway.now)
        self._streams: dict[int, _Stream] = {}
        self._limit = gateway.limits.initial
        self._highest_opened = 0
        self._highest_taken = 0
        self._last_stream = UNLIMITED
        self._closing = False
        self._silent = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello, and how many streams may be open."""
        assert isinstance(transport, asyncio.Transport)
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            transport.abort()
            return
        self._transport = transport
        self._number = self._connected(self)
        if self._gateway.fault(Phase.CONNECTION) is None:
            self._wire = Wire(transport, self._limit)
            self._silent = False

    def data_received(self, data: bytes) -> None:
        """Take what came, frame by frame; what was decided leaves together at the end."""
        if self._silent:
            return
        try:
            for event in self._wire.receive(data):
                self._take(event)
                if self._silent:
                    break
        except ProtocolError:
            self._wire.close()
            return
        self._wire.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # asyncio's signature
        """Answer nothing more."""
        self._silent = True

    def go_away(self, reason: str | None, *, last_stream: int | None = None, error_code: int = 0) -> None:
        """Send GOAWAY, answer what it lets through, then close. Without `last_stream` that is all opened so far."""
        if self._silent:
            return
        # What was taken can't be called unprocessed any more.
        self._last_stream = max(self._highest_opened if last_stream is None else last_stream, self._highest_taken)
        self._closing = True
        debug = b"" if reason is None else json.dumps({"reason": reason}).encode()
        self._wire.go_away(self._last_stream, error_code, debug)
        for number in [number for number in self._streams if number > self._last_stream]:
            self._drop(number, "goaway")
        self._close_if_done()

    def reset(self) -> None:
        """Reset the TCP connection, after what was answered so far has left."""
        if self._transport.is_closing():
            return
        if not self._silent:
            self._wire.flush()
            self._silent = True
        reset_tcp(self._transport)

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._open(event.stream_id, [(str(name), str(value)) for name, value in event.headers])
            case DataReceived() if event.stream_id in self._streams:
                self._streams[event.stream_id].body += event.data
            case StreamEnded() if event.stream_id in self._streams:
                self._complete(event.stream_id)
            case StreamReset():
                self._end(event.stream_id)
            case ConnectionTerminated(error_code=ErrorCodes.NO_ERROR):
                self._closing = True
                self._close_if_done()
            case ConnectionTerminated():
                self._wire.close()

    def _open(self, number: int, headers: list[tuple[str, str]]) -> None:
        self._streams[number] = _Stream(headers)
        if number > self._last_stream:
            self._drop(number, "goaway")
            return
        self._highest_opened = number
        if len(self._streams) > self._limit:
            self._drop(number, "stream_limit")
            self._wire.reset_stream(number)

    def _complete(self, number: int) -> None:
        request = self._request(number)
        fault = self._gateway.fault(Phase.ARRIVAL, request)
        if fault is not None and fault.kind == "goaway":
            self._go_away_at(number, fault)
            if number not in self._streams:
                return
        elif fault is not None:
            self._drop(number, fault.kind)
            self._lose(number, fault)
            return
        self._highest_taken = max(self._highest_taken, number)
        ruling = self._gateway.rule(request, self._sender, struck=fault)
        if ruling.loss is not None:
            self._lose(number, ruling.loss)
        elif ruling.latency_s:
            asyncio.get_running_loop().call_later(ruling.latency_s, self._answer_late, number, ruling)
        else:
            self._answer(number, ruling)

    def _go_away_at(self, number: int, fault: Fault) -> None:
        chosen = {"below": number - 2, "at": number, "above": None}
        last = fault.last_stream if isinstance(fault.last_stream, int) else chosen[fault.last_stream or "at"]
        self.go_away(fault.reason, last_stream=last, error_code=fault.error_code or ErrorCodes.NO_ERROR)

    def _lose(self, number: int, fault: Fault) -> None:
        """Give no answer, in the way of the fault; one that is merely lost leaves its stream open."""
        match fault.kind:
            case "refused_stream":
                self._wire.reset_stream(number)
                self._end(number)
            case "rst_stream":
                code = ErrorCodes.INTERNAL_ERROR if fault.error_code is None else fault.error_code
                self._wire.reset_stream(number, code)
                self._end(number)
            case "reset":
                self.reset()
            case "stall":
                self._silent = True

    def _answer_late(self, number: int, ruling: Ruling) -> None:
        if number in self._streams and not self._silent:
            self._answer(number, ruling)
            self._wire.flush()

    def _answer(self, number: int, ruling: Ruling) -> None:
        if ruling.streams is not None and ruling.streams != self._limit:
            self._limit = ruling.streams
            self._wire.allow(self._limit)
        if self._wire.answer(number, ruling.headers, ruling.body):
            self._gateway.log.mark_answered(ruling.number)
        self._end(number)

    def _drop(self, number: int, fault: str) -> None:
        """Record a request that is never looked at."""
        self._gateway.record_unprocessed(self._request(number), fault)
        self._end(number)

    def _end(self, number: int) -> None:
        self._streams.pop(number, None)
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._closing and not self._streams:
            asyncio.get_running_loop().call_later(_CLOSING_S, self._close)

    def _close(self) -> None:
        if not self._streams and self._wire.is_idle:
            self._wire.close()

    def _request(self, number: int) -> Request:
        stream = self._streams[number]
        return to_request(self._number, number, stream.headers, bytes(stream.body))
