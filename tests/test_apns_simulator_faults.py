"""Each fault of the APNs simulator: what the client sees, and whether the phone got the push."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from lockstep.apns import Environment
from onebox.apns.faults import Faults, Phase
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.apns_simulator_client import RawClient, good_headers, simulator


@pytest.fixture
def apple(tmp_path: Path) -> Iterator[ApnsSimulator]:
    with simulator(tmp_path) as apple:
        yield apple


@pytest.fixture
def client(apple: ApnsSimulator) -> Iterator[RawClient]:
    with RawClient(apple.sandbox_url, apple.ca_file) as client:
        yield client


@pytest.fixture
def token(apple: ApnsSimulator) -> str:
    return apple.issue_token(Environment.SANDBOX, receive=lambda _: "applied")


def opened(client: RawClient, token: str, count: int) -> list[int]:
    """Open streams, on a connection that may."""
    client.push(token)
    streams = [client.open(good_headers(token), None) for _ in range(count)]
    client.flush()
    return streams


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (503, "Shutdown"),
        (400, "IdleTimeout"),
        (403, "BadEnvironmentKeyInToken"),
        (418, "SomethingThatAppleInventsTomorrow"),
        (502, None),
    ],
)
def test_any_answer_can_be_given_for_the_next_pushes(
    apple: ApnsSimulator, client: RawClient, token: str, status: int, reason: str | None
) -> None:
    apple.faults.add(Fault("answer", status=status, reason=reason, count=2))

    answers = [client.push(token) for _ in range(3)]

    assert [(answer.status, answer.reason) for answer in answers] == [(status, reason), (status, reason), (200, None)]
    assert [push.verdict for push in apple.received()] == [None, None, "applied"]
    assert [push.fault for push in apple.received()] == ["answer", "answer", None]


def test_an_answer_can_say_when_to_come_back_and_when_the_token_died(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    apple.faults.add(Fault("answer", status=429, reason="TooManyRequests", retry_after_s=7))
    apple.faults.add(Fault("answer", status=410, reason="ExpiredToken", timestamp_ms=99))
    apple.faults.add(Fault("answer", status=410, reason="Unregistered"))

    throttled, expired, gone = (client.push(token) for _ in range(3))

    assert throttled.headers["retry-after"] == "7"
    assert expired.json == {"reason": "ExpiredToken", "timestamp": 99}
    assert abs(gone.json["timestamp"] - time.time() * 1000) < 60_000


def test_a_slow_answer_lets_the_phone_have_its_push_at_once_and_others_overtake(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    slow, fast = opened(client, token, 2)
    apple.clear()
    apple.faults.add(Fault("latency", latency_s=600))
    client.finish(slow)
    client.finish(fast)

    client.read_until(lambda: client.is_over(fast))
    client.round_trip()

    assert not client.is_over(slow)
    assert [(push.verdict, push.answered) for push in apple.received()] == [("applied", False), ("applied", True)]


def test_a_slow_answer_comes_in_the_end(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.faults.add(Fault("latency", latency_s=0.05))

    answer = client.push(token)

    assert answer.status == 200
    assert apple.received()[0].answered


def test_a_refused_push_is_slow_too(apple: ApnsSimulator, client: RawClient) -> None:
    apple.faults.add(Fault("latency", latency_s=0.05))
    start = time.monotonic()

    answer = client.push("ab" * 40)

    assert answer.reason == "BadDeviceToken"
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize(
    ("last_stream", "taken"), [("below", [1]), ("at", [1, 2]), ("above", [1, 2, 3]), (3, [1]), (7, [1, 2, 3])]
)
def test_goaway_answers_the_streams_it_lets_through_and_no_other(
    apple: ApnsSimulator, client: RawClient, token: str, last_stream: str | int, taken: list[int]
) -> None:
    streams = opened(client, token, 3)
    apple.clear()
    apple.faults.add(Fault.from_json({"kind": "goaway", "skip": 1, "reason": "Shutdown", "last_stream": last_stream}))
    for stream in streams:
        client.finish(stream)

    client.read_until(lambda: client.closed)

    expected = [streams[number - 1] for number in taken]
    assert [stream for stream in streams if client.answers[stream].ended] == expected
    assert [push.stream for push in apple.received() if push.accepted and push.verdict == "applied"] == expected
    assert {push.fault for push in apple.received() if not push.accepted} <= {"goaway"}
    assert [push.fault for push in apple.received() if push.stream == streams[1]] == ["goaway"], (
        "also where it is taken"
    )
    assert len(apple.received()) == 3
    assert client.goaway is not None
    assert client.goaway.last_stream_id == expected[-1]
    assert json.loads(client.goaway.additional_data or b"") == {"reason": "Shutdown"}
    assert client.goaway.error_code == ErrorCodes.NO_ERROR


def test_goaway_can_carry_an_error_and_no_reason(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.faults.add(Fault("goaway", error_code=ErrorCodes.ENHANCE_YOUR_CALM))

    client.push(token)

    assert client.goaway is not None
    assert (client.goaway.error_code, client.goaway.additional_data) == (ErrorCodes.ENHANCE_YOUR_CALM, None)


def test_goaway_never_disowns_a_push_that_was_taken(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    first, second = opened(client, token, 2)
    client.finish(second)
    client.read_until(lambda: client.is_over(second))
    apple.faults.add(Fault("goaway", last_stream="below"))
    client.finish(first)

    client.read_until(lambda: client.closed)

    assert client.goaway is not None
    assert client.goaway.last_stream_id == second
    assert client.answers[first].status == 200


def test_a_stream_opened_after_goaway_is_never_looked_at(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    opened(client, token, 1)
    client.round_trip()
    apple.go_away("IdleTimeout")
    late = client.open(good_headers(token))

    client.round_trip()

    assert not client.is_over(late)
    assert [push.fault for push in apple.received() if push.stream == late] == ["goaway"]


def test_an_idle_connection_can_be_told_to_go_away(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    client.push(token)

    apple.go_away("IdleTimeout")
    client.read_until(lambda: client.closed)

    assert client.goaway is not None
    assert json.loads(client.goaway.additional_data or b"") == {"reason": "IdleTimeout"}
    assert client.goaway.last_stream_id == 1


def test_a_refused_stream_reaches_no_phone_and_harms_no_other(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    apple.faults.add(Fault("refused_stream"))

    refused, taken = client.push(token), client.push(token)

    assert (refused.reset_code, taken.status) == (ErrorCodes.REFUSED_STREAM, 200)
    assert [(push.status, push.verdict) for push in apple.received()] == [(None, None), (200, "applied")]


@pytest.mark.parametrize(
    ("fault", "code", "verdict"),
    [
        (Fault("rst_stream"), ErrorCodes.INTERNAL_ERROR, None),
        (Fault("rst_stream", error_code=ErrorCodes.CANCEL), ErrorCodes.CANCEL, None),
        (Fault("rst_stream", taken=True), ErrorCodes.INTERNAL_ERROR, "applied"),
    ],
)
def test_a_stream_can_be_reset_before_or_after_the_phone_has_the_push(
    apple: ApnsSimulator, client: RawClient, token: str, fault: Fault, code: ErrorCodes, verdict: str | None
) -> None:
    apple.faults.add(fault)

    answer = client.push(token)

    [push] = apple.received()
    assert answer.reset_code == code
    assert (push.verdict, push.answered, push.accepted) == (verdict, False, verdict is not None)
    assert client.push(token).status == 200


@pytest.mark.parametrize(("taken", "verdict"), [(False, None), (True, "applied")])
def test_the_connection_can_be_reset_before_or_after_the_phone_has_the_push(
    apple: ApnsSimulator, client: RawClient, token: str, taken: bool, verdict: str | None
) -> None:
    first, second, third = opened(client, token, 3)
    apple.clear()
    apple.faults.add(Fault("reset", taken=taken, skip=1))
    for stream in (first, second, third):
        client.finish(stream)

    with pytest.raises(ConnectionResetError):
        client.read_until(lambda: client.closed)

    assert client.answers[first].status == 200
    assert not client.is_over(second)
    assert [(push.verdict, push.answered) for push in apple.received()] == [("applied", True), (verdict, False)]
    with RawClient(apple.sandbox_url, apple.ca_file) as other:
        assert other.push(token).status == 200


def test_every_connection_can_be_reset_now(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    client.push(token)

    apple.reset_connections()

    with pytest.raises(ConnectionResetError):
        client.read_until(lambda: client.closed)


def test_a_lost_answer_leaves_its_stream_silent_and_the_phone_with_its_push(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    lost, answered = opened(client, token, 2)
    apple.clear()
    apple.faults.add(Fault("lost_answer"))
    client.finish(lost)
    client.finish(answered)

    client.read_until(lambda: client.is_over(answered))
    client.round_trip()

    assert not client.is_over(lost)
    assert [(push.verdict, push.status, push.answered) for push in apple.received()] == [
        ("applied", 200, False),
        ("applied", 200, True),
    ]


def test_a_silent_connection_says_nothing_at_all(apple: ApnsSimulator, token: str) -> None:
    apple.faults.add(Fault("silence"))

    with (
        RawClient(apple.sandbox_url, apple.ca_file) as silent,
        RawClient(apple.sandbox_url, apple.ca_file) as other,
    ):
        silent.open(good_headers(token))

        assert silent.says_nothing()
        assert other.push(token).status == 200


def test_a_connection_can_stall_while_it_is_used(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    client.push(token)
    apple.faults.add(Fault("stall"))
    client.open(good_headers(token))
    client.open(good_headers(token))

    assert client.says_nothing()
    assert [(push.status, push.fault) for push in apple.received()] == [(200, None), (None, "stall")]


def test_a_silent_connection_and_a_stalled_one_can_still_be_reset(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    client.push(token)
    apple.faults.add(Fault("stall"))
    client.open(good_headers(token))
    client.flush()
    apple.wait_for(lambda pushes: pushes[-1].fault == "stall")
    apple.faults.add(Fault("silence"))
    with RawClient(apple.sandbox_url, apple.ca_file) as silent:
        silent.says_nothing()

        apple.reset_connections()

        for each in (client, silent):
            with pytest.raises(ConnectionResetError):
                each.read_until(lambda: False)


def test_the_stream_limit_can_be_held_down(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.faults.add(Fault("stream_limit", limit=2, count=None))

    for _ in range(3):
        client.push(token)
    while_held = list(client.limits)
    apple.faults.clear()
    client.push(token)

    assert while_held == [1, 2]
    assert client.limits == [1, 2, 1000]


def test_a_fault_strikes_only_where_it_is_meant_to(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    other = apple.issue_token(Environment.SANDBOX)
    apple.faults.add(Fault("answer", status=500, token=other, count=None))
    apple.faults.add(Fault("answer", status=503, environment=Environment.PRODUCTION))

    statuses = [client.push(each).status for each in (token, other, token, other)]

    assert statuses == [200, 500, 200, 500]


def test_an_answer_is_given_to_good_pushes_alone_and_a_reset_to_any(apple: ApnsSimulator, client: RawClient) -> None:
    apple.faults.add(Fault("answer", status=503))
    apple.faults.add(Fault("refused_stream", skip=1))

    answers = [client.push("ab" * 40) for _ in range(2)]

    assert answers[0].reason == "BadDeviceToken"
    assert answers[1].reset_code == ErrorCodes.REFUSED_STREAM
    assert [fault.kind for fault in apple.faults.pending()] == ["answer"]


def test_faults_count_their_skips_each_for_itself_and_the_first_one_due_strikes() -> None:
    faults = Faults()
    faults.add(Fault("answer", status=500, skip=1))
    faults.add(Fault("answer", status=501, skip=1, count=2))
    faults.add(Fault("answer", status=502, skip=4))

    struck = [faults.take(Phase.TAKEN, Environment.SANDBOX) for _ in range(6)]

    assert [fault and fault.status for fault in struck] == [None, 500, 501, 501, 502, None]


def test_of_a_fault_is_told_how_often_it_has_yet_to_strike() -> None:
    faults = Faults()
    faults.add(Fault("answer", status=500, skip=1, count=3))
    faults.add(Fault("answer", status=503, count=None))

    told = []
    for _ in range(4):
        told.append([(fault.status, fault.skip, fault.count) for fault in faults.pending()])
        faults.take(Phase.TAKEN, Environment.SANDBOX)

    always = (503, 0, None)
    assert told == [[(500, 1, 3), always], [(500, 0, 3), always], [(500, 0, 2), always], [(500, 0, 1), always]]
    assert faults.pending() == [Fault("answer", status=503, count=None)]


def test_a_fault_goes_through_json_unchanged() -> None:
    fault = Fault("answer", status=410, reason="Unregistered", environment=Environment.SANDBOX, count=None, token="ab")

    value = json.loads(json.dumps(fault.to_json()))

    assert Fault.from_json(value) == fault
    assert value == {
        "kind": "answer",
        "count": None,
        "environment": "sandbox",
        "token": "ab",
        "status": 410,
        "reason": "Unregistered",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "kind: missing"),
        ({"kind": "explosion"}, "kind: no such fault: explosion"),
        ({"kind": "reset", "colour": "red"}, "colour: no such part of a fault"),
        ({"kind": "answer"}, "status: missing"),
        ({"kind": "latency"}, "latency_s: missing"),
        ({"kind": "stream_limit"}, "limit: missing"),
        ({"kind": "reset", "environment": "moon"}, "'moon' is not a valid Environment"),
        ({"kind": "goaway", "last_stream": "beside"}, "last_stream: "),
        ({"kind": "reset", "count": 0}, "count: "),
        ({"kind": "reset", "skip": -1}, "skip: "),
        ({"kind": "reset", "skip": None}, "skip: a whole number"),
        ({"kind": "latency", "latency_s": "slow"}, "latency_s: "),
        ({"kind": "goaway", "taken": True}, "taken: "),
        ({"kind": "reset", "taken": "yes"}, "taken: true or false"),
        ({"kind": "reset", "token": 5}, "token: a text"),
        ({"kind": "goaway", "reason": {}}, "reason: a text"),
        ({"kind": "reset", "count": 1.5}, "count: a whole number"),
        ({"kind": "reset", "count": True}, "count: a whole number"),
        ({"kind": "answer", "status": 600}, "status: a whole number from 200 to 599"),
        ({"kind": "rst_stream", "error_code": -1}, "error_code: "),
        ({"kind": "rst_stream", "error_code": 2**32}, "error_code: "),
        ({"kind": "goaway", "last_stream": 2**31}, "last_stream: "),
        ({"kind": "latency", "latency_s": -0.1}, "latency_s: "),
        ({"kind": []}, "kind: no such fault"),
        ([], "a fault: an object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.from_json(value)
