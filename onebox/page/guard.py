"""Whom the page answers: the browser of whoever sits at this machine, and no other site that is open in it."""

from urllib.parse import urlsplit

from onebox.http_event import Request

_NAMES = ("127.0.0.1", "localhost")


def refusal(request: Request, port: int) -> str | None:
    """
    Say why a request is not answered; None if it is.

    A name of somebody else's may lead a browser here (DNS rebinding): `Host` tells. Any site may have a browser send a
    form here: `Origin` tells, and a form can't say that it is JSON without our leave.
    """
    hosts = [f"{name}:{port}" for name in _NAMES]
    if request.header("host") not in hosts:
        return f"this is {' or '.join(hosts)}"
    origin = request.header("origin")
    if origin is not None and (urlsplit(origin).scheme != "http" or urlsplit(origin).netloc not in hosts):
        return "another site's pages are not answered"
    if request.header("sec-fetch-site") in ("cross-site", "same-site") and request.method != "GET":
        return "another site's pages are not answered"
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.method not in ("GET", "HEAD") and kind != "application/json":
        return "content-type: application/json is needed"
    return None
