"""A raw HTTP/2 client, which does to the APNs simulator what no sane client would, and tokens and requests for it."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from onebox.apns.simulator import ApnsSimulator, StreamLimits

BUNDLE_ID = "com.example.pizza"
TEAM_ID = "TEAM123456"
KEY_ID = "KEY1234567"
OTHER_KEY_ID = "KEY7654321"
UPDATE = json.dumps({"aps": {"event": "update", "timestamp": 1, "content-state": {"minutes": 7}}}).encode()


@cache
def private_key(key_id: str) -> ec.EllipticCurvePrivateKey:
    """Make the key of that id, once."""
    del key_id  # It is what the cache goes by.
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key_id: str) -> str:
    """Give what APNs knows of it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key(key_id).public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def provider_token(
    *,
    iat: object = None,
    key_id: str = KEY_ID,
    team: str = TEAM_ID,
    signed_by: str | None = None,
    alg: str = "ES256",
) -> str:
    """Sign a provider token; by default a good one of now. No two have the same bytes."""
    claims = {"iss": team, "iat": int(time.time()) if iat is None else iat}
    parts = [base64url_encode(json.dumps(part).encode()) for part in ({"alg": alg, "kid": key_id}, claims)]
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(b".".join(parts), private_key(signed_by or key_id))
    return b".".join([*parts, base64url_encode(signature)]).decode()


@cache
def token_of_now() -> str:
    """Sign one provider token for the whole test run, as senders do."""
    return provider_token()


def simulator(
    directory: Path, *, now: Callable[[], float] = time.time, limits: StreamLimits | None = None
) -> ApnsSimulator:
    """Make a simulator that knows our team and its first key."""
    keys = {KEY_ID: public_pem(KEY_ID)}
    return ApnsSimulator(
        bundle_id=BUNDLE_ID, team_id=TEAM_ID, keys=keys, directory=directory, now=now, stream_limits=limits
    )


def good_headers(token: str, **changed: str | None) -> list[tuple[str, str]]:
    """
    Write the headers of a good update.

    Args:
        changed: By name, with _ for -, and `method` and `path` without their colon; None leaves one out.
    """
    headers: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "https",
        ":authority": "localhost",
        ":path": f"/3/device/{token}",
        "authorization": f"bearer {token_of_now()}" if "authorization" not in changed else None,
        "apns-topic": f"{BUNDLE_ID}.push-type.liveactivity",
        "apns-push-type": "liveactivity",
        "apns-priority": "10",
        "apns-expiration": "0",
    }
    for name, value in changed.items():
        headers[f":{name}" if name in ("method", "path") else name.replace("_", "-")] = value
    return [(name, value) for name, value in headers.items() if value is not None]


@dataclass
class Answer:
    """What a stream brought back."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset_code: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.headers[":status"])

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str | None:
        """Apple's reason, if it gave one."""
        return self.json["reason"] if self.body else None


class RawClient:
    """One connection, driven frame by frame. It does not keep to the server's stream limit."""

    def __init__(self, url: str, ca_file: Path, *, alpn: str = "h2") -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        context.set_alpn_protocols([alpn])
        parts = urlsplit(url)
        plain = socket.create_connection((str(parts.hostname), int(parts.port or 443)), timeout=5)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname=parts.hostname)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.answers: dict[int, Answer] = {}
        self.limits: list[int] = []
        self.goaway: ConnectionTerminated | None = None
        self.closed = False
        self.pongs = 0
        self._buffer = b""
        self.h2.initiate_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def open(self, headers: list[tuple[str, str]], body: bytes | None = UPDATE) -> int:
        """Write a request without sending it yet; `body` None leaves the stream open."""
        stream = self.h2.get_next_available_stream_id()
        # What the server allows is for the server to enforce.
        self.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 2**31 - 1
        self.h2.remote_settings.acknowledge()
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, headers, end_stream=body == b"")
        if body:
            self.finish(stream, body)
        return stream

    def finish(self, stream: int, body: bytes = UPDATE) -> None:
        """Write the body of a stream that was left open."""
        frames = [body[start : start + 16_384] for start in range(0, len(body), 16_384)]
        for number, frame in enumerate(frames, 1):
            self.h2.send_data(stream, frame, end_stream=number == len(frames))

    def flush(self) -> None:
        """Send all that was written, at once."""
        self.socket.sendall(self.h2.data_to_send())

    def push(self, token: str, body: bytes = UPDATE, **changed: str | None) -> Answer:
        """Send one push and wait for its end."""
        stream = self.open(good_headers(token, **changed), body)
        self.read_until(lambda: self.is_over(stream))
        return self.answers[stream]

    def round_trip(self) -> None:
        """Wait until the simulator has taken all that was sent: it answers a PING after that."""
        seen = self.pongs
        self.h2.ping(b"lockstep")
        self.read_until(lambda: self.pongs > seen)

    def is_over(self, *streams: int) -> bool:
        """Whether these were answered or reset."""
        return all(self.answers[stream].ended or self.answers[stream].reset_code is not None for stream in streams)

    def read_until(self, holds: Callable[[], bool]) -> None:
        """Send what was written and read until it holds; the socket's timeout bounds each read."""
        self.flush()
        while not holds():
            data = self.socket.recv(65536)
            if not data:
                self.closed = True
                assert holds(), "the connection was closed"
                return
            self._buffer += data
            for frame in self._frames():
                for event in self.h2.receive_data(frame):
                    self._take(event)
            self.flush()

    def says_nothing(self, for_s: float = 0.1) -> bool:
        """Whether nothing comes for a while."""
        self.flush()
        self.socket.settimeout(for_s)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)
        return False

    def _frames(self) -> Iterator[bytes]:
        # One by one, since h2 takes nothing more once it has seen a GOAWAY, and answers may still come after it.
        while len(self._buffer) >= 9 and len(self._buffer) >= (end := 9 + int.from_bytes(self._buffer[:3])):
            frame, self._buffer = self._buffer[:end], self._buffer[end:]
            yield frame

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                limit = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                if limit is not None:
                    self.limits.append(limit.new_value)
            case ResponseReceived():
                self.answers[event.stream_id].headers = {str(name): str(value) for name, value in event.headers}
            case DataReceived():
                self.answers[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.answers[event.stream_id].ended = True
            case StreamReset():
                self.answers[event.stream_id].reset_code = int(event.error_code)
            case ConnectionTerminated():
                self.goaway = event
                self.h2.state_machine.state = ConnectionState.CLIENT_OPEN
            case PingAckReceived():
                self.pongs += 1
