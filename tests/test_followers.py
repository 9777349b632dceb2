"""Named audiences: what a report's `follows` stores, replaces and clears, and what it is answered."""

import pytest

from lockstep.delivery import Audience, Delivery
from lockstep.ids import phone_of
from onebox.stack import Stack
from tests.messages import start
from tests.phones_side import DEVICE, ORDER, START_TOKEN, TYPE, RegisterSide

TEAM = "team-42"
TOKENS = [{"attributes_type": TYPE, "token": START_TOKEN}]


@pytest.fixture
def side(stack: Stack) -> RegisterSide:
    return RegisterSide(stack)


def following(side: RegisterSide, name: str = TEAM) -> list[str]:
    """Name the phones that a start to this audience would reach."""
    rows, _ = side.followers.page(name, now_s=side.clock.s, limit=100)
    phones = side.tokens.phones(row.phone for row in rows)
    return [row.phone for row in rows if name in phones[row.phone].follows and phones[row.phone].owner == row.owner]


def test_a_report_replaces_what_a_phone_follows_as_a_whole(side: RegisterSide) -> None:
    side.report(follows=[TEAM, "weather"])
    assert following(side) == following(side, "weather") == [phone_of(DEVICE)]

    side.clock.advance(1)
    side.report(follows=["weather", "news"])

    assert not following(side)
    rows, _ = side.followers.page(TEAM, now_s=side.clock.s, limit=100)
    assert not rows, "the index is tidied too"
    assert following(side, "news") == [phone_of(DEVICE)]


def test_without_the_list_all_stays_and_an_empty_one_clears(side: RegisterSide) -> None:
    side.report(follows=[TEAM])
    side.clock.advance(1)
    side.report()
    assert following(side)

    side.clock.advance(1)
    side.report(follows=[])
    assert not following(side)


def test_an_older_report_changes_nothing(side: RegisterSide) -> None:
    old_ms = side.clock.ms
    side.clock.advance(10)
    side.report(follows=["news"])

    side.report(follows=[TEAM], at_ms=old_ms)

    assert not following(side)
    assert following(side, "news")


def test_what_a_start_token_said_since_does_not_make_a_list_old(side: RegisterSide) -> None:
    at_ms = side.clock.ms
    side.put_start_token(observed_at_ms=at_ms)

    side.report(follows=[TEAM], at_ms=at_ms - 1)

    assert following(side)


def test_who_takes_a_phone_over_does_not_inherit_what_it_followed(side: RegisterSide) -> None:
    side.report("ana", follows=[TEAM])
    side.clock.advance(1)
    side.report("ben")
    assert not following(side)

    side.clock.advance(1)
    side.registration.sign_out("ben", DEVICE)
    side.clock.advance(1)
    side.report("ana")
    assert not following(side)


def test_a_sign_out_takes_the_phone_out_of_the_index(side: RegisterSide) -> None:
    side.report("ana", follows=[TEAM])
    side.clock.advance(1)

    side.registration.sign_out("ana", DEVICE)

    rows, _ = side.followers.page(TEAM, now_s=side.clock.s, limit=100)
    assert not rows


def test_a_report_is_offered_what_its_names_run_and_is_started_once(side: RegisterSide) -> None:
    side.publish({**start(ORDER), "to": {"audience": TEAM}})

    with side.queueing() as queued:
        [offered] = side.report(follows=[TEAM], start_tokens=TOKENS)

    assert offered.activity == ORDER
    assert [message for message, _ in queued] == [Delivery(ORDER, Audience.STARTS, phones=(phone_of(DEVICE),))]
    side.clock.advance(1)
    with side.queueing() as queued:
        assert not side.report(follows=["news"], start_tokens=TOKENS)
    assert not queued


def test_a_phone_whose_tokens_are_known_is_started_when_it_follows(side: RegisterSide) -> None:
    side.publish({**start(ORDER), "to": {"audience": TEAM}})
    side.report(start_tokens=TOKENS)
    side.clock.advance(1)

    with side.queueing() as queued:
        side.report(follows=[TEAM])

    assert [message for message, _ in queued] == [Delivery(ORDER, Audience.STARTS, phones=(phone_of(DEVICE),))]
