"""Requests of a boto3 client over libcurl: sent as signed, answered as botocore expects, tried again where it would."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import certifi
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, HTTPClientError, ReadTimeoutError

from lockstep.aws_transport import CurlTransport
from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.stack import running

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GOOD = Response(200, [("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", "r-1")], b'{"Item":{}}')
BUSY = Response(500, [], b'{"__type":"InternalServerError","message":"busy"}')
FULL = Response(400, [], b'{"__type":"x#ProvisionedThroughputExceededException","message":"slow down"}')
GONE = Response(
    400, [], json.dumps({"__type": "x#ConditionalCheckFailedException", "Item": {"a": {"S": "é"}}}).encode()
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def client_to(url: str, *, tries: int = 3, timeout_s: float = 5, now: Clock | None = None) -> "DynamoDBClient":
    with variables(ENVIRONMENT):
        client = boto3.client(
            "dynamodb", endpoint_url=url, config=Config(retries={"mode": "standard", "max_attempts": tries})
        )
    CurlTransport(
        ca_file=certifi.where(), connect_timeout_s=timeout_s, read_timeout_s=timeout_s, now=now or Clock()
    ).carry(client)
    return client


def get(client: "DynamoDBClient") -> Any:
    return client.get_item(TableName="t", Key={"a": {"S": "é"}})


class Server:
    """Answers in turn, the last answer for ever, and keeps what it was asked."""

    def __init__(self, *answers: Response) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []
        self.server = HttpServer(self._answer, name="aws")

    def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.asked[-1].headers}


@contextmanager
def serving(*answers: Response) -> Iterator[Server]:
    server = Server(*answers)
    with running(server.server):
        yield server


def test_a_request_is_sent_as_botocore_signed_it() -> None:
    with serving(GOOD) as server:
        answer = get(client_to(server.server.url))

        headers = server.headers()
        assert json.loads(server.asked[0].body) == {"TableName": "t", "Key": {"a": {"S": "é"}}}
        signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {*signed, "content-length", "user-agent"} <= headers.keys()
        assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
        assert not headers.keys() & {"expect", "accept", "transfer-encoding"}
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == "r-1"
        assert answer["Item"] == {}


def test_an_error_is_botocores_error_with_all_it_says() -> None:
    with serving(GONE) as server:
        client = client_to(server.server.url)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException) as raised:
            get(client)

    assert raised.value.response["Item"] == {"a": {"S": "é"}}  # type: ignore[typeddict-item]  # modeled for this error


@pytest.mark.parametrize("bad", [BUSY, FULL], ids=["500", "throttled"])
def test_what_botocore_retries_is_tried_again(bad: Response) -> None:
    with serving(bad, bad, GOOD) as server:
        assert get(client_to(server.server.url))["Item"] == {}
        assert len(server.asked) == 3


def test_an_answer_whose_checksum_is_wrong_is_asked_for_again() -> None:
    spoiled = Response(200, [*GOOD.headers, ("x-amz-crc32", "1")], GOOD.body)

    with serving(spoiled, GOOD) as server:
        assert get(client_to(server.server.url))["Item"] == {}
        assert len(server.asked) == 2


def test_no_server_no_connection() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(EndpointConnectionError):
            get(client_to(f"http://127.0.0.1:{bound.getsockname()[1]}", tries=1))


def meeting(act: Callable[[socket.socket], object]) -> "tuple[socket.socket, str]":
    """Listen, and do this with each connection, one after the other."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            act(connection)

    threading.Thread(target=accept, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


def behaving(act: Callable[[socket.socket], object]) -> "tuple[socket.socket, str]":
    """Listen, and do this with each connection once something was read."""

    def meet(connection: socket.socket) -> None:
        with connection:
            connection.recv(1 << 16)
            act(connection)

    return meeting(meet)


@pytest.mark.parametrize(
    "act",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf"),
        lambda connection: connection.sendall(b"what?\r\n\r\n"),
    ],
    ids=["closed", "half an answer", "no HTTP"],
)
def test_a_broken_answer_is_an_error_that_botocore_retries(act: Callable[[socket.socket], object]) -> None:
    listening, url = behaving(act)
    with listening, pytest.raises(HTTPClientError):
        get(client_to(url, tries=1))


def test_a_server_that_says_nothing_costs_the_time_out() -> None:
    over = threading.Event()
    listening, url = behaving(lambda _: over.wait())
    with listening, pytest.raises(ReadTimeoutError):
        get(client_to(url, tries=1, timeout_s=0.05))
    over.set()


def test_a_connection_that_does_not_come_up_costs_the_time_out() -> None:
    # Its queue is full: TCP's handshake has no end.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        with ExitStack() as full:
            for _ in range(4):
                one = full.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(listening.getsockname())
            with pytest.raises(ConnectTimeoutError):
                get(client_to(f"http://127.0.0.1:{listening.getsockname()[1]}", tries=1, timeout_s=0.05))


@contextmanager
def counting() -> Iterator[tuple[str, list[int]]]:
    """Listen, and count connections; each answers as long as it lives."""
    connections = [0]
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(GOOD.body)}\r\n\r\n".encode()

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 16):
                connection.sendall(head + GOOD.body)

    def meet(connection: socket.socket) -> None:
        connections[0] += 1
        threading.Thread(target=serve, args=(connection,), daemon=True).start()

    listening, url = meeting(meet)
    with listening:
        yield url, connections


@pytest.mark.parametrize(("idle_s", "connections"), [(60, 1), (61, 2), (-1, 2)])
def test_a_connection_stays_open_but_is_not_trusted_after_a_minute_of_wall_clock(idle_s: int, connections: int) -> None:
    clock = Clock()
    with counting() as (url, made):
        client = client_to(url, now=clock)
        get(client)
        clock.now_s += idle_s
        get(client)

        assert made == [connections]


def test_each_thread_has_a_connection_of_its_own() -> None:
    with counting() as (url, made):
        client = client_to(url)
        threads = [threading.Thread(target=lambda: [get(client) for _ in range(5)]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert made == [3]
