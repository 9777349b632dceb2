"""One run of an activity makes one card on a phone, whatever comes twice, late, or at the same moment."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lockstep.apns import Environment
from onebox.lock_screen import CardState
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import DRIVER, end, start, update
from tests.pushing import ORDER, ask, minutes, now_ms, pushed, row, say, settle, started


def cards(phone: Phone) -> list[CardState]:
    return [card.state(now_ms() / 1000) for card in phone.cards]


def anew(published_ms: int, minutes: int = 30) -> dict[str, Any]:
    """A start as another producer would say it."""
    state = {"content-state": {"driver": "Ana", "minutes": minutes}}
    return start(ORDER, "ana", aps=state, published_at_ms=published_ms)


# --- starts that come twice


def test_a_start_that_sqs_delivers_again_makes_no_second_card(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    body, sent_at_ms = start(ORDER, "ana"), now_ms()

    for _ in range(3):
        assert say(stack, body, sent_at_ms=sent_at_ms) == []
        settle(stack)

    assert cards(ana) == [CardState.ACTIVE]
    assert pushed(stack) == [("start", 200)]


def test_a_redriven_start_makes_no_second_card(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    say(stack, start(ORDER, "ana"), attributes={"published_at_ms": str(now_ms() - 60_000)})
    settle(stack)

    assert cards(ana) == [CardState.ACTIVE]
    assert pushed(stack) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_two_starts_of_one_run_in_either_order_make_one_card_with_the_newest_state(
    stack: Stack, order: tuple[int, int], together: bool
) -> None:
    """The run is that of the one that arrived first; the other only changes its state, so no marker is of another run."""
    ana = stack.phones.of("ana")
    settle(stack)
    at_ms = now_ms()
    both = [anew(at_ms - 1_000, minutes=30), anew(at_ms, minutes=25)]

    for bodies in [[both[i] for i in order]] if together else [[both[i]] for i in order]:
        say(stack, *bodies)
        settle(stack)

    assert cards(ana) == [CardState.ACTIVE]
    assert minutes(ana) == 25
    assert row(stack).run == (at_ms if together or order[0] else at_ms - 1_000)
    assert len(ana.starts(ORDER)) == 1


# --- cards that are gone


def test_a_swiped_card_does_not_come_back_in_its_run(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    ana.swipe(ORDER)
    settle(stack)

    say(stack, update(minutes=7))
    say(stack, start(ORDER, "ana"))
    settle(stack)
    ana.launch()
    settle(stack)

    assert cards(ana) == [CardState.DISMISSED]
    assert pushed(stack) == [], "nobody pushes to the card that is gone"


def test_a_card_swiped_while_the_app_was_dead_does_not_come_back_either(stack: Stack) -> None:
    """Nobody says so: Apple answers 410 to the next update."""
    [ana] = started(stack, "ana")
    ana.quit()
    ana.swipe(ORDER)

    say(stack, update(minutes=7))
    say(stack, start(ORDER, "ana"))
    say(stack, update(minutes=6))
    settle(stack)

    assert cards(ana) == [CardState.DISMISSED]
    assert pushed(stack) == [("update", 410)]


def test_a_card_of_the_apps_own_swiped_while_the_app_was_dead_does_not_come_back(stack: Stack) -> None:
    """No start left a marker; the report that leaves the card out is all that tells of it."""
    ana = stack.phones.of("ana")
    ana.start_card(ORDER)
    settle(stack)
    say(stack, start(ORDER, "ana"))
    settle(stack)
    ana.quit()
    ana.swipe(ORDER)

    ana.launch()
    settle(stack)
    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert cards(ana) == [CardState.DISMISSED]
    assert not ana.starts(ORDER)


@pytest.mark.parametrize("started_first", [True, False])
def test_a_card_of_the_apps_own_swiped_before_its_run_was_known_comes_back_neither_by_push_nor_by_the_app(
    stack: Stack, started_first: bool
) -> None:
    ana = stack.phones.of("ana", self_start=True)
    ana.start_card(ORDER)
    settle(stack)
    steps: list[Callable[[], object]] = [lambda: say(stack, start(ORDER, "ana")), lambda: ana.swipe(ORDER)]

    for step in steps if started_first else reversed(steps):
        step()
        settle(stack)
    ana.launch()
    settle(stack)

    assert cards(ana) == [CardState.DISMISSED]


def test_a_new_run_starts_on_a_phone_that_swiped_the_old_one_away(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    ana.swipe(ORDER)
    settle(stack)

    say(stack, end())
    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert cards(ana) == [CardState.DISMISSED, CardState.ACTIVE]


# --- cards that the app made


def test_a_card_that_the_app_started_at_the_same_moment_stays_the_only_one(stack: Stack) -> None:
    """The start was on its way before the app's card was registered: the app keeps one of the two, and it follows."""
    ana = stack.phones.of("ana")
    settle(stack)
    ana._line.hold()
    ana.start_card(ORDER)

    say(stack, start(ORDER, "ana"))
    ana._line.release()
    settle(stack)
    say(stack, update(minutes=7))
    settle(stack)

    assert sorted(cards(ana)) == [CardState.ACTIVE, CardState.DISCARDED]
    assert minutes(ana) == 7
    assert len(ana.starts(ORDER)) == 1


def test_a_phone_whose_app_has_registered_its_own_card_is_not_started(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    ana.start_card(ORDER)
    settle(stack)

    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert cards(ana) == [CardState.ACTIVE]
    assert minutes(ana) == 30
    assert not ana.starts(ORDER)


# --- cards that have no token yet


def test_what_is_published_while_a_card_has_no_token_yet_is_not_lost(stack: Stack) -> None:
    ask(stack, "a-phone/cards/card-1", {"activity": ORDER})
    for i in (9, 8, 7):
        say(stack, update(minutes=i))
    assert pushed(stack) == []

    ask(stack, "a-phone/cards/card-1", {"activity": ORDER, "token": stack.apns.issue_token(Environment.PRODUCTION)})

    [push] = stack.apns.pushes
    assert json.dumps(push.payload["aps"]["content-state"]) == json.dumps({"driver": DRIVER, "minutes": 7})


# --- ends


def test_a_card_that_registers_after_the_end_is_ended_and_nothing_follows(stack: Stack) -> None:
    say(stack, start(ORDER, "ana"))
    say(stack, end(aps={"content-state": {"driver": "Ana", "minutes": 0}}))
    stack.apns.clear()

    ask(stack, "a-phone/cards/card-1", {"activity": ORDER, "token": stack.apns.issue_token(Environment.PRODUCTION)})
    say(stack, update(minutes=7))
    settle(stack)

    [push] = stack.apns.pushes
    assert push.payload["aps"]["event"] == "end"
    assert push.payload["aps"]["content-state"] == {"driver": "Ana", "minutes": 0}
    assert push.payload["aps"]["dismissal-date"] > now_ms() / 1000


def test_nobody_is_started_after_the_end(stack: Stack) -> None:
    say(stack, start(ORDER, "ana", published_at_ms=now_ms() - 1_000), end())

    ana = stack.phones.of("ana", self_start=True)
    settle(stack)

    assert cards(ana) == []
    assert pushed(stack) == []
