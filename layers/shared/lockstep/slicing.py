"""
Bring the phones of a slice up to date, page by page.

Under a lease; the row is read anew before each page, and what was done is noted after it, so that whoever dies repeats
one page at most.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockstep.commit import Committer
from lockstep.deliver import Deliverer
from lockstep.delivery import Delivery
from lockstep.followers import Followers
from lockstep.jobs import HOPS_MAX, Invocation, parts_of, seconds
from lockstep.phones import ROWS_OF_PHONE, Card, Follower, Marker
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.settle import Settlement
from lockstep.slice_items import Held, SliceItems, Split
from lockstep.slices import Slice, estimate
from lockstep.starting import Starter
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from lockstep.event_bus import EventBus
    from lockstep.tally import Tally

# How soon a slice is looked at again whose stamp would be ahead of the clock.
_AGAIN_S = 2


@dataclass(frozen=True, slots=True)
class Part:
    """
    The phones that come next in a slice.

    Attributes:
        shown: Their cards and markers.
        followers: Those of them that follow the name which the start names.
        last: The last of them; empty where nothing of the range is left.
        after: The last phone before them; empty where they are the first.
    """

    shown: list[Card | Marker]
    followers: list[Follower]
    last: str
    after: str
    prefix: str

    def has(self, phone: str) -> bool:
        """Say whether a phone is one of them."""
        return phone.startswith(self.prefix) and phone > self.after and (not self.last or phone <= self.last)


class Slicer:
    """
    Carries out the deliveries of the slice queue.

    Args:
        page_phones: About how many are served at a time. A crash repeats so many pushes at most, where phones have markers.
        slice_phones: A slice that has more phones, by estimate, is split.
    """

    def __init__(
        self,
        committer: Committer,
        tokens: Tokens,
        followers: Followers,
        slices: SliceItems,
        slice_queue: DeliveryQueue,
        starter: Starter,
        deliverer: Deliverer,
        *,
        page_phones: int,
        slice_phones: int,
        plan: Callable[[Delivery, Row], Plan],
        now: Callable[[], float],
        bus: "EventBus | None",
    ) -> None:
        self._page_phones = page_phones
        self._slice_phones = slice_phones
        self._committer = committer
        self._tokens = tokens
        self._followers = followers
        self._slices = slices
        self._slice_queue = slice_queue
        self._starter = starter
        self._deliverer = deliverer
        self._plan = plan
        self._now = now
        self._bus = bus

    def serve(self, delivery: Delivery, invocation: Invocation, *, correlation_id: str) -> Settlement | None:
        """
        Bring a slice up to date as far as time allows; what is left is queued.

        Returns:
            None; or where Apple refuses our key or topic, what says so: then the message must wait.

        Raises:
            OSError, ClientError, BotoCoreError, Contended: It must be done again, from where it is.
        """
        activity, prefix, now_ms = delivery.activity, delivery.first, int(self._now() * 1000)
        taken = self._slices.take(activity, prefix, invocation.id, now_ms=now_ms, until_ms=invocation.lease_until_ms)
        if isinstance(taken, Split):
            self._slice_queue.send((part, 0) for part in parts_of(delivery, prefix, taken))
            return None
        if isinstance(taken, Held):
            # Who holds it looks at the row once more when they are through; this is for those who die before that.
            self._later(delivery, seconds(taken.until_ms - now_ms))
            return None
        lease = _Lease(self._slices, activity, prefix, invocation.id)
        tally = None if self._bus is None else self._bus.tally()
        try:
            above_ms = self._slices.held_above(activity, prefix, now_ms=now_ms)
            if above_ms is not None:
                self._later(delivery, seconds(above_ms - now_ms))
                return None
            stopped, reached = self._rounds(taken, lease, delivery, invocation, correlation_id, tally)
        finally:
            lease.give_back()
        if self._bus is not None and tally is not None and stopped is None:
            self._bus.completed(tally, complete=reached is not None, part=prefix)
        if stopped is None and reached is not None:
            # A message of a newer state may have met our lease since we read the row last.
            row, _ = self._committer.stamped(activity)
            if row is not None and row.revision > reached:
                self._later(replace(delivery, hops=0), 0)
        return stopped

    def _rounds(
        self,
        one: Slice,
        lease: "_Lease",
        delivery: Delivery,
        invocation: Invocation,
        correlation_id: str,
        tally: "Tally | None",
    ) -> tuple[Settlement | None, int | None]:
        """Serve page after page; returns why it must stop, if Apple stops us, and the revision that all have now."""
        had = one.revision
        while True:
            if self._now() >= invocation.deadline_s:
                self._hand_on(delivery, moved=one.revision != had)
                return None, None
            row, wait_ms = self._committer.stamped(delivery.activity)
            if row is None:
                return None, None
            if wait_ms > 0:
                self._later(delivery, max(_AGAIN_S, seconds(wait_ms)))
                return None, None
            one = one.aims_at(row, served=delivery.from_revision or 0)
            if one.done:
                return None, row.revision
            plan = self._plan(replace(delivery, from_revision=one.served), row)
            starts = plan.may_start and row.names_somebody and one.started != row.start_version
            part = self._next(one, row, starts=starts)
            if one.may_split and _size(one, part) > self._slice_phones:
                split = self._slices.split(
                    delivery.activity, one.prefix, served=one.served, born=row.first_run, now_s=int(self._now())
                )
                # Before its parts are queued, or they would wait for our lease.
                lease.give_back()
                self._slice_queue.send((child, 0) for child in parts_of(delivery, one.prefix, split))
                return None, None
            named = self._starter.named(row, part.followers) if starts else []
            named = [token for token in named if part.has(token.phone)]
            settlement = self._deliverer.serve(
                plan,
                part.shown,
                named,
                invocation,
                correlation_id=correlation_id,
                tally=tally if plan.brings_news else None,
            )
            if settlement.stopped_whole:
                return settlement, None
            one = one.after(part.last, row).hears(settlement.heard())
            lease.note(one)
            if self._bus is not None:
                self._bus.relieve(end_s=invocation.deadline_s)
            if one.done:
                return None, row.revision

    def _next(self, one: Slice, row: Row, *, starts: bool) -> Part:
        """Read the phones after the cursor, all rows of each."""
        now_s, until = int(self._now()), one.until
        # Every row of the cursor's phone comes before this, every row of the next after it.
        first = f"{one.cursor}~" if one.cursor else one.prefix
        end = until if until != one.prefix else ""
        shown, last = self._tokens.page_of_activity(
            row.partitions, now_s=now_s, first=first, last=until, limit=ROWS_OF_PHONE * self._page_phones
        )
        followers: list[Follower] = []
        if starts and row.audience is not None:
            followers, last_follower = self._followers.page(
                row.audience, now_s=now_s, first=first, last=last or until, limit=self._page_phones
            )
            if last_follower:
                last = last_follower
                shown = [each for each in shown if each.phone <= last]
        return Part(shown, followers, last or end, one.cursor, one.prefix)

    def _hand_on(self, delivery: Delivery, *, moved: bool) -> None:
        """Leave the rest to another invocation. A chain that never ends is one without a new state."""
        if delivery.hops >= HOPS_MAX and not moved:
            raise OSError(f"handed on {delivery.hops} times")
        self._later(replace(delivery, hops=0 if moved else delivery.hops + 1), 0)

    def _later(self, delivery: Delivery, delay_s: int) -> None:
        self._slice_queue.send([(delivery, delay_s)])


class _Lease:
    """A slice that is ours to work on, until it is given back."""

    def __init__(self, slices: SliceItems, activity: str, prefix: str, holder: str) -> None:
        self._slices = slices
        self._of = activity, prefix, holder
        self._held = True

    def note(self, one: Slice) -> None:
        """Note how far it came; where it is done, that gives it back."""
        activity, _, holder = self._of
        self._slices.save(activity, one, holder)
        self._held = not one.done

    def give_back(self) -> None:
        """Let others have it."""
        if self._held:
            self._slices.release(*self._of)
            self._held = False


def _size(one: Slice, part: Part) -> int:
    if not part.last:
        return 0
    return estimate(one.prefix, max(len({row.phone for row in part.shown}), len(part.followers)), part.last)
