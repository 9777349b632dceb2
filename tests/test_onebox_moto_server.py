"""moto, one request at a time."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from onebox.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sqs(stack: Stack) -> "SQSClient":
    return stack.aws.sqs


@pytest.fixture
def queue(sqs: "SQSClient") -> Iterator[str]:
    url = sqs.create_queue(QueueName=f"test-{uuid4()}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def receive(sqs: "SQSClient", queue: str, *, wait_s: int) -> list[str]:
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_a_long_poll_ends_with_the_message_that_it_waits_for(sqs: "SQSClient", queue: str) -> None:
    with ThreadPoolExecutor() as pool:
        began_s = time.monotonic()
        found = pool.submit(receive, sqs, queue, wait_s=10)
        sqs.send_message(QueueUrl=queue, MessageBody="here")

        assert found.result() == ["here"]
        assert time.monotonic() - began_s < 5


def test_a_long_poll_that_waits_in_vain_ends_empty(sqs: "SQSClient", queue: str) -> None:
    assert receive(sqs, queue, wait_s=1) == []


def test_a_long_poll_sees_a_message_whose_delay_is_over(sqs: "SQSClient", queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)

    assert receive(sqs, queue, wait_s=0) == []
    assert receive(sqs, queue, wait_s=10) == ["late"]


def test_a_long_poll_keeps_nobody_waiting(sqs: "SQSClient", queue: str) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(receive, sqs, queue, wait_s=2)
        began_s = time.monotonic()
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])

        assert time.monotonic() - began_s < 1
        sqs.send_message(QueueUrl=queue, MessageBody="enough")
        waiting.result()


def test_a_poll_of_no_queue_is_an_error_at_once(sqs: "SQSClient", queue: str) -> None:
    began_s = time.monotonic()

    with pytest.raises(ClientError, match="NonExistentQueue"):
        receive(sqs, f"{queue}-not", wait_s=10)

    assert time.monotonic() - began_s < 5


def test_delays_and_visibility_timeouts_can_be_over_at_once(stack: Stack, sqs: "SQSClient", queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="taken")
    receive(sqs, queue, wait_s=0)
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)

    stack.aws.hasten_messages()

    assert sorted(receive(sqs, queue, wait_s=0)) == ["late", "taken"]


def test_no_message_is_lost_between_many_senders_and_a_receiver(sqs: "SQSClient", queue: str) -> None:
    senders, each = 4, 25
    got: set[str] = set()

    def send(sender: int) -> None:
        for number in range(each):
            sqs.send_message(QueueUrl=queue, MessageBody=f"{sender}-{number}")

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(senders)]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + 60
    while len(got) < senders * each and time.monotonic() < until_s:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            got.add(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    for thread in threads:
        thread.join()

    assert len(got) == senders * each


def asked(stack: Stack, headers: Mapping[str, str], *, method: str = "POST") -> tuple[int, dict[str, str]]:
    """List the tables as a client of AWS would, with headers of a browser's; returns the status and the headers."""
    like_aws = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    authorization = "AWS4-HMAC-SHA256 Credential=local/20270115/us-east-1/dynamodb/aws4_request, SignedHeaders=host"
    connection = HTTPConnection(urlsplit(stack.aws.url).netloc, timeout=10)
    connection.request(method, "/", "{}", {**like_aws, "authorization": authorization, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://site.example"},
        {"Origin": "null"},
        {"Host": "site.example"},
        {"Host": "127.0.0.1.site.example"},
        {"Host": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_site_gets_nothing_from_moto(stack: Stack, headers: dict[str, str]) -> None:
    for method in ("POST", "OPTIONS"):
        status, answered = asked(stack, headers, method=method)

        assert status == 403
        assert "access-control-allow-origin" not in answered


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "host.docker.internal"])
def test_clients_on_this_machine_and_in_its_containers_are_answered(stack: Stack, name: str) -> None:
    port = urlsplit(stack.aws.url).port

    assert asked(stack, {"Host": f"{name}:{port}"})[0] == 200


def test_of_many_conditional_writes_at_once_one_passes(stack: Stack) -> None:
    table = stack.aws.tables["ActivitiesTable"]

    def write(number: int) -> bool:
        try:
            stack.aws.dynamodb.put_item(
                TableName=table,
                Item={"activity": {"S": "a"}, "part": {"S": "row"}, "writer": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(activity)",
            )
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(24))) == 1
