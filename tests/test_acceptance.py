"""The metric PublishToAcceptance: how long news took to reach Apple, whoever brought it, and nothing but news."""

import json
import time
from typing import Any

import time_machine

from lockstep.apns import Environment
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.messages import end, start, update
from tests.pushing import ORDER, ask, now_ms, register_card, row, say, set_up_with, settle, started

# So long ago a publish was true that is said to be old here, and so long it may take.
OLD_MS, AMPLE_MS = 100_000, 60_000


def took_ms(stack: Stack) -> list[float]:
    """List what was noted, and forget it."""
    log = stack.functions["PushFunction"].log
    found = [json.loads(line) for line in log.lines if '"_aws"' in line]
    log.clear()
    return [value for line in found for value in line.get("PublishToAcceptance", ())]


def old_update(**more: Any) -> dict[str, Any]:
    return update(published_at_ms=now_ms() - OLD_MS, **more)


def cards(stack: Stack, count: int) -> None:
    for number in range(count):
        register_card(stack, f"device-{number}", stack.apns.issue_token(Environment.PRODUCTION))
    stack.functions["PushFunction"].log.clear()


def test_it_counts_from_the_publish_to_the_last_acceptance(stack: Stack) -> None:
    cards(stack, 2)

    say(stack, old_update())

    [one] = took_ms(stack)
    assert OLD_MS <= one < OLD_MS + AMPLE_MS


def test_an_update_that_waited_for_its_time_counts_from_its_own_publish(stack: Stack) -> None:
    with set_up_with(stack, MIN_UPDATE_INTERVAL_S="60"):
        cards(stack, 1)
        say(stack, update(minutes=9))
        assert len(took_ms(stack)) == 1

        say(stack, old_update(minutes=8), update(minutes=7, published_at_ms=now_ms()))
        assert took_ms(stack) == []
        with time_machine.travel(time.time() + 60, tick=True):
            settle(stack)
            [one] = took_ms(stack)

    assert 60_000 <= one < 60_000 + AMPLE_MS, "of the newest"


def test_each_page_of_a_big_audience_counts(stack: Stack) -> None:
    with set_up_with(stack, PAGE_PHONES="3", SLICE_PHONES="10"):
        cards(stack, 12)
        say(stack, old_update())
        assert took_ms(stack) == [], "none of it was pushed yet"
        settle(stack)

    noted = took_ms(stack)
    assert len(noted) >= 12 / 6
    assert all(OLD_MS <= one < OLD_MS + AMPLE_MS for one in noted)


def test_a_phone_that_registers_late_is_not_news(stack: Stack) -> None:
    say(stack, old_update())

    cards(stack, 1)
    ask(stack, "device-0/cards/card-1", {"activity": ORDER, "token": stack.apns.issue_token(Environment.PRODUCTION)})

    assert [push.status for push in stack.apns.pushes] == [200, 200]
    assert took_ms(stack) == []


def test_neither_is_a_retry(stack: Stack) -> None:
    cards(stack, 1)
    stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable"))

    say(stack, old_update())
    settle(stack)

    assert [push.status for push in stack.apns.pushes] == [503, 200]
    assert took_ms(stack) == []


def test_a_start_counts_too(stack: Stack) -> None:
    started(stack, "ana")
    stack.functions["PushFunction"].log.clear()

    say(stack, start("order-43", "ana", published_at_ms=int(time.time() * 1000) - OLD_MS))

    [one] = took_ms(stack)
    assert OLD_MS <= one < OLD_MS + AMPLE_MS


def test_a_new_run_is_news_though_the_last_one_s_end_was_said_again(stack: Stack) -> None:
    started(stack, "ana")
    say(stack, end())
    settle(stack)
    with time_machine.travel(time.time() + 601, tick=True):
        stack.functions["SweepFunction"].invoke({})
        settle(stack)
        assert row(stack).repeats == 1
        say(stack, start(ORDER, "ana"))
        settle(stack)
        stack.functions["PushFunction"].log.clear()

        say(stack, update(minutes=3))

        assert len(took_ms(stack)) == 1
    # What was signed with a later date is of no use today.
    stack.functions["PushFunction"].restart()
    stack.functions["SweepFunction"].restart()
