"""Keys and items of the tokens table."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockstep.apns import Environment
from lockstep.dynamodb import Item, arguments, flag, number, projection, text
from lockstep.json_values import compact, parse
from lockstep.phones import Card, Follower, Marker, Phone, PhoneRow, StartToken
from lockstep.shards import ACTIVITY_SHARDS, Sharded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef

# What a delivery asks of cards and markers, and of the phones of cards. The rest would be most of what is read; activity,
# phone and card stand in the keys as well.
SHOWN = (
    *("audience", "phone", "owner", "run", "token", "observed_at_ms", "registered_at_ms", "expires_at_s"),
    *("revision", "confirmed"),
)
PHONE_OF_CARD = ("device_key", "owner", "environment", "frequent_updates", "cards_at_ms")

_ENVIRONMENTS = {environment.value: environment for environment in Environment}


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def of_user_key(user: str) -> str:
    """The partition of a user's start tokens."""
    return f"user#{user}#0"


def range_of(
    table: str, audience: str, first: str = "", last: str = "", *, only: Iterable[str] = ()
) -> "QueryInputPaginateTypeDef":
    """
    Ask for the rows of a partition by their phones' hashes, strongly consistent.

    Args:
        first: The least sort key that is wanted; a hash is less than every row of its phone.
        last: The last hash that is wanted, or what the last ones begin with; empty for all.
        only: The attributes that are wanted; empty for all.
    """
    asked: QueryInputPaginateTypeDef = {
        "TableName": table,
        "KeyConditionExpression": "audience = :audience AND phone BETWEEN :first AND :last",
        "ExpressionAttributeValues": arguments(
            {"audience": audience, "first": first or "0", "last": f"{last or 'f'}~"}
        ),
        "ConsistentRead": True,
    }
    return {**asked, **projection(only)}


def sort_key_of(item: Item) -> str:
    """What a row is of its phone: the same in each shard."""
    return item["phone"]["S"]


def hash_of(item: Item) -> str:
    """The phone that a row is of."""
    return item["phone"]["S"].partition("#")[0]


def newer(one: Item, other: Item) -> Item:
    """Of two rows that say the same of a phone, in two shards, pick the newer."""
    return max(other, one, key=_age)


def _age(item: Item) -> tuple[int, int]:
    # A marker was not observed; that of a later run counts.
    return number(item, "observed_at_ms") or number(item, "run") or 0, number(item, "registered_at_ms") or 0


def _shard_of(item: Item) -> int:
    return int(item["audience"]["S"].rpartition("#")[2])


def is_marker(item: Item) -> bool:
    """Tell a marker from a card."""
    return "revision" in item


def _key(audience: str, phone: str) -> Item:
    return {"audience": {"S": audience}, "phone": {"S": phone}}


def phone_key(phone: str) -> Item:
    return _key(f"phone#{phone}", f"{phone}#phone")


def card_key(card: Card) -> Item:
    return _key(_of_activity(card), f"{card.phone}#card#{card.card}")


def marker_key(marker: Marker) -> Item:
    return _key(_of_activity(marker), f"{marker.phone}#marker")


def start_token_key(row: StartToken) -> Item:
    return _key(of_user_key(row.owner), f"{row.phone}#start#{row.attributes_type}")


def follower_key(row: Follower) -> Item:
    return _key(Sharded.of_name(row.name).key(row.shard), f"{row.phone}#follows")


def _of_activity(row: Card | Marker) -> str:
    return Sharded.of_activity(row.activity, ACTIVITY_SHARDS).key(row.shard)


def key_of(row: Card | StartToken | Marker | Follower) -> Item:
    if isinstance(row, Follower):
        return follower_key(row)
    if isinstance(row, Card):
        return card_key(row)
    return start_token_key(row) if isinstance(row, StartToken) else marker_key(row)


def to_phone_row(item: Item) -> PhoneRow:
    if text(item, "card") is not None:
        return to_card(item)
    if text(item, "attributes_type") is not None:
        return to_start_token(item)
    if text(item, "name") is not None:
        return to_follower(item)
    return to_marker(item) if text(item, "activity") is not None else to_phone(item)


def to_phone(item: Item) -> Phone:
    environment = text(item, "environment")
    return Phone(
        phone=item["device_key"]["S"],
        owner=text(item, "owner"),
        environment=_ENVIRONMENTS[environment] if environment else None,
        os_version=text(item, "os_version"),
        frequent_updates=flag(item, "frequent_updates"),
        observed_at_ms=number(item, "observed_at_ms") or 0,
        cards_at_ms=number(item, "cards_at_ms") or 0,
        start_tokens_at_ms=number(item, "start_tokens_at_ms") or 0,
        follows=_names(text(item, "follows")),
        follows_at_ms=number(item, "follows_at_ms") or 0,
        writes=number(item, "writes") or 0,
    )


def to_phone_of_card(item: Item) -> Phone:
    """Read what a push to a card asks of its phone (`PHONE_OF_CARD`); the rest is as of a new one."""
    return Phone(
        item["device_key"]["S"],
        item["owner"]["S"] if "owner" in item else None,
        _ENVIRONMENTS[item["environment"]["S"]] if "environment" in item else None,
        frequent_updates=item["frequent_updates"]["BOOL"] if "frequent_updates" in item else None,
        cards_at_ms=int(item["cards_at_ms"]["N"]) if "cards_at_ms" in item else 0,
    )


def from_names(names: tuple[str, ...]) -> str | None:
    """A list of names as a phone's item holds it."""
    return compact(list(names)) if names else None


def _names(stored: str | None) -> tuple[str, ...]:
    names = parse(stored) if stored else []
    return tuple(map(str, names)) if isinstance(names, list) else ()


def to_follower(item: Item) -> Follower:
    return Follower(
        name=text(item, "name") or "",
        phone=text(item, "device_key") or "",
        owner=text(item, "owner") or "",
        observed_at_ms=number(item, "observed_at_ms") or 0,
        registered_at_ms=number(item, "registered_at_ms") or 0,
        shard=_shard_of(item),
    )


def to_card(item: Item) -> Card:
    audience, _, shard = item["audience"]["S"].rpartition("#")
    phone, _, card = item["phone"]["S"].split("#", 2)
    return Card(
        audience.partition("#")[2],
        phone,
        card,
        item["owner"]["S"],
        int(item["run"]["N"]),
        item["token"]["S"] if "token" in item else None,
        int(item["observed_at_ms"]["N"]),
        int(item["registered_at_ms"]["N"]),
        int(shard),
    )


def to_start_token(item: Item) -> StartToken:
    return StartToken(
        owner=text(item, "owner") or "",
        phone=text(item, "device_key") or "",
        attributes_type=text(item, "attributes_type") or "",
        token=text(item, "token"),
        observed_at_ms=number(item, "observed_at_ms") or 0,
        registered_at_ms=number(item, "registered_at_ms") or 0,
    )


def to_marker(item: Item) -> Marker:
    return Marker(
        activity=item["audience"]["S"].rpartition("#")[0].partition("#")[2],
        phone=hash_of(item),
        owner=text(item, "owner") or "",
        run=number(item, "run") or 0,
        revision=number(item, "revision") or 0,
        confirmed=flag(item, "confirmed") or False,
        shard=_shard_of(item),
        settled=flag(item, "settled") or False,
    )
