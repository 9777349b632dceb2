"""The push engine against the simulator: every push has one outcome, and what may have been taken is known."""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lockstep.apns import Accepted, Environment, Outcome, Push, Rejected, Unanswered
from lockstep.connection import IDLE_S
from lockstep.engine import TRIES_MAX, Engine
from lockstep.provider_token import GRID_S, ProviderToken, SigningKey
from lockstep.reasons import Remedy
from onebox.apns.simulator import ApnsSimulator, Fault

TOPIC = "com.example.app.push-type.liveactivity"
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = SigningKey(
    "TEAM123456", "KEY1234567", PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Clock:
    """Wall clock that can jump."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApnsSimulator]:
    with ApnsSimulator(
        bundle_id="com.example.app",
        team_id="TEAM123456",
        keys={"KEY1234567": PUBLIC},
        directory=tmp_path_factory.mktemp("apns"),
    ) as simulator:
        yield simulator


@pytest.fixture
def apple(simulator: ApnsSimulator) -> Iterator[ApnsSimulator]:
    simulator.faults.clear()
    simulator.clear()
    yield simulator
    simulator.faults.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(apple: ApnsSimulator, clock: Clock) -> Iterator[Engine]:
    engine = engine_to(apple, clock=clock)
    yield engine
    engine.close()


def engine_to(
    apple: ApnsSimulator, *, clock: Callable[[], float] = time.time, url: str = "", request_timeout_s: float = 10
) -> Engine:
    return Engine(
        url or apple.production_url,
        TOPIC,
        ProviderToken(KEY, clock),
        ca_file=str(apple.ca_file),
        now=clock,
        request_timeout_s=request_timeout_s,
    )


def pushes(apple: ApnsSimulator, count: int, *, once: bool = False) -> list[Push]:
    return [push_to(apple.issue_token(Environment.PRODUCTION), once=once, ref=i) for i in range(count)]


def push_to(token: str, *, once: bool = False, ref: object = None) -> Push:
    return Push(token, b'{"aps":{"event":"update"}}', 10, 0, "run" if once else None, once=once, ref=ref)


def send(engine: Engine, wanted: list[Push], *, deadline_s: float = 20) -> dict[object, Outcome]:
    """Send, and see that every push has exactly one outcome."""
    answered = list(engine.send(iter(wanted), deadline_s=engine.now() + deadline_s))
    assert Counter(push.ref for push, _ in answered) == Counter(push.ref for push in wanted)
    return {push.ref: outcome for push, outcome in answered}


def kinds(outcomes: dict[object, Outcome]) -> Counter[str]:
    return Counter(
        type(one).__name__ + (f"({one.maybe_taken})" if isinstance(one, Unanswered) else "")
        for one in outcomes.values()
    )


def taken(apple: ApnsSimulator) -> Counter[str]:
    """Count how often APNs took a push, by token."""
    return Counter(push.token for push in apple.pushes if push.status == 200)


def hold(outcomes: dict[object, Outcome], wanted: list[Push], apple: ApnsSimulator) -> None:
    """See that outcomes say what APNs did: accepted was taken, untaken was not, and what went once came once."""
    times = taken(apple)
    for push in wanted:
        outcome = outcomes[push.ref]
        if isinstance(outcome, Accepted):
            assert times[push.token] >= 1
        elif isinstance(outcome, Rejected) or not outcome.maybe_taken:
            assert times[push.token] == 0, outcome
        if push.once:
            assert times[push.token] <= 1, "a second card"


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


@pytest.mark.parametrize("once", [False, True])
def test_a_fresh_connection_that_allows_one_stream_loses_none_of_500(
    engine: Engine, apple: ApnsSimulator, once: bool
) -> None:
    wanted = pushes(apple, 500, once=once)
    made = apple.connections_made

    outcomes = send(engine, wanted)

    assert kinds(outcomes) == {"Accepted": 500}
    assert set(taken(apple).values()) == {1}
    assert apple.connections_made - made == 1
    assert all(push.status == 200 for push in apple.pushes), "none was refused for too many streams"


def test_the_connection_stays_for_the_next_call(engine: Engine, apple: ApnsSimulator) -> None:
    made = apple.connections_made

    for _ in range(3):
        send(engine, pushes(apple, 5))

    assert apple.connections_made - made == 1


@pytest.mark.parametrize(("idle_s", "connections"), [(IDLE_S - 1, 1), (IDLE_S + 1, 2), (-5, 2)])
def test_a_connection_idle_for_a_minute_of_wall_clock_is_not_reused(
    engine: Engine, apple: ApnsSimulator, clock: Clock, idle_s: float, connections: int
) -> None:
    made = apple.connections_made
    send(engine, pushes(apple, 1))

    clock.ahead_s = idle_s
    send(engine, pushes(apple, 1))

    assert apple.connections_made - made == connections


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
    outcomes.close()  # type: ignore[attr-defined]  # a generator
    assert kinds(send(engine, pushes(apple, 3))) == {"Accepted": 3}, "the engine is still good"


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


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("skip", [0, 1, 60])
@pytest.mark.parametrize("taken_first", [False, True])
def test_after_a_tcp_reset_every_push_is_accounted_for(
    engine: Engine, apple: ApnsSimulator, once: bool, skip: int, taken_first: bool
) -> None:
    wanted = pushes(apple, 300, once=once)
    apple.faults.add(Fault("reset", skip=skip, taken=taken_first))

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    assert kinds(outcomes)["Accepted"] >= 199, "only those on the wire can be lost"
    assert kinds(outcomes)["Unanswered(True)"] >= 1


@pytest.mark.parametrize("last_stream", ["below", "at", "above"])
@pytest.mark.parametrize("once", [False, True])
def test_after_goaway_what_apns_did_not_process_is_sent_again(
    engine: Engine, apple: ApnsSimulator, last_stream: str, once: bool
) -> None:
    wanted = pushes(apple, 300, once=once)
    apple.faults.add(Fault("goaway", skip=50, last_stream=last_stream))  # type: ignore[arg-type]  # one of the three

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    if once:
        assert kinds(outcomes) == {"Accepted": 300}
        assert set(taken(apple).values()) == {1}


@pytest.mark.parametrize("once", [False, True])
def test_refused_streams_are_sent_again(engine: Engine, apple: ApnsSimulator, once: bool) -> None:
    wanted = pushes(apple, 300, once=once)
    apple.faults.add(Fault("refused_stream", count=40, skip=20))

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    if once:
        assert kinds(outcomes) == {"Accepted": 300}
        assert set(taken(apple).values()) == {1}


def test_a_push_that_is_always_refused_is_given_up_after_some_tries(engine: Engine, apple: ApnsSimulator) -> None:
    [push] = pushes(apple, 1, once=True)
    apple.faults.add(Fault("refused_stream", count=None))

    [outcome] = send(engine, [push]).values()

    assert isinstance(outcome, Unanswered)
    assert not outcome.maybe_taken
    assert len(apple.pushes) <= TRIES_MAX


def test_a_single_reset_stream_may_have_been_taken(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 50)
    apple.faults.add(Fault("rst_stream", skip=10))

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    assert kinds(outcomes) == {"Accepted": 49, "Unanswered(True)": 1}


def test_a_lost_answer_may_have_been_taken(apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 20, once=True)
    apple.faults.add(Fault("lost_answer", skip=5))
    engine = engine_to(apple, request_timeout_s=1)

    outcomes = send(engine, wanted)
    engine.close()

    hold(outcomes, wanted, apple)
    assert kinds(outcomes) == {"Accepted": 19, "Unanswered(True)": 1}


def test_connections_that_never_answer_end_in_untaken_or_maybe_taken_not_in_waiting(apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 20)
    apple.faults.add(Fault("silence", count=None))
    engine = engine_to(apple, request_timeout_s=0.5)

    outcomes = send(engine, wanted)
    engine.close()

    assert kinds(outcomes)["Accepted"] == 0
    hold(outcomes, wanted, apple)


def test_what_has_no_answer_at_the_deadline_is_unanswered(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 250)
    apple.faults.add(Fault("latency", count=None, skip=1, latency_s=30))

    outcomes = send(engine, wanted, deadline_s=1)

    assert kinds(outcomes) == {"Accepted": 1, "Unanswered(True)": 100, "Unanswered(False)": 149}
    hold(outcomes, wanted, apple)


def test_nothing_is_sent_after_the_deadline(engine: Engine, apple: ApnsSimulator) -> None:
    outcomes = send(engine, pushes(apple, 3), deadline_s=-1)

    assert kinds(outcomes) == {"Unanswered(False)": 3}
    assert not apple.pushes


def test_a_refused_key_stops_the_storm(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 1000)
    apple.faults.add(Fault("answer", count=None, skip=1, status=403, reason="InvalidProviderToken"))

    outcomes = send(engine, wanted)

    assert kinds(outcomes)["Unanswered(False)"] >= 800
    assert {one.why for one in outcomes.values() if isinstance(one, Unanswered)} == {"InvalidProviderToken"}


def test_an_expired_provider_token_is_replaced_and_the_push_sent_once_more(
    engine: Engine, apple: ApnsSimulator
) -> None:
    made = apple.connections_made
    apple.faults.add(Fault("answer", count=1, status=403, reason="ExpiredProviderToken"))

    outcomes = send(engine, pushes(apple, 5))

    assert kinds(outcomes) == {"Accepted": 5}
    assert apple.connections_made - made == 2


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


def test_a_limit_lowered_to_one_midway_is_obeyed(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 400, once=True)
    apple.faults.add(Fault("stream_limit", skip=50, limit=1))

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    assert kinds(outcomes) == {"Accepted": 400}
    assert set(taken(apple).values()) == {1}


def test_starts_do_not_prime_where_an_update_can(engine: Engine, apple: ApnsSimulator) -> None:
    starts, updates = pushes(apple, 3, once=True), pushes(apple, 1)

    list(engine.send([*starts, *updates], deadline_s=time.time() + 5))

    assert apple.pushes[0].token == updates[0].token


def test_nobody_listening_gives_everything_back_untaken(apple: ApnsSimulator) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://localhost:{free.getsockname()[1]}"
    engine = engine_to(apple, url=url)

    outcomes = send(engine, pushes(apple, 30))

    assert kinds(outcomes) == {"Unanswered(False)": 30}


def test_a_wrong_certificate_gets_nothing(apple: ApnsSimulator, tmp_path: Path) -> None:
    import certifi

    engine = Engine(apple.production_url, TOPIC, ProviderToken(KEY, time.time), ca_file=certifi.where())

    outcomes = send(engine, pushes(apple, 3))

    assert kinds(outcomes) == {"Unanswered(False)": 3}
    assert not apple.pushes


def test_a_server_without_http2_gets_no_push(apple: ApnsSimulator) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(apple.ca_file.parent / "apns-server.pem")
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with context.wrap_socket(connection, server_side=True) as wrapped:
                        wrapped.settimeout(0.3)
                        heard.extend(wrapped.recv(65536))
                except TimeoutError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        engine = engine_to(apple, url=f"https://localhost:{listener.getsockname()[1]}", request_timeout_s=1)

        outcomes = send(engine, pushes(apple, 3))

        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)

    assert kinds(outcomes)["Accepted"] == 0
    assert b"HTTP/1.1" not in heard


def test_the_roots_that_push_trusts_hold_apples() -> None:
    """APNs' certificates chain to this one since 2025."""
    import certifi

    assert "USERTrust RSA Certification Authority" in Path(certifi.where()).read_text()
