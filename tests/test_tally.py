"""What is gathered of a delivery: the latency that 95 in 100 pushes had, and the states that nobody need see."""

from dataclasses import replace

import pytest

from lockstep.apns import Environment
from lockstep.delivery import Audience, Delivery
from lockstep.merge import advance
from lockstep.plan import Plan
from lockstep.row import Row
from lockstep.tally import Tally
from tests.messages import NOW_MS, NOW_S, read, update


def row(revision: int) -> Row:
    return replace(advance(None, "order-42", read(update()).registers, now_s=NOW_S), revision=revision)


def plan(revision: int, delivery: Delivery) -> Plan:
    return Plan(delivery, row(revision), default_environment=Environment.PRODUCTION, now_s=NOW_S)


def to_all(had: int) -> Delivery:
    return Delivery("order-42", Audience.CARDS, from_revision=had)


@pytest.mark.parametrize(
    ("took_ms", "p95_ms"),
    [([], None), ([7], 7), ([*range(1, 21)], 19), ([*range(1, 101)], 95), ([*range(100, 0, -1)], 95), ([-4], 0)],
)
def test_p95_is_what_95_in_100_acceptances_took_at_most(took_ms: list[int], p95_ms: int | None) -> None:
    tally = Tally()
    tally.turn_to(plan(1, to_all(0)))

    for took in took_ms:
        tally.was_accepted(NOW_MS + took)

    assert tally.p95_ms == p95_ms
    assert tally.accepted == len(took_ms)


@pytest.mark.parametrize(("had", "revision", "superseded"), [(0, 1, 0), (4, 5, 0), (4, 8, 3), (5, 5, 0)])
def test_states_that_came_and_went_between_two_deliveries_are_superseded(
    had: int, revision: int, superseded: int
) -> None:
    tally = Tally()

    tally.turn_to(plan(revision, to_all(had)))

    assert tally.superseded == superseded


def test_what_a_slice_brings_to_some_of_its_phones_is_not_superseded_there() -> None:
    tally, of_slice = Tally(), Delivery("order-42", first="3", last="3", from_revision=2)

    for revision in (3, 3, 6, 6):
        tally.turn_to(plan(revision, of_slice))

    assert tally.superseded == 2, "4 and 5"


def test_a_later_part_of_a_delivery_does_not_count_them_again() -> None:
    tally = Tally()

    tally.turn_to(plan(8, replace(to_all(4), first="a" * 32)))

    assert tally.superseded == 0
