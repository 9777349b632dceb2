"""Pace: however fast producers publish, phones hear of it in their time, and the last state always arrives."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockstep.activities import Activities
from lockstep.commit import Committed, Committer
from lockstep.delivery import Audience, Delivery, read_body
from lockstep.pace import ALERT_WAIT_MS, DUE_LIFE_MS, Pace
from lockstep.row import Row
from onebox.stack import Stack
from tests.committing import committer
from tests.messages import end, read, start, update
from tests.phones_side import Clock, hooked
from tests.pushing import ORDER

ALERT = {"alert": {"title": "Nearly there", "body": "7 minutes"}}
PACE = Pace(min_interval_ms=1_000, priority_budget=3)


class Desk:
    """A committer at work, with a clock moved by hand, and the queue that it sends to."""

    def __init__(self, stack: Stack, pace: Pace = PACE) -> None:
        self.stack = stack
        self.clock = Clock()
        self.activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
        self.committer: Committer = committer(stack, self.clock, pace=pace)
        self.queued: list[tuple[int, Delivery]] = []

    def say(self, body: dict[str, Any], *, age_ms: int = 0) -> Committed:
        """Publish a millisecond later; what is queued meanwhile is noted with the time at which it is due."""
        self.clock.ms += 1
        return self._noting(lambda: self.committer.commit([read(body, at_ms=self.clock.ms - age_ms)]))

    def claim(self, delivery: Delivery) -> tuple[Row, Delivery] | None:
        return self._noting(lambda: self.committer.claim(delivery))

    def done(self, row: Row, *, sent: int | None = None) -> Row | None:
        """Let a delivery of this row to everyone end."""
        return self.activities.record(row, sent=row.revision if sent is None else sent, started=row.owes_starts)

    def take(self) -> Delivery:
        """Move on to when the next queued delivery is due, and take it."""
        self.queued.sort(key=lambda one: one[0])
        due_ms, delivery = self.queued.pop(0)
        self.clock.ms = max(self.clock.ms, due_ms)
        return delivery

    def row(self) -> Row:
        row = self.activities.get(ORDER, now_s=self.clock.s)
        assert row is not None
        return row

    def _noting[T](self, act: Callable[[], T]) -> T:
        def note(params: dict[str, Any], **_: object) -> None:
            for entry in params["Entries"]:
                delivery = read_body(entry["MessageBody"])
                assert isinstance(delivery, Delivery)
                self.queued.append((self.clock.ms + entry["DelaySeconds"] * 1000, delivery))

        with hooked(self.stack, "before-parameter-build.sqs.SendMessageBatch", note):
            return act()


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return Desk(stack)


def opened(desk: Desk) -> None:
    """Have the order started and delivered, and its interval over."""
    committed = desk.say(start(ORDER, "ana"))
    assert committed.delivery is not None
    desk.done(committed.row)
    desk.clock.advance(2)


def minutes(row: Row) -> object:
    assert row.registers.state is not None
    state = row.registers.state.value["content-state"]
    assert isinstance(state, dict)
    return state["minutes"]


# --- how often


def test_ten_updates_within_a_second_make_two_deliveries_and_the_last_state_arrives(desk: Desk) -> None:
    opened(desk)

    delivered = []
    for i in range(10):
        committed = desk.say(update(minutes=i))
        if committed.delivery:
            delivered.append(minutes(committed.row))
            desk.done(committed.row)
        desk.clock.ms += 90
    while desk.queued:
        if claimed := desk.claim(desk.take()):
            delivered.append(minutes(claimed[0]))
            desk.done(claimed[0])

    assert delivered == [0, 9]
    assert not desk.row().owes


@pytest.mark.parametrize(("waited_ms", "at_once"), [(998, False), (999, True)])
def test_the_interval_counts_from_the_last_delivery(desk: Desk, waited_ms: int, at_once: bool) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=1)).row)
    desk.clock.ms += waited_ms

    assert bool(desk.say(update(minutes=2)).delivery) is at_once


@pytest.mark.parametrize("urgent", [end(), update(aps=ALERT), start(aps={"content-state": {"minutes": 1}})])
def test_a_start_an_end_and_an_alert_do_not_wait(desk: Desk, urgent: dict[str, Any]) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    assert desk.say(update(minutes=3)).delivery is None

    committed = desk.say(urgent)

    assert committed.delivery is not None
    assert committed.row.due_at_ms == 0
    desk.done(committed.row)
    assert desk.claim(desk.take()) is None, "the delayed delivery finds nothing to do"


def test_a_commit_that_comes_when_the_delayed_delivery_is_due_delivers_at_once(desk: Desk) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.say(update(minutes=3))
    late = desk.take()

    committed = desk.say(update(minutes=4))

    assert committed.delivery is not None
    desk.done(committed.row)
    assert desk.claim(late) is None


def test_a_stray_delayed_delivery_waits_for_the_one_that_is_due(desk: Desk) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.say(update(minutes=3))

    assert desk.claim(Delivery(ORDER)) is None

    deliveries = [desk.claim(desk.take()) for _ in range(2)]
    assert [minutes(claimed[0]) for claimed in deliveries if claimed][:1] == [3]


def test_a_catch_up_neither_ends_the_wait_nor_counts_as_delivered(desk: Desk) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.say(update(minutes=3))
    catch_up = Delivery(ORDER, Audience.CARDS, phones=("ab" * 16,))

    caught_up = desk.claim(catch_up)

    assert caught_up is not None
    assert caught_up[1] == catch_up
    assert minutes(caught_up[0]) == 3, "it brings the newest state"
    assert desk.row().owes
    claimed = desk.claim(desk.take())
    assert claimed is not None
    assert claimed[0].timestamp_s == caught_up[0].timestamp_s, "one state, one stamp"


# --- wake-ups that could be lost


def test_a_function_that_dies_between_the_message_and_the_commit_loses_nothing(stack: Stack, desk: Desk) -> None:
    class Died(BaseException):
        """The function is gone."""

    def die(**_: object) -> None:
        raise Died

    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    with hooked(stack, "before-call.dynamodb.UpdateItem", die), pytest.raises(Died):
        desk.say(update(minutes=3))

    assert desk.claim(desk.take()) is None, "its message finds nothing to do"
    again = desk.say(update(minutes=3))
    assert again.delivery is not None, "and SQS brings the publish again"
    assert minutes(again.row) == 3


def test_a_state_is_not_left_to_a_message_that_could_not_be_sent(stack: Stack, desk: Desk) -> None:
    def fail(**_: object) -> None:
        raise ConnectionError("SQS is away")

    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    with hooked(stack, "before-call.sqs.SendMessageBatch", fail), pytest.raises(ConnectionError):
        desk.say(update(minutes=3))

    assert minutes(desk.row()) == 2
    assert desk.row().due_at_ms == 0


def test_a_commit_while_the_delayed_delivery_is_pushing_is_delivered_after_it(desk: Desk) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.say(update(minutes=3))
    pushing = desk.claim(desk.take())
    assert pushing is not None

    assert desk.say(update(minutes=4)).delivery is None
    desk.done(pushing[0])

    assert desk.row().owes
    claimed = desk.claim(desk.take())
    assert claimed is not None
    assert minutes(claimed[0]) == 4
    assert claimed[0].timestamp_s > pushing[0].timestamp_s


@pytest.mark.parametrize("overdue_ms", [0, DUE_LIFE_MS - 1, DUE_LIFE_MS])
def test_where_the_delayed_delivery_never_comes_the_next_message_delivers(desk: Desk, overdue_ms: int) -> None:
    """A superseded publish will do."""
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.clock.ms += 100
    desk.say(update(minutes=3))
    desk.take()
    desk.clock.ms = desk.row().due_at_ms + overdue_ms

    committed = desk.say(update(minutes=1), age_ms=60_000)

    assert committed.delivery is not None
    assert minutes(committed.row) == 3


def test_a_delayed_delivery_that_was_dead_lettered_and_redriven_delivers(desk: Desk) -> None:
    opened(desk)
    desk.done(desk.say(update(minutes=2)).row)
    desk.say(update(minutes=3))
    dead = desk.take()
    desk.clock.advance(3600)

    claimed = desk.claim(dead)

    assert claimed is not None
    assert minutes(claimed[0]) == 3


def test_a_publish_whose_function_died_after_the_commit_is_delivered_when_it_comes_again(desk: Desk) -> None:
    opened(desk)
    assert desk.say(update(minutes=3), age_ms=5).delivery is not None
    desk.clock.advance(75)

    again = desk.say(update(minutes=3), age_ms=75_006)

    assert again.delivery is not None
    assert again.row.revision == desk.row().revision


# --- alerts


def test_an_alert_that_a_silent_state_overtakes_still_rings(desk: Desk) -> None:
    """The function that had the alert died before it sent it."""
    opened(desk)
    desk.say(update(minutes=7, aps=ALERT))
    desk.clock.advance(ALERT_WAIT_MS // 1000)

    committed = desk.say(update(minutes=6))

    assert committed.delivery is not None
    assert committed.delivery.from_revision is not None
    assert committed.row.rings(committed.delivery.from_revision, desk.clock.ms)


@pytest.mark.parametrize("later_ms", [100, 3_000])
def test_a_silent_state_waits_until_the_alert_before_it_is_out(desk: Desk, later_ms: int) -> None:
    """Or phones that have heard the alert would hear it again."""
    opened(desk)
    alert = desk.say(update(minutes=7, aps=ALERT)).row
    desk.clock.ms += later_ms
    assert desk.say(update(minutes=6)).delivery is None
    assert desk.claim(desk.take()) is None
    assert desk.claim(desk.take()) is None

    desk.done(alert)
    claimed = desk.claim(desk.take())

    assert claimed is not None
    assert minutes(claimed[0]) == 6
    assert claimed[1].from_revision == alert.revision
    assert not claimed[0].rings(alert.revision, desk.clock.ms)


def test_a_silent_state_does_not_wait_for_a_dead_function_for_ever(desk: Desk) -> None:
    opened(desk)
    desk.say(update(minutes=7, aps=ALERT))
    desk.say(update(minutes=6))

    began_ms, claimed = desk.clock.ms, None
    while claimed is None:
        claimed = desk.claim(desk.take())

    assert desk.clock.ms - began_ms <= ALERT_WAIT_MS + 1_000
    assert claimed[0].rings(claimed[1].from_revision or 0, desk.clock.ms)


# --- stamps


def test_no_stamp_is_far_ahead_of_the_clock(desk: Desk) -> None:
    opened(desk)
    stamps = []
    for i in range(8):
        committed = desk.say(update(minutes=i, aps=ALERT))
        if committed.delivery:
            stamps.append(committed.row.timestamp_s - desk.clock.s)
            desk.done(committed.row)
    while desk.queued:
        if claimed := desk.claim(desk.take()):
            stamps.append(claimed[0].timestamp_s - desk.clock.s)
            desk.done(claimed[0])

    assert stamps == [0, 1, 2, 2]
    assert not desk.row().owes
    assert minutes(desk.row()) == 7


def test_catch_ups_do_not_drive_the_stamp_ahead_either(desk: Desk) -> None:
    opened(desk)
    catch_up = Delivery(ORDER, Audience.CARDS, phones=("ab" * 16,))
    desk.done(desk.say(update(minutes=9)).row)
    for i in range(8):
        desk.say(update(minutes=i))
        if claimed := desk.claim(catch_up):
            assert claimed[0].timestamp_s <= desk.clock.s + 2

    while desk.queued:
        if claimed := desk.claim(desk.take()):
            assert claimed[0].timestamp_s <= desk.clock.s + 2
            if claimed[1] == catch_up:
                assert minutes(claimed[0]) == 7
            else:
                desk.done(claimed[0])
    assert not desk.row().owes


# --- priority


def test_the_budget_is_of_an_hour_and_of_silent_updates(desk: Desk) -> None:
    desk.clock.ms -= desk.clock.ms % 3_600_000
    opened(desk)

    lowered = []
    for body in [update(minutes=9), update(minutes=8, aps=ALERT), *(update(minutes=i) for i in range(4))]:
        row = desk.say(body).row
        lowered.append(row.lowered)
        desk.done(row)
        desk.clock.advance(2)
    desk.clock.advance(3600)
    next_hour = desk.say(update(minutes=5)).row

    assert lowered == [False, False, False, False, True, True], "three, the alert not counted"
    assert not next_hour.lowered
    assert next_hour.spent == 1


def test_a_repeated_delivery_of_one_state_counts_once(desk: Desk) -> None:
    opened(desk)
    desk.say(update(minutes=9), age_ms=1)
    spent = []
    for _ in range(3):
        desk.clock.advance(75)
        claimed = desk.claim(Delivery(ORDER))
        assert claimed is not None
        spent.append(claimed[0].spent)

    assert spent == [1, 1, 1]


def test_what_the_producer_gives_a_priority_costs_no_budget(desk: Desk) -> None:
    opened(desk)

    assert desk.say(update(minutes=9, priority=10)).row.spent == 0


# --- the whole function, in real time


def test_a_burst_gives_each_phone_two_pushes_at_most_and_the_last_state(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        phones = [stack.phones.of(user) for user in ("ana", "ben")]
        stack.phones.wait()
        stack.publish(start(ORDER, "ana", "ben"))
        until_s = time.monotonic() + 20
        while not all(phone.shows(ORDER) for phone in phones) or not stack.phones.are_idle:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        stack.drain()
        time.sleep(1.1)
        stack.apns.clear()

        began_s = time.monotonic()
        for i in reversed(range(10)):
            stack.publish(update(minutes=i))
        took_s = time.monotonic() - began_s
        stack.drain()

        assert [(phone.shows(ORDER) or {}).get("minutes") for phone in phones] == [0, 0]
        pushes = [json.dumps([push.token, push.payload["aps"]["content-state"]]) for push in stack.apns.pushes]
        assert len(pushes) == len(set(pushes)), "no state twice"
        assert len(pushes) <= 2 * (2 + int(took_s)), "two to each phone, and one more for each second of the burst"
