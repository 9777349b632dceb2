"""The tokens table: phones, their cards, start tokens and start markers. `token_items` knows what its items look like."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from copy import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lockstep.apns import Environment
from lockstep.dynamodb import (
    Item,
    Value,
    arguments,
    conflict_item,
    get_batch,
    lives,
    number,
    query_pages,
    text,
    to_item,
    write_batch,
)
from lockstep.phones import Card, Follower, Marker, Phone, PhoneRow, StartToken
from lockstep.row import CARD_LIFE_S
from lockstep.sharded_reads import read_page
from lockstep.shards import Sharded
from lockstep.token_items import (
    PHONE_OF_CARD,
    SHOWN,
    card_key,
    from_names,
    is_marker,
    key_of,
    marker_key,
    of_user_key,
    phone_key,
    range_of,
    start_token_key,
    to_card,
    to_marker,
    to_phone,
    to_phone_of_card,
    to_phone_row,
    to_start_token,
    token_hash,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# How many rows are read in one call, where nobody says how many (DynamoDB: 1 MB at most, some 2,000 cards).
_PAGE_ROWS = 1_000

# A push-to-start token has no documented end; a phone that reports renews its own.
START_TOKEN_LIFE_S = 365 * 24 * 3600

# Each conflict means that somebody wrote the card where it was. What stays there in the end is passed over: it is older.
_TRIES = 5

_FORMAT = 1


class Tokens:
    """
    Rows of phones. Reads of the table are strongly consistent; those by the two indexes are not, and say so.

    Each row begins its sort key with the phone's hash, so that any range of hashes is a fair slice of an audience.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    # --- phones

    def phones(self, phones: Iterable[str]) -> dict[str, Phone]:
        """Read the phones that exist among these hashes."""
        keys = [phone_key(phone) for phone in dict.fromkeys(phones)]
        return {phone.phone: phone for phone in map(to_phone, get_batch(self._client, self._table, keys))}

    def phones_of_cards(self, phones: Iterable[str]) -> dict[str, Phone]:
        """Read of the phones that exist among these hashes what a push to a card asks; the rest is as of a new phone."""
        keys = [phone_key(phone) for phone in dict.fromkeys(phones)]
        items = get_batch(self._client, self._table, keys, only=PHONE_OF_CARD)
        return {phone.phone: phone for phone in map(to_phone_of_card, items)}

    def replace_phone(self, before: Phone | None, after: Phone, *, now_s: int) -> bool:
        """Write a phone if it is still as it was read; say whether it was written. `writes` is counted here."""
        values: dict[str, Value] = {
            "device_key": after.phone,
            "owner": after.owner,
            "environment": after.environment,
            "os_version": after.os_version,
            "frequent_updates": after.frequent_updates,
            "observed_at_ms": after.observed_at_ms,
            "cards_at_ms": after.cards_at_ms,
            "start_tokens_at_ms": after.start_tokens_at_ms,
            "follows": from_names(after.follows),
            "follows_at_ms": after.follows_at_ms,
            "writes": (before.writes if before else 0) + 1,
            "expires_at_s": now_s + START_TOKEN_LIFE_S,
            "v": _FORMAT,
        }
        gone = [name for name, value in values.items() if value is None]
        compared: dict[str, Value] = {"before": before.writes} if before else {}
        condition = "#writes = :before" if before else "attribute_not_exists(audience)"
        return self._update(phone_key(after.phone), values, gone, condition, compared) is not None

    def remember_environment(self, phone: str, environment: Environment) -> None:
        """Note where a phone's token was accepted, unless the phone has said so itself by now."""
        self._update(
            phone_key(phone),
            {"environment": environment.value},
            [],
            "attribute_exists(audience) AND attribute_not_exists(environment)",
            {},
        )

    # --- what a phone registers

    def put_card(self, card: Card, *, now_s: int, keeps_run: bool = False) -> Card | None:
        """
        Store a card; return it, and whether a catch-up is owed to its token.

        Args:
            keeps_run: The run is a guess; what the card was stored with before stays.

        Returns:
            None if nothing was stored: what stands there was observed later, or the token is known dead.
        """
        values: dict[str, Value] = {"activity": card.activity, "card": card.card, "run": card.run}
        keeps = ["run"] if keeps_run else []
        old = self._put_token(card_key(card), card, values, now_s + CARD_LIFE_S, keeps=keeps)
        if old is None:
            return None
        had = to_card(old) if lives(old, now_s) else None
        unchanged = had is not None and (had.owner, had.token) == (card.owner, card.token)
        caught_up = unchanged and text(old, "caught_up") == token_hash(card.token or "")
        return replace(card, owed=card.token is not None and not caught_up)

    def move(self, card: Card, shard: int) -> None:
        """
        Take what is stored of a card, its run and its tombstone, along to the shard that it is to be stored in.

        A catch-up is owed there again: a delivery may just pass that doesn't look there yet.
        """
        here, there = card_key(card), card_key(replace(card, shard=shard))
        conflict = self._client.exceptions.ConditionalCheckFailedException
        for _ in range(_TRIES):
            found = list(get_batch(self._client, self._table, [here]))
            if not found:
                return
            [item] = found
            same = {f":{name}": item[name] for name in ("observed_at_ms", "registered_at_ms", "token") if name in item}
            with suppress(conflict):
                # Unless what is there is newer.
                self._client.put_item(
                    TableName=self._table,
                    Item={**item, **there, "caught_up": {"S": ""}},
                    ConditionExpression="attribute_not_exists(observed_at_ms) OR observed_at_ms <= :observed",
                    ExpressionAttributeValues={":observed": item["observed_at_ms"]},
                )
            with suppress(conflict):
                # Unless it was written, or called dead, meanwhile: then that is to be taken along too.
                self._client.delete_item(
                    TableName=self._table,
                    Key=dict(here),
                    ConditionExpression="observed_at_ms = :observed_at_ms AND registered_at_ms = :registered_at_ms AND "
                    + ("#token = :token" if ":token" in same else "attribute_not_exists(#token)"),
                    ExpressionAttributeNames={"#token": "token"},
                    ExpressionAttributeValues=same,
                )
                return

    def caught_up(self, card: Card) -> None:
        """Note that a catch-up for this card's token is queued, unless the token has changed since."""
        token = card.token or ""
        condition = "#token = :stored AND #owner = :owner"
        values: dict[str, Value] = {"caught_up": token_hash(token)}
        names = {"#token": "token", "#owner": "owner"}
        self._update(card_key(card), values, [], condition, {"stored": token, "owner": card.owner}, names=names)

    def put_start_token(self, start_token: StartToken, *, now_s: int) -> bool:
        """Store a start token, under the same conditions."""
        values: dict[str, Value] = {"attributes_type": start_token.attributes_type}
        key = start_token_key(start_token)
        return self._put_token(key, start_token, values, now_s + START_TOKEN_LIFE_S) is not None

    def note_dismissal(self, marker: Marker, *, now_s: int, now_ms: int) -> None:
        """Note that the user swiped a run's card away, unless a start of a later run is noted for them there."""
        condition = "attribute_not_exists(audience) OR #run <= :run OR #owner <> :owner"
        self._update(marker_key(marker), _marker_values(marker, now_s=now_s, now_ms=now_ms), [], condition, {})

    def settle_marker(self, marker: Marker, *, noted_by_ms: int) -> int | None:
        """
        Note that it is known what a start came to, once, if its marker stands as it was read.

        Returns:
            When the marker was noted, our clock; None where that was after this moment, or nothing is to be noted.
        """
        condition = (
            "attribute_not_exists(settled) AND #run = :run AND #owner = :owner AND #revision = :revision "
            "AND confirmed = :confirmed AND registered_at_ms <= :noted"
        )
        compared: dict[str, Value] = {
            "run": marker.run,
            "owner": marker.owner,
            "revision": marker.revision,
            "confirmed": marker.confirmed,
            "noted": noted_by_ms,
        }
        names = {f"#{name}": name for name in ("run", "owner", "revision")}
        old = self._update(marker_key(marker), {"settled": True}, [], condition, compared, names=names)
        return None if old is None else number(old, "registered_at_ms")

    def _put_token(
        self,
        key: Item,
        row: Card | StartToken,
        more: Mapping[str, Value],
        expires_at_s: int,
        *,
        keeps: Iterable[str] = (),
    ) -> Item | None:
        values: dict[str, Value] = {
            "device_key": row.phone,
            "owner": row.owner,
            "token": row.token,
            "observed_at_ms": row.observed_at_ms,
            "registered_at_ms": row.registered_at_ms,
            "expires_at_s": expires_at_s,
            "v": _FORMAT,
            **more,
        }
        condition = "(attribute_not_exists(observed_at_ms) OR observed_at_ms <= :observed_at_ms)"
        compared: dict[str, Value] = {}
        if row.token is not None:
            # The tombstone: the same token, observed before Apple called it dead, stays dead.
            condition += (
                " AND (attribute_not_exists(dead_token) OR dead_token <> :hash OR dead_at_ms <= :observed_at_ms)"
            )
            compared = {"hash": token_hash(row.token)}
        return self._update(key, values, [], condition, compared, keeps=keeps)

    # --- what push reads and writes

    def of_activity(
        self, activity: Sharded, *, now_s: int, first: str = "", last: str = ""
    ) -> Iterator[list[Card | Marker]]:
        """Yield pages of an activity's cards and markers whose phones' hashes are from `first` to `last`, in that order."""
        while True:
            page, end = self.page_of_activity(activity, now_s=now_s, first=first, last=last, limit=_PAGE_ROWS)
            yield page
            if not end:
                return
            # Every row of that phone comes before this, every row of the next after it.
            first = f"{end}~"

    def page_of_activity(
        self, activity: Sharded, *, now_s: int, first: str = "", last: str = "", limit: int
    ) -> tuple[list[Card | Marker], str]:
        """Read one page of that, and the last phone it has all rows of; the empty hash where nothing is left."""
        items, end = read_page(self._client, self._table, activity, first=first, last=last, limit=limit, only=SHOWN)
        return _shown(items, now_s), end

    def start_tokens(self, user: str, attributes_type: str, *, now_s: int) -> list[StartToken]:
        """Read the live start tokens that a user's phones have for an attributes type."""
        pages = query_pages(self._client, range_of(self._table, of_user_key(user)))
        rows = [to_start_token(item) for page in pages for item in page if lives(item, now_s)]
        return [row for row in rows if row.attributes_type == attributes_type and row.token is not None]

    def put_markers(self, markers: Iterable[Marker], *, now_s: int, now_ms: int) -> None:
        """Note starts, over whatever was noted before."""
        items = [
            {**marker_key(marker), **to_item(_marker_values(marker, now_s=now_s, now_ms=now_ms))} for marker in markers
        ]
        write_batch(self._client, self._table, [{"PutRequest": {"Item": item}} for item in items])

    def remove_markers(self, markers: Iterable[Marker]) -> None:
        """Take back notes of starts that APNs provably did not take."""
        write_batch(
            self._client, self._table, [{"DeleteRequest": {"Key": dict(marker_key(marker))}} for marker in markers]
        )

    def forget(self, row: Card | StartToken, *, dead_at_ms: int) -> bool:
        """
        Delete a token that Apple called dead, if it is still the stored one and was observed before that moment.

        Its hash stays as a tombstone until the row expires. Says whether the token was deleted.
        """
        key = card_key(row) if isinstance(row, Card) else start_token_key(row)
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression="SET dead_token = :hash, dead_at_ms = :dead REMOVE #token",
                ConditionExpression="#token = :token AND observed_at_ms < :dead",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues=arguments(
                    {"hash": token_hash(row.token or ""), "dead": dead_at_ms, "token": row.token or ""}
                ),
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise
            return False
        return True

    # --- what leaves

    def of_phone(self, phone: str, *, now_s: int = 0) -> Iterator[PhoneRow]:
        """Yield all rows of a phone that live (with 0: whether or not), by an index that may lag by a second or so."""
        yield from self._by_index("ByDevice", "device_key", phone, now_s)

    def of_owner(self, owner: str) -> Iterator[PhoneRow]:
        """Yield all rows of a user, by an index that may lag by a second or so."""
        yield from self._by_index("ByOwner", "owner", owner, now_s=0)

    def delete(
        self,
        row: Card | StartToken | Marker | Follower,
        *,
        observed_before_ms: int | None = None,
        registered_by_ms: int,
    ) -> None:
        """Delete a row if it is still its owner's, was registered by then, and was observed before then (no marker is)."""
        condition = "#owner = :owner AND registered_at_ms <= :registered"
        values: dict[str, Value] = {"owner": row.owner, "registered": registered_by_ms}
        if observed_before_ms is not None and not isinstance(row, Marker):
            condition += " AND observed_at_ms < :observed"
            values["observed"] = observed_before_ms
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=key_of(row),
                ConditionExpression=condition,
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=arguments(values),
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise

    # --- DynamoDB

    def _by_index(self, index: str, attribute: str, value: str, now_s: int) -> Iterator[PhoneRow]:
        pages = query_pages(
            self._client,
            {
                "TableName": self._table,
                "IndexName": index,
                "KeyConditionExpression": "#attribute = :value",
                "ExpressionAttributeNames": {"#attribute": attribute},
                "ExpressionAttributeValues": arguments({"value": value}),
            },
        )
        for page in pages:
            yield from (to_phone_row(item) for item in page if lives(item, now_s))

    def _update(
        self,
        key: Item,
        values: Mapping[str, Value],
        gone: Iterable[str],
        condition: str,
        compared: Mapping[str, Value],
        *,
        names: Mapping[str, str] | None = None,
        keeps: Iterable[str] = (),
    ) -> Item | None:
        """
        Write an item under a condition, and return what stood there, empty if nothing did; None if it wasn't written.

        Args:
            names: Of the condition, beside those that are written.
            keeps: What is written only where there was none.
        """
        kept = {name: value for name, value in values.items() if value is not None}
        to_set = [
            f"#{name} = if_not_exists(#{name}, :{name})" if name in keeps else f"#{name} = :{name}" for name in kept
        ]
        removed = list(gone)
        update = "SET " + ", ".join(to_set)
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update + (" REMOVE " + ", ".join(f"#{name}" for name in removed) if removed else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in (*kept, *removed)} | dict(names or {}),
                ExpressionAttributeValues=arguments({**kept, **compared}),
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise
            return None
        return answer.get("Attributes", {})


def _shown(items: Iterable[Item], now_s: int) -> list[Card | Marker]:
    return [to_marker(item) if is_marker(item) else to_card(item) for item in items if lives(item, now_s)]


def _marker_values(marker: Marker, *, now_s: int, now_ms: int) -> dict[str, Value]:
    return {
        "device_key": marker.phone,
        "owner": marker.owner,
        "activity": marker.activity,
        "run": marker.run,
        "revision": marker.revision,
        "confirmed": marker.confirmed,
        "registered_at_ms": now_ms,
        "expires_at_s": now_s + CARD_LIFE_S,
        "v": _FORMAT,
    }
