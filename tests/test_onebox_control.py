"""The control interface, over the wire."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from onebox.stack import Stack


def ask(stack: Stack, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return ask_in_words(stack, method, path, None if body is None else json.dumps(body))


def ask_in_words(stack: Stack, method: str, path: str, body: str | None) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(stack.control.url).netloc, timeout=5)
    connection.request(method, path, None if body is None else body.encode())
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
        ({"user": "ben", "name": 7}, "name: a text, not 7"),
        ({"user": "ben", "os_version": 18}, "os_version: "),
        ({"user": "ben", "os_version": "abc"}, "os_version: "),
        ({"user": "ben", "os_version": "18."}, "os_version: "),
        ({"user": "ben", "follows": "team"}, "follows: a list of texts"),
        ({"user": "ben", "follows": [1]}, "follows: a list of texts"),
        ({"user": "ben", "attributes_types": []}, "attributes_types: "),
        ({"user": "ben", "environment": []}, "environment: one of production, sandbox"),
        ({"user": "ben", "self_start": 1}, "self_start: true or false"),
        ({"do": "quit"}, "phone: needed"),
        ({"phone": "anas", "do": {}}, "do: one of launch"),
        ({"phone": "anas", "do": "change_user", "user": 5}, "user: a text, not 5"),
        ({"phone": "anas", "do": "change_user", "user": None}, "user: needed"),
        ({"phone": "anas", "do": "start_card", "activity": 1}, "activity: a text"),
        ({"phone": "anas", "do": "start_card", "activity": "a", "run": True}, "run: a whole number"),
        ({"phone": "anas", "do": "start_card", "activity": "a", "attributes": [1]}, "attributes: an object"),
        ({"phone": "anas", "do": "start_card", "activity": "a", "content_state": "b"}, "content_state: an object"),
    ],
)
def test_what_makes_no_sense_is_said_to_make_none_and_changes_nothing(stack: Stack, body: Any, named: str) -> None:
    ask(stack, "POST", "/phones", {"user": "ana", "name": "anas"})
    stack.phones.wait()
    before = ask(stack, "GET", "/phones")

    status, answer = ask(stack, "POST", "/phones", body)

    assert status == 400
    assert named in answer["message"]
    assert ask(stack, "GET", "/phones") == before


def test_null_says_nothing(stack: Stack) -> None:
    nothing = {"name": None, "os_version": None, "follows": None}

    _, made = ask(stack, "POST", "/phones", {"user": "ana", **nothing})
    status, phone = ask(stack, "POST", "/phones", {"phone": made["name"], "do": "launch", "user": None})

    assert (status, phone["user"], phone["os_version"]) == (200, "ana", "18.2")


@pytest.mark.parametrize("path", ["/phones", "/faults", "/publishes"])
@pytest.mark.parametrize("body", ["", "{", "NaN", '"\\ud800"', "[" * 100_000])
def test_what_is_no_json_or_none_that_a_phone_could_read_is_answered(stack: Stack, path: str, body: str) -> None:
    status, answer = ask_in_words(stack, "POST", path, body)

    assert status == 400
    assert answer["message"]
    assert stack.queues.look("PublishQueue") == []


def test_a_message_is_published_as_it_was_written(stack: Stack) -> None:
    written = (
        '{ "activity": "order-42",\n "n": 9007199254740993, "share": 1.0, "twice": 1, "twice": 2, "e": "\\u00e9é" }'
    )

    status, _ = ask_in_words(stack, "POST", "/publishes", written)

    assert status == 200
    assert [message.body for message in stack.queues.look("PublishQueue")] == [written]


def test_faults_are_added_told_and_cleared(stack: Stack) -> None:
    fault = {"kind": "answer", "status": 429, "reason": "TooManyRequests", "count": 3}

    assert ask(stack, "POST", "/faults", [fault]) == (200, [fault])
    assert ask(stack, "GET", "/faults") == (200, [fault])
    assert ask(stack, "POST", "/faults", {"clear": True}) == (200, [])


@pytest.mark.parametrize("body", [{}, {"clear": False}, [{"kind": "earthquake"}], [{}], [1], [{"kind": "reset"}, 1]])
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
