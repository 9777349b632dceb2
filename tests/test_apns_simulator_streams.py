"""How many streams the APNs simulator allows, and that its flow control keeps up."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator, Fault, StreamLimits
from tests.apns_simulator_client import UPDATE, RawClient, good_headers, simulator

REFUSED = ErrorCodes.REFUSED_STREAM


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
    return apple.issue_token(Environment.SANDBOX)


def test_a_connection_has_one_stream_until_its_first_accepted_push(client: RawClient, token: str) -> None:
    client.push("ab" * 40)
    after_a_refusal = list(client.limits)

    client.push(token)

    assert after_a_refusal == [1]
    assert client.limits == [1, 1000]


def test_the_new_limit_is_known_before_the_first_answer(client: RawClient, token: str) -> None:
    stream = client.open(good_headers(token))

    client.read_until(lambda: bool(client.answers[stream].headers))

    assert client.limits == [1, 1000]


def test_streams_above_the_limit_are_refused_and_the_others_answered(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    streams = [client.open(good_headers(token), None) for _ in range(3)]
    client.flush()
    client.finish(streams[0])

    client.read_until(lambda: client.is_over(*streams))

    assert client.answers[streams[0]].status == 200
    assert [client.answers[stream].reset_code for stream in streams] == [None, REFUSED, REFUSED]
    assert client.push(token).status == 200
    assert [push.fault for push in apple.received()] == ["stream_limit", "stream_limit", None, None]


def test_a_refused_streams_body_that_is_on_its_way_harms_nothing(client: RawClient, token: str) -> None:
    streams = [client.open(good_headers(token), None) for _ in range(2)]
    client.flush()
    for stream in streams:
        client.finish(stream, UPDATE)

    client.read_until(lambda: client.is_over(*streams))

    assert [client.answers[stream].reset_code for stream in streams] == [None, REFUSED]
    assert client.push(token).status == 200


def test_five_hundred_pushes_on_a_fresh_connection_are_refused_but_one(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    streams = [client.open(good_headers(token), None) for _ in range(500)]
    client.flush()
    client.finish(streams[0])

    client.read_until(lambda: client.is_over(*streams))

    assert [client.answers[stream].reset_code for stream in streams].count(REFUSED) == 499
    assert len(apple.received()) == 500


@pytest.mark.parametrize(("opened", "refused"), [(3, 0), (4, 1)])
def test_the_limits_are_what_one_sets(tmp_path: Path, opened: int, refused: int) -> None:
    limits = StreamLimits(initial=2, full=3)
    with simulator(tmp_path, limits=limits) as apple, RawClient(apple.sandbox_url, apple.ca_file) as client:
        token = apple.issue_token(Environment.SANDBOX)
        client.push(token)

        streams = [client.open(good_headers(token), None) for _ in range(opened)]
        client.flush()
        client.finish(streams[0])
        client.finish(streams[1])
        client.finish(streams[2])
        client.read_until(lambda: client.is_over(*streams))

    assert client.limits == [2, 3]
    assert [client.answers[stream].reset_code for stream in streams].count(REFUSED) == refused


def test_a_refusal_lowers_the_limit_to_one_where_asked_to_and_a_dead_token_does_not(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    apple.stream_limits.one_after_error = True
    dead = apple.issue_token(Environment.SANDBOX)
    apple.kill_token(dead)

    client.push(token)
    client.push(dead)
    after_a_dead_token = list(client.limits)
    client.push("ab" * 40)
    client.push("ab" * 40)
    after_errors = list(client.limits)
    client.push(token)

    assert after_a_dead_token == [1, 1000]
    assert after_errors == [1, 1000, 1]
    assert client.limits == [1, 1000, 1, 1000]


def test_a_lowered_limit_holds_at_once(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.faults.add(Fault("stream_limit", limit=2))
    client.push(token)

    streams = [client.open(good_headers(token), None) for _ in range(3)]
    client.flush()
    client.finish(streams[0])
    client.finish(streams[1])
    client.read_until(lambda: client.is_over(*streams))

    assert [client.answers[stream].reset_code for stream in streams] == [None, None, REFUSED]
    assert client.limits == [1, 2, 1000]


def test_a_stream_that_the_client_gives_up_is_free_again(client: RawClient, token: str) -> None:
    given_up = client.open(good_headers(token), None)
    client.flush()
    client.h2.reset_stream(given_up, ErrorCodes.CANCEL)

    assert client.push(token).status == 200


def test_flow_control_keeps_up_with_bodies_of_any_number(client: RawClient, token: str) -> None:
    body = UPDATE + b" " * (4096 - len(UPDATE))

    statuses = {client.push(token, body).status for _ in range(100)}

    assert statuses == {200}


def test_flow_control_counts_the_bodies_of_streams_that_were_refused(client: RawClient, token: str) -> None:
    body = UPDATE + b" " * (4096 - len(UPDATE))
    for _ in range(20):
        kept, refused = (client.open(good_headers(token), None) for _ in range(2))
        client.h2.send_data(refused, body, end_stream=True)
        client.flush()
        client.h2.reset_stream(kept, ErrorCodes.CANCEL)
        client.read_until(partial(client.is_over, refused))

    assert client.push(token, body).status == 200


def test_an_answer_waits_for_a_client_that_has_no_room(client: RawClient) -> None:
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    stream = client.open(good_headers("ab" * 40))
    client.round_trip()
    before = client.answers[stream].body

    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    client.read_until(lambda: client.is_over(stream))

    assert not before.endswith(b"}")
    assert client.answers[stream].reason == "BadDeviceToken"


def test_pushes_in_flights_of_four_hundred_are_all_answered(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    client.push(token)

    for _ in range(3):
        streams = [client.open(good_headers(token)) for _ in range(400)]
        client.read_until(partial(client.is_over, *streams))
        assert {client.answers[stream].status for stream in streams} == {200}

    assert sum(push.answered for push in apple.received()) == 1201
