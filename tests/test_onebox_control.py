"""The control interface, over the wire."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from onebox.stack import Stack


def ask(stack: Stack, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(stack.control.url).netloc, timeout=5)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    return response.status, found


def test_a_phone_is_made_and_registers(stack: Stack) -> None:
    status, made = ask(stack, "POST", "/phones", {"user": "ana", "environment": "sandbox", "os_version": "17.4"})
    stack.drain()

    assert status == 200
    assert (made["user"], made["environment"], made["os_version"]) == ("ana", "sandbox", "17.4")
    assert ask(stack, "GET", "/phones") == (200, [made | {"start_tokens": made["start_tokens"]}])
    assert made["refused_requests"] == []


def test_a_phone_shows_its_cards_and_apple_its_pushes(stack: Stack) -> None:
    ask(stack, "POST", "/phones", {"user": "ana", "name": "anas"})
    stack.drain()
    stack.publish(
        {
            "activity": "order-42",
            "to": {"users": ["ana"]},
            "aps": {
                "event": "start",
                "attributes-type": "OrderAttributes",
                "attributes": {},
                "content-state": {"minutes": 30},
                "alert": {"title": "Taken"},
            },
        }
    )
    stack.drain()

    [phone] = ask(stack, "GET", "/phones")[1]
    [card] = phone["cards"]
    assert (card["activity"], card["state"], card["verdict"]) == ("order-42", {"minutes": 30}, "applied")
    assert card["run"] == card["attributes"]["run"]
    assert card["timestamp"] > 0
    [push] = ask(stack, "GET", "/pushes")[1]
    assert (push["status"], push["verdict"]) == (200, "applied")
    assert "authorization" not in push["headers"]


@pytest.mark.parametrize(
    ("do", "how", "changed"),
    [
        ("offline", {}, {"online": False}),
        ("quit", {}, {"app_runs": False}),
        ("sign_out", {}, {"user": None}),
        ("change_user", {"user": "ben"}, {"user": "ben"}),
        ("uninstall", {}, {"installed": False, "app_runs": False}),
        ("launch", {}, {"app_runs": True}),
    ],
)
def test_things_are_done_with_phones(stack: Stack, do: str, how: dict[str, Any], changed: dict[str, Any]) -> None:
    ask(stack, "POST", "/phones", {"user": "ana", "name": "anas"})

    status, phone = ask(stack, "POST", "/phones", {"phone": "anas", "do": do, **how})

    assert status == 200
    assert changed.items() <= phone.items()


def test_cards_are_started_rotated_and_swiped(stack: Stack) -> None:
    ask(stack, "POST", "/phones", {"user": "ana", "name": "anas"})

    def act(do: str) -> dict[str, Any]:
        _, phone = ask(stack, "POST", "/phones", {"phone": "anas", "do": do, "activity": "order-42"})
        stack.drain()
        found: dict[str, Any] = phone["cards"][0]
        return found

    tokens = [act("start_card")["token"], act("rotate")["token"]]

    assert len(set(tokens)) == 2
    assert act("swipe")["activity_state"] == "dismissed"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        ({}, "user"),
        ({"user": 1}, "user"),
        ({"user": "ana", "colour": "red"}, "colour"),
        ({"user": "ana", "environment": "moon"}, "moon"),
        ({"phone": "nobodys", "do": "launch"}, "nobodys"),
        ({"phone": "anas", "do": "fly"}, "do"),
        ({"phone": "anas", "do": "rotate"}, "activity"),
        ({"phone": "anas", "do": "quit", "activity": "order-42"}, "activity"),
        ({"user": "ana", "name": "anas"}, "anas"),
    ],
)
def test_what_makes_no_sense_is_said_to_make_none(stack: Stack, body: Any, named: str) -> None:
    ask(stack, "POST", "/phones", {"user": "ana", "name": "anas"})

    status, answer = ask(stack, "POST", "/phones", body)

    assert status == 400
    assert named in answer["message"]


def test_faults_are_added_told_and_cleared(stack: Stack) -> None:
    fault = {"kind": "answer", "status": 429, "reason": "TooManyRequests", "count": 3}

    assert ask(stack, "POST", "/faults", [fault]) == (200, [fault])
    assert ask(stack, "GET", "/faults") == (200, [fault])
    assert ask(stack, "POST", "/faults", {"clear": True}) == (200, [])


@pytest.mark.parametrize("body", [{}, {"clear": False}, [{"kind": "earthquake"}], [{}], [1]])
def test_a_fault_that_there_is_not_is_refused_and_none_is_added(stack: Stack, body: Any) -> None:
    assert ask(stack, "POST", "/faults", body)[0] == 400
    assert ask(stack, "GET", "/faults") == (200, [])


def test_an_unknown_address_says_what_there_is(stack: Stack) -> None:
    status, answer = ask(stack, "GET", "/")

    assert status == 404
    assert "GET /phones" in answer["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_other_sites_in_the_browser_can_have_nothing_done(stack: Stack, headers: dict[str, str]) -> None:
    connection = HTTPConnection(urlsplit(stack.control.url).netloc, timeout=5)
    connection.request("POST", "/phones", json.dumps({"user": "eve"}), headers)
    status = connection.getresponse().status
    connection.close()

    assert status == 403
    assert stack.phones.all() == []
