"""
Messages as nobody should send them, and what must hold of each: for Hypothesis and, in `tests.fuzz`, for atheris.

Whatever arrives is taken or refused with a reason: no other exception leaves what reads it, and no reason tells what it
must not.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from lockstep.apns import Environment
from lockstep.bodies import Bodies
from lockstep.delivery import Audience, Delivery, read_body, retry_delay_s, waited_s
from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput
from lockstep.fitting import check, fit
from lockstep.json_values import compact
from lockstep.json_values import parse as parse_json
from lockstep.merge import advance, effect_of, merge
from lockstep.payload import DEVICE_BODY_MAX_BYTES
from lockstep.plan import Plan
from lockstep.publishes import Publish, parse
from lockstep.schemas import Schemas
from tests.messages import NOW_MS, NOW_S, end, read, sqs, start, update

# It stands in states, alerts and attributes, and where tokens may. No id has a space, so no reason may quote it.
SECRET = "Zaphod Beeblebrox"

PHONE = "f0" * 16

# What hostile messages are held against, where there are schemas.
SCHEMAS_FOLDER = Path(__file__).parent / "schemas"
SCHEMAS = Schemas.from_folder(SCHEMAS_FOLDER)


def why_refused(reason: InvalidInput) -> str:
    """Return a reason, which a person must be able to read in a dead letter, and which must not tell what is secret."""
    said = str(reason)
    assert said.isprintable()
    assert len(said) < 400
    assert reason.field
    assert reason.message
    assert SECRET not in said
    return said


def read_publish(body: str, attributes: dict[str, Any] | None = None) -> str | None:
    """
    Read a publish as push does, and do with it all that needs no table.

    Returns:
        Why it is refused; None if it is taken.
    """
    record = sqs(body)
    record["messageAttributes"] = attributes
    received = SqsRecord.of(record)
    try:
        message = open_envelope(received, now_ms=NOW_MS)
        publish = parse(message, now_ms=NOW_MS)
    except InvalidInput as refused:
        return why_refused(refused)
    assert 0 < publish.version.published_at_ms <= NOW_MS
    hold_against_schemas(publish)
    assert merge(publish.registers, publish.registers) == publish.registers
    row = advance(None, publish.activity, publish.registers, now_s=NOW_S)
    effect_of(publish, None, row)
    for register in row.registers.given().values():
        stored = compact({"value": register.value})
        # A row is one item of DynamoDB, which takes 400 KB; a hundred users' ids, twice, are the most of it.
        assert len(stored.encode()) < 120_000
        assert parse_json(stored) == {"value": register.value}
    plan = Plan(Delivery(row.activity, from_revision=0), row, default_environment=Environment.PRODUCTION, now_s=NOW_S)
    assert not plan.oversized
    bodies = Bodies(row, rings=True)
    for pushed in (bodies.start(), bodies.update, bodies.end, bodies.late_end):
        assert pushed is None or len(pushed) <= DEVICE_BODY_MAX_BYTES
    return None


def hold_against_schemas(publish: Publish) -> None:
    """Check a publish by itself, and by a start that is stored, whatever else becomes of it."""
    row = advance(None, publish.activity, read(start(publish.activity)).registers, now_s=NOW_S)
    try:
        check(SCHEMAS, publish)
    except InvalidInput as refused:
        why_refused(refused)
    for reason in fit(SCHEMAS, row, [publish]).refused:
        assert reason is None or why_refused(reason)


def read_delivery(body: str) -> str | None:
    """
    Read a message of the delivery queue, or the slice queue, as push does, and do with it what needs no table.

    Returns:
        Why it is refused; None if it is taken.
    """
    try:
        message = read_body(body)
    except InvalidInput as refused:
        return why_refused(refused)
    assert read_body(message.to_body()) == message
    assert len(message.to_body()) < 100_000
    if isinstance(message, Delivery):
        again = replace(message, attempt=message.attempt + 1, hops=message.hops + 1)
        assert again.to_body()
        assert 1 <= retry_delay_s(message.attempt) <= 900
        assert waited_s(message.attempt) < 10**6
    return None


# --- strategies

# Of ours, of Apple's and of the envelopes; and such as have a meaning somewhere.
KEYS = (
    *("activity", "aps", "to", "guests", "channel", "priority", "published_at_ms", "users", "audience", "run"),
    *("event", "content-state", "attributes", "attributes-type", "alert", "title", "stale-date", "dismissal-date"),
    *("relevance-score", "timestamp", "input-push-token", "input-push-channel"),
    *("Type", "Message", "Timestamp", "MessageAttributes", "detail-type", "detail", "time"),
    *("v", "first", "last", "phones", "channels", "since_ms", "from_revision", "revision", "attempt", "hops", "forget"),
    *("owner", "phone", "up_to_ms", "observed_before_ms"),
    *("__proto__", "constructor", "", "a\0b", "\ufeff", "\ud800", "a" * 1001, SECRET, "🍕"),
)

texts = st.sampled_from(["", SECRET, "a\0b", "\ud800", "\udfff\ud800", "\ufffe", "order-42", "5", "a" * 129, "🍕" * 64])
numbers = st.sampled_from(
    [0, -1, 5, 10, 5.0, 10.5, -0.0, NOW_MS, NOW_S, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400, 1e308]
) | st.sampled_from([float("nan"), float("inf"), float("-inf"), 10**4299, 10**10, 1e11, 99_999_999_999, 1])
scalars = st.none() | st.booleans() | numbers | texts | st.text(max_size=8)
keys = st.sampled_from(KEYS) | st.text(max_size=4)
junk: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)


def mostly(good: st.SearchStrategy[Any], bad: st.SearchStrategy[Any] = junk) -> st.SearchStrategy[Any]:
    """Draw what may stand there, as a rule: a message that is wrong everywhere is refused for the first thing."""
    return st.integers(0, 5).flatmap(lambda n: bad if n == 0 else good)


# A hostile message speaks of activities that no good one speaks of.
activities = st.sampled_from(["hostile-1", "hostile-2", "h" * 128])
users = st.sampled_from(["zaphod", "z" * 256, "🍕" * 256, "a b"])
states = st.dictionaries(keys, scalars, max_size=3).map(lambda state: {**state, "driver": SECRET})
alerts = st.sampled_from([{"title": SECRET}, {"body": SECRET}, {"title": {"loc-key": "x"}}, {}, {"title": "x" * 5000}])
dates = st.sampled_from([NOW_S, NOW_S + 0.5, 0, -1, 1e10])
aps = st.fixed_dictionaries(
    {"event": mostly(st.sampled_from(["start", "update", "end"])), "content-state": mostly(states)},
    optional={
        "attributes-type": mostly(st.just("OrderAttributes")),
        "attributes": mostly(st.dictionaries(keys, scalars, max_size=2)),
        "alert": mostly(alerts),
        "stale-date": mostly(dates),
        "dismissal-date": mostly(dates),
        "relevance-score": mostly(st.sampled_from([0, 75.5, 100])),
        "timestamp": junk,
        "new-in-ios-30": junk,
        "aps": junk,
        "users": junk,
    },
)
publishes = st.fixed_dictionaries(
    {"activity": mostly(activities), "aps": mostly(aps)},
    optional={
        "to": mostly(st.lists(users, max_size=3).map(lambda some: {"users": some}) | st.just({"audience": "team-42"})),
        "guests": mostly(st.lists(users, max_size=3)),
        "channel": mostly(st.sampled_from(["frequent", "latest"])),
        "priority": mostly(st.sampled_from([5, 10, 5.0])),
        "published_at_ms": mostly(st.sampled_from([NOW_MS, NOW_MS - 5000, NOW_MS + 10**6, NOW_MS - 8 * 3600 * 1000])),
    },
) | st.sampled_from([start("hostile-1", "zaphod"), update("hostile-1"), end("hostile-1")])
odd_publishes = publishes | st.tuples(publishes, keys, junk).map(lambda one: {**one[0], one[1]: one[2]}) | junk

times = st.sampled_from(["2027-01-15T07:59:58.250Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon"])


def _sns(inside: tuple[Any, Any]) -> dict[str, Any]:
    said, at = inside
    return {"Type": "Notification", "Message": said if isinstance(said, str) else json.dumps(said), "Timestamp": at}


def _eventbridge(inside: tuple[Any, Any]) -> dict[str, Any]:
    said, at = inside
    return {"detail-type": "Order", "source": "shop", "time": at, "detail": said}


sns = st.tuples(odd_publishes, mostly(times)).map(_sns)
eventbridge = st.tuples(odd_publishes, mostly(times)).map(_eventbridge)
# An envelope in an envelope, and one that holds what it shouldn't.
envelopes = sns | eventbridge | st.tuples(sns | eventbridge | junk, mostly(times)).map(_sns)

phones = st.sampled_from([PHONE, "00" * 16, "7f" * 16])
hashes = phones | st.sampled_from(["", "0", "ff", "7f7f7f"])
counts = st.sampled_from([0, 1, 99, 100, 2**31, 2**63 - 1])
deliveries = st.fixed_dictionaries(
    {"activity": mostly(activities), "audience": mostly(st.sampled_from([one.value for one in Audience]))},
    optional={
        "v": junk,
        "first": mostly(hashes),
        "last": mostly(hashes),
        "phones": mostly(st.lists(mostly(phones), max_size=3)),
        "channels": mostly(st.lists(mostly(st.sampled_from(["production", "sandbox"])), max_size=3)),
        "since_ms": mostly(counts),
        "from_revision": mostly(counts),
        "revision": mostly(counts),
        "attempt": mostly(counts),
        "hops": mostly(counts),
        "slice": junk,
    },
)
forgettings = st.fixed_dictionaries(
    {"forget": mostly(st.fixed_dictionaries({"owner": mostly(users), "phone": mostly(st.none() | phones)}))},
    optional={"up_to_ms": mostly(counts), "v": junk},
)


# What is done to a text after it was written: no value in Python says these.
MANGLINGS: list[Callable[[str], str]] = [
    lambda text: text[: len(text) // 2],
    lambda text: "\ufeff" + text,
    lambda text: text + text,
    lambda text: text.replace(":", ': 1e999, "x":', 1),
    lambda text: text.replace(": ", ": " + "7" * 5000 + " ", 1),
    lambda text: text.replace("{", '{"activity": "hostile-3", ', 1),
    lambda text: text.replace('"content-state": {', '"content-state": {"deep": ' + "[" * 600 + "]" * 600 + ", ", 1),
    lambda text: text.replace('"content-state": {', '"content-state": {"deep": ' + "[" * 500 + "]" * 500 + ", ", 1),
    lambda text: text.replace('"aps": {', '"aps": {"deep": ' + '{"a":' * 40_000 + "1" + "}" * 40_000 + ", ", 1),
    lambda text: text.replace('"', "'"),
    lambda text: text.replace(" ", "\n\t "),
    lambda text: "[" * 100_000,
    lambda text: '{"a":' * 100_000,
    lambda text: text.replace("Z", "\\ud800"),
]


def written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Write values as JSON, some of it mangled."""
    plain = values.map(json.dumps)
    mangled = st.tuples(plain, st.sampled_from(MANGLINGS)).map(lambda one: one[1](one[0]))
    return st.integers(0, 3).flatmap(lambda n: mangled if n == 0 else plain)


publish_bodies = written(odd_publishes | envelopes | deliveries)
delivery_bodies = written(deliveries | forgettings | junk | st.sampled_from([update("hostile-1")]))

# A message's attributes as Lambda hands them over, of every type there is, and odd ones.
message_attributes = st.none() | st.dictionaries(
    st.sampled_from(["published_at_ms", "reason", "trace"]),
    st.fixed_dictionaries(
        {"dataType": st.sampled_from(["String", "Number", "Binary", "Number.int", "String.uuid", "Binary.png"])},
        optional={
            "stringValue": texts | st.sampled_from([str(NOW_MS), "0", "-1", "1e9", "९", "9" * 38, str(NOW_MS - 1000)]),
            "binaryValue": st.just("WmFwaG9k"),
            "stringListValues": st.just([]),
            "binaryListValues": st.just([]),
        },
    ),
    max_size=3,
)
