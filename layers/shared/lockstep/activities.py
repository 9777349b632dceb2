"""The activities table: the rows, and which activities name which users and audiences; `slice_items` knows the rest."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lockstep.channels import to_text
from lockstep.closing import look_at_s
from lockstep.dynamodb import (
    Item,
    Value,
    arguments,
    conflict_item,
    get_batch,
    lives,
    query_pages,
    text,
    to_item,
    write_batch,
)
from lockstep.outcomes import Heard
from lockstep.row import ROW_LIFE_S, Row
from lockstep.row_items import NUMBERS, OUTCOMES, REGISTERS, from_register, to_row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORMAT = 1

# What `_sweep` may say.
_SWEEPS = "0123456789abcdef"


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
        rows = (to_row(item) for item in get_batch(self._client, self._table, keys))
        return {row.activity: row for row in rows if row.expires_at_s > now_s}

    def replace(self, before: Row | None, after: Row, *, now_s: int) -> Conflict | None:
        """
        Write a row if it is still as it was read: `writes` is compared, and an expired row counts as none.

        Returns:
            None if it was written; else what stands there now, to merge with again.
        """
        given = after.registers.given()
        values: dict[str, Value] = {name: getattr(after, name) for name in NUMBERS}
        values |= {"lowered": after.lowered, "shards": after.shards, "started": after.started, "v": _FORMAT}
        values |= {name: from_register(register) for name, register in given.items()}
        if after.channels:
            values["channels"] = to_text(after.channels)
        at_s = look_at_s(after)
        if at_s:
            values |= {"sweep": _sweep(after.activity), "sweep_at_s": at_s}  # rows without these are not in the index
        gone = [name for name in (*REGISTERS, "channels", "sweep", "sweep_at_s") if name not in values]
        # What a former life of the activity left behind, if DynamoDB has not deleted it yet.
        gone += OUTCOMES if before is None else ()
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
            now = to_row(item) if item else None
            return Conflict(now if now and now.expires_at_s > now_s else None)
        return None

    def record(self, row: Row, *, sent: int | None, started: bool, heard: Heard | None = None) -> Row | None:
        """
        Note how far a delivery to the whole audience came; never lowers what is noted, never makes a row.

        Args:
            sent: The revision, at least, to which every card was brought; None if not all were.
            started: Every phone that its start names was started.
            heard: What became of its pushes, for whoever asks why something doesn't show.

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
            if heard is not None:
                values["cards"] = heard.cards.to_text()
                noted.append("card_outcomes = :cards")
        if started:
            values["started"] = row.start_version
            noted.append("started = :started")
            if heard is not None:
                values["starts"] = heard.starts.to_text()
                noted.append("start_outcomes = :starts")
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
                return self.record(row, sent=None, started=True, heard=heard)
            return None
        return to_row(answer["Attributes"])

    def grow(self, activity: str, shards: int) -> None:
        """Have an activity's cards and markers written to so many partitions from now on."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=_key(activity, "row"),
                UpdateExpression="SET shards = :shards ADD writes :one",
                ConditionExpression="attribute_exists(activity) AND (attribute_not_exists(shards) OR shards < :shards)",
                ExpressionAttributeValues=arguments({"shards": shards, "one": 1}),
            )

    def due_for_sweep(self, *, now_s: int) -> Iterator[str]:
        """Name activities that the sweep has to look at, by an index that is eventually consistent."""
        for sweep in _SWEEPS:
            pages = query_pages(
                self._client,
                {
                    "TableName": self._table,
                    "IndexName": "BySweep",
                    "KeyConditionExpression": "sweep = :sweep AND sweep_at_s <= :now_s",
                    "ExpressionAttributeValues": arguments({"sweep": sweep, "now_s": now_s}),
                },
            )
            yield from (text(item, "activity") or "" for page in pages for item in page)

    def want(self, activity: str, users: Iterable[str], audiences: Iterable[str] = (), *, now_s: int) -> None:
        """Note that a start of this activity names these users and audiences, so that phones' reports find it."""
        expires: dict[str, Value] = {"expires_at_s": now_s + ROW_LIFE_S, "v": _FORMAT}
        names = [*(f"user#{user}" for user in users), *(f"name#{audience}" for audience in audiences)]
        items = [{**_key(name, activity), **to_item(expires)} for name in names]
        write_batch(self._client, self._table, [{"PutRequest": {"Item": item}} for item in items])

    def wanting(self, user: str, follows: Iterable[str] = (), *, now_s: int) -> list[Row]:
        """Read the running activities that want this user's phone, which follows these names, and admit the user."""
        names = set(follows)
        found: dict[str, None] = {}
        for key in (f"user#{user}", *(f"name#{name}" for name in sorted(names))):
            pages = query_pages(
                self._client,
                {
                    "TableName": self._table,
                    "KeyConditionExpression": "activity = :named",
                    "ExpressionAttributeValues": arguments({"named": key}),
                    "ConsistentRead": True,
                },
            )
            found |= {text(item, "part") or "": None for page in pages for item in page if lives(item, now_s)}
        rows = self.get_many(found, now_s=now_s).values()
        return [
            row
            for row in rows
            if row.registers.running and (user in row.users or row.audience in names) and row.allows(user)
        ]


def _sweep(activity: str) -> str:
    """Spread activities over the index's keys, so that none is hot."""
    return hashlib.sha256(activity.encode()).hexdigest()[0]


def _key(activity: str, part: str) -> Item:
    return to_item({"activity": activity, "part": part})
