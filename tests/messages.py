"""Messages as producers send them, for tests."""

import json
from typing import Any

from lockstep.envelope import Message, SqsRecord, open_envelope
from lockstep.publishes import Publish, parse

NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1000

# No function prints it by chance: where it stands in what one prints, a content-state does (tests/leaks.py).
DRIVER = "Anacleta"

START_APS: dict[str, Any] = {
    "event": "start",
    "attributes-type": "OrderAttributes",
    "attributes": {"shop": "Pizzeria Uno"},
    "content-state": {"driver": DRIVER, "minutes": 30},
    "alert": {"title": "On its way", "body": "30 minutes"},
}


def start(activity: str = "order-42", *users: str, aps: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    to = {"to": {"users": list(users)}} if users else {}
    return {"activity": activity, **to, "aps": {**START_APS, **(aps or {})}, **more}


def update(
    activity: str = "order-42", minutes: int = 7, *, aps: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    state = {"event": "update", "content-state": {"driver": DRIVER, "minutes": minutes}}
    return {"activity": activity, "aps": {**state, **(aps or {})}, **more}


def end(activity: str = "order-42", *, aps: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"activity": activity, "aps": {"event": "end", **(aps or {})}, **more}


def sqs(
    body: object,
    *,
    sent_at_ms: int = NOW_MS,
    queue: str = "publish",
    message_id: str = "m-1",
    receive_count: int = 1,
    attributes: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Make one record of Lambda's SQS event."""
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt of {message_id}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"SentTimestamp": str(sent_at_ms), "ApproximateReceiveCount": str(receive_count)},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in (attributes or {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{queue}",
        "awsRegion": "eu-central-1",
    }


def read(body: object, *, at_ms: int = NOW_MS) -> Publish:
    """Read a publish as push does, sent and received at that moment."""
    return parse(opened(body, sent_at_ms=at_ms, now_ms=at_ms), now_ms=at_ms)


def opened(body: object, *, now_ms: int = NOW_MS, **record: Any) -> Message:
    return open_envelope(SqsRecord.of(sqs(body, **record)), now_ms=now_ms)
