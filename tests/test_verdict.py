"""The words in which a person is told why an activity shows, or doesn't."""

from dataclasses import replace

import pytest

from lockstep.apns import Environment
from lockstep.channels import Channel, Storage
from lockstep.evidence import Evidence
from lockstep.findings import Why
from lockstep.outcomes import Outcomes
from lockstep.phones import Phone
from lockstep.row import Registers, Row
from lockstep.slices import Known, Slice
from lockstep.verdict import NAMED_MAX, UNDER_WAY_MS, heard_by_cards, heard_of_starts
from lockstep.wording import ago, duration, why_not
from tests.explaining import (
    BENS,
    MINUTE_MS,
    ORDER,
    REGISTERS,
    ROW,
    RUN,
    START,
    STATE,
    card,
    evidence,
    marker,
    register,
    said,
    with_start,
)
from tests.messages import NOW_MS, NOW_S

ONE = "1 of the last 1 pushes to cards, 3 s ago:"
HAS_GONE_OUT = "The newest state, published 4 min ago, has gone out to everybody."
WELL = evidence(card(), card(BENS, "ben"))


def heard(**counts: int) -> Outcomes:
    return Outcomes(3, NOW_MS - 3_000, tuple((kind.replace("__", ": "), count) for kind, count in counts.items()))


# --- does it show


def test_where_all_is_well_that_is_all_that_is_said() -> None:
    assert said(WELL) == ["It should show on 2 of 2 phones.", HAS_GONE_OUT]


def test_a_phone_that_does_without_is_named_as_logs_name_it() -> None:
    assert said(evidence(card(), marker(BENS, "ben"))) == [
        "It should show on 1 of 2 phones.",
        (
            "ben's phone b2b2b2b2: started 4 min ago, and no card reported. The device's budget for starts is spent, the user "
            "has Live Activities off, the attributes or the state don't decode, or the app never reported the card."
        ),
        HAS_GONE_OUT,
    ]


def test_a_user_without_a_phone_is_named_though_there_is_no_phone_to_count() -> None:
    headline, bens, *_ = said(evidence(card()))

    assert headline == "It should show on 1 of 1 phone."
    assert bens.startswith("ben: no phone with a start token for OrderAttributes: older than iOS 17.2,")


@pytest.mark.parametrize(("count", "lines"), [(NAMED_MAX, NAMED_MAX), (NAMED_MAX + 1, 1)])
def test_many_phones_of_one_kind_are_counted(count: int, lines: int) -> None:
    phones = tuple(Phone(f"{number:032}", "ana", Environment.PRODUCTION) for number in range(count))
    started = [marker(phone.phone, at_ms=NOW_MS - (5 + number) * MINUTE_MS) for number, phone in enumerate(phones)]

    told = [one for one in said(evidence(*started, phones=phones)) if "no card reported" in one]

    assert len(told) == lines
    # The youngest of them: even that one is overdue.
    assert lines > 1 or told[0].startswith(f"{count} phones: started 5 min ago")


def test_more_than_was_looked_at_is_said_so() -> None:
    assert (
        said(replace(WELL, cut=True))[0] == "It should show on 2 of the 2 phones that were looked at; there are more."
    )


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (
            evidence(row=Row(ORDER, Registers(state=STATE), revision=3, sent_revision=3)),
            "It should show nowhere: no phone has a card of it, and its start names nobody.",
        ),
        (
            evidence(row=with_start(users=[], audience="team-42")),
            "It should show nowhere: no phone has a card of it, and no phone that its start names can be started.",
        ),
        (
            evidence(card(), row=Row(ORDER, Registers(guests=REGISTERS.guests), revision=1)),
            "It should show nowhere: neither a start nor a state of it has been published.",
        ),
        (
            evidence(card(), row=replace(ROW, registers=replace(REGISTERS, state=None))),
            "It should show nowhere: it has no content-state yet.",
        ),
        (
            evidence(card(), row=replace(ROW, registers=replace(REGISTERS, end=register({}, NOW_MS - 9_000)))),
            "It ended 9 s ago: it shows nowhere, but for what iOS keeps until its dismissal.",
        ),
    ],
    ids=["nobody", "no followers", "guests alone", "no state", "ended"],
)
def test_what_shows_nowhere_is_said_first(found: Evidence, headline: str) -> None:
    assert said(found)[0] == headline


def test_of_what_ended_nobody_asks_why_a_phone_does_without() -> None:
    ended = replace(ROW, registers=replace(REGISTERS, end=register({}, NOW_MS - 9_000)))

    assert said(evidence(marker(), row=ended))[1:] == ["The end, published 9 s ago, has gone out to everybody."]


WORDS = {
    Why.NO_CARD: "started 4 min ago, and no card reported.",
    Why.UNCONFIRMED: "a start set out 4 min ago, Apple's answer was lost, and no card is reported. It counts as sent;",
    Why.DEAD_TOKEN: "Apple called its card's token dead 4 min ago: the app was removed, the card is over, or the token changed",
    Why.NO_TOKEN: "its card, registered 4 min ago, has no update token, and it is on no channel: the app must pass on",
    Why.CANT_START: "it can't be started by push: attributes-type, content-state or an alert with title or body is missing",
    Why.TO_BE_STARTED: "its start has not gone out: it is under way, waits in a queue, or failed (look at the dead letters).",
    Why.NO_START_TOKEN: "no phone with a start token for OrderAttributes: older than iOS 17.2, Live Activities off,",
    Why.OLD_START_TOKEN: "its last report doesn't list the start token that we know: the app must report the new one.",
    Why.EARLIER_RUN: "it has a card of an earlier run alone, and no start token to start this one with.",
    Why.NOT_A_GUEST: "its user is not among the guests, and is told nothing.",
    Why.NOT_FOLLOWING: "by its last report it doesn't follow None any more.",
    Why.OTHER_USER: "somebody else has signed in on it since.",
    Why.SIGNED_OUT: "nobody is signed in on it.",
    Why.DISMISSED: "its card went 4 min ago: the user swiped it away, or a report didn't list it any more. This run is not",
    Why.GONE: "it had a card, and its last report doesn't list it any more: it was swiped away, or is over.",
    Why.JUST_STARTED: "started 4 min ago; its app has not reported the card yet.",
    Why.ON_CHANNEL: "it should show.",
    Why.SHOWS: "it should show.",
}


@pytest.mark.parametrize("why", Why)
def test_each_reason_has_its_words(why: Why) -> None:
    assert why_not(why, ROW, NOW_MS - 4 * MINUTE_MS, NOW_MS).startswith(WORDS[why])


def test_who_does_not_follow_is_told_what() -> None:
    assert "follow team-42 any" in why_not(Why.NOT_FOLLOWING, with_start(audience="team-42"), 0, NOW_MS)


# --- has it gone out


def owing(**more: int) -> Row:
    return replace(ROW, **{"revision": 4, **more})  # type: ignore[arg-type]  # all of these are numbers


HAS_NOT = "The newest state, published 4 min ago, has not gone out to everybody"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (owing(due_at_ms=NOW_MS + 1_500), f"{HAS_NOT}: it waits for the pace, and sets out in 2 s."),
        (owing(due_at_ms=NOW_MS - 1), f"{HAS_NOT}: it waits for the pace, and sets out in 0 s."),
        (owing(claimed_revision=4, delivered_at_ms=NOW_MS - UNDER_WAY_MS + 1), f"{HAS_NOT}: it set out 59 s ago."),
        (
            owing(claimed_revision=4, delivered_at_ms=NOW_MS - UNDER_WAY_MS),
            f"{HAS_NOT}, and nothing tells that it is under way: look at the age of the queues, and at the dead letters.",
        ),
        (
            owing(delivered_at_ms=NOW_MS),
            f"{HAS_NOT}, and nothing tells that it is under way: look at the age of the queues, and at the dead letters.",
        ),
    ],
    ids=["due", "overdue", "under way", "lost", "not claimed"],
)
def test_what_has_not_gone_out_is_said_and_what_it_waits_for(row: Row, sentence: str) -> None:
    assert said(evidence(card(), row=row))[-1] == sentence


def known(prefix: str, revision: int, *, done: bool, cards: Outcomes | None = None) -> Known:
    return Known(Slice(prefix, RUN, revision=revision, done=done, cards=cards), 0, split=False)


def test_of_a_big_audience_it_is_told_how_many_slices_have_it() -> None:
    """What goes out in slices is owed no more once they are queued."""
    slices = (known("0", 3, done=True), known("1", 3, done=False), known("2", 2, done=True))

    told = said(replace(WELL, row=replace(ROW, shards=64), slices=slices))

    assert told[1:] == ["The newest state, published 4 min ago, is going out: 1 of 3 slices have it."]
    assert said(replace(WELL, slices=slices[:1])) == said(WELL)


# --- what Apple said


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            heard(Accepted=4, Unregistered=1),
            (
                "1 of the last 5 pushes to cards, 3 s ago: rejected with Unregistered (The device token is inactive for the "
                "specified topic); forgotten: the app was removed, the card is over, or the token changed."
            ),
        ),
        (
            heard(BadDeviceToken=2),
            (
                "2 of the last 2 pushes to cards, 3 s ago: rejected with BadDeviceToken (The device token is invalid or of the "
                "other environment); the phone said the wrong environment, or the token is no more."
            ),
        ),
        (
            heard(InvalidProviderToken=1),
            (
                f"{ONE} rejected with InvalidProviderToken (The provider token is not valid); "
                "nothing goes out until the key, its team or the topic is right (make key)."
            ),
        ),
        (
            heard(DeviceTokenNotForTopic=1),
            (
                f"{ONE} rejected with DeviceTokenNotForTopic (The device token doesn't match "
                "the specified topic); not tried again: is BundleId this app's, and the payload right?"
            ),
        ),
        (
            heard(ServiceUnavailable=1),
            f"{ONE} rejected with ServiceUnavailable (The service is unavailable); tried again.",
        ),
        (
            heard(ExpiredProviderToken=1),
            (
                f"{ONE} rejected with ExpiredProviderToken (The provider token is stale); tried "
                "again with a new provider token."
            ),
        ),
        (
            heard(Unanswered=1),
            (
                f"{ONE} no answer from Apple (a firewall, DNS, Apple down?); tried again, but "
                "for a start that may have been taken."
            ),
        ),
        (
            heard(Surprise=1),
            f"{ONE} rejected with Surprise, which this release doesn't know; the log of push names its status.",
        ),
        (
            heard(others=1),
            f"{ONE} rejected for several other reasons; the log of push names each.",
        ),
        (
            heard(Accepted=4, broadcast__ChannelNotRegistered=1),
            (
                "1 of the last broadcasts, 3 s ago: rejected with ChannelNotRegistered (The channel doesn't exist); the channel "
                "is given up, and a new run makes another."
            ),
        ),
    ],
    ids=lambda value: value.counts[-1][0] if isinstance(value, Outcomes) else "",
)
def test_what_apple_did_not_take_is_told_with_what_becomes_of_it(counts: Outcomes, sentence: str) -> None:
    assert said(replace(WELL, cards_heard=counts))[-1] == sentence


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (heard(Accepted=2), "2 of 2 phones."),
        # Whose token was forgotten is not among those that should show it.
        (heard(Accepted=2, Unregistered=1, BadDeviceToken=1), "2 of 2 phones."),
        (heard(Accepted=2, broadcast__Unanswered=1), "2 of 2 phones."),
        (heard(DeviceTokenNotForTopic=2), "2 of 2 phones, but Apple did not take 2 of the last 2 pushes at once."),
        (heard(Accepted=1, Unanswered=1), "2 of 2 phones, but Apple did not take 1 of the last 2 pushes at once."),
    ],
)
def test_a_state_that_apple_did_not_take_is_said_in_the_first_sentence(counts: Outcomes, words: str) -> None:
    assert said(replace(WELL, cards_heard=counts))[0] == f"It should show on {words}"
    assert said(replace(WELL, cards_heard=replace(counts, revision=2)))[0] == "It should show on 2 of 2 phones."


def test_what_apple_took_is_not_worth_a_sentence() -> None:
    assert said(
        replace(WELL, cards_heard=heard(Accepted=2, broadcast__Accepted=1), starts_heard=heard(Accepted=2))
    ) == said(WELL)


def test_starts_that_apple_did_not_take_are_told_apart() -> None:
    assert said(replace(WELL, starts_heard=heard(PayloadTooLarge=1)))[-1].startswith(
        "1 of the last 1 starts, 3 s ago: rejected"
    )


def test_what_became_of_an_earlier_run_is_old_news() -> None:
    assert (
        said(
            replace(WELL, row=replace(ROW, run_revision=4, revision=4, sent_revision=4), cards_heard=heard(Surprise=1))
        )[2:]
        == []
    )


def test_of_a_big_audience_the_slices_of_the_newest_state_add_up() -> None:
    old, new = Outcomes(3, 1, (("Accepted", 9),)), Outcomes(4, 2, (("Accepted", 2), ("Unregistered", 1)))
    slices = (
        known("0", 4, done=True, cards=new),
        known("1", 3, done=True, cards=old),
        known("2", 4, done=True, cards=new),
    )

    assert heard_by_cards(evidence(cards_heard=old, slices=slices)) == Outcomes(
        4, 2, (("Accepted", 4), ("Unregistered", 2))
    )
    assert heard_by_cards(evidence(cards_heard=old)) == old
    assert heard_by_cards(evidence(cards_heard=new, slices=slices[1:2])) == new
    assert heard_of_starts(evidence(starts_heard=old, slices=slices)) == old


# --- what else may keep it from showing


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            replace(ROW, registers=replace(REGISTERS, start=register(START.value, NOW_MS - 8 * 3600 * 1000))),
            "Its start is more than eight hours old: Apple has ended its cards.",
        ),
        (
            replace(ROW, registers=replace(REGISTERS, state=register({**STATE.value, "stale-date": NOW_S - 30}))),
            "Its stale-date was 30 s ago: iOS shows it as outdated.",
        ),
        (
            replace(ROW, lowered=True, spent=17),
            (
                "This hour's 15 silent updates with priority 10 are spent (17 so far): what follows goes out with 5, and iOS may "
                "show it later."
            ),
        ),
        (
            with_start(channel="latest"),
            (
                "Its start asks for a channel, and Apple has given none: everybody gets a token. Is the broadcast capability "
                "ticked on the App ID?"
            ),
        ),
    ],
    ids=["eight hours", "stale", "budget", "channel"],
)
def test_what_else_may_keep_it_from_showing_is_told(row: Row, sentence: str) -> None:
    assert said(replace(WELL, row=row))[-1] == sentence


CHANNEL = Channel(Environment.PRODUCTION, "c", RUN, Storage.LATEST)


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, registers=replace(REGISTERS, start=register(START.value, NOW_MS - 8 * 3600 * 1000 + 1))),
        replace(ROW, registers=replace(REGISTERS, state=register({**STATE.value, "stale-date": NOW_S + 1}))),
        # Of an hour that is over.
        replace(ROW, lowered=True, spent=17, hour=ROW.hour - 1),
        replace(with_start(channel="latest"), channels=(CHANNEL,)),
    ],
    ids=["eight hours", "stale", "budget", "channel"],
)
def test_and_not_before_it_does(row: Row) -> None:
    assert said(replace(WELL, row=row)) == said(WELL)


# --- how long


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_how_long_something_takes_is_said_in_one_unit(seconds: int, words: str) -> None:
    assert duration(seconds) == words
    assert ago(NOW_MS - seconds * 1000, NOW_MS) == f"{words} ago"
