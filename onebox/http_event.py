"""Requests as API Gateway's HTTP API hands them to a function (payload 2.0), and answers as it takes them."""

import base64
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from onebox.template import Route

# Bodies of these types reach the function as text, all others in base64.
_TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.*\+json|.*\+xml)")

# API Gateway's own; a payload beyond it never reaches a function.
BODY_MAX = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request as it came over the wire.

    Attributes:
        target: Path and query, as sent.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    client: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """
        The path, decoded before anything else looks at it, so that an encoded slash divides like any other.

        API Gateway even cuts it at a question mark that it has just decoded.
        """
        return re.split(r"[?#]", unquote(self.target.partition("?")[0]))[0]

    @property
    def query(self) -> str:
        """What follows the question mark, as sent."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return a header; several of one name are joined by commas."""
        found = [value for key, value in self.headers if key.lower() == name]
        return ",".join(found) if found else None


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back over the wire."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def gateway_response(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """Return an answer of API Gateway's own."""
    return Response(status, [("content-type", "application/json"), *headers], json.dumps({"message": message}).encode())


def match(routes: Iterable[Route], request: Request) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and its path parameters."""
    parts = request.path.split("/")
    for route in routes:
        names = route.path.split("/")
        if route.method not in (request.method, "ANY", "X-AMAZON-APIGATEWAY-ANY-METHOD") or len(names) != len(parts):
            continue
        pairs = list(zip(names, parts, strict=True))
        if all(part if name.startswith("{") else name == part for name, part in pairs):
            return route, {name[1:-1]: part for name, part in pairs if name.startswith("{")}
    return None


def event(request: Request, route: Route, parameters: Mapping[str, str], caller: Mapping[str, Any] | None) -> Any:
    """
    Return the event of a request.

    Args:
        caller: What the authorizer says of who called; None where there is none.
    """
    now_s = time.time()
    headers = {name.lower(): request.header(name.lower()) for name, _ in request.headers if name.lower() != "cookie"}
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    host = request.header("host") or ""
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": request.header("user-agent") or "",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route.key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now_s * 1000),
        },
        **_body(request),
    }
    if caller is not None:
        made["requestContext"]["authorizer"] = dict(caller)
    # What there is nothing of is left out, as API Gateway does.
    if parameters:
        made["pathParameters"] = dict(parameters)
    if query:
        made["queryStringParameters"] = query
    if cookie := request.header("cookie"):
        made["cookies"] = cookie.split("; ")
    return made


def _body(request: Request) -> dict[str, Any]:
    if not request.body:
        return {"isBase64Encoded": False}
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if _TEXT.fullmatch(kind):
        try:
            return {"body": request.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def response(answer: Any) -> Response:
    """
    Return what a function's answer becomes.

    Raises:
        ValueError: It is no answer that API Gateway understands.
    """
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # Inferred: whatever it is, is the body of a 200.
        return Response(200, [("content-type", "application/json")], json.dumps(answer).encode())
    try:
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
        headers = [(name.lower(), str(value)) for name, value in (answer.get("headers") or {}).items()]
        headers += [("set-cookie", str(value)) for value in answer.get("cookies") or []]
        if content and not any(name == "content-type" for name, _ in headers):
            headers.append(("content-type", "text/plain;charset=utf-8"))
        return Response(int(answer["statusCode"]), headers, content)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no answer for an HTTP API: {error}") from error
