"""Reads what the tables hold of an activity, for who asks why it shows or doesn't. Bounded: an audience may be of any size."""

from collections.abc import Callable, Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING

from lockstep.dynamodb import Item, get_batch, lives, number, to_item
from lockstep.evidence import Evidence, Trace
from lockstep.followers import Followers
from lockstep.phones import Follower, Phone, StartToken
from lockstep.row import Row
from lockstep.row_items import to_outcomes, to_row
from lockstep.sharded_reads import read_page
from lockstep.slice_items import SliceItems
from lockstep.token_items import SHOWN, is_marker, to_card, to_marker
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# How many rows of an audience are read, of each kind, and how many slices: some seconds' work, and a few megabytes.
ROWS_MAX = 10_000
SLICES_MAX = 1_000
_PAGE_ROWS = 1_000

# Beside what a delivery reads: since when Apple calls a card's token dead.
_READ = (*SHOWN, "dead_at_ms")


class Inquiry:
    """Reads, and never writes."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        activities_table: str,
        tokens_table: str,
        now: Callable[[], float],
        rows_max: int = ROWS_MAX,
    ) -> None:
        self._client = client
        self._activities_table = activities_table
        self._tokens_table = tokens_table
        self._tokens = Tokens(client, tokens_table)
        self._followers = Followers(client, tokens_table)
        self._slices = SliceItems(client, activities_table)
        self._now = now
        self._rows_max = rows_max
        self._page_rows = min(rows_max, _PAGE_ROWS)

    def look(self, activity: str, *, deadline_s: float) -> Evidence | None:
        """Read what there is of an activity; None where there is nothing, or it has expired. Cut short at the deadline."""
        key = to_item({"activity": activity, "part": "row"})
        found = [one for one in get_batch(self._client, self._activities_table, [key]) if lives(one, self._now_s)]
        if not found:
            return None
        [item] = found
        row = to_row(item)
        traces, whole = self._up_to(self._traces(row), deadline_s)
        named, all_named = self._up_to(self._named(row), deadline_s)
        if not whole:
            # Of phones beyond those whose cards were read, nobody knows whether they were started.
            last = traces[-1].row.phone if traces else ""
            named = [token for token in named if token.phone <= last]
        hashes = dict.fromkeys(one.phone for one in (*(trace.row for trace in traces), *named))
        phones, all_phones = self._up_to(self._phones(hashes), deadline_s)
        slices = self._slices.every(activity, born=row.first_run, most=SLICES_MAX) if row.sliced else []
        return Evidence(
            row,
            *to_outcomes(item),
            tuple(traces),
            tuple(named),
            {phone.phone: phone for phone in phones},
            tuple(slices),
            cut=not (whole and all_named and all_phones),
        )

    @property
    def _now_s(self) -> int:
        return int(self._now())

    def _up_to[T](self, pages: Iterator[list[T]], deadline_s: float) -> tuple[list[T], bool]:
        """Gather pages until there are as many rows as may be, or time is over; say whether those were all."""
        rows: list[T] = []
        for page in pages:
            if len(rows) >= self._rows_max or self._now() >= deadline_s:
                return rows, False
            rows += page
        return rows, True

    def _traces(self, row: Row) -> Iterator[list[Trace]]:
        first = ""
        while True:
            items, end = read_page(
                self._client,
                self._tokens_table,
                row.partitions,
                first=first,
                last="",
                limit=self._page_rows,
                only=_READ,
            )
            yield [_to_trace(item) for item in items if lives(item, self._now_s)]
            if not end:
                return
            # Every row of that phone comes before this, every row of the next after it.
            first = f"{end}~"

    def _named(self, row: Row) -> Iterator[list[StartToken]]:
        if not row.registers.running or row.attributes_type is None:
            return
        for user in row.users:
            yield self._tokens.start_tokens(user, row.attributes_type, now_s=self._now_s)
        if row.audience is not None:
            for followers in self._follow(row.audience):
                yield self._followers.start_tokens(followers, row.attributes_type, now_s=self._now_s)

    def _follow(self, name: str) -> Iterator[list[Follower]]:
        first = ""
        while True:
            page, end = self._followers.page(name, now_s=self._now_s, first=first, limit=_PAGE_ROWS)
            yield page
            if not end:
                return
            first = f"{end}~"

    def _phones(self, hashes: Iterable[str]) -> Iterator[list[Phone]]:
        for some in batched(hashes, _PAGE_ROWS, strict=False):
            yield list(self._tokens.phones(some).values())


def _to_trace(item: Item) -> Trace:
    row = to_marker(item) if is_marker(item) else to_card(item)
    return Trace(row, number(item, "registered_at_ms") or 0, number(item, "dead_at_ms"))
