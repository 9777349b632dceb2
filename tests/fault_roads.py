"""What may stand between the engine and APNs: a road that goes dead without a word, and a server that is no APNs."""

import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class Road(socketserver.ThreadingTCPServer):
    """
    Passes bytes on to APNs, both ways.

    Attributes:
        accepted: The connections made so far, by their address on our side.
        dead: Those of them on which nothing comes through any more: no FIN, no RST, and no byte.
        swallowed: How many bytes of ours went nowhere.
    """

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Pass)
        self.beyond = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.accepted: list[Any] = []
        self.dead: list[Any] = []
        self.swallowed = 0

    def get_request(self) -> tuple[Any, Any]:
        request, address = super().get_request()
        self.accepted.append(address)
        return request, address


class _Pass(socketserver.BaseRequestHandler):
    server: Road

    def handle(self) -> None:
        ours = self.request
        with suppress(OSError), socket.create_connection(self.server.beyond) as apples:
            while True:
                dead = self.client_address in self.server.dead
                for one in select.select([ours] if dead else [ours, apples], [], [])[0]:
                    data = one.recv(65536)
                    if self.client_address not in self.server.dead:
                        (apples if one is ours else ours).sendall(data)
                    elif one is ours:
                        self.server.swallowed += len(data)
                    if not data and (one is ours or not dead):
                        return


class OldServer(socketserver.ThreadingTCPServer):
    """
    Speaks TLS and HTTP/1.1, not HTTP/2.

    Attributes:
        accepted: How many connections were made so far.
        heard: All that came, TLS taken off.
    """

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _AnswerInHttp1)
        self.accepted = 0
        self.heard = bytearray()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    def get_request(self) -> tuple[Any, Any]:
        self.accepted += 1
        return super().get_request()


class _AnswerInHttp1(socketserver.BaseRequestHandler):
    server: OldServer

    def handle(self) -> None:
        with suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as wrapped:
            self.server.heard += wrapped.recv(65536)
            wrapped.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")


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
