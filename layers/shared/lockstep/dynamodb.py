"""What both tables need of DynamoDB: values in its notation, pages, and batches that are finished in the end."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        KeysAndAttributesTypeDef,
        QueryInputPaginateTypeDef,
        WriteRequestTypeDef,
    )


class ProjectionTypeDef(TypedDict, total=False):
    """What names the attributes that are wanted."""

    ProjectionExpression: str
    ExpressionAttributeNames: Mapping[str, str]


type Value = None | bool | int | str
type Item = Mapping[str, "AttributeValueTypeDef"]

# What DynamoDB takes in one call (BatchGetItem, BatchWriteItem).
GET_MAX = 100
WRITE_MAX = 25

# DynamoDB asks for exponential back-off before unprocessed keys are sent again ("BatchGetItem").
_ROUNDS = 6
_FIRST_WAIT_S = 0.05


def to_item(values: Mapping[str, Value]) -> dict[str, "AttributeValueTypeDef"]:
    """Write values in DynamoDB's notation, leaving out what is None."""
    return {name: _to_attribute(value) for name, value in values.items() if value is not None}


def arguments(values: Mapping[str, Value]) -> dict[str, "AttributeValueTypeDef"]:
    """Write values as an expression's `:name` arguments."""
    return {f":{name}": value for name, value in to_item(values).items()}


def _to_attribute(value: bool | int | str) -> "AttributeValueTypeDef":
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def projection(only: Iterable[str]) -> "ProjectionTypeDef":
    """Ask for these attributes alone; for all of them where none is named."""
    names = {f"#{name}": name for name in only}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names} if names else {}


def text(item: Item, name: str) -> str | None:
    """Read a string attribute."""
    return item[name].get("S") if name in item else None


def number(item: Item, name: str) -> int | None:
    """Read a whole number attribute."""
    value = item[name].get("N") if name in item else None
    return None if value is None else int(value)


def flag(item: Item, name: str) -> bool | None:
    """Read a true or false attribute."""
    return item[name].get("BOOL") if name in item else None


def lives(item: Item, now_s: int) -> bool:
    """TTL deletes days late, so every read asks for itself."""
    return "expires_at_s" in item and int(item["expires_at_s"]["N"]) > now_s


def conflict_item(error: Exception) -> Item | None:
    """Return the item that made a conditional write fail; None for any other error."""
    response = getattr(error, "response", {})
    if response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
        return None
    item: Item = response.get("Item") or {}
    return item


def query_pages(client: "DynamoDBClient", request: "QueryInputPaginateTypeDef") -> Iterator[list[Item]]:
    """Yield the pages of a query."""
    for page in client.get_paginator("query").paginate(**request):
        yield list(page["Items"])


def query_page(
    client: "DynamoDBClient", request: "QueryInputPaginateTypeDef", *, limit: int
) -> tuple[list[Item], bool]:
    """Read one page of a query, of so many items at most; and say whether there may be more."""
    answer = client.query(**request, Limit=limit)  # type: ignore[misc]  # no request of ours configures pagination
    return list(answer["Items"]), "LastEvaluatedKey" in answer


def get_batch(
    client: "DynamoDBClient", table: str, keys: Iterable[Item], *, only: Iterable[str] = ()
) -> Iterator[Item]:
    """
    Yield the items that exist among these keys, strongly consistent, in no order.

    Args:
        only: The attributes that are wanted; empty for all.
    """
    wanted = list(keys)
    asked_for = projection(only)
    for start in range(0, len(wanted), GET_MAX):
        left: Sequence[Item] = wanted[start : start + GET_MAX]
        for _ in _rounds():
            asked: KeysAndAttributesTypeDef = {"Keys": list(left), "ConsistentRead": True, **asked_for}  # type: ignore[typeddict-item]  # a part of its keys
            answer = client.batch_get_item(RequestItems={table: asked})
            yield from answer["Responses"].get(table, [])
            unprocessed = answer["UnprocessedKeys"]
            left = unprocessed[table]["Keys"] if table in unprocessed else []
            if not left:
                break


def write_batch(client: "DynamoDBClient", table: str, requests: Iterable["WriteRequestTypeDef"]) -> None:
    """Put and delete items, whatever was there."""
    wanted = list(requests)
    for start in range(0, len(wanted), WRITE_MAX):
        left: Sequence[WriteRequestTypeDef] = wanted[start : start + WRITE_MAX]
        for _ in _rounds():
            left = client.batch_write_item(RequestItems={table: list(left)})["UnprocessedItems"].get(table, [])  # type: ignore[assignment]  # the answer's items are request items
            if not left:
                break


def _rounds() -> Iterator[None]:
    """Yield for each try, and wait longer before each further one; raises once DynamoDB has left too much undone."""
    for attempt in range(_ROUNDS):
        yield
        time.sleep(_FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1))  # noqa: S311  # jitter, not a secret
    raise TimeoutError("DynamoDB left part of a batch unprocessed")
