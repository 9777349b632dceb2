"""Pushes through the engine, against the simulator: every push has one outcome, in time."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockstep.apns import Accepted, Environment, Push, Unanswered
from lockstep.engine import Engine
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import TOPIC, Clock, engine_to, hold, kinds, push_to, pushes, send


def test_a_push_has_all_headers_that_a_live_activity_needs(engine: Engine, apple: ApnsSimulator) -> None:
    token = apple.issue_token(Environment.PRODUCTION)
    push = Push(token, b'{"aps":{}}', 5, 1_900_000_000, "a-run", once=True)

    [(same, outcome)] = engine.send([push], deadline_s=time.time() + 5)

    assert same is push
    assert outcome == Accepted()
    [received] = apple.pushes
    assert received.headers["apns-topic"] == TOPIC
    assert received.headers["apns-push-type"] == "liveactivity"
    assert received.headers["apns-priority"] == "5"
    assert received.headers["apns-expiration"] == "1900000000"
    assert received.headers["apns-collapse-id"] == "a-run"
    assert received.headers["authorization"].startswith("bearer ")
    assert received.headers["content-type"] == "application/json"
    assert received.body == b'{"aps":{}}'


def test_a_push_without_collapse_id_has_none(engine: Engine, apple: ApnsSimulator) -> None:
    send(engine, pushes(apple, 1))

    assert "apns-collapse-id" not in apple.pushes[0].headers


def test_pushes_are_read_lazily(engine: Engine, apple: ApnsSimulator) -> None:
    read = 0

    def source() -> Iterator[Push]:
        nonlocal read
        for push in pushes(apple, 1000):
            read += 1
            yield push

    outcomes = engine.send(source(), deadline_s=time.time() + 20)
    next(outcomes)

    assert read < 200


def test_who_stops_reading_leaves_nothing_under_way(engine: Engine, apple: ApnsSimulator) -> None:
    apple.faults.add(Fault("latency", count=None, skip=30, latency_s=0.2))
    outcomes = engine.send(pushes(apple, 100), deadline_s=time.time() + 20)
    for _ in range(10):
        next(outcomes)

    outcomes.close()  # type: ignore[attr-defined]  # a generator

    apple.faults.clear()
    assert kinds(send(engine, pushes(apple, 3))) == {"Accepted": 3}


def test_thousands_over_one_stream_and_then_many_are_each_taken_once(engine: Engine, apple: ApnsSimulator) -> None:
    """Apple lowers the limit after errors, and raises it with the next push that it takes."""
    apple.stream_limits.one_after_error = True
    wanted = [
        push_to(apple.issue_token(Environment.SANDBOX if i % 7 == 0 else Environment.PRODUCTION), ref=i)
        for i in range(2000)
    ]

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    assert kinds(outcomes) == {"Accepted": 1714, "Rejected": 286}
    assert len(apple.pushes) == 2000, "none was refused for too many streams"


def test_what_has_no_answer_at_the_deadline_is_unanswered(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 250)
    apple.faults.add(Fault("latency", count=None, skip=1, latency_s=30))

    began_s = time.monotonic()

    outcomes = send(engine, wanted, deadline_s=1)

    assert kinds(outcomes) == {"Accepted": 1, "Unanswered(True)": 100, "Unanswered(False)": 149}
    hold(outcomes, wanted, apple)
    assert time.monotonic() - began_s < 5


def test_nothing_is_sent_after_the_deadline(engine: Engine, apple: ApnsSimulator) -> None:
    outcomes = send(engine, pushes(apple, 3), deadline_s=-1)

    assert kinds(outcomes) == {"Unanswered(False)": 3}
    assert not apple.pushes


def test_a_clock_that_jumps_past_the_deadline_ends_the_wait(apple: ApnsSimulator) -> None:
    clock = Clock()
    wanted = pushes(apple, 5)
    apple.faults.add(Fault("latency", count=None, skip=1, latency_s=30))
    engine = engine_to(apple, clock=clock)
    outcomes = engine.send(iter(wanted), deadline_s=clock() + 50)
    first = next(outcomes)
    began_s = time.monotonic()

    clock.ahead_s = 100
    rest = [outcome for _, outcome in outcomes]
    engine.close()

    assert first[1] == Accepted()
    assert rest == [Unanswered(maybe_taken=False, why="deadline")] * 4
    assert time.monotonic() - began_s < 5


def test_the_roots_that_push_trusts_hold_apples() -> None:
    """APNs' certificates chain to this one since 2025."""
    import certifi

    assert "USERTrust RSA Certification Authority" in Path(certifi.where()).read_text()


def test_nothing_is_printed_of_a_push_that_libcurl_speaks_about(
    engine: Engine, apple: ApnsSimulator, capfd: pytest.CaptureFixture[str]
) -> None:
    send(engine, pushes(apple, 3, once=True))

    assert capfd.readouterr() == ("", "")
