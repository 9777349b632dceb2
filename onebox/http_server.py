"""A small HTTP/1.1 server on a port of this machine: one function answers each request."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from onebox.http_event import BODY_MAX, Request, Response, gateway_response

# What is read at once of a body that nobody will look at, and how much of one is read for the sake of its connection.
_CHUNK = 1 << 16
_READ_MAX = 10 * BODY_MAX

# A length has no more digits than that; one of thousands is no number that Python would read.
_DIGITS = 18

# Said by the server itself.
_OURS = ("content-length", "connection", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Stream:
    """
    An answer that goes on for as long as it has parts: each leaves at once, and the connection ends with the last.

    Attributes:
        parts: Closed, if the client goes before it is at its end.
    """

    headers: Sequence[tuple[str, str]]
    parts: Generator[bytes]


class HttpServer:
    """Serves requests in threads of their own."""

    def __init__(self, answer: Callable[[Request], Response | Stream], *, name: str, port: int = 0) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that head and body leave together.
    wbufsize = -1
    answer: Callable[[Request], Response | Stream]

    def _serve(self) -> None:
        answer = self._answer()
        if isinstance(answer, Stream):
            self._stream(answer)
        else:
            self._send(answer)

    def _answer(self) -> Response | Stream:
        said = self.headers.get_all("content-length", ["0"])
        if "transfer-encoding" in self.headers or len(said) > 1 or not _is_length(said[0]):
            self.close_connection = True
            return gateway_response(411, "Length Required")
        length = int(said[0])
        if length > BODY_MAX:
            self._pass_over(length)
            return gateway_response(413, "Request Entity Too Large")
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return gateway_response(400, "Bad Request")
        return self.answer(Request(self.command, self.path, self.headers.items(), body, self.client_address[0]))

    def _pass_over(self, length: int) -> None:
        """Read a body that is too long, so that the next request can follow it; one that is absurdly long is the last."""
        self.close_connection = length > _READ_MAX
        left = min(length, _READ_MAX)
        while left and (read := len(self.rfile.read(min(_CHUNK, left)))):
            left -= read

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what never became a request; the standard library would answer in HTML."""
        self.close_connection = True
        # Whoever names no version gets an answer of ours: none of HTTP/0.9 has a status.
        self.request_version = self.protocol_version
        # A method that there is no name for has no route.
        status = HTTPStatus.NOT_FOUND if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._send(gateway_response(status, status.phrase))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name not in _OURS:
                self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(response.body)
        self.wfile.flush()

    def _stream(self, stream: Stream) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        for name, value in [*stream.headers, ("connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        # Past the buffer, which would keep what can't be sent and fail by it once more when it is thrown away.
        with closing(stream.parts) as parts, suppress(OSError):
            for part in parts:
                self.connection.sendall(part)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the base class's
        """Say nothing."""


def _is_length(said: str) -> bool:
    return said.isascii() and said.isdigit() and len(said) <= _DIGITS
