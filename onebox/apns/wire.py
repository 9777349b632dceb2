"""HTTP/2 as APNs speaks it: h2 on a transport, and what h2 would not say."""

import asyncio
import socket
import struct
from collections.abc import Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

UNLIMITED = 2**31 - 1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _H2(H2Connection):
    """h2, which a client's GOAWAY doesn't end: what is under way is still to be answered (RFC 9113, 6.8)."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        said = ConnectionTerminated()
        said.error_code, said.last_stream_id = frame.error_code, frame.last_stream_id
        return [], [said]


class Wire:
    """
    The frames of one connection. Nothing leaves before `flush`, except what is written past h2.

    h2 ends the whole connection when a client opens too many streams, and answers nothing once either side has sent a
    GOAWAY; APNs refuses that stream, and answers the streams that are under way. So GOAWAY and every SETTINGS but the
    first are written past h2, which believes that any number of streams may be open, and a client's GOAWAY is kept from it.
    """

    def __init__(self, transport: asyncio.Transport, streams: int) -> None:
        self._transport = transport
        self._h2 = _H2(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._unsent: dict[int, bytes] = {}
        settings = self._h2.local_settings
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = streams
        settings.acknowledge()
        self._h2.initiate_connection()
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = UNLIMITED
        settings.acknowledge()
        self.flush()

    @property
    def is_idle(self) -> bool:
        """Whether no answer waits for the client to make room for it."""
        return not self._unsent

    def receive(self, data: bytes) -> Iterator[Event]:
        """
        Take what came; flow control is seen to, in both directions.

        Raises:
            ProtocolError: The client broke the rules; h2 has written its GOAWAY.
        """
        for event in self._h2.receive_data(data):
            match event:
                case DataReceived() if event.flow_controlled_length:
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case WindowUpdated():
                    for stream in list(self._unsent):
                        self._send_rest(stream)
                case StreamReset():
                    self._unsent.pop(event.stream_id, None)
            yield event

    def answer(self, stream: int, headers: list[tuple[str, str]], body: bytes) -> bool:
        """Answer a stream; False if the client has given it up."""
        try:
            self._h2.send_headers(stream, headers, end_stream=not body)
        except ProtocolError:
            return False
        if body:
            self._unsent[stream] = body
            self._send_rest(stream)
        return True

    def reset_stream(self, stream: int, code: int = ErrorCodes.REFUSED_STREAM) -> None:
        """End a stream without an answer."""
        try:
            self._h2.reset_stream(stream, code)
        except ProtocolError:
            return  # The client has given it up.

    def allow(self, streams: int) -> None:
        """Tell how many streams may be open from now on."""
        self._write_past_h2(SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: streams}))

    def go_away(self, last_stream: int, code: int, debug: bytes) -> None:
        """Tell up to which stream this connection answers."""
        self._write_past_h2(GoAwayFrame(0, last_stream_id=last_stream, error_code=code, additional_data=debug))

    def flush(self) -> None:
        """Send what was written."""
        data = self._h2.data_to_send()
        if data:
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written and close."""
        self.flush()
        self._transport.close()

    def _send_rest(self, stream: int) -> None:
        try:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
        except ProtocolError:
            del self._unsent[stream]  # The client has given it up.
            return
        if room <= 0:
            return
        body = self._unsent.pop(stream)
        self._h2.send_data(stream, body[:room], end_stream=len(body) <= room)
        if len(body) > room:
            self._unsent[stream] = body[room:]

    def _write_past_h2(self, frame: Frame) -> None:
        self.flush()
        self._transport.write(frame.serialize())


def reset_tcp(transport: asyncio.Transport) -> None:
    """Reset a connection: what was written has left, and no goodbye follows."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
