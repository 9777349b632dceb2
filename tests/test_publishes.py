"""Publishes: what is taken, and what is refused, with which words."""

import json
from typing import Any

import pytest

from lockstep.errors import InvalidInput
from lockstep.payload import DEVICE_BODY_MAX_BYTES, start_body
from lockstep.row import Row
from tests.messages import NOW_MS, NOW_S, end, opened, read, start, update


def without(body: dict[str, Any], key: str) -> dict[str, Any]:
    return {**body, "aps": {name: value for name, value in body["aps"].items() if name != key}}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ("{", "body", "JSON"),
        ('{"activity": NaN}', "body", "JSON"),
        ('{"activity": "\\ud800"}', "body", "JSON"),
        ("[" * 100_000, "body", "JSON"),
        ("[]", "body", "object"),
        ("7", "body", "object"),
        ({}, "activity", "characters"),
        (update(""), "activity", "characters"),
        (update("a" * 129), "activity", "characters"),
        (update("order/42"), "activity", "characters"),
        (update("order#42"), "activity", "characters"),
        (update("orde\u0301"), "activity", "characters"),
        ({"activity": 42, "aps": update()["aps"]}, "activity", "characters"),
        ({"activity": "order-42"}, "aps", "missing"),
        ({"activity": "order-42", "aps": []}, "aps", "object"),
        (update(aps={"event": "begin"}), "aps.event", "start, update or end"),
        (without(update(), "event"), "aps.event", "start, update or end"),
        (without(update(), "content-state"), "aps.content-state", "an update needs one"),
        (update(aps={"content-state": [7]}), "aps.content-state", "object"),
        (without(start("order-42", "ana"), "alert"), "aps.alert", "title or a body"),
        (start("order-42", "ana", aps={"alert": {"sound": "default"}}), "aps.alert", "title or a body"),
        (start("order-42", "ana", aps={"alert": "Nearly there"}), "aps.alert", "object"),
        (without(start("order-42", "ana"), "attributes"), "aps.attributes", "{} if there are none"),
        (without(start("order-42", "ana"), "attributes-type"), "aps.attributes-type", "Swift struct"),
        (without(start("order-42", "ana"), "content-state"), "aps.content-state", "a start to phones needs one"),
        (start("order-42", "ana", aps={"attributes-type": "Order Attributes"}), "aps.attributes-type", "Swift struct"),
        (start("order-42", "ana", aps={"attributes": {"activity": "order-43"}}), "aps.attributes.activity", "order-42"),
        (start("order-42", "ana", aps={"attributes": {"run": 1}}), "aps.attributes.run", "Lockstep"),
        (start(aps={"content-state": {"text": "x" * 5000}}), "aps", "bytes long"),
        (
            {"activity": "order-42", "aps": {"event": "start", "attributes": {"x": "y" * 4100}}},
            "aps.attributes",
            "longer",
        ),
        (update(aps={"stale-date": NOW_MS}), "aps.stale-date", "milliseconds"),
        (end(aps={"dismissal-date": NOW_MS}), "aps.dismissal-date", "milliseconds"),
        (update(aps={"stale-date": "2026-11-23T21:00:00Z"}), "aps.stale-date", "Unix seconds"),
        (update(aps={"relevance-score": "high"}), "aps.relevance-score", "number"),
        (update(to={"users": ["ana"]}), "to", "start only"),
        (start(to={"audience": "team-42", "users": []}), "to", "users"),
        (start(to={"users": "ana"}), "to.users", "list"),
        (start(to={"users": [7]}), "to.users", "user ids"),
        (start(to={"users": [""]}), "to.users", "user ids"),
        (start(to={"users": [f"user-{i}" for i in range(101)]}), "to.users", "100"),
        (start(to={"users": ["7", 7]}), "to.users", "user ids"),
        (start("order-42", "ana", guests=["ben"]), "guests", "leaves out"),
        (update(priority=1), "priority", "5 or 10"),
        (update(priority=True), "priority", "5 or 10"),
        (update(published_at_ms="now"), "published_at_ms", "milliseconds"),
        (update(published_at_ms=NOW_MS - 8 * 3600 * 1000 - 1), "published_at_ms", "8 hours"),
        (update(channel="frequent"), "channel", "start only"),
        (start(channel="often"), "channel", "frequent, latest"),
        (start(channel=True), "channel", "frequent, latest"),
        (start(channel="latest", guests=["ana"]), "channel", "guests"),
        (update(parts=3), "parts", "not a key"),
        ({**update(), "Ana is near": 3}, "body", "not a key"),
        ({**update(), "a1" * 32: 3}, "body", "not a key"),
        ({"activity": "order-42", "aps": {"event": "start", "alert": {"body": "x" * 4100}}}, "aps.alert", "longer"),
        ({"activity": "order-42", "aps": {"event": "start", "new": "x" * 4100}}, "aps", "longer"),
        ({"detail-type": "Order", "source": "shop", "detail": "order-42"}, "detail", "object"),
    ],
)
def test_what_can_never_work_is_refused_with_a_reason_a_person_understands(
    body: object, field: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(body)

    assert refused.value.field == field
    assert words in str(refused.value)


def test_what_is_8_hours_old_is_still_taken() -> None:
    at_ms = NOW_MS - 8 * 3600 * 1000

    assert read(update(published_at_ms=at_ms)).version.published_at_ms == at_ms


def of_size(size: int, letter: str) -> dict[str, Any]:
    """Make a start whose push is exactly that many bytes."""

    def measure(text: str) -> int:
        body = start("order-42", "ana", aps={"content-state": {"text": text}})
        row = Row("order-42", read(body).registers, run=NOW_MS, timestamp_s=NOW_S)
        return len(start_body(row) or b"")

    room = size - measure("")
    text = letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode()))
    assert measure(text) == size if size <= DEVICE_BODY_MAX_BYTES else True
    return start("order-42", "ana", aps={"content-state": {"text": text}})


@pytest.mark.parametrize("letter", ["x", "é", "🍕"])
def test_a_push_may_have_4096_bytes_of_utf8_with_activity_and_run_and_not_one_more(letter: str) -> None:
    assert read(of_size(4096, letter)).event == "start"

    with pytest.raises(InvalidInput, match=r"4097 bytes long, 1 more than Apple takes\. .* is aps\.content-state, "):
        read(of_size(4097, letter))


def test_the_biggest_part_is_named_unless_its_name_may_be_a_secret() -> None:
    for key, named in (("new-in-ios-30", "aps.new-in-ios-30"), ("ab" * 40, "a key of aps"), ("Ana B.", "a key of aps")):
        with pytest.raises(InvalidInput) as refused:
            read(update(aps={key: "x" * 4096}))

        assert refused.value.message.endswith(f"The biggest part is {named}, 4098 bytes")


def test_apples_own_words_are_passed_on_with_their_event_even_unknown_ones() -> None:
    publish = read(update(aps={"relevance-score": 75.5, "stale-date": NOW_S + 60, "new-in-ios-30": [1]}))

    assert publish.registers.state is not None
    assert publish.registers.state.value["relevance-score"] == 75.5
    assert publish.registers.state.value["stale-date"] == NOW_S + 60
    assert publish.registers.state.value["aps"] == {"new-in-ios-30": [1]}


def test_a_producers_timestamp_is_ignored() -> None:
    publish = read(update(aps={"timestamp": 1}))

    assert publish.registers.state is not None
    assert "timestamp" not in str(publish.registers.state.value)


def test_a_start_without_to_opens_the_activity_and_needs_no_alert() -> None:
    publish = read({"activity": "order-42", "aps": {"event": "start"}})

    assert publish.users == ()
    assert publish.registers.start is not None


def test_a_start_admits_whom_it_names_or_else_everyone() -> None:
    named = Row("order-42", read(start("order-42", "ana")).registers)
    guests = Row("order-42", read(start("order-42", "ana", guests=["ana", "ben"])).registers)
    everyone = Row("order-42", read(start("order-42")).registers)

    assert [named.allows(user) for user in ("ana", "ben", "cleo")] == [True, False, False]
    assert [guests.allows(user) for user in ("ana", "ben", "cleo")] == [True, True, False]
    assert [everyone.allows(user) for user in ("ana", "ben", "cleo")] == [True, True, True]


def test_the_same_body_has_the_same_version_however_it_is_written() -> None:
    body = update()
    reordered = dict(reversed(body.items()))

    assert read(json.dumps(body, indent=2)).version == read(json.dumps(reordered)).version
    assert read(update(minutes=1)).version != read(update(minutes=2)).version


@pytest.mark.parametrize("priority", [5, 5.0])
def test_a_priority_is_what_it_is_worth_in_json(priority: float) -> None:
    row = Row("order-42", read(update(priority=priority)).registers)

    assert row.state_priority == 5


def test_a_publish_never_prints_its_state() -> None:
    assert "Ana" not in repr(read(start("order-42", "ana")))
    assert "Ana" not in repr(opened(update()))
