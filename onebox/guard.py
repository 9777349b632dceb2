"""Whom a server on this machine answers: whoever sits at it, and no other site that is open in their browser."""

from onebox.http_event import Request

_NAMES = ("127.0.0.1", "localhost")

# Browsers leave it out.
_PORT_OF_HTTP = 80


def foreign(request: Request, port: int) -> str | None:
    """
    Say why a request is not answered, if another site is behind it; None if none is.

    A name of somebody else's may lead a browser here (DNS rebinding): `Host` tells. Any site may have a browser send
    something here: `Origin` tells, which browsers add to all that changes anything.
    """
    hosts = [f"{name}:{port}" for name in _NAMES]
    if port == _PORT_OF_HTTP:
        hosts += _NAMES
    if request.header("host") not in hosts:
        return f"this is {' or '.join(hosts)}"
    origin = request.header("origin")
    if origin is not None and origin not in [f"http://{host}" for host in hosts]:
        return "another site's pages are not answered"
    if request.header("sec-fetch-site") in ("cross-site", "same-site") and request.method != "GET":
        return "another site's pages are not answered"
    return None
