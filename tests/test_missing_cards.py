"""Starts that Apple took and of which a phone shows no card: who is told of, when, and who is not."""

import pytest
from aws_lambda_powertools import Logger, Metrics

from lockstep.event_bus import EventBus
from lockstep.missing_cards import GRACE_MS, MissingCards
from lockstep.phones import Marker
from lockstep.registration import Registration
from lockstep.row import Row
from lockstep.shards import ACTIVITY_SHARDS, shard_of
from lockstep.telemetry import Telemetry
from onebox.aws import EVENT_BUS
from onebox.stack import Stack
from tests.messages import end, start
from tests.outcomes import told
from tests.phones_side import DEVICE, ORDER, PHONE, TOKEN, RegisterSide, hooked

GRACE_S = GRACE_MS // 1000
CARD = {"card": "c-1", "activity": ORDER, "token": TOKEN}


class Side(RegisterSide):
    """The register side of a stack that has a bus."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        telemetry = Telemetry(Logger(service="test"), Metrics(namespace="Test", service="test"))
        self.bus = EventBus(stack.aws.events, EVENT_BUS, telemetry, stack="arn:aws:x", now=self.clock)
        self.registration = Registration(
            self.activities,
            self.tokens,
            self.followers,
            self.queue,
            now=self.clock,
            missing_cards=MissingCards(self.tokens, self.bus),
        )

    def started(self, *, confirmed: bool = True, shard: int = 0) -> Row:
        """Have the order started on ana's phone, now, as push notes it."""
        self.report()
        row = self.publish(start(ORDER, "ana"))
        marker = Marker(ORDER, PHONE, "ana", row.run, row.revision, confirmed=confirmed, shard=shard)
        self.tokens.put_markers([marker], now_s=self.clock.s, now_ms=self.clock.ms)
        return row

    def missing(self) -> list[int]:
        """Return the runs of which it was told that their card is missing."""
        self.bus.flush(end_s=self.clock() + 60)
        return [event["run"] for event in told(self.stack)]


@pytest.fixture
def side(stack: Stack) -> Side:
    return Side(stack)


@pytest.mark.parametrize(("after_s", "is_told"), [(GRACE_S - 1, False), (GRACE_S, True)])
def test_a_report_without_the_card_tells_once_the_start_had_time(side: Side, after_s: int, is_told: bool) -> None:
    row = side.started()
    side.clock.advance(after_s)

    side.report(cards=[])

    assert side.missing() == ([row.run] if is_told else [])


def test_it_is_told_once_for_each_start(side: Side) -> None:
    row = side.started()
    for _ in range(3):
        side.clock.advance(GRACE_S)
        side.report(cards=[])
    side.publish(end())
    side.clock.advance(1)
    again = side.started()
    side.clock.advance(GRACE_S)

    side.report(cards=[])

    assert side.missing() == [row.run, again.run]


@pytest.mark.parametrize("shard", [0, shard_of(PHONE, ACTIVITY_SHARDS)])
def test_of_a_big_activity_too(side: Side, shard: int) -> None:
    row = side.started(shard=shard)
    side.clock.advance(GRACE_S)

    side.report(cards=[])
    side.report(cards=[])

    assert side.missing() == [row.run]


def test_a_report_that_was_made_before_the_start_says_nothing_of_it(side: Side) -> None:
    side.started()
    made_ms = side.clock.ms - 1000
    side.clock.advance(GRACE_S * 2)

    side.report(cards=[], at_ms=made_ms)

    assert side.missing() == []


def test_neither_does_one_that_lists_no_cards(side: Side) -> None:
    side.started()
    side.clock.advance(GRACE_S)

    side.report()

    assert side.missing() == []


@pytest.mark.parametrize("run", [True, False])
def test_a_card_that_is_reported_is_not_missing_whether_or_not_it_says_its_run(side: Side, run: bool) -> None:
    row = side.started()
    side.clock.advance(GRACE_S)

    side.report(cards=[{**CARD, "run": row.run} if run else CARD])

    assert side.missing() == []


def test_an_earlier_runs_card_is_none_of_this_one(side: Side) -> None:
    row = side.started()
    side.clock.advance(GRACE_S)

    side.report(cards=[{**CARD, "run": row.run - 1}])

    assert side.missing() == [row.run]


@pytest.mark.parametrize("dismissed", [True, False])
def test_a_card_that_was_there_and_is_over_is_not_missing(side: Side, dismissed: bool) -> None:
    row = side.started()
    side.put_card(run=row.run, token=TOKEN)
    side.clock.advance(GRACE_S)
    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=dismissed)

    side.report(cards=[])

    assert side.missing() == []


def test_a_card_that_a_report_leaves_out_was_there(side: Side) -> None:
    row = side.started()
    side.report(cards=[{**CARD, "run": row.run}])
    for _ in range(2):
        side.clock.advance(GRACE_S)
        side.report(cards=[])

    assert side.missing() == []


def test_the_end_of_an_earlier_runs_card_says_nothing_of_this_one(side: Side) -> None:
    row = side.started()
    side.put_card(run=row.run - 1, token=TOKEN)
    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=False)
    side.clock.advance(GRACE_S)

    side.report(cards=[])

    assert side.missing() == [row.run]


def test_a_start_that_apple_did_not_answer_is_none_that_it_took(side: Side) -> None:
    side.started(confirmed=False)
    side.clock.advance(GRACE_S)

    side.report(cards=[])

    assert side.missing() == []


def test_what_is_over_is_missed_by_nobody(side: Side) -> None:
    side.started()
    side.clock.advance(GRACE_S)
    side.publish(end())

    side.report(cards=[])

    assert side.missing() == []


def test_a_phone_that_is_anothers_by_now_misses_nothing(side: Side) -> None:
    side.started()
    side.clock.advance(GRACE_S)

    side.report("ben", cards=[])

    assert side.missing() == []


def test_a_dynamodb_that_errs_at_it_fails_no_report(side: Side) -> None:
    row = side.started()
    side.clock.advance(GRACE_S)

    def fail(params: dict[str, object], **_: object) -> None:
        if "settled" in str(params.get("UpdateExpression")):
            raise TimeoutError("down")

    with hooked(side.stack, "before-parameter-build.dynamodb.UpdateItem", fail):
        side.report(cards=[])
    assert side.missing() == []

    side.report(cards=[])

    assert side.missing() == [row.run]


def test_without_a_bus_a_report_makes_the_calls_it_always_made(stack: Stack) -> None:
    calls: dict[bool, list[str]] = {}
    for with_bus in (True, False):
        side = Side(stack) if with_bus else RegisterSide(stack)
        side.clock.advance(60 * (1 + with_bus))
        side.report(cards=[CARD])
        seen = calls[with_bus] = []
        with hooked(stack, "before-call.dynamodb", lambda model, seen=seen, **_: seen.append(model.name)):
            side.report(cards=[CARD])

    assert calls[True] == calls[False]
