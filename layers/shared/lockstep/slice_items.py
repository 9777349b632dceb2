"""Slices in the activities table: who works on one, how far it came, and whether it was split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lockstep.dynamodb import Item, Value, arguments, conflict_item, flag, get_batch, number, text, to_item
from lockstep.outcomes import Outcomes
from lockstep.row import ROW_LIFE_S
from lockstep.slices import PREFIX_MAX, Known, Slice, ancestors, children

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORMAT = 1

# What there is of a slice while somebody works on it.
_LEASE = ("holder", "until_ms")


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody else works on it, until this Unix millisecond at the latest."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Split:
    """Its sixteen parts are slices of their own, whose phones have `served` at least, as far as nothing else is known."""

    served: int


class SliceItems:
    """Small items, each of a partition of its own: no slice slows another, nor the row."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def take(self, activity: str, prefix: str, holder: str, *, now_ms: int, until_ms: int) -> Slice | Held | Split:
        """Take the lease of a slice: cards are started under it alone. Answers its progress if the lease is ours."""
        values: dict[str, Value] = {
            "holder": holder,
            "until_ms": until_ms,
            "expires_at_s": until_ms // 1000 + ROW_LIFE_S,
            "v": _FORMAT,
        }
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(activity, prefix),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ConditionExpression="attribute_not_exists(served_by_parts)"
                " AND (attribute_not_exists(until_ms) OR until_ms <= :now OR holder = :holder)",
                ExpressionAttributeValues=arguments({**values, "now": now_ms}),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            item = conflict_item(error)
            if item is None:
                raise
            served = number(item, "served_by_parts")
            return Held(number(item, "until_ms") or until_ms) if served is None else Split(served)
        return _to_slice(prefix, answer["Attributes"])

    def save(self, activity: str, one: Slice, holder: str) -> None:
        """
        Note how far a slice came; where it is done, the lease is given back with it.

        Raises:
            OSError: The lease is not ours any more.
        """
        values: dict[str, Value] = {
            "born": one.born,
            "served": one.served,
            "carried": one.carried,
            "revision": one.revision,
            "cursor": one.cursor,
            "begun": one.begun,
            "wrapped": one.wrapped,
            "done": one.done,
            "started": one.started,
            "card_outcomes": one.cards.to_text() if one.cards else None,
            "start_outcomes": one.starts.to_text() if one.starts else None,
        }
        kept = {name: value for name, value in values.items() if value is not None}
        gone = [name for name in values if name not in kept]
        if one.done:
            gone += _LEASE
        if not self._write(activity, one.prefix, holder, kept, gone):
            raise OSError("the lease of the slice is lost")

    def release(self, activity: str, prefix: str, holder: str) -> None:
        """Give a lease back, if it is still ours."""
        self._write(activity, prefix, holder, {}, _LEASE)

    def split(self, activity: str, prefix: str, *, served: int, born: int, now_s: int) -> Split:
        """Note that the slice is worked on in parts from now on; who holds its lease may finish what they took up."""
        values: dict[str, Value] = {
            "served_by_parts": served,
            "split_of": born,
            "expires_at_s": now_s + ROW_LIFE_S,
            "v": _FORMAT,
        }
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(activity, prefix),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ConditionExpression="attribute_not_exists(served_by_parts) OR split_of <> :split_of"
                " OR expires_at_s < :soon",
                ExpressionAttributeValues=arguments({**values, "soon": now_s + ROW_LIFE_S // 2}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            item = conflict_item(error)
            if item is None:
                raise
            return Split(number(item, "served_by_parts") or 0)
        return Split(served)

    def every(self, activity: str, *, born: int, most: int) -> list[Known]:
        """
        Read how far the slices of an activity came; of one that was split, its parts, if there aren't too many.

        Args:
            born: The row's `first_run`.
            most: So many items are read, or one.
        """
        found: list[Known] = []
        wanted, asked = [""], 1
        while wanted:
            parts: list[str] = []
            items = {text(item, "activity"): item for item in self._read(activity, wanted)}
            for prefix in wanted:
                item = items.get(_name(activity, prefix), {})
                further = children(prefix) if number(item, "split_of") == born else []
                if further and asked + len(further) <= most:
                    parts += further
                    asked += len(further)
                elif further or number(item, "born") == born:
                    found.append(Known(_to_slice(prefix, item), number(item, "until_ms") or 0, split=bool(further)))
                elif prefix:
                    found.append(Known(Slice(prefix), 0, split=False))
            wanted = parts
        return found

    def held_above(self, activity: str, prefix: str, *, now_ms: int) -> int | None:
        """Say until when somebody may still work on a slice that this one is a part of; None if nobody does."""
        items = self._read(activity, ancestors(prefix))
        until_ms = max((number(item, "until_ms") or 0 for item in items), default=0)
        return until_ms if until_ms > now_ms else None

    def leaf(self, activity: str, phone: str) -> str:
        """Name the slice that a phone is worked on in."""
        split = {
            text(item, "activity")
            for item in self._read(activity, [phone[:length] for length in range(PREFIX_MAX)])
            if number(item, "served_by_parts") is not None
        }
        prefix = ""
        while _name(activity, prefix) in split:
            prefix = phone[: len(prefix) + 1]
        return prefix

    def _read(self, activity: str, prefixes: Iterable[str]) -> list[Item]:
        return list(get_batch(self._client, self._table, [_key(activity, prefix) for prefix in prefixes]))

    def _write(self, activity: str, prefix: str, holder: str, values: Mapping[str, Value], gone: Sequence[str]) -> bool:
        parts = ["SET " + ", ".join(f"#{name} = :{name}" for name in values)] if values else []
        parts += ["REMOVE " + ", ".join(f"#{name}" for name in gone)] if gone else []
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(activity, prefix),
                UpdateExpression=" ".join(parts),
                ConditionExpression="#holder = :holder",
                ExpressionAttributeNames={f"#{name}": name for name in {*values, *gone, "holder"}},
                ExpressionAttributeValues=arguments({**values, "holder": holder}),
            )
        except ClientError as error:
            if conflict_item(error) is None:
                raise
            return False
        return True


def _name(activity: str, prefix: str) -> str:
    # The whole audience's is named as the release before this one names it.
    return f"lease#{activity}#{prefix}" if prefix else f"lease#{activity}"


def _key(activity: str, prefix: str) -> Item:
    return to_item({"activity": _name(activity, prefix), "part": "starts"})


def _to_slice(prefix: str, item: Item) -> Slice:
    return Slice(
        prefix,
        born=number(item, "born") or 0,
        served=number(item, "served") or 0,
        carried=number(item, "carried"),
        revision=number(item, "revision") or 0,
        cursor=text(item, "cursor") or "",
        begun=text(item, "begun") or "",
        wrapped=flag(item, "wrapped") or False,
        done=flag(item, "done") or False,
        started=text(item, "started") or "",
        cards=Outcomes.from_text(text(item, "card_outcomes")),
        starts=Outcomes.from_text(text(item, "start_outcomes")),
    )
