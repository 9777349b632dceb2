"""DynamoDB's client: what goes past botocore's models comes out as it would have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lockstep.aws_clients import dynamodb_client
from lockstep.dynamodb import Item, arguments, conflict_item, get_batch, query_pages, to_item, write_batch
from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from onebox.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AUDIENCE = "activity#order-42#0"
ITEMS: list[Item] = [
    to_item({"audience": AUDIENCE, "phone": f"{i:03}", "owner": 'Añá "1" \\ \n', "run": i, "confirmed": bool(i % 2)})
    for i in range(130)
]
KEYS: list[Item] = [{name: item[name] for name in ("audience", "phone")} for item in ITEMS]


@pytest.fixture
def table(stack: Stack) -> str:
    return stack.aws.tables["TokensTable"]


@pytest.fixture
def client(stack: Stack) -> "Iterator[DynamoDBClient]":
    with variables({**ENVIRONMENT, "AWS_ENDPOINT_URL": stack.aws.url}):
        client = dynamodb_client()
    yield client
    client.close()


@contextmanager
def sent_by(client: "DynamoDBClient") -> Iterator[list[Any]]:
    """Collect the requests that leave."""
    sent: list[Any] = []

    def see(request: Any, **_: object) -> None:
        sent.append(request)

    client.meta.events.register("before-send.dynamodb", see)
    yield sent
    client.meta.events.unregister("before-send.dynamodb", see)


def test_what_is_written_in_batches_is_what_botocore_reads(stack: Stack, client: "DynamoDBClient", table: str) -> None:
    write_batch(client, table, [{"PutRequest": {"Item": item}} for item in ITEMS])

    by_botocore = list(get_batch(stack.aws.dynamodb, table, KEYS))
    assert sorted(by_botocore, key=str) == sorted(ITEMS, key=str)


def test_what_is_read_is_what_botocore_reads(stack: Stack, client: "DynamoDBClient", table: str) -> None:
    write_batch(stack.aws.dynamodb, table, [{"PutRequest": {"Item": item}} for item in ITEMS])
    query: Any = {
        "TableName": table,
        "KeyConditionExpression": "audience = :audience",
        "ExpressionAttributeValues": arguments({"audience": AUDIENCE}),
        "PaginationConfig": {"PageSize": 50},
    }

    assert sorted(get_batch(client, table, KEYS), key=str) == sorted(ITEMS, key=str)
    assert list(query_pages(client, query)) == list(query_pages(stack.aws.dynamodb, query)) != []
    assert client.get_item(TableName=table, Key=KEYS[1])["Item"] == ITEMS[1]
    assert "Item" not in client.get_item(TableName=table, Key=to_item({"audience": "none", "phone": "0"}))


def test_an_update_returns_what_it_replaced_and_a_conflict_what_stands_there(
    client: "DynamoDBClient", table: str
) -> None:
    write_batch(client, table, [{"PutRequest": {"Item": ITEMS[1]}}])

    def set_owner(expected: str) -> Any:
        return client.update_item(
            TableName=table,
            Key=KEYS[1],
            UpdateExpression="SET #owner = :ben",
            ConditionExpression="#owner = :expected",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues=arguments({"ben": "ben", "expected": expected}),
            ReturnValues="ALL_OLD",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert set_owner(str(ITEMS[1]["owner"]["S"]))["Attributes"] == ITEMS[1]
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as raised:
        set_owner("nobody")
    assert conflict_item(raised.value) == {**ITEMS[1], "owner": {"S": "ben"}}


def test_only_what_is_asked_for_is_read(client: "DynamoDBClient", table: str) -> None:
    write_batch(client, table, [{"PutRequest": {"Item": item}} for item in ITEMS])

    [found] = get_batch(client, table, KEYS[:1], only=("run", "owner", "absent"))

    assert found == {name: ITEMS[0][name] for name in ("run", "owner")}


def test_a_request_names_us(client: "DynamoDBClient", table: str) -> None:
    with sent_by(client) as sent:
        client.get_item(TableName=table, Key=KEYS[0])

    assert sent[0].headers["User-Agent"].startswith(b"lockstep")
