"""Messages through push, and what came of them, for tests of the whole function."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from lockstep.activities import Activities
from lockstep.row import Row
from lockstep.tokens import Tokens
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import sqs, start

ORDER = "order-42"


def now_ms() -> int:
    return int(time.time() * 1000)


def invoke(stack: Stack, *records: dict[str, Any]) -> list[str]:
    """Let push handle records at once; returns the ids of those that failed."""
    for i, record in enumerate(records):
        record["messageId"] = f"m-{i}"
    answer = stack.invoke_push({"Records": list(records)})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def say(stack: Stack, *bodies: object, queue: str = "PublishQueue", **record: Any) -> list[str]:
    """Let push handle messages at once."""
    return invoke(stack, *(sqs(body, queue=queue, **{"sent_at_ms": now_ms(), **record}) for body in bodies))


def settle(stack: Stack) -> None:
    """Let phones and queues come to rest, delays over."""
    stack.drain(hasten=True)


def row(stack: Stack, activity: str = ORDER) -> Row:
    found = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"]).get(activity, now_s=int(time.time()))
    assert found is not None
    return found


def tokens(stack: Stack) -> Tokens:
    return Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])


def refused(stack: Stack, queue: str = "PublishDeadLetterQueue") -> list[dict[str, str]]:
    return [{"body": message.body, **message.attributes} for message in stack.queues.look(queue)]


def started(stack: Stack, *users: str) -> list[Phone]:
    """Have the order started on the phones of these users, and their update tokens registered."""
    phones = [stack.phones.of(user) for user in users]
    settle(stack)
    say(stack, start(ORDER, *users))
    settle(stack)
    stack.apns.clear()
    return phones


def minutes(phone: Phone) -> object:
    shown = phone.shows(ORDER)
    return None if shown is None else shown.get("minutes")


def pushed(stack: Stack) -> list[tuple[str, int | None]]:
    """List what Apple got: event and status."""
    return [(str(push.payload["aps"]["event"]), push.status) for push in stack.apns.pushes]


@contextmanager
def set_up_with(stack: Stack, **variables: str) -> Iterator[None]:
    """Let push be deployed with these variables."""
    push = stack.functions["PushFunction"]
    before = {name: push.environment[name] for name in variables}
    push.restart(**variables)
    try:
        yield
    finally:
        push.restart(**before)


@contextmanager
def hook(stack: Stack, event: str, act: Callable[..., None]) -> Iterator[None]:
    """Meet the calls that push makes to AWS, where botocore lets one."""
    names = stack.functions["PushFunction"].names
    clients = [names["dynamodb"], names["sqs"]]
    for client in clients:
        client.meta.events.register(event, act)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(event, act)


def ask(stack: Stack, path: str, body: Mapping[str, Any], user: str = "ana") -> None:
    """Register something of a device over HTTPS as an app would."""
    connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {stack.identity.token(user)}", "Content-Type": "application/json"}
    try:
        connection.request("PUT", f"/v1/devices/{path}", json.dumps(body), headers)
        assert (status := connection.getresponse().status) in (200, 204), status
    finally:
        connection.close()
    settle(stack)


def register_card(stack: Stack, device: str, token: str, user: str = "ana") -> None:
    """Register a card, its phone's environment unsaid."""
    ask(stack, f"{device}/cards/card-1", {"activity": ORDER, "token": token}, user)
