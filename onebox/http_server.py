"""A small HTTP/1.1 server on a port of this machine: one function answers each request."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from onebox.http_event import BODY_MAX, Request, Response, gateway_response

# What is read at once of a body that nobody will look at.
_CHUNK = 1 << 16

# Said by the server itself.
_OURS = ("content-length", "connection", "transfer-encoding")


class HttpServer:
    """Serves requests in threads of their own."""

    def __init__(self, answer: Callable[[Request], Response], *, name: str, port: int = 0) -> None:
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
    answer: Callable[[Request], Response]

    def _serve(self) -> None:
        self._send(self._answer())

    def _answer(self) -> Response:
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdigit():
            self.close_connection = True
            return gateway_response(411, "Length Required")
        if int(length) > BODY_MAX:
            for read in range(0, int(length), _CHUNK):
                self.rfile.read(min(_CHUNK, int(length) - read))
            return gateway_response(413, "Request Entity Too Large")
        body = self.rfile.read(int(length))
        return self.answer(Request(self.command, self.path, self.headers.items(), body, self.client_address[0]))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name not in _OURS:
                self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(response.body)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the base class's
        """Say nothing."""
