"""What is gathered of a delivery's pushes where a stack tells of it: pure, and little for each push."""

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from lockstep.apns import Accepted, Outcome, Rejected

if TYPE_CHECKING:
    from lockstep.plan import Plan
    from lockstep.row import Row


class Tally:
    """
    The sums of one delivery to everyone, or of what one invocation does of a slice.

    Attributes:
        row: As it was brought out last; None before anything was.
        late: Publishes that came with the delivery's own, and too late.
        retrying: Phones that are tried again later.
    """

    def __init__(self) -> None:
        self.row: Row | None = None
        self.late = 0
        self.retrying = 0
        self.first_sent_ms: int | None = None
        self.last_accepted_ms: int | None = None
        self.accepted = 0
        self.rejected = 0
        self.forgotten = 0
        self.unanswered = 0
        self.broadcasts: Counter[str] = Counter()
        self._published_ms = 0
        self._brought: set[int] = set()
        self._had: int | None = None
        self._took_ms = array("q")

    def turn_to(self, plan: "Plan") -> None:
        """Gather for this plan from now on: a slice brings out whatever is the newest, page by page."""
        if self.row is None and (plan.delivery.begins or plan.delivery.is_slice):
            self._had = plan.delivery.from_revision
        self.row = plan.row
        self._published_ms = plan.row.registers.published_at_ms
        self._brought.add(plan.row.revision)

    def sets_out(self, now_ms: int) -> None:
        """Note that a push or broadcast sets out."""
        if self.first_sent_ms is None:
            self.first_sent_ms = now_ms

    def was_accepted(self, now_ms: int) -> None:
        """Count a push that APNs took."""
        self.accepted += 1
        self._note(now_ms)

    def was_broadcast(self, outcome: Outcome, now_ms: int) -> None:
        """Count a broadcast by what became of it."""
        if isinstance(outcome, Accepted):
            self.broadcasts["accepted"] += 1
            self._note(now_ms)
        else:
            self.broadcasts["rejected" if isinstance(outcome, Rejected) else "unanswered"] += 1

    @property
    def superseded(self) -> int:
        """How many states came since what phones had before, and were brought to none of them."""
        if self.row is None or self._had is None:
            return self.late
        return self.late + max(0, self.row.revision - self._had - len(self._brought))

    @property
    def p95_ms(self) -> int | None:
        """From a state's publish to its acceptance, of 95 in 100 acceptances; None where there was none."""
        ranked = sorted(self._took_ms)
        return ranked[-(-95 * len(ranked) // 100) - 1] if ranked else None

    def _note(self, now_ms: int) -> None:
        self.last_accepted_ms = now_ms
        self._took_ms.append(max(0, now_ms - self._published_ms))
