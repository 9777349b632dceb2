"""Committers as tests use them."""

from collections.abc import Callable

from lockstep.activities import Activities
from lockstep.commit import Committer
from lockstep.pace import Pace
from lockstep.queues import DeliveryQueue
from lockstep.schemas import Schemas
from onebox.stack import Stack

UNPACED = Pace(min_interval_ms=0, priority_budget=15)


def committer(
    stack: Stack,
    now: Callable[[], float],
    *,
    pace: Pace = UNPACED,
    schemas: Schemas | None = None,
    activities: Activities | None = None,
) -> Committer:
    """Return one that writes to the stack's table, or by a client of somebody's own."""
    queue = DeliveryQueue(stack.aws.sqs, stack.aws.queues["DeliveryQueue"])
    own = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    return Committer(activities or own, queue, pace, schemas or Schemas(), now=now)
