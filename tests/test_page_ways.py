"""What the page knows of a publish: when it was committed, which pushes carried it, what phones made of them."""

import json
from typing import Any

import pytest

from lockstep.apns import Environment
from onebox.apns.received import ReceivedPush
from onebox.control import Act
from onebox.page.chronicle import KEPT, Chronicle, Published
from onebox.page.ways import publish_of
from onebox.stack import Stack
from tests.messages import DRIVER, end, start, update
from tests.test_onebox_control import ask

ORDER = "order-42"


def pushed(at_ms: int, event: str, state: Any = None) -> ReceivedPush:
    payload = {"aps": {"event": event, "content-state": state}}
    return ReceivedPush(Environment.PRODUCTION, "a1", {}, payload, b"", at_ms, 200, None, "applied", 1, 1)


def published(at_ms: int, minutes: int | None, event: str = "update", **known: Any) -> Published:
    message = None if minutes is None else {"aps": {"event": event, "content-state": {"minutes": minutes}}}
    return Published(f"m-{at_ms}", at_ms, message=message, activity=ORDER, event=event, settled_at_ms=at_ms, **known)


@pytest.mark.parametrize(
    ("publishes", "push", "expected"),
    [
        ([published(1, 9), published(2, 8)], pushed(3, "update", {"minutes": 8}), 2),
        ([published(1, 9), published(2, 8)], pushed(3, "update", {"minutes": 9}), 1),
        ([published(1, 9), published(4, 8)], pushed(3, "update", {"minutes": 8}), 1),
        ([published(1, 9), published(2, 9, outcome="superseded")], pushed(3, "update", {"minutes": 9}), 1),
        ([published(1, 9), published(2, 9, event="end")], pushed(3, "end", {"minutes": 9}), 2),
        ([published(1, 9), published(2, None)], pushed(3, "update", {"minutes": 7}), 2),
        ([published(1, 9, event="start")], pushed(3, "update", {"minutes": 9}), 1),
        ([published(4, 9)], pushed(3, "update", {"minutes": 9}), None),
        ([published(2, 9, outcome="refused")], pushed(3, "update", {"minutes": 9}), None),
    ],
    ids=[
        "the newest with its state",
        "an older one, whose push is late",
        "nothing that was committed after it",
        "nothing superseded",
        "an end with the state of before",
        "what came by another road, whose state is not known",
        "a start, to a phone that catches up",
        "none before it",
        "nothing refused",
    ],
)
def test_a_push_belongs_to_the_publish_whose_state_it_carries(
    publishes: list[Published], push: ReceivedPush, expected: int | None
) -> None:
    found = publish_of(push, ORDER, publishes)

    assert (found.at_ms if found else None) == expected


def test_a_push_of_another_activity_belongs_to_none() -> None:
    assert publish_of(pushed(3, "update", {"minutes": 9}), "match-7", [published(1, 9)]) is None
    assert publish_of(pushed(3, "update", {"minutes": 9}), None, [published(1, 9)]) is None


SAID = {"message": "published", "correlation_id": "m-1", "activity": ORDER, "event": "update", "outcome": "took"}


def line(**said: Any) -> str:
    return json.dumps(SAID | {"revision": 3, "published_at_ms": 1000} | said, separators=(",", ":"))


def test_a_publish_is_one_whether_the_queue_or_the_function_was_quicker() -> None:
    act = Act("/publishes", update(ORDER), {"message_id": "m-1"}, 1000)
    queue_first, function_first = (Chronicle(now=lambda: 2) for _ in range(2))

    queue_first.see(act)
    queue_first.hear(line())
    function_first.hear(line())
    function_first.see(act)

    [one] = queue_first.published()
    assert [one] == function_first.published()
    assert (one.outcome, one.revision, one.at_ms, one.settled_at_ms) == ("took", 3, 1000, 2000)
    assert one.aps["content-state"] == {"driver": DRIVER, "minutes": 7}


def test_what_says_nothing_of_a_publish_changes_nothing() -> None:
    chronicle = Chronicle()

    for heard in (
        '"message":"published"',
        "{",
        '["message":"published"',
        '{"message":"push","outcome":"rejected"}',
        "",
    ):
        chronicle.hear(heard)

    assert chronicle.published() == []


def test_the_latest_are_kept() -> None:
    chronicle = Chronicle()

    for number in range(KEPT + 1):
        chronicle.hear(line(correlation_id=f"m-{number}", published_at_ms=number))
        chronicle.see(Act("/faults", {"clear": True}, [], number))

    assert [one.at_ms for one in chronicle.published()] == list(range(1, KEPT + 1))
    assert len(chronicle.deeds()) == KEPT


def test_the_control_interface_publishes_whatever_json_it_is_sent(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()

    status, answer = ask(stack, "POST", "/publishes", start(ORDER, "ana"))
    stack.drain()

    assert status == 200
    assert answer["message_id"]
    assert phone.shows(ORDER) == {"driver": DRIVER, "minutes": 30}
    assert ask(stack, "POST", "/publishes", [1])[0] == 200
    stack.drain()
    [dead] = stack.queues.look("PublishDeadLetterQueue")
    assert dead.body == "[1]"


@pytest.mark.parametrize("odd", ["NaN", "-Infinity", '"\\ud800"'])
def test_an_odd_value_does_not_keep_browsers_from_reading_the_rest(stack: Stack, odd: str) -> None:
    state = json.loads(odd)
    stack.phones.of("ana").start_card(ORDER, content_state={"odd": state})

    shown = stack.page.view.now()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    values = {name: json.loads(value.encode(), parse_constant=refuse) for name, value in shown.items()}
    assert values["phone/ana"]["cards"][0]["state"] == {"odd": odd if isinstance(state, float) else state}


def test_a_card_that_can_not_be_drawn_is_written_and_hides_no_other(stack: Stack) -> None:
    odd: Any = [1]
    stack.phones.of("ana").start_card(ORDER, attributes=odd, content_state={"minutes": 7})
    stack.phones.of("ben").start_card(ORDER, attributes={"shop": "Uno"}, content_state=odd)
    stack.phones.of("carl").start_card(ORDER, attributes={"shop": "Uno"}, content_state={"minutes": 5})

    shown = stack.page.view.now()

    cards = [json.loads(shown[f"phone/{name}"])["cards"][0] for name in ("ana", "ben", "carl")]
    assert [(card["attributes"], card["state"], card["odd"]) for card in cards] == [
        ({}, {"minutes": 7}, "attributes: [1]"),
        ({"shop": "Uno"}, {}, "content-state: [1]"),
        ({"shop": "Uno"}, {"minutes": 5}, None),
    ]


def test_what_sqs_does_not_take_is_said_to_be_wrong(stack: Stack) -> None:
    status, answer = ask(stack, "POST", "/publishes", {"activity": "a" * (1024 * 1024)})

    assert status == 400
    assert "SendMessage" in answer["message"]


@pytest.mark.parametrize("which", [{}, {"activity": ORDER}])
def test_tokens_are_killed_and_apple_says_so(stack: Stack, which: dict[str, str]) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    ask(stack, "POST", "/phones", {"phone": "ana", "do": "kill_tokens", **which})
    for message in (update(ORDER), start("order-43", "ana")):
        stack.publish(message)
        stack.drain()

    starts = 410 if not which else 200
    assert [push.status for push in stack.apns.received()] == [200, 410, starts]
    assert phone.card(ORDER) is not None


def test_an_answer_that_left_has_its_time_and_one_that_is_lost_has_none(stack: Stack) -> None:
    stack.phones.of("ana")
    stack.phones.wait()
    ask(stack, "POST", "/faults", [{"kind": "reset", "taken": True, "skip": 1}])
    for message in (start(ORDER, "ana"), update(ORDER)):
        stack.publish(message)
        stack.drain(hasten=True)

    answered, lost = ask(stack, "GET", "/pushes")[1][:2]

    assert answered["answered_at_ms"] >= answered["at_ms"]
    assert lost["answered_at_ms"] is None


def test_a_broadcast_is_told_by_how_many_heard_it(stack: Stack) -> None:
    for name in ("dana", "emil"):
        stack.phones.of(name, follows=["team-42"])
    stack.phones.wait()
    stack.publish(start("match-7", to={"audience": "team-42"}, channel="frequent"))
    stack.drain(hasten=True)
    stack.publish(end("match-7"))
    stack.drain(hasten=True)

    shown = {name: json.loads(value) for name, value in stack.page.view.now().items()}

    last = max((one for name, one in shown.items() if name.startswith("way/")), key=lambda way: way["at_ms"])
    assert (last["activity"], last["event"], last["outcome"]) == ("match-7", "end", "took")
    broadcast = next(push for push in last["pushes"] if push["channel"])
    assert (broadcast["phone"], broadcast["verdicts"]) == (None, {"applied": 2})
