"""Publishes into rows: read, merge, write if nobody else did meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lockstep.activities import Activities
from lockstep.errors import LockstepError
from lockstep.merge import Effect, advance, effect_of, merge
from lockstep.publish import Publish
from lockstep.row import Registers, Row

# Each conflict means that another writer got through, so somebody always makes progress; more than this is a fault.
_TRIES = 20


class Contended(LockstepError):
    """A row changed under every try to write it; the message comes back."""


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a batch's publishes made of one activity.

    Attributes:
        row: As it is stored now.
        effects: What became of each publish, in their order.
    """

    row: Row
    effects: tuple[Effect, ...]

    @property
    def owes(self) -> bool:
        """Whether phones must hear of it: also where this publish changed nothing, but an earlier one was not delivered."""
        return self.row.owes or self.row.owes_starts


def commit(activities: Activities, publishes: Sequence[Publish], *, now: Callable[[], float]) -> Committed:
    """
    Merge publishes of one activity into its row and claim it for their delivery, in one write.

    Raises:
        Contended: Nothing was written.
    """
    activity = publishes[0].activity
    said = Registers()
    for publish in publishes:
        said = merge(said, publish.registers)
    users = dict.fromkeys(user for publish in publishes for user in publish.users)
    if users:
        activities.want(activity, users, now_s=int(now()))
    stored = activities.get(activity, now_s=int(now()))
    for _ in range(_TRIES):
        now_s = int(now())
        after = advance(stored, activity, said, now_s=now_s)
        if (after.owes or after.owes_starts) and after.needs_stamp(now_s):
            after = after.stamped(now_s)
        conflict = None if after == stored else activities.replace(stored, after, now_s=now_s)
        if conflict is None:
            return Committed(after, tuple(effect_of(publish, stored, after) for publish in publishes))
        stored = conflict.row
    raise Contended(activity)


def claim(activities: Activities, activity: str, *, now: Callable[[], float]) -> Row | None:
    """
    Read a row for a delivery, and stamp it unless it carries a fresh stamp of this state; None where there is no row.

    Raises:
        Contended: Nothing was written.
    """
    row = activities.get(activity, now_s=int(now()))
    for _ in range(_TRIES):
        now_s = int(now())
        if row is None or not row.needs_stamp(now_s):
            return row
        after = row.stamped(now_s)
        conflict = activities.replace(row, after, now_s=now_s)
        if conflict is None:
            return after
        row = conflict.row
    raise Contended(activity)
