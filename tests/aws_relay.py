"""What a command asks of AWS, seen on the wire between it and AWS on this machine."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import httpx

from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from tests.roles import Call, calls_of

# Said anew by whoever hands a message on.
_OF_THE_WIRE = ("host", "content-length", "connection", "transfer-encoding", "content-encoding")


@contextmanager
def relayed(aws_url: str, command: str) -> Iterator[tuple[str, set[Call]]]:
    """Stand before AWS; yields the address to ask in its place, and what IAM would be asked about the command's calls."""
    calls: set[Call] = set()

    def hand_on(request: Request) -> Response:
        calls.update(_asked(command, request))
        headers = [one for one in request.headers if one[0].lower() not in _OF_THE_WIRE]
        answer = httpx.request(
            request.method, f"{aws_url}{request.target}", headers=headers, content=request.body, trust_env=False
        )
        said = [one for one in answer.headers.multi_items() if one[0].lower() not in _OF_THE_WIRE]
        return Response(answer.status_code, said, answer.content)

    server = HttpServer(hand_on, name="relay")
    server.start()
    try:
        yield server.url, calls
    finally:
        server.stop()


def _asked(command: str, request: Request) -> Iterator[Call]:
    """Read service and operation where AWS does: of what was signed, and of the JSON or query protocol."""
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", request.header("authorization") or "")
    assert signed
    target = request.header("x-amz-target")
    if target is not None:
        yield from calls_of(command, signed[1], target.rpartition(".")[2], json.loads(request.body))
        return
    [operation] = parse_qs(request.body.decode())["Action"]
    yield from calls_of(command, signed[1], operation, {})
