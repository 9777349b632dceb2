"""One connection: opened by one push, used while it is good, and no socket besides."""

import time

import pytest

from lockstep.apns import Accepted, Environment, Rejected
from lockstep.connection import IDLE_S
from lockstep.engine import Engine
from lockstep.provider_token import GRID_S
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import Clock, engine_to, hold, kinds, push_to, pushes, send


def test_the_connection_stays_for_the_next_call(engine: Engine, apple: ApnsSimulator) -> None:
    made = apple.connections_made

    for _ in range(3):
        send(engine, pushes(apple, 5))

    assert apple.connections_made - made == 1


@pytest.mark.parametrize(("idle_s", "connections"), [(IDLE_S - 1, 1), (IDLE_S + 1, 2), (-5, 2)])
def test_a_connection_idle_for_a_minute_of_wall_clock_is_not_reused(
    apple: ApnsSimulator, idle_s: float, connections: int
) -> None:
    clock = Clock()
    engine = engine_to(apple, clock=clock)
    made = apple.connections_made
    send(engine, pushes(apple, 1))

    clock.ahead_s = idle_s
    send(engine, pushes(apple, 1))
    engine.close()

    assert apple.connections_made - made == connections


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("idle_s", [0.0, 1.2])  # libcurl looks whether a connection lives after a second
def test_a_connection_that_died_while_idle_costs_nothing(
    engine: Engine, apple: ApnsSimulator, once: bool, idle_s: float
) -> None:
    send(engine, pushes(apple, 5))
    wanted = pushes(apple, 150, once=once)
    apple.reset_connections()
    time.sleep(idle_s)

    outcomes = send(engine, wanted)

    assert kinds(outcomes) == {"Accepted": 150}
    hold(outcomes, wanted, apple)


def test_a_connection_to_be_left_is_left_though_nobody_reads_on(engine: Engine, apple: ApnsSimulator) -> None:
    made = apple.connections_made
    apple.faults.add(Fault("answer", skip=1, status=403, reason="InvalidProviderToken"))
    outcomes = engine.send(pushes(apple, 2), deadline_s=time.time() + 5)

    read = [next(outcomes), next(outcomes)]
    outcomes.close()  # type: ignore[attr-defined]  # a generator
    send(engine, pushes(apple, 2))

    assert [outcome for _, outcome in read] == [Accepted(), Rejected(403, "InvalidProviderToken")]
    assert apple.connections_made - made == 2


def test_a_new_provider_token_has_a_connection_of_its_own(apple: ApnsSimulator) -> None:
    """Apple answers 429 to a second token within 20 minutes on one connection, and a grid step may come at any time."""
    clock = Clock()
    clock.ahead_s = GRID_S - time.time() % GRID_S - 30  # half a minute before a step of the grid
    engine = engine_to(apple, clock=clock)
    made = apple.connections_made

    outcomes = [send(engine, pushes(apple, 2))]
    clock.ahead_s += 40
    outcomes.append(send(engine, pushes(apple, 2)))
    engine.close()

    assert [kinds(one) for one in outcomes] == [{"Accepted": 2}] * 2
    assert len({push.headers["authorization"] for push in apple.pushes}) == 2
    assert apple.connections_made - made == 2


def test_starts_do_not_prime_where_an_update_can(engine: Engine, apple: ApnsSimulator) -> None:
    starts, updates = pushes(apple, 3, once=True), pushes(apple, 1)

    list(engine.send([*starts, *updates], deadline_s=time.time() + 5))

    assert apple.pushes[0].token == updates[0].token


def test_a_first_push_that_is_rejected_leaves_one_stream_and_loses_nothing(
    engine: Engine, apple: ApnsSimulator
) -> None:
    wanted = [push_to(apple.issue_token(Environment.SANDBOX), ref="bad"), *pushes(apple, 200)]

    outcomes = send(engine, wanted)

    assert kinds(outcomes) == {"Rejected": 1, "Accepted": 200}
    assert len(apple.pushes) == 201, "none was refused for too many streams"


def test_where_streams_are_few_each_push_has_its_time(apple: ApnsSimulator) -> None:
    """libcurl counts the wait for a stream; all of them at once would wait longer than one request may take."""
    apple.stream_limits.full = 1
    apple.faults.add(Fault("latency", count=None, latency_s=0.03))
    engine = engine_to(apple, request_timeout_s=1)
    made = apple.connections_made

    outcomes = send(engine, pushes(apple, 60))
    engine.close()

    assert kinds(outcomes) == {"Accepted": 60}
    assert apple.connections_made - made == 1
