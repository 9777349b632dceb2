"""What both tables need of DynamoDB: values in its notation, and batches that are finished in the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lockstep.dynamodb import arguments, conflict_item, flag, get_batch, number, text, to_item, write_batch
from onebox.stack import Stack
from tests.phones_side import hooked

KEYS = [to_item({"audience": "activity#order-42#0", "phone": f"{i:03}"}) for i in range(101)]


@pytest.fixture
def table(stack: Stack) -> str:
    return stack.aws.tables["TokensTable"]


@contextmanager
def leaving_some(stack: Stack, table: str, operation: str) -> Iterator[list[int]]:
    """Let DynamoDB do only the first half of the first batch; collects how much each call asked for."""
    calls: list[int] = []
    left: list[Any] = []

    def cut(params: dict[str, Any], **_: object) -> None:
        asked = params["RequestItems"][table]
        wanted = asked["Keys"] if isinstance(asked, dict) else asked
        calls.append(len(wanted))
        if len(calls) == 1:
            left[:] = wanted[len(wanted) // 2 :]
            del wanted[len(wanted) // 2 :]

    def leave(parsed: dict[str, Any], **_: object) -> None:
        if left:
            unprocessed = {"Keys": left[:], "ConsistentRead": True} if operation == "BatchGetItem" else left[:]
            parsed["UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"] = {table: unprocessed}
            left.clear()

    with (
        hooked(stack, f"before-parameter-build.dynamodb.{operation}", cut),
        hooked(stack, f"after-call.dynamodb.{operation}", leave),
    ):
        yield calls


def test_values_are_written_and_read_in_dynamodbs_notation() -> None:
    item = to_item({"text": "", "number": 0, "flag": False, "none": None})

    assert item == {"text": {"S": ""}, "number": {"N": "0"}, "flag": {"BOOL": False}}
    assert (text(item, "text"), number(item, "number"), flag(item, "flag")) == ("", 0, False)
    assert (text(item, "none"), number(item, "none"), flag(item, "none")) == (None, None, None)
    # What another release wrote under another type is not taken for ours.
    assert (text(item, "number"), number(item, "text"), flag(item, "text")) == (None, None, None)
    assert arguments({"now": 1, "none": None}) == {":now": {"N": "1"}}


def test_only_a_failed_condition_is_a_conflict(stack: Stack, table: str) -> None:
    client = stack.aws.dynamodb

    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
        client.delete_item(TableName=table, Key=KEYS[0], ConditionExpression="attribute_exists(audience)")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.delete_item(TableName="no-such-table", Key=KEYS[0])

    assert conflict_item(refused.value) == {}
    assert conflict_item(missing.value) is None
    assert conflict_item(OSError()) is None


def test_what_dynamodb_leaves_of_a_batch_is_asked_for_again(stack: Stack, table: str) -> None:
    write_batch(stack.aws.dynamodb, table, ({"PutRequest": {"Item": key}} for key in KEYS))

    with leaving_some(stack, table, "BatchGetItem") as calls:
        found = list(get_batch(stack.aws.dynamodb, table, KEYS))

    assert sorted(found, key=str) == sorted(KEYS, key=str)
    assert calls == [100, 50, 1]


def test_what_dynamodb_leaves_of_a_batch_is_written_again(stack: Stack, table: str) -> None:
    with leaving_some(stack, table, "BatchWriteItem") as calls:
        write_batch(stack.aws.dynamodb, table, [{"PutRequest": {"Item": key}} for key in KEYS[:26]])

    assert len(stack.aws.items(table)) == 26
    assert calls == [25, 13, 1]


def test_nothing_to_do_is_no_call(stack: Stack, table: str) -> None:
    with leaving_some(stack, table, "BatchGetItem") as reads, leaving_some(stack, table, "BatchWriteItem") as writes:
        assert list(get_batch(stack.aws.dynamodb, table, [])) == []
        write_batch(stack.aws.dynamodb, table, [])

    assert reads == writes == []
