"""What the engine makes of APNs' answers: what they say, and what they mean for the connection and the rest."""

import time
from pathlib import Path

import jwt
import pytest

from lockstep.apns import Accepted, Environment, Rejected
from lockstep.engine import Engine
from lockstep.provider_token import GRID_S
from lockstep.reasons import Remedy
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import Clock, engine_to, kinds, push_to, pushes, reasons, send, simulator_in


def test_an_answer_is_read_with_its_reason_and_timestamp(engine: Engine, apple: ApnsSimulator) -> None:
    alive, dead = apple.issue_token(Environment.PRODUCTION), apple.issue_token(Environment.PRODUCTION)
    other = apple.issue_token(Environment.SANDBOX)
    apple.kill_token(dead, at_ms=1_700_000_000_123)

    outcomes = send(engine, [push_to(token, ref=token) for token in (alive, dead, other)])

    assert outcomes[alive] == Accepted()
    assert outcomes[dead] == Rejected(410, "Unregistered", 1_700_000_000_123)
    assert outcomes[other] == Rejected(400, "BadDeviceToken")


def test_a_reason_we_do_not_know_is_kept(engine: Engine, apple: ApnsSimulator) -> None:
    apple.faults.add(Fault("answer", status=418, reason="Teapot"))

    [outcome] = send(engine, pushes(apple, 1)).values()

    assert outcome == Rejected(418, "Teapot")
    assert outcome.remedy is Remedy.REFUSE


def test_an_answer_without_a_body_is_known_by_its_status(engine: Engine, apple: ApnsSimulator) -> None:
    apple.faults.add(Fault("answer", status=502))

    [outcome] = send(engine, pushes(apple, 1)).values()

    assert outcome == Rejected(502, "HTTP 502")
    assert outcome.remedy is Remedy.RETRY


def test_a_refused_key_stops_the_storm(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 1000)
    apple.faults.add(Fault("answer", count=None, skip=1, status=403, reason="InvalidProviderToken"))

    outcomes = send(engine, wanted)

    assert kinds(outcomes)["Unanswered(False)"] >= 800
    assert reasons(outcomes) == {"InvalidProviderToken"}


def test_an_expired_provider_token_is_replaced_and_the_push_sent_once_more(
    engine: Engine, apple: ApnsSimulator
) -> None:
    made = apple.connections_made
    apple.faults.add(Fault("answer", count=1, status=403, reason="ExpiredProviderToken"))

    outcomes = send(engine, pushes(apple, 5))

    assert kinds(outcomes) == {"Accepted": 5}
    assert apple.connections_made - made == 2


def test_a_provider_token_that_apple_calls_expired_gives_way_to_a_younger_one(tmp_path: Path) -> None:
    clock = Clock()
    clock.ahead_s = GRID_S - time.time() % GRID_S + 40 * 60  # 40 minutes after a line of the grid
    with simulator_in(tmp_path, clock=clock) as apple:
        apple.faults.add(Fault("answer", status=403, reason="ExpiredProviderToken"))
        engine = engine_to(apple, clock=clock)

        outcomes = send(engine, pushes(apple, 3))
        engine.close()

    assert kinds(outcomes) == {"Accepted": 3}
    first, *others = [push.headers["authorization"].removeprefix("bearer ") for push in apple.pushes]
    assert {issued_at(other) - issued_at(first) for other in others} == {25 * 60}


def issued_at(token: str) -> int:
    return int(jwt.decode(token, options={"verify_signature": False})["iat"])


def test_a_provider_token_that_stays_expired_is_said_so(engine: Engine, apple: ApnsSimulator) -> None:
    apple.faults.add(Fault("answer", count=None, status=403, reason="ExpiredProviderToken"))

    [outcome] = send(engine, pushes(apple, 1)).values()

    assert outcome == Rejected(403, "ExpiredProviderToken")
    assert len(apple.pushes) == 2


@pytest.mark.parametrize(
    ("status", "reason"), [(503, "Shutdown"), (400, "IdleTimeout"), (403, "UnrelatedKeyIdInToken")]
)
def test_a_server_that_goes_away_is_left_and_the_push_goes_over_a_new_connection(
    engine: Engine, apple: ApnsSimulator, status: int, reason: str
) -> None:
    made = apple.connections_made
    apple.faults.add(Fault("answer", skip=10, status=status, reason=reason))

    outcomes = send(engine, pushes(apple, 50))

    assert kinds(outcomes) == {"Accepted": 50}
    assert apple.connections_made - made == 2


def test_a_push_that_is_sent_away_again_is_said_so(engine: Engine, apple: ApnsSimulator) -> None:
    start, *updates = [*pushes(apple, 1, once=True), *pushes(apple, 100)[1:]]
    apple.faults.add(Fault("answer", count=None, token=start.token, status=503, reason="Shutdown"))

    outcomes = send(engine, [*updates[:20], start, *updates[20:]])

    assert outcomes[start.ref] == Rejected(503, "Shutdown")
    assert [push.token for push in apple.pushes].count(start.token) == 2
    assert kinds(outcomes)["Accepted"] == 99


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "ExpiredProviderToken"), (503, "Shutdown"), (400, "IdleTimeout"), (403, "UnrelatedKeyIdInToken")],
)
@pytest.mark.parametrize(("served", "connections"), [(0, 2), (1, 3)])
def test_an_apns_that_sends_every_connection_away_sees_few_of_them(
    engine: Engine, apple: ApnsSimulator, status: int, reason: str, served: int, connections: int
) -> None:
    """Apple may take many connections in a row for an attack."""
    made = apple.connections_made
    apple.faults.add(Fault("answer", count=None, skip=served, status=status, reason=reason))

    outcomes = send(engine, pushes(apple, 300))

    assert kinds(outcomes)["Accepted"] == served
    assert kinds(outcomes)["Unanswered(False)"] >= 297
    assert reasons(outcomes) == {reason}
    assert apple.connections_made - made == connections
