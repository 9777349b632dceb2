"""The APNs simulator from outside: its listeners, what it answers to a good push, and what it remembers."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame

from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator, Fault, ReceivedPush
from tests.apns_simulator_client import UPDATE, RawClient, good_headers, simulator

AN_ID = "123e4567-e89b-12d3-a456-42661417400a"


@pytest.fixture
def apple(tmp_path: Path) -> Iterator[ApnsSimulator]:
    with simulator(tmp_path) as apple:
        yield apple


@pytest.fixture
def client(apple: ApnsSimulator) -> Iterator[RawClient]:
    with RawClient(apple.sandbox_url, apple.ca_file) as client:
        yield client


def test_a_good_push_is_taken_without_a_body(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX)

    answer = client.push(token)

    assert (answer.status, answer.body) == (200, b"")


def test_an_answer_repeats_the_apns_id_as_it_was_written(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX)

    taken = client.push(token, apns_id=AN_ID)
    refused = client.push(token, b"", apns_id=AN_ID.upper())

    assert taken.headers["apns-id"] == AN_ID
    assert refused.headers["apns-id"] == AN_ID.upper()


def test_an_answer_gets_an_apns_id_where_none_was_given(apple: ApnsSimulator, client: RawClient) -> None:
    first, second = (client.push(apple.issue_token(Environment.SANDBOX)) for _ in range(2))

    assert UUID(first.headers["apns-id"]) != UUID(second.headers["apns-id"])


def test_only_the_sandbox_tells_a_unique_id(apple: ApnsSimulator, client: RawClient) -> None:
    with RawClient(apple.production_url, apple.ca_file) as production:
        from_production = production.push(apple.issue_token(Environment.PRODUCTION))

    from_sandbox = client.push(apple.issue_token(Environment.SANDBOX))

    assert "apns-unique-id" in from_sandbox.headers
    assert "apns-unique-id" not in from_production.headers


def test_a_refusal_says_why_in_json(client: RawClient) -> None:
    answer = client.push("ab" * 40)

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"reason": "BadDeviceToken"}


def test_the_same_apns_id_twice_is_delivered_twice(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX, receive=lambda push: f"applied {push.stream}")

    client.push(token, apns_id=AN_ID)
    client.push(token, apns_id=AN_ID)

    assert [push.verdict for push in apple.received()] == ["applied 1", "applied 3"]


def test_nonsense_is_taken_and_the_verdict_is_the_phones(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX, receive=lambda push: f"decode_error: {push.payload}")

    answer = client.push(token, b"{nonsense")

    assert answer.status == 200
    assert apple.received()[0].verdict == "decode_error: None"


def test_every_request_is_recorded(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX, receive=lambda _: "applied")

    client.push(token, apns_priority="5")
    client.push("ab" * 40)

    taken, refused = apple.received()
    assert (taken.environment, taken.token, taken.body) == (Environment.SANDBOX, token, UPDATE)
    assert taken.headers["apns-priority"] == "5"
    assert taken.payload["aps"]["content-state"] == {"minutes": 7}
    assert (taken.status, taken.reason, taken.verdict, taken.answered) == (200, None, "applied", True)
    assert (taken.connection, taken.stream, taken.fault, taken.accepted) == (1, 1, None, True)
    assert (refused.status, refused.reason, refused.verdict, refused.answered) == (400, "BadDeviceToken", None, True)
    assert (refused.connection, refused.stream, refused.accepted) == (1, 3, False)


def test_a_record_prints_no_secret_and_its_json_has_no_provider_token(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX)
    client.push(token)

    [push] = apple.pushes

    assert token not in repr(push)
    assert "minutes" not in repr(push)
    assert "bearer" not in repr(push)
    assert "authorization" not in push.to_json()["headers"]
    assert push.to_json()["payload"] == push.payload


def test_what_was_received_can_be_forgotten(apple: ApnsSimulator, client: RawClient) -> None:
    client.push("ab" * 40)

    apple.clear()

    assert apple.received() == []


def test_one_can_wait_for_a_push_that_another_thread_sends(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX)
    sender = threading.Thread(target=client.push, args=(token,))
    sender.start()

    [push] = apple.wait_for(lambda pushes: any(push.answered for push in pushes))

    sender.join()
    assert push.token == token


def test_waiting_has_an_end(apple: ApnsSimulator) -> None:
    with pytest.raises(TimeoutError, match="0 requests came"):
        apple.wait_for(lambda pushes: len(pushes) == 1, timeout_s=0.01)


@pytest.mark.parametrize("hex_chars", [64, 160, 512])
def test_a_token_has_the_length_one_asks_for(apple: ApnsSimulator, client: RawClient, hex_chars: int) -> None:
    token = apple.issue_token(Environment.SANDBOX, hex_chars=hex_chars)

    assert len(token) == hex_chars
    assert client.push(token).status == 200
    assert client.push(token.upper()).status == 200


def test_the_certificate_is_for_localhost_and_its_address(apple: ApnsSimulator) -> None:
    for host in ("localhost", "127.0.0.1"):
        with RawClient(apple.sandbox_url.replace("localhost", host), apple.ca_file) as client:
            assert client.push("ab" * 40).status == 400


def test_nobody_trusts_the_certificate_without_its_authority(apple: ApnsSimulator) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        RawClient(apple.sandbox_url, Path(ssl.get_default_verify_paths().openssl_cafile))


def test_a_client_that_does_not_speak_http_2_is_sent_away(apple: ApnsSimulator) -> None:
    with (
        RawClient(apple.sandbox_url, apple.ca_file, alpn="http/1.1") as client,
        pytest.raises((AssertionError, OSError)),
    ):
        client.push("ab" * 40)

    assert apple.received() == []


def test_a_client_that_breaks_the_protocol_loses_its_connection_alone(apple: ApnsSimulator, client: RawClient) -> None:
    with RawClient(apple.sandbox_url, apple.ca_file) as other:
        other.push("ab" * 40)
        other.socket.sendall(b"\x00\x00\x00\x01\x05\x00\x00\x00\x02")  # HEADERS on a stream of the server's

        other.read_until(lambda: other.closed)

    assert client.push("ab" * 40).status == 400


def test_a_client_that_says_goodbye_gets_the_answers_that_are_under_way(
    apple: ApnsSimulator, client: RawClient
) -> None:
    """Node.js says it as soon as it hears a GOAWAY, or is told to close, and waits for its streams (RFC 9113, 6.8)."""
    token = apple.issue_token(Environment.SANDBOX)
    apple.faults.add(Fault("latency", latency_s=0.05))
    stream = client.open(good_headers(token), None)
    client.flush()

    client.socket.sendall(GoAwayFrame(0, last_stream_id=0, error_code=ErrorCodes.NO_ERROR).serialize())
    client.finish(stream)
    client.read_until(lambda: client.closed)

    assert client.answers[stream].status == 200
    assert apple.received()[0].answered


def test_a_client_that_says_goodbye_for_an_error_is_let_go_at_once(apple: ApnsSimulator, client: RawClient) -> None:
    stream = client.open(good_headers("ab" * 40), None)
    client.flush()

    client.socket.sendall(GoAwayFrame(0, last_stream_id=0, error_code=ErrorCodes.PROTOCOL_ERROR).serialize())
    client.read_until(lambda: client.closed)

    assert not client.is_over(stream)


def test_what_came_from_a_client_that_is_gone_is_caught_up_with(apple: ApnsSimulator, client: RawClient) -> None:
    busy, done = threading.Event(), threading.Event()

    def keep_busy(_: ReceivedPush) -> str:
        busy.set()
        done.wait()
        return "shown"

    slow = apple.issue_token(Environment.SANDBOX, receive=keep_busy)
    with RawClient(apple.sandbox_url, apple.ca_file) as gone:
        gone.push("ab" * 40)
        client.open(good_headers(slow))
        client.flush()
        busy.wait()
        for _ in range(200):
            gone.open(good_headers("ab" * 40))
        gone.flush()
    done.set()

    apple.catch_up()

    assert len(apple.received()) == 202


def test_it_starts_again_on_the_same_ports_with_the_same_authority(tmp_path: Path) -> None:
    apple = simulator(tmp_path)
    with apple:
        url, authority = apple.sandbox_url, apple.ca_file.read_bytes()

    with pytest.raises(ConnectionRefusedError):
        RawClient(url, apple.ca_file)
    with apple, RawClient(url, apple.ca_file) as client:
        assert client.push("ab" * 40).status == 400

    assert (apple.sandbox_url, apple.ca_file.read_bytes()) == (url, authority)


def test_stopping_ends_connections_and_may_be_repeated(tmp_path: Path) -> None:
    apple = simulator(tmp_path)
    apple.start()
    with RawClient(apple.sandbox_url, apple.ca_file) as client:
        client.push("ab" * 40)
        client.open(good_headers("ab" * 40), None)
        client.flush()

        apple.stop()
        apple.stop()

        with pytest.raises((OSError, AssertionError)):
            client.read_until(lambda: False)
