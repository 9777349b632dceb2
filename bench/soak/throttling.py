"""DynamoDB that refuses some requests, as it does where a table is asked for more than it can."""

import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.kept_alive import HandOn
from onebox.http_event import Request, Response

# Of the requests that come while it is on. The SDK asks three times: one call in 125 fails for good.
SHARE = 0.2

_THROTTLED = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        "message": "Throughput exceeds the current capacity of your table or index.",
    }
).encode()

# What each batch is of, and where its answer says what was not done.
_UNPROCESSED = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}


class Throttling:
    """
    Stands between the functions and moto.

    Attributes:
        on: Whether it throttles now.
        throttled: How often, by operation.
    """

    def __init__(self, dice: random.Random) -> None:
        self.on = False
        self.throttled: Counter[str] = Counter()
        self._dice = dice
        self._lock = threading.Lock()

    def between(self, request: Request, hand_on: HandOn) -> Response:
        """Answer a request: of a batch that is throttled, DynamoDB does a part; anything else it refuses."""
        service, _, operation = (request.header("x-amz-target") or "").partition(".")
        if not service.startswith("DynamoDB") or not self._strikes(operation):
            return hand_on(request)
        if operation in _UNPROCESSED:
            body = json.loads(request.body)
            [(table, asked)] = body["RequestItems"].items()
            done, left = _halves(asked)
            if done:
                body["RequestItems"] = {table: done}
                return _and_left(hand_on(_with_body(request, body)), _UNPROCESSED[operation], {table: left})
        return Response(400, [("content-type", "application/x-amz-json-1.0")], _THROTTLED)

    def _strikes(self, operation: str) -> bool:
        with self._lock:
            strikes = self.on and self._dice.random() < SHARE
            if strikes:
                self.throttled[operation] += 1
        return strikes


def _halves(asked: Any) -> tuple[Any, Any]:
    """Divide what is asked of one table: keys to read, or writes."""
    if isinstance(asked, list):
        return asked[: len(asked) // 2], asked[len(asked) // 2 :]
    done, left = _halves(asked["Keys"])
    return ({**asked, "Keys": done} if done else None), {**asked, "Keys": left}


def _with_body(request: Request, body: Mapping[str, Any]) -> Request:
    written = json.dumps(body).encode()
    headers = [(name, value) for name, value in request.headers if name.lower() != "content-length"]
    return replace(request, headers=[*headers, ("content-length", str(len(written)))], body=written)


def _and_left(answer: Response, name: str, left: Mapping[str, Any]) -> Response:
    if answer.status != 200:
        return answer
    # moto's checksum is of what it wrote itself.
    headers = [(key, value) for key, value in answer.headers if key not in ("content-length", "x-amz-crc32")]
    return Response(200, headers, json.dumps({**json.loads(answer.body), name: left}).encode())
