"""Who is started by push, and under whose lease: two functions never start the same phone."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from lockstep.apns import Push
from lockstep.delivery import Delivery
from lockstep.followers import Followers
from lockstep.jobs import Invocation, seconds
from lockstep.phones import Card, Follower, Marker, StartToken
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.slice_items import Held, SliceItems, Split
from lockstep.tokens import Tokens

# A message that finds an audience in slices, though its row said otherwise, looks again after this long.
_LOOK_AGAIN_S = 2


class Starter:
    """Finds the phones that a start names and that have no card of its run."""

    def __init__(
        self,
        tokens: Tokens,
        followers: Followers,
        slices: SliceItems,
        queue: DeliveryQueue,
        *,
        now: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._followers = followers
        self._slices = slices
        self._queue = queue
        self._now = now

    def named(self, row: Row, followers: Iterable[Follower]) -> list[StartToken]:
        """Read the start tokens of the phones that the row's start names: of these followers, or of its users."""
        now_s, attributes_type = int(self._now()), row.attributes_type or ""
        if row.audience is not None:
            return self._followers.start_tokens(followers, attributes_type, now_s=now_s)
        return [token for user in row.users for token in self._tokens.start_tokens(user, attributes_type, now_s=now_s)]

    def meant(self, row: Row, delivery: Delivery, followers: Iterable[Follower]) -> list[StartToken]:
        """Read the start tokens of a delivery's phones; those followers are meant where it says no phones."""
        if row.audience is not None and delivery.phones is not None:
            followers = self._followers.among(row.audience, delivery.phones, now_s=int(self._now()))
        named = self.named(row, followers)
        return [one for one in named if delivery.phones is None or one.phone in delivery.phones]

    def pushes(self, plan: Plan, named: Iterable[StartToken], shown: Iterable[Card | Marker]) -> list[Push]:
        """Make the starts of those phones that have no card of this run yet, nor a marker. Only under their lease."""
        have = {(row.phone, row.owner) for row in shown if plan.row.is_of_run(row.run)}
        lacking = [token for token in named if (token.phone, token.owner) not in have]
        phones = self._tokens.phones(token.phone for token in lacking)
        pushes = (plan.of_start(token, phones.get(token.phone)) for token in lacking)
        return [push for push in pushes if push is not None]

    def of_one_slice(self, delivery: Delivery) -> tuple[str, Delivery]:
        """Keep those of a delivery's phones that one lease is for, and queue the others."""
        by_slice: dict[str, list[str]] = {}
        for phone in delivery.phones or ():
            by_slice.setdefault(self._slices.leaf(delivery.activity, phone), []).append(phone)
        (prefix, ours), *others = by_slice.items()
        self._queue.send((replace(delivery, phones=tuple(phones)), 0) for _, phones in others)
        return prefix, replace(delivery, phones=tuple(ours))

    def wait_s(self, delivery: Delivery, prefix: str, invocation: Invocation, now_ms: int) -> int:
        """Take the lease of a slice, or of the whole audience; say how long to wait where it can't be had, else 0."""
        until_ms = invocation.lease_until_ms
        taken = self._slices.take(delivery.activity, prefix, invocation.id, now_ms=now_ms, until_ms=until_ms)
        if isinstance(taken, Split):
            # Since the row was read. Who comes next reads that it is sliced.
            return _LOOK_AGAIN_S
        if isinstance(taken, Held):
            return seconds(taken.until_ms - now_ms)
        above_ms = self._slices.held_above(delivery.activity, prefix, now_ms=now_ms) if prefix else None
        if above_ms is None:
            return 0
        self._slices.release(delivery.activity, prefix, invocation.id)
        return seconds(above_ms - now_ms)
