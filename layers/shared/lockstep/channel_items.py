"""Which channels this stack has made: items of the activities table, written before a channel is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockstep.apns import Environment
from lockstep.dynamodb import Item, Value, arguments, number, query_pages, text, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORMAT = 1


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
        pages = query_pages(
            self._client,
            {
                "TableName": self._table,
                "KeyConditionExpression": "activity = :named",
                "ExpressionAttributeValues": arguments({"named": _named(environment)}),
                "ConsistentRead": True,
            },
        )
        for page in pages:
            for item in page:
                yield MadeChannel(
                    environment,
                    text(item, "part") or "",
                    text(item, "made_for") or "",
                    number(item, "made_at_s") or 0,
                )


def _named(environment: Environment) -> str:
    # No activity can be called so: ids have no "#".
    return f"channels#{environment.value}"


def _key(environment: Environment, channel: str) -> Item:
    return to_item({"activity": _named(environment), "part": channel})
