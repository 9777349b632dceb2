"""An alert rings once on each phone, while it is new, whatever becomes of the message that brought it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lockstep.pace import ALERT_WAIT_MS
from lockstep.row import ALERT_LIFE_MS
from onebox.apns.simulator import Fault
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import update
from tests.pushing import ORDER, hook, minutes, now_ms, row, say, settle, started

ALERT = {"alert": {"title": "Nearly there", "body": "7 minutes"}}


def rings(phone: Phone) -> list[object]:
    """What each push that rang showed, the start left out."""
    return [(one.content_state or {}).get("minutes") for one in phone.history if one.rang and one.event != "start"]


def age(stack: Stack, by_ms: int) -> None:
    """Let the row have been published, and its last delivery have set out, so much earlier."""
    table, key = stack.aws.tables["ActivitiesTable"], {"activity": {"S": ORDER}, "part": {"S": "row"}}
    item: dict[str, Any] = dict(stack.aws.dynamodb.get_item(TableName=table, Key=key)["Item"])
    for name in ("start", "guests", "state", "alert"):
        register = json.loads(item[name]["S"])
        item[name] = {"S": json.dumps({**register, "at": register["at"] - by_ms})}
    item["delivered_at_ms"] = {"N": str(int(item["delivered_at_ms"]["N"]) - by_ms)}
    stack.aws.dynamodb.put_item(TableName=table, Item=item)


def throttle(**_: object) -> None:
    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "Query")


def test_an_alert_rings_and_the_silent_state_after_it_does_not(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    say(stack, update(minutes=7, aps=ALERT))
    say(stack, update(minutes=6))

    assert rings(ana) == [7]
    assert minutes(ana) == 6


def test_an_alert_that_a_silent_state_overtakes_before_it_went_out_still_rings_once(stack: Stack) -> None:
    """Its function could commit it, and no more; the next publish is silent; then SQS brings the alert again."""
    [ana] = started(stack, "ana")
    alert, sent_at_ms = update(minutes=7, aps=ALERT), now_ms()
    with hook(stack, "before-call.dynamodb.Query", throttle):
        assert say(stack, alert, sent_at_ms=sent_at_ms) == ["m-0"]
    age(stack, ALERT_WAIT_MS)

    say(stack, update(minutes=6))
    assert say(stack, alert, sent_at_ms=sent_at_ms - ALERT_WAIT_MS) == []
    settle(stack)

    assert rings(ana) == [6]
    assert minutes(ana) == 6


@pytest.mark.parametrize("age_ms", [ALERT_LIFE_MS + 1_000, 3_600_000])
def test_a_redriven_alert_shows_its_state_and_does_not_ring(stack: Stack, age_ms: int) -> None:
    [ana] = started(stack, "ana")

    say(stack, update(minutes=7, aps=ALERT))
    say(stack, update(minutes=6))
    say(stack, update(minutes=5, aps=ALERT), attributes={"published_at_ms": str(now_ms() - age_ms)})

    assert rings(ana) == [7]
    assert minutes(ana) == 6, "it is superseded, too"


def test_an_alert_that_waited_over_a_minute_in_the_queue_does_not_ring(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    later_ms = row(stack).registers.given()["state"].version.published_at_ms + 1

    # Sent after the start, and received only now.
    age(stack, 120_000)
    say(stack, update(minutes=7, aps=ALERT), sent_at_ms=later_ms - 90_000)

    assert minutes(ana) == 7
    assert rings(ana) == []


def test_a_retry_within_a_minute_still_rings(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable"))

    say(stack, update(minutes=7, aps=ALERT))
    assert rings(ana) == []
    settle(stack)

    assert rings(ana) == [7]


def test_an_old_retry_does_not_ring(stack: Stack) -> None:
    """The alert went out long ago to all but one phone, whose retry comes only now."""
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable"))
    say(stack, update(minutes=7, aps=ALERT))
    age(stack, 61_000)

    settle(stack)

    assert minutes(ana) == 7
    assert rings(ana) == []


def test_a_catch_up_does_not_ring(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    say(stack, update(minutes=7, aps=ALERT))

    ana.rotate(ORDER)
    settle(stack)

    assert rings(ana) == [7]
    assert len([one for one in ana.history if one.event == "update"]) == 2


def test_a_retry_does_not_ring_for_an_alert_that_came_after_it(stack: Stack) -> None:
    """Whoever brought the alert rings; the retry of what was before it can't know that they did."""
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", status=429, reason="TooManyRequests"))
    say(stack, update(minutes=8))

    say(stack, update(minutes=7, aps=ALERT))
    settle(stack)

    assert [one.content_state["minutes"] for one in ana.history if one.event == "update"] == [7, 7]
    assert rings(ana) == [7]


def test_the_retry_of_an_alert_that_did_not_arrive_rings(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", 2, status=429, reason="TooManyRequests"))
    say(stack, update(minutes=7, aps=ALERT))

    settle(stack)

    assert rings(ana) == [7]
