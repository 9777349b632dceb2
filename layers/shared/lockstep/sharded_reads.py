"""Pages of a range of phones, out of the partitions that an audience has."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockstep.dynamodb import Item, query_page
from lockstep.shards import Sharded
from lockstep.token_items import hash_of, newer, range_of, sort_key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read_page(
    client: "DynamoDBClient",
    table: str,
    audience: Sharded,
    *,
    first: str,
    last: str,
    limit: int,
    only: Iterable[str] = (),
) -> tuple[list[Item], str]:
    """
    Read the rows of the first phones of a range, in the order of their hashes, strongly consistent.

    Args:
        first: The least sort key that is wanted; a hash is less than every row of its phone.
        last: The last hash that is wanted, or what the last ones begin with; empty for all.
        limit: About how many rows; no phone may have more.
        only: The attributes that are wanted; empty for all.

    Returns:
        All rows of each of the phones, and the last of the phones; the empty hash where nothing is left to read.
    """

    def part(shard: int, last: str, limit: int) -> tuple[list[Item], bool]:
        return query_page(client, range_of(table, audience.key(shard), first, last, only=only), limit=limit)

    found, more = part(0, last, limit)
    ends = [hash_of(found[-1])] if more else []
    # Whoever comes after the phone at which shard 0 broke off is not of this page.
    last = ends[0] if ends else last
    elsewhere: list[Item] = []
    for shard in audience.beyond_first(first, last):
        more = len(elsewhere) >= limit
        if not more:
            items, more = part(shard, last, limit - len(elsewhere))
            elsewhere += items
        if more:
            ends.append(hash_of(elsewhere[-1]))
            break
    # The shards but for shard 0 have the rows of a phone once, and in order.
    rows = newest([*found, *elsewhere]) if found and elsewhere else found or elsewhere
    if not ends:
        return rows, ""
    # What is beyond the phone at which the first of them broke off is not known whole, nor may that phone itself be.
    end = min(ends)
    whole = rows[: bisect_left(rows, end, key=hash_of)]
    return (whole, hash_of(whole[-1])) if whole else (rows[: bisect_right(rows, end, key=hash_of)], end)


def newest(items: Iterable[Item]) -> list[Item]:
    """Of rows that say the same of a phone in two shards, keep the newer; all in the order of their sort keys."""
    kept: dict[str, Item] = {}
    for item in items:
        name = sort_key_of(item)
        kept[name] = newer(kept[name], item) if name in kept else item
    return [kept[name] for name in sorted(kept)]
