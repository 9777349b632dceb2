"""Which channels this stack has made: items of the activities table, written before a channel is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockstep.apns import Environment
from lockstep.dynamodb import Item, Value, arguments, number, query_pages, text, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORMAT = 1

# Two kinds of items.
_MADE, _SEEN = "channels", "seen"


@dataclass(frozen=True, slots=True)
class MadeChannel:
    """
    A channel that this stack made.

    Attributes:
        activity: What it was made for.
        made_at_s: When, in Unix seconds.
    """

    environment: Environment
    id: str
    activity: str
    made_at_s: int


class ChannelItems:
    """One small item a channel. They never expire: a channel lives until somebody deletes it."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def put(self, channel: MadeChannel) -> None:
        """Note a channel."""
        values: dict[str, Value] = {"made_for": channel.activity, "made_at_s": channel.made_at_s, "v": _FORMAT}
        self._client.update_item(
            TableName=self._table,
            Key=_key(channel.environment, channel.id),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues=arguments(values),
        )

    def remove(self, environment: Environment, channel: str) -> None:
        """Note that a channel is gone."""
        self._client.delete_item(TableName=self._table, Key=_key(environment, channel))

    def made(self, environment: Environment) -> Iterator[MadeChannel]:
        """Yield those that should be there."""
        for item in self._items(_MADE, environment):
            made_for, made_at_s = text(item, "made_for") or "", number(item, "made_at_s") or 0
            yield MadeChannel(environment, text(item, "part") or "", made_for, made_at_s)

    # --- channels that this stack has not made

    def see(self, environment: Environment, channel: str, *, now_s: int) -> None:
        """Note when one was seen first."""
        self._client.update_item(
            TableName=self._table,
            Key=_key(environment, channel, _SEEN),
            UpdateExpression="SET seen_at_s = if_not_exists(seen_at_s, :now_s)",
            ExpressionAttributeValues=arguments({"now_s": now_s}),
        )

    def sightings(self, environment: Environment) -> dict[str, int]:
        """Say when each was seen first, in Unix seconds."""
        items = self._items(_SEEN, environment)
        return {text(item, "part") or "": number(item, "seen_at_s") or 0 for item in items}

    def forget_sighting(self, environment: Environment, channel: str) -> None:
        """Note that one is gone, or turned out to be ours."""
        self._client.delete_item(TableName=self._table, Key=_key(environment, channel, _SEEN))

    def _items(self, kind: str, environment: Environment) -> Iterator[Item]:
        pages = query_pages(
            self._client,
            {
                "TableName": self._table,
                "KeyConditionExpression": "activity = :named",
                "ExpressionAttributeValues": arguments({"named": _named(kind, environment)}),
                "ConsistentRead": True,
            },
        )
        yield from (item for page in pages for item in page)


def _named(kind: str, environment: Environment) -> str:
    # No activity can be called so: ids have no "#".
    return f"{kind}#{environment.value}"


def _key(environment: Environment, channel: str, kind: str = _MADE) -> Item:
    return to_item({"activity": _named(kind, environment), "part": channel})
