"""
moto behind connections that stay open, as AWS's do.

moto's own server closes each connection after its answer: opening the next one would be most of a call's CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.stack import running


@contextmanager
def kept_alive(url: str) -> Iterator[str]:
    """Hand on what comes to the address that this yields."""
    host = urlsplit(url).netloc

    def answer(request: Request) -> Response:
        connection = HTTPConnection(host)
        try:
            connection.request(request.method, request.target, request.body, dict(request.headers))
            answered = connection.getresponse()
            headers = [(name.lower(), value) for name, value in answered.getheaders()]
            return Response(answered.status, headers, answered.read())
        finally:
            connection.close()

    server = HttpServer(answer, name="kept alive")
    with running(server):
        yield server.url
