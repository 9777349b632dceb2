"""Who may follow an activity where the stack requires that guests are named: they, and nobody else ever."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockstep.apns import Environment
from onebox.stack import Stack
from tests.messages import end, start, update
from tests.pushing import ORDER, ask, now_ms, pushed, refused, register_card, say


@pytest.fixture(scope="module")
def strict_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    parameters = {"RequireGuests": "true", "MinUpdateInterval": "0"}
    with Stack(tmp_path_factory.mktemp("strict"), polling=False, parameters=parameters) as stack:
        yield stack


@pytest.fixture
def strict(strict_stack: Stack) -> Stack:
    strict_stack.reset()
    return strict_stack


def has_card(stack: Stack, user: str) -> str:
    token = stack.apns.issue_token(Environment.PRODUCTION)
    register_card(stack, f"phone-of-{user}", token, user)
    return token


def report(stack: Stack, user: str) -> list[dict[str, Any]]:
    connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)
    body = {"observed_at_ms": now_ms(), "cards": [{"card": "card-1", "activity": ORDER}]}
    headers = {"Authorization": f"Bearer {stack.identity.token(user)}", "Content-Type": "application/json"}
    connection.request("PUT", f"/v1/devices/phone-of-{user}", json.dumps(body), headers)
    answer: list[dict[str, Any]] = json.loads(connection.getresponse().read())["activities"]
    connection.close()
    return answer


def test_a_start_that_names_nobody_is_refused(strict: Stack) -> None:
    say(strict, start())

    [letter] = refused(strict)
    assert letter["reason"].startswith("guests: are missing")


@pytest.mark.parametrize("body", [start(ORDER, "ana"), start(ORDER, guests=["ana"]), start(ORDER, guests=[])])
def test_a_start_that_says_who_may_follow_is_taken_and_strangers_are_turned_away(
    strict: Stack, body: dict[str, Any]
) -> None:
    say(strict, body)

    assert refused(strict) == []
    with pytest.raises(AssertionError, match="403"):
        has_card(strict, "stranger")


def test_an_activity_that_names_nobody_yet_reaches_nobody_until_it_does(strict: Stack) -> None:
    """An app may open a card before any service says who may follow it."""
    token, strangers = has_card(strict, "ana"), has_card(strict, "stranger")
    say(strict, update(minutes=9))
    assert pushed(strict) == []

    say(strict, update(minutes=8, guests=["ana"]))
    say(strict, end())

    assert [push.token for push in strict.apns.pushes] == [token, token]
    assert strangers != token


def test_a_report_is_not_answered_with_an_activity_that_names_nobody(strict: Stack) -> None:
    say(strict, update(minutes=9))
    assert report(strict, "ana") == []

    say(strict, update(minutes=8, guests=["ana"]))

    assert [one["content_state"]["minutes"] for one in report(strict, "ana")] == [8]
    assert report(strict, "stranger") == []


def test_without_the_parameter_everyone_may_follow_what_names_nobody(stack: Stack) -> None:
    token = has_card(stack, "anybody")
    say(stack, update(minutes=9))

    assert [push.token for push in stack.apns.pushes] == [token]


def test_guests_named_later_shut_the_others_out(stack: Stack) -> None:
    token = has_card(stack, "ana")
    has_card(stack, "ben")
    say(stack, update(minutes=9))
    stack.apns.clear()

    say(stack, update(minutes=8, guests=["ana"]))

    assert [push.token for push in stack.apns.pushes] == [token]
    ask(stack, "phone-of-ana/cards/card-1", {"activity": ORDER, "token": token})
    with pytest.raises(AssertionError, match="403"):
        has_card(stack, "ben")
