"""What an account with an event bus is told, whole: messages and requests in, events out, each held against its schema."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from botocore.exceptions import EndpointConnectionError

from lockstep.apns import Environment
from lockstep.ids import phone_of
from lockstep.missing_cards import GRACE_MS
from lockstep.phones import Card
from lockstep.phones import Phone as PhoneItem
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.messages import end, sqs, start, update
from tests.outcomes import telling, told
from tests.pushing import (
    ORDER,
    ask,
    hook,
    invoke,
    minutes,
    now_ms,
    refused,
    register_card,
    row,
    say,
    set_up_with,
    settle,
    started,
    tokens,
)

FORGOTTEN, WITHOUT_CARD = "Token Forgotten", "Start Without Card"

NONE = {"accepted": 0, "rejected": 0, "unanswered": 0}


@pytest.fixture(scope="module", autouse=True)
def with_a_bus(running_stack: Stack) -> Iterator[None]:
    with telling(running_stack, PAGE_PHONES="3", SLICE_PHONES="10"):
        yield


@pytest.fixture
def two(stack: Stack) -> list[Any]:
    """Return ana's and ben's phones, on which the order runs."""
    phones = started(stack, "ana", "ben")
    stack.take_events()
    return phones


def phones(event: dict[str, Any]) -> dict[str, int]:
    """Return what was told of a delivery's phones, zeros left out."""
    return {what: count for what, count in event["phones"].items() if count}


# --- deliveries


def test_a_delivery_tells_whom_it_reached_and_how_fast(stack: Stack, two: list[Any]) -> None:
    before_ms = now_ms()

    say(stack, update(minutes=3, published_at_ms=before_ms))

    [event] = told(stack)
    assert (event["activity"], event["run"], event["revision"]) == (ORDER, row(stack).run, row(stack).revision)
    assert phones(event) == {"accepted": 2}
    assert event["published_at_ms"] == before_ms
    assert before_ms <= event["first_sent_at_ms"] <= event["last_accepted_at_ms"] <= now_ms()
    assert event["p95_ms"] == event["last_accepted_at_ms"] - before_ms
    assert (event["complete"], event["share"], event["ended"], event["superseded"]) == (True, 1, False, 0)
    assert "slice" not in event


def test_a_start_and_an_end_are_told_of_and_what_is_said_again_is_not(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)

    say(stack, start(ORDER, "ana"))
    settle(stack)
    say(stack, end())
    ana.start_card(ORDER, content_state={"minutes": 99})
    settle(stack)

    first, last = told(stack)
    assert (phones(first), first["ended"]) == ({"accepted": 1}, False)
    assert (phones(last), last["ended"]) == ({"accepted": 1}, True)


def test_that_nobody_was_there_is_told_too(stack: Stack) -> None:
    say(stack, update())

    [event] = told(stack)
    assert (phones(event), event["broadcasts"], event["complete"]) == ({}, NONE, True)
    assert not {"first_sent_at_ms", "last_accepted_at_ms", "p95_ms"} & event.keys()


def test_of_a_batch_what_the_newest_state_overtook_is_superseded(stack: Stack, two: list[Any]) -> None:
    at_ms = now_ms()

    say(stack, *(update(minutes=i, published_at_ms=at_ms - i) for i in (2, 1, 3)))

    [event] = told(stack)
    assert event["superseded"] == 2


def test_a_phone_that_must_be_tried_again_is_told_of_once(stack: Stack, two: list[Any]) -> None:
    stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable"))

    say(stack, update(minutes=3))
    settle(stack)

    assert [minutes(phone) for phone in two] == [3, 3]
    [event] = told(stack)
    assert phones(event) == {"accepted": 1, "rejected": 1, "retrying": 1}


def test_an_answer_that_was_lost_is_no_rejection(stack: Stack, two: list[Any]) -> None:
    stack.apns.faults.add(Fault("rst_stream", taken=True))

    say(stack, update(minutes=3))

    [event] = told(stack)
    assert phones(event) == {"accepted": 1, "unanswered": 1, "retrying": 1}


def test_a_phone_that_is_found_in_the_other_environment_counts_once(stack: Stack) -> None:
    register_card(stack, "a-device", stack.apns.issue_token(Environment.SANDBOX))

    say(stack, update(minutes=3))

    [event] = told(stack)
    assert phones(event) == {"accepted": 1}


def test_who_hears_it_on_a_channel_is_told_as_broadcasts(stack: Stack) -> None:
    say(stack, {**start(ORDER), "channel": "latest"})
    stack.apns.faults.add(Fault("answer", on="broadcast", status=500, reason="InternalServerError"))

    say(stack, update(minutes=3))

    event = told(stack)[-1]
    assert event["broadcasts"] == {**NONE, "accepted": 1, "rejected": 1}
    assert phones(event) == {}
    assert event["first_sent_at_ms"] <= event["last_accepted_at_ms"]


def crowd(stack: Stack, devices: Iterable[str]) -> None:
    """Have a card of the order on each of many phones."""
    at_ms = now_ms()
    for device in devices:
        phone, token = phone_of(device), stack.apns.issue_token(Environment.PRODUCTION)
        item = PhoneItem(phone, "ana", environment=Environment.PRODUCTION)
        assert tokens(stack).replace_phone(None, item, now_s=at_ms // 1000)
        assert tokens(stack).put_card(Card(ORDER, phone, "c", "ana", 0, token, at_ms, at_ms), now_s=at_ms // 1000)


def test_a_big_audience_tells_by_slices_whose_shares_add_up(stack: Stack) -> None:
    crowd(stack, (f"device-{i}" for i in range(20)))

    say(stack, update(minutes=3))
    settle(stack)

    whole, *parts = told(stack)
    assert (whole["complete"], whole["share"], phones(whole), "slice" in whole) == (False, 0, {}, False)
    assert len(parts) == 16
    assert sum(part["share"] for part in parts) == 1
    assert sum(part["phones"]["accepted"] for part in parts) == 20
    assert {part["slice"] for part in parts} == set("0123456789abcdef")
    assert {(part["revision"], part["complete"]) for part in parts} == {(1, True)}


def test_a_slice_that_takes_two_functions_is_through_with_the_second(stack: Stack) -> None:
    crowd(stack, [device for device in map(str, range(100)) if phone_of(device)[0] == "a"])
    count = len(stack.aws.items(stack.aws.tables["TokensTable"])) // 2
    assert count > 3
    later: list[bool] = []

    def time_is_up(params: dict[str, Any], **_: object) -> None:
        if not later and stack.apns.pushes:
            later.append(True)
            # Nothing new is taken up in the last ten of its sixty seconds, and there is time to tell.
            clock.shift(51)

    with set_up_with(stack, PAGE_PHONES="1", SLICE_PHONES="1000"), time_machine.travel(time.time(), tick=True) as clock:
        say(stack, update(minutes=3))
        with hook(stack, "provide-client-params.dynamodb.UpdateItem", time_is_up):
            settle(stack)
    stack.functions["PushFunction"].restart()

    first, second = [event for event in told(stack) if event.get("slice") == "a"]
    assert (first["complete"], first["share"], second["complete"], second["share"]) == (False, 0, True, 1 / 16)
    assert 0 < first["phones"]["accepted"] < count
    assert first["phones"]["accepted"] + second["phones"]["accepted"] == count


# --- tokens


def test_a_dead_token_is_told_of_and_counted(stack: Stack, two: list[Any]) -> None:
    _, ben = two
    ben.uninstall()

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    dead, first, second = told(stack)
    assert (dead["activity"], dead["kind"], dead["environment"]) == (ORDER, "card", "production")
    assert (dead["status"], dead["reason"]) == (410, "Unregistered")
    assert dead["phone"] == phone_of(ben.hardware.device)
    assert phones(first) == {"accepted": 1, "rejected": 1, "forgotten": 1}
    assert phones(second) == {"accepted": 1}


def test_a_dead_start_token_is_told_of_with_the_type_it_starts(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    [token] = ana.ios.start_tokens.values()
    stack.apns.kill_token(token)

    say(stack, start(ORDER, "ana"))

    [dead] = told(stack, FORGOTTEN)
    assert (dead["kind"], dead["attributes_type"], dead["status"]) == ("start", "OrderAttributes", 410)


def test_a_bad_token_is_told_of_though_it_is_good_where_the_phone_did_not_say(stack: Stack) -> None:
    """Nobody looks in the other environment for a phone that named one: so the event is no word of an uninstall."""
    card = {"card": "card-1", "activity": ORDER, "token": stack.apns.issue_token(Environment.SANDBOX)}
    ask(stack, "a-device", {"observed_at_ms": now_ms(), "environment": "production", "cards": [card]})

    say(stack, update(minutes=3))

    [dead] = told(stack, FORGOTTEN)
    assert (dead["kind"], dead["environment"], dead["reason"]) == ("card", "production", "BadDeviceToken")
    assert [push.environment for push in stack.apns.pushes] == [Environment.PRODUCTION]


def test_a_token_that_was_registered_anew_is_not_told_of(stack: Stack, two: list[Any]) -> None:
    long_ago_ms = now_ms() - 3_600_000
    stack.apns.faults.add(Fault("answer", status=410, reason="Unregistered", timestamp_ms=long_ago_ms))

    say(stack, update(minutes=3))

    assert told(stack, FORGOTTEN) == []


# --- publishes


@pytest.mark.parametrize(
    ("body", "activity", "field"),
    [
        ({"activity": ORDER, "aps": {"event": "update"}}, ORDER, "aps.content-state"),
        ({"activity": "no/id", "aps": {"event": "end"}}, None, "activity"),
        ("nonsense", None, "body"),
        ({"detail-type": "x", "detail": {"activity": "order-7", "aps": 1}}, "order-7", "aps"),
    ],
)
def test_what_was_refused_is_told_of_with_its_reason(
    stack: Stack, body: object, activity: str | None, field: str
) -> None:
    invoke(stack, sqs(body, queue="PublishQueue", sent_at_ms=now_ms()))

    [event], [letter] = told(stack), refused(stack)
    assert (event.get("activity"), event["field"], event["message_id"]) == (activity, field, "m-0")
    assert letter["reason"] == f"{event['field']}: {event['message']}"
    assert event["sent_at_ms"] == int(letter["published_at_ms"])


def test_what_does_not_fit_the_schema_of_its_start_is_told_of(stack: Stack, tmp_path: Path) -> None:
    state = {"properties": {"minutes": {"type": "integer"}}}
    (tmp_path / "OrderAttributes.json").write_text(json.dumps({"properties": {"content-state": state}}))
    started(stack, "ana")
    stack.take_events()

    with set_up_with(stack, SCHEMAS_FOLDER=str(tmp_path)):
        say(stack, update(aps={"content-state": {"minutes": "late"}}))

    [event] = told(stack)
    assert (event["activity"], event["field"]) == (ORDER, "aps.content-state.minutes")


def test_what_we_sent_ourselves_and_cannot_read_is_no_publish(stack: Stack) -> None:
    say(stack, "nonsense", queue="DeliveryQueue")

    assert len(refused(stack, "DeliveryDeadLetterQueue")) == 1
    assert told(stack) == []


# --- starts without a card


def report(stack: Stack, *cards: dict[str, Any], at_ms: int | None = None) -> None:
    ask(stack, "a-device", {"observed_at_ms": at_ms or now_ms(), "os_version": "18.2", "cards": list(cards)})


def test_a_phone_that_shows_nothing_of_its_start_is_told_of_once(stack: Stack) -> None:
    token = stack.apns.issue_token(Environment.PRODUCTION)
    ask(stack, "a-device/start-tokens/OrderAttributes", {"token": token})
    say(stack, start(ORDER, "ana"))
    report(stack)
    assert told(stack, WITHOUT_CARD) == [], "it may be under way"

    with time_machine.travel(time.time() + GRACE_MS / 1000 + 1, tick=True):
        report(stack)
        report(stack)

    [event] = told(stack, WITHOUT_CARD)
    assert (event["activity"], event["run"], event["phone"]) == (ORDER, row(stack).run, phone_of("a-device"))
    assert GRACE_MS < event["reported_at_ms"] - event["started_at_ms"] < GRACE_MS + 60_000
    assert event["os_version"] == "18.2"


def test_phones_that_behave_are_not_told_of(stack: Stack, two: list[Any]) -> None:
    with time_machine.travel(time.time() + GRACE_MS / 1000 + 1, tick=True):
        for phone in two:
            phone.launch()
        settle(stack)

    assert told(stack, WITHOUT_CARD) == []


# --- what is never told, and what never fails


def test_without_a_bus_nothing_is_gathered_or_told(stack: Stack, two: list[Any]) -> None:
    push, register = (stack.functions[f"{name}Function"] for name in ("Push", "Register"))
    with set_up_with(stack, EVENT_BUS_NAME=""):
        say(stack, update(minutes=3), "nonsense")

        assert push.names["bus"] is None
    with_bus = dict(register.environment)
    register.restart(EVENT_BUS_NAME="")
    assert register.names["bus"] is register.names["missing_cards"] is None
    register.restart(**with_bus)

    assert minutes(two[0]) == 3
    assert told(stack) == []


def test_no_token_state_or_user_is_in_any_event(stack: Stack, two: list[Any]) -> None:
    two[0].uninstall()
    say(stack, update(minutes=3), "nonsense", {**update(), "content-state": {"driver": "Zaphod"}})
    say(stack, end())

    told_in_all = str(stack.take_events())
    assert "Token Forgotten" in told_in_all
    for secret in ("Anacleta", "Zaphod", "Pizzeria", "'ana'", "'ben'", "bearer", *(p.token for p in stack.apns.pushes)):
        assert secret not in told_in_all


def test_an_eventbridge_that_is_down_delays_nothing_and_loses_no_publish(stack: Stack, two: list[Any]) -> None:
    push = stack.functions["PushFunction"]
    events = push.names["bus"]._client.meta.events

    def down(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.us-east-1.amazonaws.com/")

    events.register("before-call.events.PutEvents", down)
    try:
        failed = say(stack, update(minutes=3))
    finally:
        events.unregister("before-call.events.PutEvents", down)

    assert failed == []
    assert [minutes(phone) for phone in two] == [3, 3]
    assert told(stack) == []
    assert any('"EventsLost":[1.0]' in line for line in push.log.lines)
