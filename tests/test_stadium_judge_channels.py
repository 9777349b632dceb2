"""The stadium's judge sees what doesn't go well on channels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.stadium.broadcasts import Saying, unsaid
from bench.stadium.causes import CRASHED, KEPT, LATE_ALERT, LOST, RETRIED, SAID_AGAIN, UNEXPLAINED
from bench.stadium.ledger import Entry
from lockstep.apns import Environment
from tests.stadium_side import (
    GOOD_ON_CHANNEL,
    LAST,
    NOTHING_KEPT,
    Few,
    fan,
    found,
    on_channel,
    said,
    took,
    why_heard,
)


def test_a_broadcast_is_heard_by_all_who_are_on_its_channel_then() -> None:
    crowd = Few([fan(0), fan(1), fan(2, os_version="17.6")])

    assert found(GOOD_ON_CHANNEL) == {}
    entries = [
        on_channel(1),
        on_channel(1, 1),
        took(1, "start-2", 0),
        said(2, 1),
        said(3, LAST),
        took(4, "card-2", LAST),
    ]
    assert found(entries, crowd) == {}


@pytest.mark.parametrize(
    ("entries", "broken"),
    [
        (GOOD_ON_CHANNEL[:2], "1"),
        ([*GOOD_ON_CHANNEL[:2], said(3, LAST, status=429)], "1"),
        ([*GOOD_ON_CHANNEL[:2], said(3, LAST, channel="another")], "1"),
        ([*GOOD_ON_CHANNEL, said(4, 1, stamp_s=9), said(5, LAST, stamp_s=10)], "2"),
        ([*GOOD_ON_CHANNEL, took(4, "card-0", LAST)], "2"),
        ([on_channel(1, channel="of the sandbox"), *GOOD_ON_CHANNEL[1:]], "2"),
        ([on_channel(1, channel="of the sandbox"), *GOOD_ON_CHANNEL[1:]], "1"),
        ([on_channel(1, channel="deleted"), *GOOD_ON_CHANNEL[1:]], "2"),
        ([*GOOD_ON_CHANNEL, said(4, LAST, event="start")], "2"),
        ([*GOOD_ON_CHANNEL, on_channel(4), said(5, LAST)], "2"),
        ([*GOOD_ON_CHANNEL, on_channel(4, 1)], "2"),
        ([*GOOD_ON_CHANNEL, said(4, LAST)], "e"),
    ],
    ids=[
        "behind",
        "behind, since Apple did not take it",
        "behind, since it was said elsewhere",
        "backwards",
        "by token too",
        "a channel of the other environment",
        "and silence there",
        "a channel that isn't there",
        "a start by broadcast",
        "a second card",
        "a stranger",
        "twice",
    ],
)
def test_a_promise_that_is_broken_on_a_channel_is_found(entries: Sequence[Entry], broken: str) -> None:
    assert broken in found(entries, Few([fan(), fan(1, follows=False)]))


def test_a_phone_of_ios_17_that_is_started_on_a_channel_hears_nothing() -> None:
    assert {"1", "2"} <= found(GOOD_ON_CHANNEL, Few([fan(os_version="17.6")])).keys()


def test_a_card_that_its_app_put_on_a_channel_hears_what_is_said_from_then_on() -> None:
    itself = fan()
    itself.channel, itself.started_itself, itself.started_ms = "channel", (0, 0), 2
    too_late = replace(itself, started_ms=4)

    assert found([said(1, 1), said(3, LAST)], Few([itself])) == {}
    assert "1" in found([said(1, 1), said(3, LAST)], Few([too_late]), saying=NOTHING_KEPT)


def test_whose_app_is_gone_hears_no_more() -> None:
    gone = fan()
    gone.gone_ms = 2

    assert why_heard([*GOOD_ON_CHANNEL, said(9, LAST)], Few([gone])) == {}


def test_what_a_channel_keeps_is_heard_by_those_who_come() -> None:
    assert found([said(1, LAST), on_channel(2)]) == {}
    assert why_heard([said(1, 0), on_channel(2), said(3, LAST)]) == {KEPT: 1}
    assert "1" in found([said(1, LAST), on_channel(2)], saying=NOTHING_KEPT)


def test_what_is_said_again_is_put_down_to_what_explains_it() -> None:
    again = said(9, LAST)

    assert why_heard([*GOOD_ON_CHANNEL, again]) == {UNEXPLAINED: 1}
    assert why_heard([*GOOD_ON_CHANNEL[:2], said(3, LAST, fault="rst_stream"), again]) == {LOST: 1}
    assert why_heard([*GOOD_ON_CHANNEL[:2], said(3, LAST, fault="goaway"), again]) == {LOST: 1}
    assert why_heard([*GOOD_ON_CHANNEL, replace(again, connection=8)], crashed_ms=[5]) == {CRASHED: 1}
    assert why_heard([*GOOD_ON_CHANNEL, again], crashed_ms=[5]) == {UNEXPLAINED: 1}, "it lives on"
    assert why_heard([*GOOD_ON_CHANNEL, said(9, LAST, alert=1)]) == {LATE_ALERT: 1}


def test_a_broadcast_that_apple_did_not_take_explains_one_more_and_no_other() -> None:
    refused = said(2, 1, status=429)

    assert why_heard([on_channel(1), refused, said(3, 1), said(4, LAST)]) == {}
    assert why_heard([on_channel(1), refused, said(3, LAST), said(4, LAST)]) == {RETRIED: 1}
    assert why_heard([on_channel(1), refused, said(3, LAST), said(4, LAST), said(5, LAST)]) == {
        RETRIED: 1,
        UNEXPLAINED: 1,
    }
    assert why_heard([on_channel(1), refused, said(3, 1), said(4, LAST), said(5, LAST)]) == {UNEXPLAINED: 1}


def test_what_never_got_to_apple_is_told_by_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"message":"broadcast","outcome":"unanswered","reason":"there was no time left","environment":"production"}\n'
        '{"message":"broadcast","outcome":"rejected","reason":"TooManyRequests","environment":"production"}\n'
    )

    assert unsaid([log]) == {Environment.PRODUCTION: 1}
    assert why_heard([*GOOD_ON_CHANNEL, said(9, LAST)], saying=Saying(unsaid=unsaid([log]))) == {RETRIED: 1}


def test_where_nothing_is_kept_a_state_is_said_again_for_those_who_were_just_started_and_for_nobody_else() -> None:
    entries = [said(1, 0), on_channel(2), said(10_000, 0)]

    assert why_heard(entries, saying=NOTHING_KEPT) == {SAID_AGAIN: 1}
    assert why_heard(entries) == {KEPT: 1, UNEXPLAINED: 1}
    assert why_heard([*entries, said(30_000, 0)], saying=NOTHING_KEPT) == {SAID_AGAIN: 1, UNEXPLAINED: 1}


def test_more_broadcasts_after_a_death_than_there_are_environments_are_too_many() -> None:
    again = [replace(said(9 + n, LAST), connection=8) for n in range(3)]

    assert "e" not in found([*GOOD_ON_CHANNEL, *again[:2]], crashed_ms=[5])
    assert "e" in found([*GOOD_ON_CHANNEL, *again], crashed_ms=[5])
