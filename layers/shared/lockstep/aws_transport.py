"""
A boto3 client's requests, carried by libcurl.

botocore signs, retries and understands; but to put one request on the wire, urllib3 and http.client take more CPU than all
that, and libcurl a tenth of it. What a push function does most is to read from DynamoDB, at a third of a core.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pycurl
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient

# Of wall clock, since a frozen container's monotonic clock stands still: a connection idle for longer may be dead, and
# would be found out by a read's time-out.
_IDLE_S = 60

_NO_CONNECTION = {
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_RESOLVE_PROXY,
    pycurl.E_COULDNT_CONNECT,
}
_NO_TRUST = {pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE}
_BROKEN = {pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING, pycurl.E_PARTIAL_FILE}


class CurlTransport:
    """
    Carries the POST requests of a client; each thread has a connection of its own, which stays open.

    Args:
        ca_file: PEM file of the roots that are trusted.
        connect_timeout_s: As botocore's.
        read_timeout_s: From the connection to the last byte of the answer.
        now: Wall clock, Unix seconds.
    """

    def __init__(
        self, *, ca_file: str, connect_timeout_s: float, read_timeout_s: float, now: Callable[[], float] = time.time
    ) -> None:
        self._ca_file = ca_file
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._now = now
        self._of_thread = threading.local()

    def carry(self, client: "BaseClient") -> None:
        """Carry all requests of a client from now on."""
        service = client.meta.service_model.service_id.hyphenize()
        # By this event botocore lets others answer a request; moto does.
        client.meta.events.register(f"before-send.{service}", self.send)  # type: ignore[arg-type]  # what a handler returns is used

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        """
        Send a signed request, and return its answer, whatever its status; None for what botocore is to send itself.

        Raises:
            HTTPClientError, EndpointConnectionError, ConnectTimeoutError, SSLError: As botocore's own, which it retries.
        """
        if request.method != "POST" or not isinstance(request.body, bytes):
            return None
        line = self._line()
        try:
            status, headers, body = line.post(request.url, request.headers, request.body)
        except pycurl.error as error:
            raise line.error(request, error) from error
        return AWSResponse(request.url, status, headers, _Read(body))  # type: ignore[arg-type]  # any mapping does

    def _line(self) -> "_Line":
        line: _Line | None = getattr(self._of_thread, "line", None)
        if line is None:
            self._of_thread.line = line = _Line(
                self._ca_file, int(self._connect_timeout_s * 1000), int(self._read_timeout_s * 1000), self._now
            )
        return line


class _Line:
    """A thread's connection."""

    def __init__(self, ca_file: str, connect_timeout_ms: int, read_timeout_ms: int, now: Callable[[], float]) -> None:
        self._now = now
        self._used_at_s = 0.0
        self._headers: list[bytes] = []
        self._curl = curl = pycurl.Curl()
        curl.setopt(pycurl.CAINFO, ca_file)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, connect_timeout_ms)
        curl.setopt(pycurl.TIMEOUT_MS, connect_timeout_ms + read_timeout_ms)
        curl.setopt(pycurl.HEADERFUNCTION, self._headers.append)

    def post(self, url: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request; raises pycurl.error."""
        curl, now = self._curl, self._now()
        said = [f"{name}: {_text(value)}" for name, value in headers.items() if name.lower() != "content-length"]
        self._headers.clear()
        curl.setopt(pycurl.URL, url)
        # libcurl's own are not signed, nor asked for.
        curl.setopt(pycurl.HTTPHEADER, [*said, "accept:", "expect:"])
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.FRESH_CONNECT, not 0 <= now - self._used_at_s <= _IDLE_S)
        answer = curl.perform_rb()
        self._used_at_s = now
        return curl.getinfo(pycurl.RESPONSE_CODE), dict(_parted(self._headers)), answer

    def error(self, request: AWSPreparedRequest, error: pycurl.error) -> Exception:
        """Say what went wrong in botocore's words, by which it decides whether to try again."""
        code, connected = error.args[0], self._curl.getinfo(pycurl.CONNECT_TIME) > 0
        if code in _NO_CONNECTION:
            return EndpointConnectionError(endpoint_url=request.url, error=error)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            timed_out = ReadTimeoutError if connected else ConnectTimeoutError
            return timed_out(endpoint_url=request.url, error=error)
        if code in _NO_TRUST:
            return SSLError(endpoint_url=request.url, error=error)
        if code in _BROKEN:
            return ConnectionClosedError(endpoint_url=request.url, request=request, error=error)
        return HTTPClientError(error=error)


class _Read:
    """An answer's body, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield all of it."""
        yield self._body


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _parted(lines: list[bytes]) -> Iterator[tuple[str, str]]:
    """Part an answer's header lines; the status line has no colon before its first space."""
    for line in lines:
        name, colon, value = line.decode("iso-8859-1").partition(":")
        if colon and " " not in name:
            yield name, value.strip()
