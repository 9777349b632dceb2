"""Publishes into rows: read, merge, write if nobody else did meanwhile; and who delivers what was written, and when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lockstep.activities import Activities, Conflict
from lockstep.delivery import SUBSCRIBING_MS, Audience, Delivery
from lockstep.errors import InvalidInput, LockstepError
from lockstep.fitting import fit
from lockstep.merge import Effect, advance, effect_of
from lockstep.pace import LOOK_AGAIN_MS, Pace, alert_is_under_way, is_due, stamp_due_ms
from lockstep.publishes import Publish
from lockstep.queues import DeliveryQueue
from lockstep.row import Registers, Row
from lockstep.schemas import Schemas

# Each conflict means that another writer got through, so somebody always makes progress; more than this is a fault.
_TRIES = 20

# By so much the clocks of two containers may differ: a delivery that is due so soon is due now.
_SKEW_MS = 250


class Contended(LockstepError):
    """A row changed under every try to write it; the message comes back."""


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a batch's publishes made of one activity.

    Attributes:
        row: As it is stored now.
        effects: What became of each publish, in their order; of one that was refused, why.
        delivery: What phones must hear of it now, also where this publish changed nothing, but an earlier one was not
            delivered; None where they know already, or a delayed delivery is on its way.
        left_out: Why the newest state that there was is not in the row (`fitting`); None if it is.
    """

    row: Row
    effects: tuple[Effect | InvalidInput, ...]
    delivery: Delivery | None
    left_out: InvalidInput | None = None


class Committer:
    """Writes rows as publishes and deliveries come."""

    def __init__(
        self,
        activities: Activities,
        queue: DeliveryQueue,
        pace: Pace,
        schemas: Schemas,
        *,
        now: Callable[[], float],
    ) -> None:
        self._activities = activities
        self._queue = queue
        self._pace = pace
        self._schemas = schemas
        self._now = now

    def rows(self, activities: Iterable[str]) -> dict[str, Row]:
        """Read the rows of many activities at once, for `commit`."""
        return self._activities.get_many(activities, now_s=self._now_ms() // 1000)

    def commit(self, publishes: Sequence[Publish], rows: Mapping[str, Row] | None = None) -> Committed:
        """
        Merge publishes of one activity into its row and, in the same write, claim it for their delivery or leave that to
        a delayed one.

        Args:
            rows: As they were a moment ago; what has moved since is met by compare-and-set. None: read it here.

        Raises:
            Contended: Nothing was written.
            OSError: The delayed delivery could not be queued, and nothing was written.
        """
        activity = publishes[0].activity
        users = dict.fromkeys(user for publish in publishes for user in publish.users)
        audiences = dict.fromkeys(publish.audience for publish in publishes if publish.audience)
        if users or audiences:
            self._activities.want(activity, users, audiences, now_s=self._now_ms() // 1000)
        stored = (self.rows([activity]) if rows is None else rows).get(activity)
        queued_ms = 0
        for _ in range(_TRIES):
            now_ms = self._now_ms()
            fitted = fit(self._schemas, stored, publishes)
            reasons = tuple(reason for reason in fitted.refused if reason)
            if len(reasons) == len(publishes):
                return Committed(stored or Row(activity, Registers()), reasons, None)
            merged = advance(fitted.stored, activity, fitted.said, now_s=now_ms // 1000)
            after = merged
            owes = merged.owes or merged.owes_starts
            due_ms = self._pace.due_ms(merged, now_ms)
            if owes and due_ms <= now_ms:
                after = self._pace.claimed(merged, now_ms)
            elif owes and not (is_due(merged, now_ms) and now_ms < merged.due_at_ms <= due_ms):
                # The message first: a function that dies between the two leaves a message that finds nothing to do, not
                # a state that nobody delivers.
                if queued_ms <= now_ms:
                    queued_ms = now_ms + self._send_later(Delivery(activity), due_ms - now_ms)
                after = replace(merged, writes=merged.writes + 1, due_at_ms=queued_ms)
            conflict = self._replace(stored, after, now_ms)
            if conflict is None:
                effects = tuple(
                    reason or effect_of(publish, stored, after)
                    for publish, reason in zip(publishes, fitted.refused, strict=True)
                )
                delivery = _to_everyone(after) if owes and due_ms <= now_ms else None
                return Committed(after, effects, delivery, fitted.left_out)
            stored = conflict.row
        raise Contended(activity)

    def claim(self, delivery: Delivery) -> tuple[Row, Delivery] | None:
        """
        Read a row for a delivery that was queued, and stamp it for its phones.

        Returns:
            The row, and the delivery as it is to be carried out; None where there is nothing to do, or not yet: then it
            is queued again.

        Raises:
            Contended: Nothing was written.
            OSError: It could not be queued again, and nothing was written.
        """
        row = self._activities.get(delivery.activity, now_s=self._now_ms() // 1000)
        for _ in range(_TRIES):
            if row is None or not _is_wanted(delivery, row):
                return None
            now_ms = self._now_ms()
            due_ms = _due_ms(delivery, row, now_ms)
            if due_ms > now_ms:
                self._send_later(delivery, due_ms - now_ms)
                return None
            after = row
            if delivery.begins:
                after = self._pace.claimed(row, now_ms)
            elif row.needs_stamp(now_ms // 1000):
                after = row.stamped(now_ms // 1000)
            if delivery.channels is not None:
                after = replace(after, writes=row.writes + 1, broadcast_at_ms=now_ms)
            conflict = self._replace(row, after, now_ms)
            if conflict is None:
                return after, _to_everyone(after) if delivery.begins else delivery
            row = conflict.row
        raise Contended(delivery.activity)

    def stamped(self, activity: str) -> tuple[Row | None, int]:
        """
        Read a row for a part of its audience, with a stamp that may go out.

        Returns:
            The row, None if it is gone; and how many milliseconds the stamp must wait until it may.

        Raises:
            Contended: No stamp could be set.
        """
        row = self._activities.get(activity, now_s=self._now_ms() // 1000)
        for _ in range(_TRIES):
            if row is None:
                return None, 0
            now_ms = self._now_ms()
            wait_ms = stamp_due_ms(row, now_ms) - now_ms
            if wait_ms > 0 or not row.needs_stamp(now_ms // 1000):
                return row, wait_ms
            after = row.stamped(now_ms // 1000)
            conflict = self._replace(row, after, now_ms)
            if conflict is None:
                return after, 0
            row = conflict.row
        raise Contended(activity)

    def _replace(self, before: Row | None, after: Row, now_ms: int) -> Conflict | None:
        return None if after == before else self._activities.replace(before, after, now_s=now_ms // 1000)

    def _send_later(self, delivery: Delivery, wait_ms: int) -> int:
        """Queue a delivery for when so many milliseconds have passed; returns how long it will take, in whole seconds."""
        delay_s = max(1, -(-wait_ms // 1000))
        self._queue.send([(delivery, delay_s)])
        return delay_s * 1000

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _to_everyone(row: Row) -> Delivery:
    """A delivery of a row that was just claimed; an alert rings for those who had less than all have now."""
    return Delivery(row.activity, Audience.ALL if row.owes_starts else Audience.CARDS, from_revision=row.sent_revision)


def _is_wanted(delivery: Delivery, row: Row) -> bool:
    """Say whether a queued delivery still has something to bring: others may have been quicker."""
    if delivery.channels is not None:
        said_ms = max(row.broadcast_at_ms, row.delivered_at_ms)
        return bool(row.channels) and (delivery.since_ms is None or said_ms < delivery.since_ms + SUBSCRIBING_MS)
    if not delivery.whole:
        return True
    if delivery.begins:
        return row.owes or row.owes_starts
    return row.owes_starts if delivery.audience is Audience.STARTS else row.owes or row.owes_starts


def _due_ms(delivery: Delivery, row: Row, now_ms: int) -> int:
    """Say when a queued delivery may set out; `now_ms` for now, as its own time has come."""
    due_ms = stamp_due_ms(row, now_ms)
    if not delivery.begins:
        return due_ms
    if alert_is_under_way(row, now_ms):
        return max(due_ms, now_ms + LOOK_AGAIN_MS)
    later = is_due(row, now_ms) and row.due_at_ms > now_ms + _SKEW_MS
    return max(due_ms, row.due_at_ms) if later else due_ms
