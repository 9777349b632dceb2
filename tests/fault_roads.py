"""What may stand between the engine and APNs: a road that goes dead without a word, and a server that is no APNs."""

import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Road(socketserver.ThreadingTCPServer):
    """
    Passes bytes on to APNs, both ways.

    Attributes:
        accepted: How many connections were made so far.
        swallowed: How many bytes of ours went nowhere.
    """

    accepted = 0
    swallowed = 0
    _dead = 0

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Pass)
        self.beyond = ("127.0.0.1", int(url.rpartition(":")[2]))

    def get_request(self) -> tuple[Any, Any]:
        self.accepted += 1
        return super().get_request()

    def vanish(self) -> None:
        """Let the connections made so far go dead: no FIN, no RST, and nothing comes through any more."""
        self._dead = self.accepted

    def is_dead(self, number: int) -> bool:
        return number <= self._dead


class _Pass(socketserver.BaseRequestHandler):
    server: Road

    def handle(self) -> None:
        number, ours = self.server.accepted, self.request
        with socket.create_connection(self.server.beyond) as apples:
            while True:
                for one in select.select([ours] if self.server.is_dead(number) else [ours, apples], [], [])[0]:
                    try:
                        data = one.recv(65536)
                    except OSError:
                        return
                    if self.server.is_dead(number):
                        if one is ours and not data:
                            return
                        self.server.swallowed += len(data) if one is ours else 0
                    elif data:
                        (apples if one is ours else ours).sendall(data)
                    else:
                        return


class OldServer(socketserver.ThreadingTCPServer):
    """
    Speaks TLS and HTTP/1.1, not HTTP/2.

    Attributes:
        accepted: How many connections were made so far.
        heard: All that came, TLS taken off.
    """

    accepted = 0

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _AnswerInHttp1)
        self.heard = bytearray()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    def get_request(self) -> tuple[Any, Any]:
        self.accepted += 1
        return super().get_request()


class _AnswerInHttp1(socketserver.BaseRequestHandler):
    server: OldServer

    def handle(self) -> None:
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as wrapped:
                self.server.heard += wrapped.recv(65536)
                wrapped.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        except OSError:
            return


@contextmanager
def serving[Server: (Road, OldServer)](server: Server) -> Iterator[Server]:
    """Serve, in threads that end with it."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def url_of(server: Road | OldServer) -> str:
    return f"https://localhost:{server.server_address[1]}"
