"""
Hostile messages, on every queue that feeds push: never a crashed batch, never a lost neighbour, always a reason.

`make fuzz` drives what reads them for longer, and guided by coverage.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.quick_moto import empty
from lockstep.apns import Environment
from lockstep.delivery import Delivery
from lockstep.ids import phone_of
from lockstep.phones import Card, Phone
from onebox.stack import Stack
from tests.hostile import (
    SCHEMAS_FOLDER,
    SECRET,
    delivery_bodies,
    message_attributes,
    publish_bodies,
    read_delivery,
    read_publish,
)
from tests.messages import sqs, start, update
from tests.pushing import ORDER, invoke, now_ms, set_up_with, tokens

QUEUES = {
    "PublishQueue": "PublishDeadLetterQueue",
    "DeliveryQueue": "DeliveryDeadLetterQueue",
    "SliceQueue": "SliceDeadLetterQueue",
}

# The same examples each time; `make fuzz` looks for new ones.
EVERY_TIME = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

START = {"event": "start", "attributes-type": "OrderAttributes", "attributes": {}}
STATE = {"driver": SECRET}


def with_state(text: str) -> str:
    """Write an update whose state holds this piece of JSON."""
    return f'{{"activity": "order-42", "aps": {{"event": "update", "content-state": {{"x": {text}}}}}}}'


def sns_around(message: object, **more: object) -> dict[str, object]:
    return {"Type": "Notification", "Message": message, "Timestamp": "2027-01-15T07:59:58.250Z", **more}


def eventbridge_around(detail: object) -> dict[str, object]:
    return {"detail-type": "Order", "source": "shop", "time": "2027-01-15T07:59:58Z", "detail": detail}


# What push must make of each: words of the reason; None where it is a publish like any other.
HOSTILE: dict[str, tuple[object, str | None]] = {
    "nothing": (" ", "JSON"),
    "prose": ("Zaphod Beeblebrox is near", "JSON"),
    "a byte order mark": ("\ufeff" + json.dumps(update()), "JSON"),
    "two bodies": (json.dumps(update()) * 2, "JSON"),
    "a hundred thousand brackets": ("[" * 100_000, "512 levels"),
    "eighty thousand objects": ('{"activity":' * 80_000, "512 levels"),
    "a state too deep for an iPhone": (with_state("[" * 510 + "]" * 510), "512 levels"),
    "a state as deep as an iPhone reads": (with_state("[" * 509 + "]" * 509), None),
    "brackets in a text": (with_state(json.dumps("[{" * 600 + '\\"')), None),
    "NaN": (with_state("NaN"), "JSON"),
    "-Infinity": (with_state("-Infinity"), "JSON"),
    "1e999": (with_state("1e999"), "JSON"),
    "1e-999": (with_state("1e-999"), None),
    "a number of 5,000 digits": (with_state("7" * 5000), "JSON"),
    "a number of 4,000 digits": (with_state("7" * 4000), None),
    "a number of 4,000 digits and a long body": (with_state("7" * 4000 + ', "y": "' + "y" * 100 + '"'), "bytes long"),
    "half a surrogate pair": (with_state('"\\ud800"'), "JSON"),
    "half a surrogate pair in a key": (with_state('{"\\udfff": 1}'), "JSON"),
    "a surrogate pair": (with_state('"\\ud83c\\udf55"'), None),
    "NUL in a state": (with_state('"a\\u0000b"'), None),
    "keys that JavaScript fears": (with_state('{"__proto__": {"constructor": 1}}'), None),
    "keys twice": ('{"activity": "x/y", "activity": "order-42", "aps": {"event": "end", "event": "end"}}', None),
    "keys twice, the last one bad": (
        '{"activity": "order-42", "activity": "x/y", "aps": {"event": "end"}}',
        "activity",
    ),
    "an id of 128": (update("a" * 128), None),
    "an id of 129": (update("a" * 129), "activity"),
    "an id with NUL": (update("order\0"), "activity"),
    "an id that is a number": (update() | {"activity": 42}, "activity"),
    "an id that is a list": (update() | {"activity": ["order-42"]}, "activity"),
    "a key with a state in it": (update() | {SECRET: 1}, "body: is not a key"),
    "a key that may be a token": (update() | {"a1" * 32: 1}, "body: is not a key"),
    "a key of ours in another place": (update() | {"content-state": STATE}, "content-state: is not a key"),
    "a delivery": (Delivery(ORDER).to_body(), "attempt: is not a key"),
    "a moment before the year 1": (eventbridge_around(update()) | {"time": "0001-01-01T00:00:00+23:59"}, "8 hours"),
    "a moment after the year 9999": (eventbridge_around(update()) | {"time": "9999-12-31T23:59:59-23:59"}, None),
    "a moment that is an object": (eventbridge_around(update()) | {"time": {"at": [1]}}, None),
    "a moment of 400 digits": (update(published_at_ms=10**400), None),
    "a moment that is true": (update(published_at_ms=True), "published_at_ms"),
    "a moment below 0": (update(published_at_ms=-1), "published_at_ms"),
    "a date of 400 digits": (update(aps={"stale-date": 10**400}), "milliseconds"),
    "a date that is true": (update(aps={"stale-date": True}), "Unix seconds"),
    "SNS around prose": (sns_around("Zaphod is near"), "Message: is not JSON"),
    "SNS around a list": (sns_around("[]"), "Message: must be a JSON object"),
    "SNS around an object": (sns_around(update()), "activity"),
    "SNS around SNS": (sns_around(json.dumps(sns_around(json.dumps(update())))), "activity"),
    "SNS around EventBridge": (sns_around(json.dumps(eventbridge_around(update()))), "activity"),
    "SNS around too deep a body": (sns_around("[" * 5000), "Message: is JSON of more than 512 levels"),
    "SNS with odd attributes": (sns_around(json.dumps(update()), MessageAttributes={"published_at_ms": [1]}), None),
    "EventBridge around a text": (eventbridge_around(json.dumps(update())), "detail: must be an object"),
    "EventBridge around nothing": (eventbridge_around(None), "detail: must be an object"),
    "users in a list of lists": (start(to={"users": [[["ana"]]]}), "to.users"),
    "a user who is no text": (start(to={"users": ["5", 5]}), "to.users"),
    "a user of 257 letters": (start(to={"users": ["z" * 257]}), "to.users"),
    "a user with NUL": (start(to={"users": ["a\0b"]}), "to.users"),
    "a user twice": (start(to={"users": ["zaphod", "zaphod"]}), None),
    "a hundred users of 1,024 bytes": (start(to={"users": [f"{i:04}" + "🍕" * 252 for i in range(100)]}), None),
    "guests that are an object": (start(guests={"zaphod": 1}), "guests"),
    "a channel that is a list": (start(channel=["latest"]), "channel"),
    "a priority of 5.0": (update(priority=5.0), None),
    "a priority of 400 digits": (update(priority=10**400), "priority"),
    "an alert that waits, too long": (
        {"activity": ORDER, "aps": {**START, "alert": {"body": "x" * 4096}}},
        "aps.alert",
    ),
    "unknown keys that wait, too long": ({"activity": ORDER, "aps": {**START, "new": "x" * 4096}}, "aps: is longer"),
    "an event in a list": ({"activity": ORDER, "aps": {"event": ["end"]}}, "aps.event"),
    "an aps in an aps": ({"activity": ORDER, "aps": {"aps": update()["aps"]}}, "aps.event"),
    "a mebibyte": (update(aps={"content-state": {"text": SECRET * 60_000}}), "bytes long"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_with_a_reason_or_was_none(name: str) -> None:
    body, words = HOSTILE[name]

    reason = read_publish(body if isinstance(body, str) else json.dumps(body))

    assert reason is None if words is None else words in str(reason), reason


@settings(EVERY_TIME, max_examples=150)
@given(publish_bodies, message_attributes)
def test_whatever_is_published_is_taken_or_refused_with_a_reason(body: str, attributes: dict[str, Any] | None) -> None:
    read_publish(body, attributes)


@settings(EVERY_TIME, max_examples=80)
@given(delivery_bodies)
def test_whatever_asks_for_a_delivery_is_taken_or_refused_with_a_reason(body: str) -> None:
    read_delivery(body)


# --- the whole function


@dataclass(slots=True)
class Neighbour:
    """A good message beside hostile ones: an update for one card, whose token nobody else has."""

    activity: str
    token: str
    minutes: int

    def body(self) -> dict[str, Any]:
        return update(self.activity, self.minutes)


@dataclass(slots=True)
class Street:
    """Where hostile messages and good ones live side by side."""

    stack: Stack
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def neighbour(self) -> Neighbour:
        """Register a card for an activity of its own, as its phone does."""
        n, at_ms, table = next(self.numbers), now_ms(), tokens(self.stack)
        one = Neighbour(f"good-{n}", self.stack.apns.issue_token(Environment.PRODUCTION), n)
        phone = phone_of("device")
        if n == 1:
            assert table.replace_phone(None, Phone(phone, "ana", Environment.PRODUCTION), now_s=at_ms // 1000)
        assert table.put_card(Card(one.activity, phone, "c", "ana", 0, one.token, at_ms, at_ms), now_s=at_ms // 1000)
        return one

    def see(self, records: Sequence[dict[str, Any]], neighbours: Sequence[Neighbour]) -> None:
        """Let push handle a batch, and see what became of each of its messages."""
        hostile = {f"m-{i}": record for i, record in enumerate(records) if "good-" not in record["body"]}

        assert invoke(self.stack, *records) == [], "nothing to be delivered again"

        got = {push.token: push for push in self.stack.apns.pushes}
        for one in neighbours:
            assert got[one.token].status == 200
            assert got[one.token].payload["aps"]["content-state"]["minutes"] == one.minutes
        lines = self.stack.functions["PushFunction"].log.lines
        assert not [line for line in lines if SECRET in line or "receipt of" in line or "Traceback" in line]
        logged = [json.loads(line) for line in lines]
        published = {line["correlation_id"] for line in logged if line.get("message") == "published"}
        reasons = {line["message_id"]: line["reason"] for line in logged if line.get("message") == "refused"}
        letters = self.dead_letters()
        for message_id, record in hostile.items():
            queue = record["eventSourceARN"].rpartition(":")[2]
            if message_id in published or (queue != "PublishQueue" and read_delivery(record["body"]) is None):
                assert message_id not in reasons
                continue
            letters.remove((QUEUES[queue], record["body"], reasons[message_id]))
        assert letters == [], "nothing else was put aside"

    def dead_letters(self) -> list[tuple[str, str, str]]:
        """Take what was put aside: queue, body, reason."""
        found = []
        for queue in QUEUES.values():
            if self.stack.queues.count(queue):
                found += [(queue, one.body, one.attributes["reason"]) for one in self.stack.queues.look(queue)]
                empty(self.stack.aws.queues[queue])
        assert all(reason for _, _, reason in found)
        return found

    def clear(self) -> None:
        self.stack.apns.clear()
        self.stack.functions["PushFunction"].log.clear()


def record_of(body: object, queue: str = "PublishQueue", attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    record = sqs(body, queue=queue, sent_at_ms=now_ms())
    record["messageAttributes"] = attributes
    return record


hostile_records = st.one_of(
    st.builds(record_of, publish_bodies, st.just("PublishQueue"), message_attributes),
    st.builds(record_of, publish_bodies, st.just("PublishQueue"), message_attributes),
    st.builds(record_of, delivery_bodies, st.sampled_from(["DeliveryQueue", "SliceQueue"]), message_attributes),
)


def test_no_batch_crashes_no_neighbour_is_lost_and_every_hostile_message_gets_its_reason(stack: Stack) -> None:
    street = Street(stack)

    @settings(EVERY_TIME, max_examples=15)
    @given(st.lists(hostile_records, min_size=1, max_size=8), st.integers(1, 2), st.integers(0, 2**32))
    def each(hostile: list[dict[str, Any]], good: int, seed: int) -> None:
        street.clear()
        neighbours = [street.neighbour() for _ in range(good)]
        records = [*map(dict, hostile), *(record_of(one.body()) for one in neighbours)]
        Random(seed).shuffle(records)  # noqa: S311  # no secret

        street.see(records, neighbours)

    with set_up_with(stack, SCHEMAS_FOLDER=str(SCHEMAS_FOLDER)):
        each()


def test_all_that_is_known_to_be_hostile_goes_through_push_beside_good_neighbours(stack: Stack) -> None:
    street = Street(stack)
    bodies = [body for body, _ in HOSTILE.values()]

    for begin in range(0, len(bodies), 9):
        street.clear()
        neighbour = street.neighbour()
        street.see([record_of(neighbour.body()), *map(record_of, bodies[begin : begin + 9])], [neighbour])
