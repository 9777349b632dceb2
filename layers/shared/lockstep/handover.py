"""When an audience is too big for one function, and how it is handed to slices."""

from collections.abc import Callable

from lockstep.activities import Activities
from lockstep.delivery import Audience
from lockstep.followers import Followers
from lockstep.jobs import Job, parts_of
from lockstep.phones import ROWS_OF_PHONE, Card, Marker
from lockstep.queues import DeliveryQueue
from lockstep.shards import ACTIVITY_SHARDS
from lockstep.slice_items import SliceItems
from lockstep.tokens import Tokens


class Handover:
    """
    Looks at the first page of an audience; what is more goes to the slice queue, for good.

    Args:
        page_phones: The size of a page.
    """

    def __init__(
        self,
        activities: Activities,
        tokens: Tokens,
        followers: Followers,
        slices: SliceItems,
        slice_queue: DeliveryQueue,
        *,
        page_phones: int,
        now: Callable[[], float],
    ) -> None:
        self._page_phones = page_phones
        self._activities = activities
        self._tokens = tokens
        self._followers = followers
        self._slices = slices
        self._slice_queue = slice_queue
        self._now = now

    def small(self, job: Job) -> list[list[Card | Marker]] | None:
        """Read an audience's cards; None where it is more than one function should serve."""
        delivery, now_s = job.delivery, int(self._now())
        if job.plan.row.sliced or (delivery.audience is not Audience.CARDS and self.has_many_followers(job)):
            return None
        page, more = self._tokens.page_of_activity(
            job.plan.row.partitions, now_s=now_s, first=delivery.first, limit=ROWS_OF_PHONE * self._page_phones
        )
        if more:
            return None
        return [page] if page else []

    def has_many_followers(self, job: Job) -> bool:
        """Say whether more phones are to be started than one function should; else keeps them with the job."""
        name = job.plan.row.audience
        if name is None or not job.plan.may_start:
            return False
        job.followers, more = self._followers.page(name, now_s=int(self._now()), limit=self._page_phones)
        return bool(more)

    def to_slices(self, job: Job) -> None:
        """Hand a whole audience to slices; what is noted first keeps others from starting its phones at once."""
        delivery, row = job.delivery, job.plan.row
        if not row.sliced:
            # First, so that what the slices write, and the cards that register meanwhile, are spread.
            self._activities.grow(row.activity, ACTIVITY_SHARDS)
        split = self._slices.split(
            delivery.activity, "", served=delivery.from_revision or 0, born=row.first_run, now_s=int(self._now())
        )
        self._slice_queue.send((part, 0) for part in parts_of(delivery, "", split))
        job.sliced = True
