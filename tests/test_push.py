"""push, whole: messages in, lock screens out, against moto, the APNs simulator and simulated iPhones."""

import json
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lockstep.apns import Environment
from lockstep.ids import phone_of
from onebox.lambda_runtime import FunctionError
from onebox.lock_screen import CardState
from onebox.stack import Stack
from tests.messages import end, start, update
from tests.pushing import (
    ORDER,
    minutes,
    now_ms,
    pushed,
    refused,
    register_card,
    row,
    say,
    settle,
    started,
    tokens,
)

EVENTS = Path(__file__).parent.parent / "events"

# --- events/


def event(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return parsed


def test_the_events_tell_an_order_from_start_to_end(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)

    shown = []
    for name in ("publish-start", "publish-update", "publish-sns", "publish-eventbridge", "delivery", "publish-end"):
        assert stack.invoke_push(event(name)) == {"batchItemFailures": []}
        settle(stack)
        shown.append(minutes(ana))

    assert shown == [30, 7, 7, 7, 7, 0]
    card = ana.card(ORDER)
    assert card is not None
    assert card.state(time.time()) is CardState.ENDED
    assert {push.status for push in stack.apns.pushes} == {200}


def test_the_refused_event_is_dead_lettered_with_its_reason(stack: Stack) -> None:
    original = event("publish-refused")["Records"][0]["body"]

    assert stack.invoke_push(event("publish-refused")) == {"batchItemFailures": []}

    [letter] = refused(stack)
    assert letter["body"] == original
    assert letter["reason"] == "aps.content-state: is missing; an update needs one"
    assert int(letter["published_at_ms"]) > 0


# --- order and repetition


def test_a_start_that_arrives_after_its_update_starts_with_the_newest_state(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    at_ms = now_ms()

    say(stack, update(minutes=7, published_at_ms=at_ms))
    say(stack, start(ORDER, "ana", published_at_ms=at_ms - 1000))
    settle(stack)

    assert minutes(ana) == 7
    assert len(ana.starts(ORDER)) == 1


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_publishes_in_one_millisecond_every_phone_shows_the_same(stack: Stack, order: tuple[int, ...]) -> None:
    [ana, ben] = started(stack, "ana", "ben")
    at_ms = now_ms() + 1
    bodies = [update(minutes=1, published_at_ms=at_ms), update(minutes=2, published_at_ms=at_ms)]

    while now_ms() <= at_ms:
        time.sleep(0.001)
    for i in order:
        say(stack, bodies[i])

    state = row(stack).registers.state
    assert state is not None
    shown = state.value["content-state"]
    assert ana.shows(ORDER) == ben.shows(ORDER) == shown
    digests = {}
    for body in bodies:
        from tests.messages import read

        digests[read(body, at_ms=at_ms).version] = body["aps"]["content-state"]
    assert shown == digests[max(digests)]


def test_an_old_message_never_overwrites_a_newer_state(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    at_ms = now_ms()

    say(stack, update(minutes=7, published_at_ms=at_ms))
    say(stack, update(minutes=20, published_at_ms=at_ms - 1))

    assert minutes(ana) == 7
    assert pushed(stack) == [("update", 200)]


def test_of_a_batch_only_the_newest_state_goes_out(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    at_ms = now_ms()

    failed = say(stack, *(update(minutes=i, published_at_ms=at_ms - i) for i in (3, 1, 2, 5, 4)))

    assert failed == []
    assert minutes(ana) == 1
    assert pushed(stack) == [("update", 200)]


def test_a_redelivered_message_does_nothing_twice(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    body, sent_at_ms = start(ORDER, "ana"), now_ms()

    for _ in range(3):
        say(stack, body, sent_at_ms=sent_at_ms)
    settle(stack)

    assert pushed(stack) == [("start", 200)]
    assert len(ana.starts(ORDER)) == 1


def test_a_start_published_again_makes_no_second_card(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert len(ana.starts(ORDER)) == 1
    assert ("start", 200) not in pushed(stack)


def test_a_new_run_ends_the_old_card_and_starts_a_new_one(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    first = row(stack).run

    say(stack, end(), start(ORDER, "ana"), sent_at_ms=None or now_ms())
    settle(stack)
    at_ms = now_ms()
    say(stack, end(published_at_ms=at_ms - 2))
    say(stack, start(ORDER, "ana", published_at_ms=at_ms))
    settle(stack)

    assert row(stack).run > first
    card = ana.card(ORDER)
    assert card is not None
    assert card.run == row(stack).run
    assert card.state(time.time()) is CardState.ACTIVE
    assert sum(one.is_running(time.time()) for one in ana.cards) == 1


def test_an_end_ends_every_card_and_a_late_update_is_superseded(stack: Stack) -> None:
    phones = started(stack, "ana", "ben")

    say(stack, end(aps={"content-state": {"done": True}}))
    say(stack, update(minutes=1))
    settle(stack)

    assert [phone.shows(ORDER) for phone in phones] == [{"done": True}] * 2
    assert pushed(stack) == [("end", 200)] * 2


# --- catch-ups


def test_a_card_that_the_app_made_itself_is_brought_up_to_date_when_it_registers(stack: Stack) -> None:
    say(stack, update(minutes=7, aps={"alert": {"title": "Nearly there"}}))
    ana = stack.phones.of("ana")
    settle(stack)

    ana.start_card(ORDER, content_state={"minutes": 99})
    settle(stack)

    assert minutes(ana) == 7
    assert not ana.history[-1].rang, "a catch-up never rings"


def test_a_phone_that_registers_late_is_started(stack: Stack) -> None:
    say(stack, start(ORDER, "ana"))
    say(stack, update(minutes=7))

    ana = stack.phones.of("ana")
    settle(stack)

    assert minutes(ana) == 7
    assert len(ana.starts(ORDER)) == 1


def test_a_card_that_registers_after_the_end_is_ended_with_a_dismissal_date(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    say(stack, update(minutes=7), end())

    ana.start_card(ORDER, content_state={"minutes": 99})
    settle(stack)

    card = ana.card(ORDER)
    assert card is not None
    assert card.state(time.time()) is CardState.ENDED
    assert card.dismissal_date_s == pytest.approx(time.time() + 4 * 3600, abs=30)


def test_a_card_whose_start_carried_the_state_is_not_pushed_again_when_it_registers(stack: Stack) -> None:
    stack.phones.of("ana")
    settle(stack)

    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert pushed(stack) == [("start", 200)]


def test_a_token_that_changes_midway_is_used_from_then_on(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    ana.rotate(ORDER)
    settle(stack)

    say(stack, update(minutes=3))

    assert minutes(ana) == 3
    assert {push.status for push in stack.apns.pushes} == {200}


def test_a_publish_from_the_future_counts_as_now_and_is_counted(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    say(stack, update(minutes=9, published_at_ms=now_ms() + 3_600_000))
    time.sleep(0.002)
    say(stack, update(minutes=8))

    assert minutes(ana) == 8, "it shadows nothing"
    metrics = [json.loads(line) for line in stack.functions["PushFunction"].log.lines if '"_aws"' in line]
    assert sum(sum(line.get("PublishedInTheFuture", [])) for line in metrics) == 1


# --- who may


def test_a_stranger_who_registered_before_there_was_a_row_is_never_pushed(stack: Stack) -> None:
    token = stack.apns.issue_token(Environment.PRODUCTION)
    register_card(stack, "a-device", token, user="stranger")

    say(stack, start(ORDER, "ana"))
    say(stack, update(minutes=3))
    settle(stack)

    assert not stack.apns.pushes


def test_nothing_of_the_former_users_reaches_a_phone_that_changed_hands(stack: Stack) -> None:
    [phone] = started(stack, "ana")
    phone.change_user("ben")
    stack.phones.wait()
    stack.apns.clear()

    say(stack, update(minutes=3))

    assert not stack.apns.pushes


# --- many phones


def test_one_publish_reaches_a_hundred_and_fifty_phones_in_two_environments(stack: Stack) -> None:
    from lockstep.phones import Card
    from lockstep.phones import Phone as PhoneItem

    table, at_ms = tokens(stack), now_ms()
    for i in range(150):
        environment = Environment.SANDBOX if i % 10 == 0 else Environment.PRODUCTION
        phone, token = phone_of(f"device-{i}"), stack.apns.issue_token(environment)
        assert table.replace_phone(None, PhoneItem(phone, "ana", environment=environment), now_s=at_ms // 1000)
        assert table.put_card(Card(ORDER, phone, "c", "ana", 0, token, at_ms, at_ms), now_s=at_ms // 1000)

    say(stack, update(minutes=3))

    assert pushed(stack) == [("update", 200)] * 150
    assert len({push.token for push in stack.apns.pushes}) == 150
    assert row(stack).sent_revision == row(stack).revision


# --- settings, logs, metrics


def test_a_missing_variable_stops_the_function_at_start_with_its_name(stack: Stack) -> None:
    from lockstep.errors import Misconfigured

    with pytest.raises(Misconfigured, match="BUNDLE_ID"):
        stack.container("PushFunction", BUNDLE_ID=None).load()


def test_logs_and_metrics_tell_the_story_and_nothing_secret(stack: Stack) -> None:
    [_, ben] = started(stack, "ana", "ben")
    card = ben.card(ORDER)
    assert card is not None
    ben.uninstall()
    say(stack, update(minutes=3, aps={"content-state": {"driver": "Zaphod", "minutes": 3}}))
    say(stack, update(minutes=3, published_at_ms=1_000_000_000_000))
    settle(stack)
    lines = stack.functions["PushFunction"].log.lines
    logged = [json.loads(line) for line in lines]

    published = [line for line in logged if line.get("message") == "published"]
    assert {"activity", "outcome", "correlation_id", "event", "published_at_ms"} <= published[-1].keys()
    assert [line["reason"] for line in logged if line.get("outcome") == "rejected"] == ["Unregistered"]
    metrics: dict[str, list[float]] = {}
    for line in logged:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"].startswith("Lockstep/lockstep-"), "a stack's own"
            for metric in directive["Metrics"]:
                value = line[metric["Name"]]
                metrics.setdefault(metric["Name"], []).extend(value if isinstance(value, list) else [value])
    sums = {name: sum(values) for name, values in metrics.items()}
    assert sums["Published"] == 2
    assert sums["Refused"] == 1
    assert (sums["Sent"], sums["Accepted"], sums["Rejected"], sums["Forgotten"]) == (4, 3, 1, 1)
    assert all(0 <= value < 60_000 for value in metrics["PublishToAcceptance"])
    secrets = [
        "Zaphod",
        "Pizzeria",
        "PRIVATE KEY",
        "bearer",
        *(push.token for push in stack.apns.pushes),
        *(push.headers["authorization"].split()[1] for push in stack.apns.pushes),
    ]
    for secret in secrets:
        assert not any(secret in line for line in lines), secret


def test_an_exception_of_our_own_fails_the_invocation_and_says_where(stack: Stack) -> None:
    with pytest.raises(FunctionError, match="KeyError"):
        stack.invoke_push({"Records": [{"messageId": "m-0"}]})
