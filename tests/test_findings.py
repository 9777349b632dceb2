"""On which phones an activity should show, and why not on the others."""

from dataclasses import replace
from typing import Any

import pytest

from lockstep.apns import Environment
from lockstep.channels import Channel, Storage
from lockstep.evidence import Evidence
from lockstep.findings import REPORTS_WITHIN_MS, Finding, Why
from lockstep.phones import Phone
from lockstep.row import Registers, Row
from tests.explaining import (
    ANA,
    ANAS,
    BENS,
    PUBLISHED_MS,
    ROW,
    RUN,
    STATE,
    card,
    evidence,
    findings,
    marker,
    start_token,
    with_start,
)
from tests.messages import NOW_MS


def of_ana(*traces: Any, **more: Any) -> Finding:
    """Say what is found of ana's phone; ben has none."""
    [finding] = [one for one in findings(evidence(*traces, **more)) if one.user == "ana"]
    return finding


def channel(environment: Environment = Environment.PRODUCTION, run: int = RUN) -> Row:
    return replace(ROW, channels=(Channel(environment, "c", run, Storage.LATEST),))


IOS_18 = ANA._replace(os_version="18.0")
UNSTARTABLE = replace(ROW, registers=replace(ROW.registers, alert=None))
FANS = with_start(users=[], audience="team-42")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (evidence(card()), Why.SHOWS),
        (evidence(card(), marker()), Why.SHOWS),
        (evidence(card(token=None)), Why.NO_TOKEN),
        (evidence(card(token=None, dead_at_ms=PUBLISHED_MS)), Why.DEAD_TOKEN),
        # A channel serves phones of its environment, of iOS 18, and of its run.
        (evidence(card(token=None), row=channel(), phones=(IOS_18,)), Why.ON_CHANNEL),
        (evidence(card(token=None), row=channel(), phones=(IOS_18._replace(environment=None),)), Why.ON_CHANNEL),
        (evidence(card(token=None), row=channel(), phones=(ANA,)), Why.NO_TOKEN),
        (evidence(card(token=None), row=channel(Environment.SANDBOX), phones=(IOS_18,)), Why.NO_TOKEN),
        (evidence(card(token=None), row=channel(run=RUN - 1), phones=(IOS_18,)), Why.NO_TOKEN),
        # Started, and what then.
        (evidence(marker(at_ms=NOW_MS - REPORTS_WITHIN_MS)), Why.NO_CARD),
        (evidence(marker(at_ms=NOW_MS - REPORTS_WITHIN_MS + 1)), Why.JUST_STARTED),
        (evidence(marker(confirmed=False)), Why.UNCONFIRMED),
        (evidence(marker(revision=0)), Why.DISMISSED),
        (evidence(marker(owner="eve"), named=(start_token(),)), Why.TO_BE_STARTED),
        (evidence(marker(run=RUN - 1), named=(start_token(),)), Why.TO_BE_STARTED),
        # Not there any more: what the phone itself said last counts.
        (evidence(card(), phones=(ANA._replace(cards_at_ms=RUN + 1_001),)), Why.GONE),
        (evidence(card(), phones=(ANA._replace(cards_at_ms=RUN + 1_000),)), Why.SHOWS),
        (evidence(card(), marker(), phones=(ANA._replace(cards_at_ms=RUN + 1_001),)), Why.GONE),
        (evidence(card(), marker(revision=0), phones=(ANA._replace(cards_at_ms=RUN + 1_001),)), Why.DISMISSED),
        (evidence(card(), phones=(ANA._replace(owner=None),)), Why.SIGNED_OUT),
        (evidence(card(), phones=(ANA._replace(owner="eve"),)), Why.OTHER_USER),
        # To be started.
        (evidence(named=(start_token(),)), Why.TO_BE_STARTED),
        (evidence(named=(start_token(),), phones=(ANA._replace(start_tokens_at_ms=RUN + 1),)), Why.OLD_START_TOKEN),
        (evidence(named=(start_token(),), phones=(ANA._replace(start_tokens_at_ms=RUN),)), Why.TO_BE_STARTED),
        (evidence(named=(start_token(),), row=UNSTARTABLE), Why.CANT_START),
        (evidence(card(run=RUN - 1)), Why.EARLIER_RUN),
        (evidence(card(run=RUN - 1), named=(start_token(),)), Why.TO_BE_STARTED),
        (evidence(named=(start_token(),), row=FANS), Why.NOT_FOLLOWING),
        (evidence(named=(start_token(),), row=FANS, phones=(ANA._replace(follows=("team-42",)),)), Why.TO_BE_STARTED),
        (evidence(), Why.NO_START_TOKEN),
    ],
)
def test_each_phone_has_a_reason(found: Evidence, why: Why) -> None:
    [finding] = [one for one in findings(found) if one.user in ("ana", "eve")]

    assert finding.why is why
    assert finding.phone == (None if why is Why.NO_START_TOKEN else ANAS)


def test_every_reason_is_found_somewhere() -> None:
    [table] = [mark for mark in test_each_phone_has_a_reason.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]  # what pytest keeps there

    assert {why for _, why in table.args[1]} == set(Why) - {Why.NOT_A_GUEST}


def test_who_is_no_guest_is_told_nothing_and_without_guests_the_parameter_decides() -> None:
    [eve] = [one for one in findings(evidence(card(owner="eve"), phones=(ANA._replace(owner="eve"),))) if one.phone]
    anybodys = Row("match-7", Registers(state=STATE), run=RUN, revision=1)

    assert eve.why is Why.NOT_A_GUEST
    assert [one.why for one in findings(evidence(card(), row=anybodys))] == [Why.SHOWS]
    assert [one.why for one in findings(evidence(card(), row=anybodys), guests_required=True)] == [Why.NOT_A_GUEST]


def test_of_two_cards_the_one_that_hears_counts() -> None:
    second = card(token=None)

    assert of_ana(second, card()).why is Why.SHOWS
    assert of_ana(card(), second).why is Why.SHOWS


def test_of_two_users_of_a_phone_the_one_who_is_signed_in_counts() -> None:
    [ben] = [
        one for one in findings(evidence(card(), card(owner="ben"), phones=(ANA._replace(owner="ben"),))) if one.phone
    ]

    assert (ben.user, ben.why) == ("ben", Why.SHOWS)


def test_a_phone_that_is_forgotten_is_none() -> None:
    assert {one.phone for one in findings(evidence(card(), marker(BENS, "ben"), phones=()))} == {None}


def test_the_marker_of_an_earlier_run_alone_says_nothing() -> None:
    assert [one for one in findings(evidence(marker(run=RUN - 1))) if one.phone] == []


def test_a_user_who_has_a_phone_does_not_lack_one() -> None:
    found = findings(evidence(card(), named=(start_token(BENS, "ben"),)))

    assert [(one.user, one.why) for one in found] == [("ben", Why.TO_BE_STARTED), ("ana", Why.SHOWS)]


def test_a_user_who_was_not_looked_at_is_not_said_to_lack_a_phone() -> None:
    assert [one.user for one in findings(evidence(card(), cut=True))] == ["ana"]


def test_an_activity_that_ended_starts_nobody() -> None:
    ended = Row("order-42", Registers(start=ROW.registers.start, end=STATE), run=RUN, revision=4)

    assert findings(evidence(row=ended)) == []


def test_what_needs_a_person_comes_first() -> None:
    phones = tuple(Phone(f"{number:032}", "ana", Environment.PRODUCTION) for number in range(3))
    traces = (card(phones[0].phone), marker(phones[1].phone), card(phones[2].phone, token=None))

    found = [one.why for one in findings(evidence(*traces, phones=phones)) if one.user == "ana"]

    assert found == [Why.NO_CARD, Why.NO_TOKEN, Why.SHOWS]
