"""One delivery under way, and the time it has."""

from dataclasses import dataclass, field

from lockstep.delivery import Delivery
from lockstep.phones import Follower
from lockstep.plan import Plan
from lockstep.settle import Settlement
from lockstep.slice_items import Split
from lockstep.slices import children

# An audience that needs more invocations than this is handed on by mistake.
HOPS_MAX = 100


@dataclass(frozen=True, slots=True)
class Invocation:
    """
    The time that this invocation has.

    Attributes:
        deadline_s: Unix seconds; no work is taken up after it.
        lease_until_ms: Unix milliseconds at which this function is certainly dead.
    """

    id: str
    deadline_s: float
    lease_until_ms: int


@dataclass(slots=True)
class Job:
    """
    One delivery under way.

    Attributes:
        cards_done: Whether all cards of the range were read, none handed on.
        starts_done: The same of the starts.
        leased: The slice whose lease is ours, for its starts; None if none is.
        followers: Of the name that its start names, if they are few.
        sliced: Whether it was handed to slices.
        started: Whether a phone was started by it.
        error: Why it must be done again.
    """

    plan: Plan
    settlement: Settlement
    cards_done: bool = True
    starts_done: bool = True
    leased: str | None = None
    followers: list[Follower] = field(default_factory=list)
    sliced: bool = False
    started: bool = False
    error: Exception | None = None

    @property
    def delivery(self) -> Delivery:
        """What was asked for."""
        return self.plan.delivery

    @property
    def took_ms(self) -> int | None:
        """From the publish of its news to Apple's last acceptance; None where there was none, or no news."""
        accepted_ms = self.settlement.last_accepted_ms
        if accepted_ms is None or not self.plan.brings_news:
            return None
        return accepted_ms - self.plan.row.registers.published_at_ms

    @property
    def is_complete(self) -> bool:
        """Whether nothing of it was left to others."""
        return self.cards_done and self.starts_done and not self.sliced


def parts_of(delivery: Delivery, prefix: str, split: Split) -> list[Delivery]:
    """
    Name the deliveries to the parts of a slice.

    Raises:
        OSError: It was handed on so often that this is a mistake.
    """
    if delivery.hops >= HOPS_MAX:
        raise OSError(f"handed on {delivery.hops} times")
    return [
        Delivery(delivery.activity, first=part, last=part, from_revision=split.served, hops=delivery.hops + 1)
        for part in children(prefix)
    ]


def seconds(wait_ms: int) -> int:
    """Say for how long a message waits that is to wait so many milliseconds at least."""
    return max(1, -(-wait_ms // 1000))
