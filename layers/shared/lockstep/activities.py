"""The activities table: the rows, which activities name which users, and leases. The one place that knows its items."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lockstep.dynamodb import (
    Item,
    Value,
    arguments,
    conflict_item,
    flag,
    get_batch,
    number,
    query_pages,
    text,
    to_item,
    write_batch,
)
from lockstep.json_values import compact, parse
from lockstep.row import ROW_LIFE_S, Register, Registers, Row, Version

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NUMBERS = (
    "run",
    "first_run",
    "run_revision",
    "writes",
    "revision",
    "sent_revision",
    "alert_revision",
    "urgent_revision",
    "timestamp_s",
    "stamped_revision",
    "claimed_revision",
    "delivered_at_ms",
    "due_at_ms",
    "hour",
    "spent",
    "expires_at_s",
)
_REGISTERS = ("start", "guests", "state", "alert", "end")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote the row meanwhile; this is it, None if it is gone."""

    row: Row | None


class Activities:
    """Rows of activities. Every read is strongly consistent, and none returns what has expired."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, activity: str, *, now_s: int) -> Row | None:
        """Read a row."""
        return self.get_many([activity], now_s=now_s).get(activity)

    def get_many(self, activities: Iterable[str], *, now_s: int) -> dict[str, Row]:
        """Read the rows that exist among these activities."""
        keys = [_key(activity, "row") for activity in dict.fromkeys(activities)]
        rows = (_to_row(item) for item in get_batch(self._client, self._table, keys))
        return {row.activity: row for row in rows if row.expires_at_s > now_s}

    def replace(self, before: Row | None, after: Row, *, now_s: int) -> Conflict | None:
        """
        Write a row if it is still as it was read: `writes` is compared, and an expired row counts as none.

        Returns:
            None if it was written; else what stands there now, to merge with again.
        """
        given = after.registers.given()
        values: dict[str, Value] = {name: getattr(after, name) for name in _NUMBERS}
        values |= {"lowered": after.lowered, "started": after.started, "v": _FORMAT}
        values |= {name: _from_register(register) for name, register in given.items()}
        gone = [name for name in _REGISTERS if name not in given]
        compared: dict[str, Value] = {"now_s": now_s} if before is None else {"before": before.writes}
        absent = "attribute_not_exists(activity) OR #expires_at_s <= :now_s"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(after.activity, "row"),
                UpdateExpression="SET "
                + ", ".join(f"#{name} = :{name}" for name in values)
                + (" REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""),
                ConditionExpression=absent if before is None else "#writes = :before",
                ExpressionAttributeNames={f"#{name}": name for name in (*values, *gone)},
                ExpressionAttributeValues=arguments(values | compared),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            item = conflict_item(error)
            if item is None:
                raise
            now = _to_row(item) if item else None
            return Conflict(now if now and now.expires_at_s > now_s else None)
        return None

    def record(self, row: Row, *, sent: int | None, started: bool) -> Row | None:
        """
        Note how far a delivery to the whole audience came; never lowers what is noted, never makes a row.

        Args:
            sent: The revision, at least, to which every card was brought; None if not all were.
            started: Every phone that its start names was started.

        Returns:
            The row as it is now; None if there was nothing to note any more.
        """
        values: dict[str, Value] = {"run": row.run, "one": 1}
        noted = []
        condition = "#run = :run"
        if sent is not None:
            values["sent"] = sent
            noted.append("sent_revision = :sent")
            condition += " AND sent_revision < :sent"
        if started:
            values["started"] = row.start_version
            noted.append("started = :started")
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(row.activity, "row"),
                UpdateExpression=f"SET {', '.join(noted)} ADD writes :one",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#run": "run"},
                ExpressionAttributeValues=arguments(values),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise
            if sent is not None and started:
                # The cards are noted already, or further; the starts may not be.
                return self.record(row, sent=None, started=True)
            return None
        return _to_row(answer["Attributes"])

    def want(self, activity: str, users: Iterable[str], *, now_s: int) -> None:
        """Note that a start of this activity names these users, so that their phones' reports find it."""
        expires: dict[str, Value] = {"expires_at_s": now_s + ROW_LIFE_S, "v": _FORMAT}
        items = [{**_key(f"user#{user}", activity), **to_item(expires)} for user in users]
        write_batch(self._client, self._table, [{"PutRequest": {"Item": item}} for item in items])

    def wanting(self, user: str, *, now_s: int) -> list[Row]:
        """Read the running activities whose start names this user and whose guests include them."""
        pages = query_pages(
            self._client,
            {
                "TableName": self._table,
                "KeyConditionExpression": "activity = :user",
                "ExpressionAttributeValues": arguments({"user": f"user#{user}"}),
                "ConsistentRead": True,
            },
        )
        named = [text(item, "part") or "" for page in pages for item in page]
        rows = self.get_many(named, now_s=now_s).values()
        return [row for row in rows if row.registers.running and user in row.users and row.allows(user)]

    def lease_starts(self, activity: str, holder: str, *, now_ms: int, until_ms: int) -> int | None:
        """
        Take the lease under which an activity's cards are started.

        Returns:
            None if the lease is ours; else the Unix milliseconds at which the other's ends.
        """
        lease: dict[str, Value] = {
            "holder": holder,
            "until_ms": until_ms,
            "expires_at_s": until_ms // 1000 + ROW_LIFE_S,
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**_key(f"lease#{activity}", "starts"), **to_item(lease)},
                ConditionExpression="attribute_not_exists(activity) OR until_ms <= :now OR holder = :holder",
                ExpressionAttributeValues=arguments({"now": now_ms, "holder": holder}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            item = conflict_item(error)
            if item is None:
                raise
            return number(item, "until_ms") or until_ms
        return None

    def release_starts(self, activity: str, holder: str) -> None:
        """Give the lease back, if it is still ours."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_key(f"lease#{activity}", "starts"),
                ConditionExpression="holder = :holder",
                ExpressionAttributeValues=arguments({"holder": holder}),
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise


def _key(activity: str, part: str) -> Item:
    return to_item({"activity": activity, "part": part})


def _from_register(register: Register) -> str:
    version = register.version
    return compact({"at": version.published_at_ms, "by": version.digest, "value": register.value})


def _to_register(stored: str) -> Register:
    value = parse(stored)
    if not (isinstance(value, dict) and isinstance(value["at"], int) and isinstance(value["value"], dict)):
        raise ValueError("not a register")
    return Register(Version(value["at"], str(value["by"])), value["value"])


def _to_row(item: Item) -> Row:
    registers = {name: _to_register(stored) for name in _REGISTERS if (stored := text(item, name)) is not None}
    numbers = {name: number(item, name) or 0 for name in _NUMBERS}
    return Row(
        text(item, "activity") or "",
        Registers(**registers),
        lowered=flag(item, "lowered") or False,
        started=text(item, "started") or "",
        **numbers,
    )
