"""What phones register, against moto: whose rows stand where, what is queued, what a crash leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.model import OperationModel

from lockstep import forgetting
from lockstep.apns import Environment
from lockstep.delivery import Audience, Delivery, Forgetting
from lockstep.dynamodb import write_batch
from lockstep.errors import Forbidden
from lockstep.forgetting import SECOND_LOOK_S
from lockstep.phones import Card, Follower, Marker
from lockstep.registration import START_GRACE_S
from lockstep.row import CARD_LIFE_S
from lockstep.shards import ACTIVITY_SHARDS, NAME_SHARDS, shard_of
from onebox.stack import Stack
from tests.messages import NOW_MS, end, start, update
from tests.phones_side import (
    DEVICE,
    ORDER,
    PHONE,
    START_TOKEN,
    START_TOKEN_2,
    TOKEN,
    TOKEN_2,
    TOKEN_3,
    TYPE,
    RegisterSide,
    catch_up,
    hooked,
)

CARD = {"card": "c-1", "activity": ORDER, "token": TOKEN}
CARD_2 = {"card": "c-2", "activity": "order-43", "token": TOKEN_2}
START = {"attributes_type": TYPE, "token": START_TOKEN}


@pytest.fixture
def side(stack: Stack) -> RegisterSide:
    return RegisterSide(stack)


def tokens_of(side: RegisterSide, activity: str = ORDER) -> list[str | None]:
    return [card.token for card in side.cards(activity)]


# --- a report's lists


def test_a_report_stores_the_phone_and_all_that_it_lists(side: RegisterSide) -> None:
    side.report(environment="sandbox", os_version="18.2", frequent_updates=False, cards=[CARD], start_tokens=[START])

    phone = side.phone()
    assert phone is not None
    assert (phone.owner, phone.environment, phone.os_version) == ("ana", Environment.SANDBOX, "18.2")
    assert phone.frequent_updates is False
    assert tokens_of(side) == [TOKEN]
    assert [one.token for one in side.start_tokens()] == [START_TOKEN]


def test_a_list_replaces_what_was_observed_before(side: RegisterSide) -> None:
    side.report(cards=[CARD, CARD_2])

    side.clock.advance(1)
    side.report(cards=[CARD])

    assert tokens_of(side) == [TOKEN]
    assert tokens_of(side, "order-43") == []


def test_an_absent_field_keeps_what_is_stored(side: RegisterSide) -> None:
    side.report(environment="sandbox", os_version="18.2", frequent_updates=False, cards=[CARD], start_tokens=[START])
    before = side.phone()

    at_ms = side.clock.advance(1)
    side.report()

    after = side.phone()
    assert before is not None
    assert after is not None
    assert (after.environment, after.os_version, after.frequent_updates) == (Environment.SANDBOX, "18.2", False)
    assert (after.cards_at_ms, after.start_tokens_at_ms, after.observed_at_ms) == (NOW_MS, NOW_MS, at_ms)
    assert tokens_of(side) == [TOKEN]
    assert [one.token for one in side.start_tokens()] == [START_TOKEN]


def test_an_empty_list_clears(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD], start_tokens=[START])
    assert side.pushable(row, "ana") == {("ana", TOKEN), ("ana", START_TOKEN)}

    side.clock.advance(1)
    side.report(cards=[], start_tokens=[])

    assert side.cards() == []
    assert side.start_tokens() == []


def test_what_a_list_left_out_is_not_pushed_even_where_the_index_lags(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD], start_tokens=[START])
    listed_at_ms = side.clock.advance(1)
    side.report(cards=[], start_tokens=[])

    # An index that lags finds no rows to delete; nor did it know these, which came late.
    side.put_card(token=TOKEN, observed_at_ms=listed_at_ms - 1)
    side.put_start_token(observed_at_ms=listed_at_ms - 1)

    assert tokens_of(side) == [TOKEN]
    assert side.pushable(row, "ana") == set()


def test_a_card_observed_after_the_list_stays(side: RegisterSide) -> None:
    side.clock.advance(10)
    side.put_card(token=TOKEN, observed_at_ms=NOW_MS + 5_000)

    side.report(at_ms=NOW_MS + 4_000, cards=[], start_tokens=[])

    assert tokens_of(side) == [TOKEN]
    assert side.pushable(side.publish(update()), "ana") == {("ana", TOKEN)}


def test_a_report_that_arrives_after_a_newer_token_does_not_bring_the_old_one_back(side: RegisterSide) -> None:
    side.clock.advance(10)
    side.put_card(token=TOKEN_2, observed_at_ms=NOW_MS + 5_000)
    side.put_start_token(token=START_TOKEN_2, observed_at_ms=NOW_MS + 5_000)

    with side.queueing() as queued:
        side.report(at_ms=NOW_MS + 4_000, cards=[CARD], start_tokens=[START])

    assert tokens_of(side) == [TOKEN_2]
    assert [one.token for one in side.start_tokens()] == [START_TOKEN_2]
    assert queued == []


@pytest.mark.parametrize(("later_ms", "stored"), [(-1, TOKEN), (0, TOKEN_2), (1, TOKEN_2)])
def test_a_token_is_stored_unless_a_later_one_is(side: RegisterSide, later_ms: int, stored: str) -> None:
    side.clock.advance(10)
    side.put_card(token=TOKEN, observed_at_ms=NOW_MS + 5_000)

    side.put_card(token=TOKEN_2, observed_at_ms=NOW_MS + 5_000 + later_ms)

    assert tokens_of(side) == [stored]


def test_an_older_report_leaves_what_the_phone_said_of_itself_since(side: RegisterSide) -> None:
    side.clock.advance(10)
    side.report(environment="sandbox", os_version="18.2", frequent_updates=True)

    side.report(at_ms=NOW_MS, environment="production", os_version="17.0", frequent_updates=False)

    phone = side.phone()
    assert phone is not None
    assert (phone.environment, phone.os_version, phone.frequent_updates) == (Environment.SANDBOX, "18.2", True)


def test_a_card_without_a_token_keeps_the_one_it_has(side: RegisterSide) -> None:
    side.put_card(token=TOKEN)

    side.clock.advance(1)
    side.report(cards=[{"card": "c-1", "activity": ORDER}])

    assert tokens_of(side) == [TOKEN]


def test_what_a_clock_says_of_the_future_counts_as_now(side: RegisterSide) -> None:
    side.report(at_ms=NOW_MS + 3_600_000, cards=[CARD])
    side.put_start_token(observed_at_ms=NOW_MS + 3_600_000)

    phone = side.phone()
    assert phone is not None
    assert (phone.observed_at_ms, phone.cards_at_ms) == (NOW_MS, NOW_MS)
    assert [card.observed_at_ms for card in side.cards()] == [NOW_MS]
    assert [one.observed_at_ms for one in side.start_tokens()] == [NOW_MS]

    side.clock.advance(1)
    side.put_card(token=TOKEN_2)
    assert tokens_of(side) == [TOKEN_2]


# --- what is queued, and answered


def test_a_new_token_is_caught_up_and_an_unchanged_one_is_not(side: RegisterSide) -> None:
    with side.queueing() as queued:
        side.report(cards=[CARD, CARD_2])
    assert queued == [catch_up(), catch_up("order-43")]

    side.clock.advance(1)
    with side.queueing() as queued:
        side.report(cards=[CARD, {**CARD_2, "token": TOKEN_3}])
    assert queued == [catch_up("order-43")]


def test_a_token_that_came_by_itself_is_not_caught_up_again_by_the_report(side: RegisterSide) -> None:
    with side.queueing() as queued:
        side.put_card(token=TOKEN)
        side.clock.advance(1)
        side.put_card(token=TOKEN)
        side.clock.advance(1)
        side.report(cards=[CARD])

    assert queued == [catch_up()]


def test_a_card_without_a_token_is_not_caught_up(side: RegisterSide) -> None:
    with side.queueing() as queued:
        side.put_card()
        side.report(cards=[{"card": "c-1", "activity": ORDER}])

    assert queued == []


def test_two_cards_of_one_activity_are_one_catch_up(side: RegisterSide) -> None:
    with side.queueing() as queued:
        side.report(cards=[CARD, {**CARD, "card": "c-2", "token": TOKEN_2}])

    assert queued == [catch_up()]


@pytest.mark.parametrize(("later_s", "queued_then"), [(CARD_LIFE_S - 1, 0), (CARD_LIFE_S, 1)])
def test_a_card_that_had_expired_is_caught_up_again(side: RegisterSide, later_s: int, queued_then: int) -> None:
    side.report(cards=[CARD])

    side.clock.advance(later_s)
    with side.queueing() as queued:
        side.report(cards=[CARD])

    assert len(queued) == queued_then
    assert tokens_of(side) == [TOKEN]


def test_a_token_that_is_alive_after_all_is_caught_up_again(side: RegisterSide) -> None:
    side.put_card(token=TOKEN)
    [card] = side.cards()
    assert side.tokens.forget(card, dead_at_ms=NOW_MS + 1)

    side.clock.advance(1)
    with side.queueing() as queued:
        side.report(cards=[CARD])

    assert queued == [catch_up()]


def test_a_start_token_has_wanted_activities_started_once_the_app_had_its_chance(side: RegisterSide) -> None:
    side.publish(start(ORDER, "ana"))
    side.publish(start("of-another-type", "ana", aps={"attributes-type": "MatchAttributes"}))
    side.publish(start("of-ben", "ben"))
    side.publish(start("over", "ana"))
    side.clock.advance(1)
    side.publish(end("over"))

    with side.queueing() as queued:
        side.put_start_token()
    assert queued == [(Delivery(ORDER, Audience.STARTS, phones=(PHONE,)), START_GRACE_S)]

    with side.queueing() as queued:
        side.report(start_tokens=[START], cards=[])
    assert queued == [(Delivery(ORDER, Audience.STARTS, phones=(PHONE,)), START_GRACE_S)]


def test_a_report_that_shows_the_activity_asks_for_no_start(side: RegisterSide) -> None:
    side.publish(start(ORDER, "ana"))

    with side.queueing() as queued:
        side.report(start_tokens=[START], cards=[CARD])

    assert queued == [catch_up()]


def test_a_report_answers_the_activities_of_its_cards_and_those_that_want_the_user(side: RegisterSide) -> None:
    wanted = side.publish(start(ORDER, "ana"))
    side.publish(start("order-43"))
    side.clock.advance(1)
    ended = side.publish(end("order-43"))
    side.publish(start("of-nobody"))

    rows = side.report(cards=[CARD_2, {**CARD, "activity": "unheard-of"}])

    assert rows == [ended, wanted]


# --- runs


def test_a_card_without_a_run_belongs_to_the_runs_of_now(side: RegisterSide) -> None:
    row = side.publish(start(ORDER))

    side.put_card(token=TOKEN)
    side.put_card(card="c-2", token=TOKEN_2, run=7)

    assert {card.card: card.run for card in side.cards()} == {"c-1": row.run, "c-2": 7}


def test_a_card_that_registers_before_its_activity_belongs_to_the_first_run(side: RegisterSide) -> None:
    side.put_card(token=TOKEN)

    first = side.publish(start(ORDER))
    [card] = side.cards()
    assert first.is_of_run(card.run)

    side.clock.advance(1)
    side.publish(end(ORDER))
    side.clock.advance(1)
    assert not side.publish(start(ORDER)).is_of_run(card.run)


def test_a_card_does_not_slip_into_a_later_run_by_being_listed_again(side: RegisterSide) -> None:
    first = side.publish(start(ORDER))
    side.report(cards=[CARD])
    side.clock.advance(1)
    side.publish(end(ORDER))
    side.clock.advance(1)
    second = side.publish(start(ORDER))
    assert second.run > first.run

    side.report(cards=[CARD])
    side.put_card(token=TOKEN)

    assert [card.run for card in side.cards()] == [first.run]


# --- guests


def test_a_stranger_may_not_register_a_card(side: RegisterSide) -> None:
    side.publish(start(ORDER, guests=["ana"]))

    with pytest.raises(Forbidden) as refused:
        side.put_card("ben", token=TOKEN)

    assert refused.value.field == "activity"
    assert side.cards() == []
    assert side.phone() is None


def test_a_report_passes_over_the_card_of_an_activity_that_is_not_the_users(side: RegisterSide) -> None:
    side.publish(start(ORDER, guests=["ana"]))
    mine = side.publish(start("order-43", guests=["ben"]))

    with side.queueing() as queued:
        rows = side.report("ben", cards=[CARD, CARD_2])

    assert rows == [mine]
    assert side.cards() == []
    assert queued == [catch_up("order-43")]


# --- phones that change hands


def test_a_phone_that_changes_hands_forgets_the_former_user(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD], start_tokens=[START])
    side.tokens.put_markers([Marker(ORDER, PHONE, "ana", row.run, 1)], now_s=side.clock.s, now_ms=side.clock.ms)

    at_ms = side.clock.advance(1)
    with side.queueing() as queued:
        side.report("ben", cards=[])

    assert side.owners() == {"ben"}
    assert queued == [(Forgetting("ana", PHONE, at_ms, observed_before_ms=at_ms + 1), SECOND_LOOK_S)]


@pytest.mark.parametrize(
    "put",
    [
        lambda side: side.report("ben"),
        lambda side: side.put_card("ben", activity="order-43", token=TOKEN_2),
        lambda side: side.put_start_token("ben", START_TOKEN_2),
    ],
    ids=["report", "card", "start token"],
)
def test_a_former_users_rows_are_not_pushed_even_before_they_are_deleted(
    side: RegisterSide, put: Callable[[RegisterSide], None]
) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD], start_tokens=[START])
    assert len(side.pushable(row, "ana")) == 2
    side.clock.advance(1)

    def die(**_: object) -> None:
        raise Died

    # The deletion dies at once.
    with pytest.raises(Died), hooked(side.stack, "before-call.sqs.SendMessageBatch", die):
        put(side)

    assert "ana" in side.owners()
    assert side.pushable(row, "ana") == set()


def test_a_card_that_stays_on_the_phone_becomes_the_new_users(side: RegisterSide) -> None:
    row = side.publish(start(ORDER))
    side.report(cards=[CARD])

    side.clock.advance(1)
    with side.queueing() as queued:
        side.report("ben", cards=[CARD])

    assert side.pushable(row) == {("ben", TOKEN)}
    assert catch_up() in queued


def test_an_older_put_by_a_former_owner_changes_nothing(side: RegisterSide) -> None:
    side.publish(start(ORDER, "ana", "ben"))
    side.clock.advance(10)
    side.report("ben", cards=[CARD_2])
    before = side.stack.aws.items(side.stack.aws.tables["TokensTable"])

    with side.queueing() as queued:
        assert side.report("ana", at_ms=NOW_MS + 9_999, cards=[CARD], start_tokens=[START]) == []
        side.put_card("ana", token=TOKEN, observed_at_ms=NOW_MS + 9_999)
        side.put_start_token("ana", observed_at_ms=NOW_MS + 9_999)

    assert side.stack.aws.items(side.stack.aws.tables["TokensTable"]) == before
    assert queued == []


def test_a_put_from_before_the_sign_out_does_not_sign_in_again(side: RegisterSide) -> None:
    side.report(cards=[CARD])
    side.clock.advance(10)
    side.registration.sign_out("ana", DEVICE)

    side.put_card(token=TOKEN, observed_at_ms=NOW_MS + 9_999)
    assert side.cards() == []

    side.put_card(token=TOKEN, observed_at_ms=NOW_MS + 10_001)
    assert tokens_of(side) == [TOKEN]


def test_a_slow_clock_does_not_shut_the_next_user_out(side: RegisterSide) -> None:
    """The phone's clock is an hour behind ours."""
    hour_ms = 3_600_000
    row = side.publish(start(ORDER))
    side.report(cards=[CARD], at_ms=NOW_MS - hour_ms)
    side.clock.advance(10)
    side.registration.sign_out("ana", DEVICE, observed_at_ms=NOW_MS - hour_ms + 10_000)
    side.clock.advance(1)

    side.put_card("ana", token=TOKEN_2, observed_at_ms=NOW_MS - hour_ms + 9_999)
    assert side.pushable(row) == set(), "a put from before the sign-out"
    side.report("ben", cards=[CARD], at_ms=NOW_MS - hour_ms + 11_000)

    assert side.pushable(row) == {("ben", TOKEN)}


def test_a_sign_out_counts_even_if_the_phones_clock_was_set_back(side: RegisterSide) -> None:
    row = side.publish(start(ORDER))
    side.report(cards=[CARD])
    side.clock.advance(10)

    side.registration.sign_out("ana", DEVICE, observed_at_ms=NOW_MS - 60_000)

    assert side.pushable(row) == set()
    assert side.owners() == set()


@pytest.mark.parametrize("observed_at_ms", [None, NOW_MS + 3_600_000])
def test_a_sign_out_dated_by_our_clock_counts_as_now(side: RegisterSide, observed_at_ms: int | None) -> None:
    side.report(cards=[CARD])
    side.clock.advance(10)

    side.registration.sign_out("ana", DEVICE, observed_at_ms=observed_at_ms)

    phone = side.phone()
    assert phone is not None
    assert (phone.owner, phone.observed_at_ms) == (None, NOW_MS + 10_000)


def test_a_phone_may_come_back_to_its_former_user(side: RegisterSide) -> None:
    row = side.publish(start(ORDER))
    with side.queueing() as queued:
        for user in ("ana", "ben", "ana"):
            side.clock.advance(1)
            side.report(user, cards=[CARD])
    for message, _ in queued:
        if isinstance(message, Forgetting):
            forgetting.forget(side.tokens, message)

    assert side.pushable(row) == {("ana", TOKEN)}
    assert side.owners() == {"ana"}


# --- cards that go


def test_a_card_is_removed_alone(side: RegisterSide) -> None:
    side.report(cards=[CARD, {**CARD, "card": "c-2", "token": TOKEN_2}])

    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=False)

    assert [card.card for card in side.cards()] == ["c-2"]
    assert side.markers() == []


def test_a_card_of_another_user_or_phone_is_not_removed(side: RegisterSide) -> None:
    side.report(cards=[CARD])

    side.registration.remove_card("ben", DEVICE, "c-1", dismissed=True)
    side.registration.remove_card("ana", "another-phone", "c-1", dismissed=True)
    side.registration.remove_card("ana", DEVICE, "c-9", dismissed=True)

    assert tokens_of(side) == [TOKEN]
    assert side.markers() == []


def test_a_dismissed_card_leaves_a_marker_of_its_run(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD])

    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=True)

    assert side.cards() == []
    assert side.markers() == [Marker(ORDER, PHONE, "ana", row.run, revision=0, confirmed=True)]


def test_dismissing_an_earlier_runs_card_does_not_have_the_new_run_started_twice(side: RegisterSide) -> None:
    earlier = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD])
    newer = Marker(ORDER, PHONE, "ana", earlier.run + 1, revision=3, confirmed=True)
    side.tokens.put_markers([newer], now_s=side.clock.s, now_ms=side.clock.ms)

    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=True)

    assert side.cards() == []
    assert side.markers() == [newer]


# --- activities that grew


def test_a_report_takes_cards_along_to_where_their_activity_has_grown(side: RegisterSide) -> None:
    earlier = side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD])
    side.clock.advance(1)
    side.publish(end())
    side.clock.advance(1)
    later = side.publish(start(ORDER, "ana"))
    side.activities.grow(ORDER, ACTIVITY_SHARDS)

    side.clock.advance(1)
    with side.queueing() as queued:
        side.report(cards=[CARD])

    [card] = side.cards()
    assert card.shard == shard_of(PHONE, ACTIVITY_SHARDS) != 0
    assert card.run == earlier.run != later.run, "its run was known, though this report doesn't say it"
    assert [row for row in side.tokens.of_phone(PHONE) if isinstance(row, Card)] == [card]
    assert catch_up() in queued


def test_a_card_of_an_activity_that_grew_is_stored_in_its_shard_and_leaves_its_marker_there(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    side.activities.grow(ORDER, ACTIVITY_SHARDS)
    side.put_card(token=TOKEN)
    [card] = side.cards()

    side.registration.remove_card("ana", DEVICE, "c-1", dismissed=True)

    shard = shard_of(PHONE, ACTIVITY_SHARDS)
    assert card.shard == shard
    assert side.cards() == []
    assert side.markers() == [Marker(ORDER, PHONE, "ana", row.run, revision=0, confirmed=True, shard=shard)]


def test_a_card_left_out_of_the_list_goes_wherever_it_is(side: RegisterSide) -> None:
    side.publish(start(ORDER, "ana"))
    side.report(cards=[CARD])
    side.activities.grow(ORDER, ACTIVITY_SHARDS)
    side.put_card(card="c-2", token=TOKEN_2)

    side.clock.advance(1)
    side.report(cards=[])

    assert side.cards() == []


def test_who_follows_a_name_is_noted_once_wherever_an_earlier_release_did(side: RegisterSide) -> None:
    side.followers.put([Follower("team-42", PHONE, "ana", side.clock.ms, side.clock.ms)], now_s=side.clock.s)

    side.clock.advance(1)
    side.report(follows=["team-42"])

    [follower] = [row for row in side.tokens.of_phone(PHONE) if isinstance(row, Follower)]
    assert follower.shard == shard_of(PHONE, NAME_SHARDS) != 0


# --- crashes


class Died(Exception):
    """The function died here."""


type Act = Callable[[RegisterSide], object]


def _truth(side: RegisterSide) -> None:
    side.report("ben", cards=[CARD, CARD_2], start_tokens=[START], environment="sandbox")


def _nothing(side: RegisterSide) -> None:
    pass


def _foreground(side: RegisterSide) -> None:
    side.report("ben")


def _of_ana(side: RegisterSide) -> None:
    third = {"card": "c-3", "activity": ORDER, "token": TOKEN_3}
    side.report("ana", cards=[third], start_tokens=[{**START, "token": START_TOKEN_2}])


def _of_ben(side: RegisterSide) -> None:
    side.report("ben", cards=[CARD, {**CARD_2, "token": TOKEN_3}], start_tokens=[START])


def _of_ben_grown(side: RegisterSide) -> None:
    _of_ben(side)
    side.activities.grow(ORDER, ACTIVITY_SHARDS)


REQUESTS: dict[str, tuple[Act, Act, Act]] = {
    # Name: what was before, the request, what the app says when it comes to the foreground next.
    "report of a phone that changes hands": (_of_ana, _truth, _nothing),
    "card": (_of_ben, lambda side: side.put_card("ben", token=TOKEN_2), _nothing),
    "card whose activity grew": (_of_ben_grown, lambda side: side.put_card("ben", token=TOKEN), _nothing),
    "report of a card whose activity grew": (_of_ben_grown, _truth, _nothing),
    "start token": (_of_ben, lambda side: side.put_start_token("ben", START_TOKEN_2), _nothing),
    "card of a phone that changes hands": (_of_ana, lambda side: side.put_card("ben", token=TOKEN), _foreground),
    "dismissed card": (
        _of_ben,
        lambda side: side.registration.remove_card("ben", DEVICE, "c-1", dismissed=True),
        _nothing,
    ),
    "sign-out": (_of_ben, lambda side: side.registration.sign_out("ben", DEVICE), _nothing),
    "forget me": (_of_ben, lambda side: side.registration.forget_user("ben"), _nothing),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_died_anywhere_is_mended_by_its_repetition(side: RegisterSide, name: str) -> None:
    before, request, afterwards = REQUESTS[name]
    trial = Trial(side, before)

    calls = trial.attempt(request)
    trial.attempt(afterwards)
    trial.second_look()
    allowed, clean, queued = trial.pushable_before | trial.pushable(), trial.table(), trial.queued

    assert calls > 2
    for n in range(calls):
        trial.begin()
        trial.attempt(request, dies_at=n)

        left = trial.pushable()
        assert len({owner for owner, _ in left}) <= 1, n
        assert left <= allowed, n

        trial.attempt(request)
        trial.attempt(afterwards)
        trial.second_look()
        assert trial.table() == clean, n
        assert {one for one in trial.queued if isinstance(one, Delivery)} == {
            one for one in queued if isinstance(one, Delivery)
        }, n


class Trial:
    """Requests that die or don't, from the same beginning each time."""

    def __init__(self, side: RegisterSide, before: Act) -> None:
        self._side = side
        self._name = side.stack.aws.tables["TokensTable"]
        self._row = side.publish(start(ORDER, "ana", "ben"))
        before(side)
        self._began_ms = side.clock.advance(5)
        self._beginning = side.stack.aws.items(self._name)
        self.queued: set[Delivery | Forgetting] = set()
        self.pushable_before = self.pushable()

    def begin(self) -> None:
        """Put everything back as it was."""
        keys = [{name: item[name] for name in ("audience", "phone")} for item in self._side.stack.aws.items(self._name)]
        client = self._side.stack.aws.dynamodb
        write_batch(client, self._name, [{"DeleteRequest": {"Key": key}} for key in keys])
        write_batch(client, self._name, [{"PutRequest": {"Item": item}} for item in self._beginning])
        self._side.clock.ms = self._began_ms
        self.queued = set()

    def attempt(self, act: Act, *, dies_at: int | None = None) -> int:
        """Make a request, which dies before its n-th call to AWS; returns how many calls it made."""
        calls = 0
        queued: list[tuple[Delivery | Forgetting, int]]

        def count(model: OperationModel, **_: object) -> None:
            nonlocal calls
            if calls == dies_at:
                raise Died
            calls += 1
            if model.name == "SendMessageBatch":
                self.queued |= {message for message, _ in queued}

        with self._side.queueing() as queued, hooked(self._side.stack, "before-call", count):
            if dies_at is None:
                act(self._side)
            else:
                with pytest.raises(Died):
                    act(self._side)
        return calls

    def second_look(self) -> None:
        """Do what push does with the messages that ask to forget."""
        for message in self.queued:
            if isinstance(message, Forgetting):
                forgetting.forget(self._side.tokens, message)

    def pushable(self) -> set[tuple[str, str]]:
        return self._side.pushable(self._row, "ana", "ben")

    def table(self) -> list[dict[str, Any]]:
        items = self._side.stack.aws.items(self._name)
        for item in items:
            item.pop("writes", None)
        return sorted(items, key=lambda item: (item["audience"]["S"], item["phone"]["S"]))
