"""Serves the page, its events, and what its buttons do: that by the control interface's own road."""

import json
from pathlib import Path

from onebox.control import Control
from onebox.guard import foreign
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer, Stream
from onebox.page.events import AGAIN_MS, Events
from onebox.page.view import View

_STATIC = Path(__file__).parent / "static"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# Nothing is loaded from elsewhere, nothing is run that is not in a file of ours, and nobody puts the page into a frame.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_ALWAYS = (
    ("content-security-policy", _POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
)

# What the page may ask of the control interface.
_ROADS = ("/phones", "/faults", "/publishes")


class Page:
    """
    The page of lock screens.

    Args:
        again_ms: How soon a browser tries again when it lost us.

    Attributes:
        view: What it shows.
    """

    def __init__(self, control: Control, view: View, *, port: int = 0, again_ms: int = AGAIN_MS) -> None:
        self._control = control
        self._events = Events(view.now, again_ms=again_ms)
        self.view = view
        # Read once: what a request may name is what lies here.
        self._files = {f"/{path.name}": (_KINDS[path.suffix], path.read_bytes()) for path in sorted(_STATIC.iterdir())}
        self._server = HttpServer(self.answer, name="page", port=port)
        self._port = int(self._server.url.rpartition(":")[2])
        self.url = self._server.url
        self.start = self._server.start

    def stop(self) -> None:
        """Let browsers go, and free the port."""
        self._events.stop()
        self._server.stop()

    def answer(self, request: Request) -> Response | Stream:
        """Answer one request."""
        why = foreign(request, self._port)
        if why is None and request.method == "POST" and not _is_json(request):
            # What a form of another site can't say without our leave.
            why = "content-type: application/json is needed"
        if why is not None:
            return _json(403, why)
        path = "/index.html" if request.path == "/" else request.path
        match request.method, path:
            case "GET", "/events":
                return Stream([*_ALWAYS, ("content-type", "text/event-stream")], self._events.stream())
            case "POST", _ if path in _ROADS:
                answer = self._control.answer(request)
                return Response(answer.status, [*_ALWAYS, *answer.headers], answer.body)
            case (("GET" | "HEAD"), _) if path in self._files:
                kind, content = self._files[path]
                return Response(200, [*_ALWAYS, ("content-type", kind)], content)
        return _json(404, "there is no such thing here")


def _is_json(request: Request) -> bool:
    return (request.header("content-type") or "").partition(";")[0].strip().lower() == "application/json"


def _json(status: int, message: str) -> Response:
    headers = [*_ALWAYS, ("content-type", "application/json")]
    return Response(status, headers, json.dumps({"message": message}).encode())
