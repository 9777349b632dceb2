"""
moto behind connections that stay open, as AWS's do.

moto's own server closes each connection after its answer: opening the next one would be most of a call's CPU.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.stack import running

type HandOn = Callable[[Request], Response]


@contextmanager
def kept_alive(
    url: str, between: Callable[[Request, HandOn], Response] = lambda request, hand_on: hand_on(request)
) -> Iterator[str]:
    """
    Hand on what comes to the address that this yields.

    Args:
        between: Answers each request, by handing it on or otherwise.
    """
    host = urlsplit(url).netloc

    def hand_on(request: Request) -> Response:
        connection = HTTPConnection(host)
        try:
            connection.request(request.method, request.target, request.body, dict(request.headers))
            answered = connection.getresponse()
            headers = [(name.lower(), value) for name, value in answered.getheaders()]
            return Response(answered.status, headers, answered.read())
        finally:
            connection.close()

    server = HttpServer(lambda request: between(request, hand_on), name="kept alive")
    with running(server):
        yield server.url
