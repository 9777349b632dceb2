"""What became of a delivery's pushes, in the row and in slices' items: bounded, and at no further call."""

import re
from typing import Any

import pytest

from lockstep.outcomes import KINDS_MAX, OTHERS, Outcomes
from lockstep.row_items import to_outcomes
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.messages import start, update
from tests.pushing import ORDER, row, say, settle, started

COUNTED = Outcomes(7, 1_000, (("Accepted", 3), ("Unregistered", 1)))


def stored(stack: Stack, activity: str = ORDER) -> dict[str, Any]:
    """Return the item of an activity's row."""
    [item] = [
        one
        for one in stack.aws.items(stack.aws.tables["ActivitiesTable"])
        if (one["activity"]["S"], one["part"]["S"]) == (activity, "row")
    ]
    return item


# --- the sums


def test_what_was_written_is_read_again() -> None:
    assert Outcomes.from_text(COUNTED.to_text()) == COUNTED


@pytest.mark.parametrize("kind", ["broadcast: Accepted", "Apple, of all", "a:b:1,c:2", "", "line\nbreak"])
def test_whatever_apple_calls_a_reason_is_read_again(kind: str) -> None:
    counted = Outcomes.of({kind: 2, "Accepted": 1}, revision=7, at_ms=1_000)

    assert Outcomes.from_text(counted.to_text()) == counted


@pytest.mark.parametrize("text", [None, "", "[]", "7", "7 1000 Accepted", "7 1000 Accepted:1,"])
def test_a_row_of_an_earlier_release_has_none(text: str | None) -> None:
    assert Outcomes.from_text(text) is None


def test_what_is_frequent_comes_first() -> None:
    counted = Outcomes.of({"Unregistered": 1, "Accepted": 3}, revision=7, at_ms=1_000)

    assert counted == COUNTED


def test_as_many_kinds_as_may_be_are_named_and_what_is_more_is_counted_together() -> None:
    kinds = {f"Reason{number:02}": 100 - number for number in range(KINDS_MAX)}

    assert Outcomes.of(kinds, revision=1, at_ms=1).counts == tuple(kinds.items())
    more = Outcomes.of({**kinds, "Seldom": 2, "Never heard of": 1}, revision=1, at_ms=1)
    assert more.counts == (*kinds.items(), (OTHERS, 3))
    assert more.and_then(more).counts[-1] == (OTHERS, 6)


def test_however_many_pushes_there_were_and_whatever_apple_said_it_is_small() -> None:
    heard = Outcomes.of({f"{number:03}{'ä' * 900}": 10**9 for number in range(500)}, revision=10**9, at_ms=10**13)

    assert len(heard.to_text().encode()) < 1_500


def test_what_came_of_another_revision_is_forgotten() -> None:
    later = Outcomes(8, 2_000, (("Accepted", 1),))

    assert COUNTED.and_then(later) == later
    assert COUNTED.and_then(COUNTED).counts == (("Accepted", 6), ("Unregistered", 2))


# --- in the row


def test_a_delivery_to_all_notes_what_became_of_its_pushes(stack: Stack) -> None:
    started(stack, "ana", "ben")
    stack.apns.faults.add(Fault("answer", count=1, status=400, reason="DeviceTokenNotForTopic"))

    say(stack, update(minutes=5))

    cards, starts = to_outcomes(stored(stack))
    assert starts is not None
    assert (starts.revision, starts.counts) == (1, (("Accepted", 2),))
    assert cards is not None
    assert cards.revision == row(stack).revision
    assert cards.counts == (("Accepted", 1), ("DeviceTokenNotForTopic", 1))


def test_what_got_no_answer_is_told_apart(stack: Stack) -> None:
    started(stack, "ana")
    stack.apns.faults.add(Fault("rst_stream", count=1))

    say(stack, update(minutes=5))

    cards, _ = to_outcomes(stored(stack))
    assert cards is not None
    assert cards.counts == (("Unanswered", 1),)


def test_a_retry_and_a_catch_up_write_no_row_for_it(stack: Stack) -> None:
    started(stack, "ana")
    stack.apns.faults.add(Fault("answer", count=1, status=503, reason="ServiceUnavailable"))
    say(stack, update(minutes=5))
    before = stored(stack)

    settle(stack)

    assert stack.apns.pushes[-1].status == 200
    cards, _ = to_outcomes(stored(stack))
    assert cards is not None
    assert cards.counts == (("ServiceUnavailable", 1),)
    assert stored(stack)["card_outcomes"] == before["card_outcomes"]


def test_a_broadcast_is_not_taken_for_a_push_to_a_phone(stack: Stack) -> None:
    stack.phones.of("ana")
    settle(stack)
    say(stack, start(ORDER, channel="latest"))
    settle(stack)

    cards, _ = to_outcomes(stored(stack))

    assert cards is not None
    assert cards.counts == (("broadcast: Accepted", 2),)


def test_nothing_of_a_token_or_a_state_is_in_it(stack: Stack) -> None:
    started(stack, "ana")

    said = [stored(stack)[name]["S"] for name in ("card_outcomes", "start_outcomes")]

    assert [re.sub(r"\d+", "N", one) for one in said] == ["N N ", "N N Accepted:N"]


def test_a_new_life_of_an_activity_knows_nothing_of_what_became_of_its_last_ones_pushes(stack: Stack) -> None:
    """DynamoDB deletes what has expired when it gets to it."""
    started(stack, "ana")
    assert to_outcomes(stored(stack))[1] is not None
    table = stack.aws.tables["ActivitiesTable"]
    key = {"activity": {"S": ORDER}, "part": {"S": "row"}}
    stack.aws.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET expires_at_s = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )

    say(stack, start(ORDER))

    _, starts = to_outcomes(stored(stack))
    assert row(stack).revision == 1
    assert starts is None
