"""An operator's question, over the wire."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from onebox.stack import Stack
from tests.pushing import ORDER
from tests.signers import OPERATOR


def asked(stack: Stack, activity: str = ORDER, query: str = "") -> tuple[int, Any]:
    """Ask why an activity shows or doesn't, as who may; returns status and answer."""
    target = f"/v1/activities/{quote(activity, safe='')}{query}"
    connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)
    try:
        connection.request("GET", target, headers=OPERATOR.sign(f"{stack.api.url}{target}"))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def explained(stack: Stack, activity: str = ORDER, query: str = "") -> dict[str, Any]:
    status, answer = asked(stack, activity, query)
    assert status == 200, answer
    return dict(answer)
