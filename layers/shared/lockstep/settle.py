"""What becomes of a delivery's pushes: each outcome's remedy, carried out or noted for later."""

from collections.abc import Callable, Iterable, Iterator
from copy import replace
from typing import TYPE_CHECKING

from lockstep.apns import Accepted, Environment, Outcome, Push, Rejected, Unanswered
from lockstep.delivery import Delivery
from lockstep.ids import shorten
from lockstep.outcomes import ACCEPTED, BROADCAST, UNANSWERED, ByKind, Heard, kind_of
from lockstep.phones import Marker
from lockstep.plan import Plan
from lockstep.reasons import Remedy
from lockstep.retries import Retries
from lockstep.targets import Target, target_of
from lockstep.telemetry import Count, Telemetry
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from lockstep.event_bus import EventBus
    from lockstep.tally import Tally


class Settlement:
    """
    Keeps the books of one delivery.

    Args:
        bus: Where what became of it is told; None for nowhere.
        tally: What is gathered for that by all that this is a part of; None to begin with this.
    """

    def __init__(
        self,
        plan: Plan,
        tokens: Tokens,
        telemetry: Telemetry,
        *,
        correlation_id: str,
        now: Callable[[], float],
        bus: "EventBus | None" = None,
        tally: "Tally | None" = None,
    ) -> None:
        self._plan = plan
        self._tokens = tokens
        self._telemetry = telemetry
        self._correlation_id = correlation_id
        self._now = now
        self._retries = Retries(plan, telemetry, correlation_id=correlation_id, now=now)
        self._stopped_by: dict[Environment, str] = {}
        self._elsewhere: list[tuple[Environment, Push]] = []
        self._confirmed: list[Marker] = []
        self._not_taken: list[Marker] = []
        self._settled = 0
        self._by_kind = ByKind()
        self.last_accepted_ms: int | None = None
        self._bus = bus
        if tally is None and bus is not None and plan.brings_news:
            tally = bus.tally()
        self.tally = tally
        if tally is not None:
            tally.turn_to(plan)

    def of_plan(self, plan: Plan) -> "Settlement":
        """Keep the books of another plan of the same message."""
        return Settlement(
            plan,
            self._tokens,
            self._telemetry,
            correlation_id=self._correlation_id,
            now=self._now,
            bus=self._bus,
            tally=self.tally,
        )

    @property
    def stopped_whole(self) -> bool:
        """Whether Apple refused our key or topic before anything else was settled."""
        return bool(self._stopped_by) and self._settled == 0

    @property
    def stopped_by(self) -> str:
        """The reasons with which Apple refused our key or topic."""
        return ", ".join(sorted(set(self._stopped_by.values())))

    def note_starts(self, pushes: Iterable[Push]) -> None:
        """Write the markers that block a second start, before the first one goes out."""
        markers = [push.ref.marker for push in pushes if isinstance(push.ref, Target) and push.ref.marker]
        # Until they are all written nothing goes out: if that fails, settle_markers takes back what was written.
        self._not_taken = markers
        now = self._now()
        self._tokens.put_markers(markers, now_s=int(now), now_ms=int(now * 1000))
        self._not_taken = []

    def settle(self, push: Push, target: Target, outcome: Outcome) -> None:
        """Do what the outcome asks for, or note it for the end of the delivery."""
        match outcome:
            case Accepted():
                self._accepted(target)
            case Rejected():
                self._rejected(push, target, outcome)
            case Unanswered():
                self._unanswered(target, outcome)

    def settle_broadcast(self, environment: Environment, outcome: Outcome) -> None:
        """Count what became of a broadcast, and note whether it must be said again."""
        if self.tally is not None:
            self.tally.was_broadcast(outcome, int(self._now() * 1000))
        self._by_kind.cards[BROADCAST + kind_of(outcome)] += 1
        if isinstance(outcome, Accepted):
            self._settled += 1
            self.last_accepted_ms = int(self._now() * 1000)
            self._telemetry.accepted()
            return
        status, reason = None, ""
        if isinstance(outcome, Rejected):
            status, reason = outcome.status, outcome.reason
            self._telemetry.push_rejected(reason, failed=True)
        else:
            reason = outcome.why
            self._telemetry.unanswered()
        self._telemetry.log.warning(
            "broadcast",
            correlation_id=self._correlation_id,
            activity=self._plan.row.activity,
            outcome="unanswered" if status is None else "rejected",
            reason=reason,
            status=status,
            environment=environment.value,
        )
        if outcome.remedy in (Remedy.STOP_AND_ALARM, Remedy.NEW_PROVIDER_TOKEN):
            self._stopped_by[environment] = reason
            self._retries.broadcast_stopped(environment)
            return
        self._settled += 1
        if outcome.remedy is Remedy.RETRY:
            self._retries.broadcast_failed(environment)

    def heard(self) -> Heard:
        """Sum up what became of the pushes so far."""
        return self._by_kind.heard(self._plan.row.revision, at_ms=int(self._now() * 1000))

    def elsewhere(self) -> Iterator[tuple[Environment, Push]]:
        """Yield, once, the pushes to try in the other environment, for phones that didn't say which is theirs."""
        pushes, self._elsewhere = self._elsewhere, []
        yield from pushes

    def settle_markers(self) -> None:
        """Confirm the starts that APNs took, and take back the notes of those that it provably did not."""
        now = self._now()
        self._tokens.remove_markers(self._not_taken)
        confirmed = (replace(marker, confirmed=True) for marker in self._confirmed)
        self._tokens.put_markers(confirmed, now_s=int(now), now_ms=int(now * 1000))

    def retries(self) -> list[tuple[Delivery, int]]:
        """Name the deliveries to queue, each with its delay in seconds."""
        messages = self._retries.messages()
        if self.tally is not None:
            self.tally.retrying += sum(len(again.phones or ()) for again, _ in messages)
        return messages

    def _accepted(self, target: Target) -> None:
        self._settled += 1
        (self._by_kind.starts if target.marker else self._by_kind.cards)[ACCEPTED] += 1
        self.last_accepted_ms = int(self._now() * 1000)
        self._telemetry.accepted()
        if self.tally is not None:
            self.tally.was_accepted(self.last_accepted_ms)
        if target.marker:
            self._confirmed.append(target.marker)
        if target.elsewhere:
            self._tokens.remember_environment(target.row.phone, target.environment)

    def _rejected(self, push: Push, target: Target, outcome: Rejected) -> None:
        self._log("rejected", target, outcome.reason, outcome.status)
        remedy, again = outcome.remedy, None
        if remedy is Remedy.OTHER_ENVIRONMENT and not (target.environment_said or target.elsewhere):
            again = self._plan.elsewhere(push, target, now_s=self._now())
        self._telemetry.push_rejected(outcome.reason, failed=again is None and remedy is not Remedy.FORGET_TOKEN)
        if again is not None:
            self._elsewhere.append((target_of(again).environment, again))
            return
        if self.tally is not None:
            self.tally.rejected += 1
        (self._by_kind.starts if target.marker else self._by_kind.cards)[outcome.reason] += 1
        if target.marker:
            self._not_taken.append(target.marker)
        if remedy in (Remedy.STOP_AND_ALARM, Remedy.NEW_PROVIDER_TOKEN):
            self._stopped_by[target.environment] = outcome.reason
            self._retries.stopped(target)
            return
        self._settled += 1
        if remedy is Remedy.RETRY:
            self._retries.failed(target)
        elif remedy in (Remedy.FORGET_TOKEN, Remedy.OTHER_ENVIRONMENT):
            self._forget(target, outcome)

    def _unanswered(self, target: Target, outcome: Unanswered) -> None:
        self._log("unanswered", target, outcome.why, None)
        if self.tally is not None:
            self.tally.unanswered += 1
        stopped = target.environment in self._stopped_by and not outcome.maybe_taken
        if not stopped:
            (self._by_kind.starts if target.marker else self._by_kind.cards)[UNANSWERED] += 1
            self._telemetry.unanswered()
        if target.marker and outcome.maybe_taken:
            # It counts as sent: a second card is worse than none, and the phone's own report repairs a miss.
            self._settled += 1
            return
        if target.marker:
            self._not_taken.append(target.marker)
        (self._retries.stopped if stopped else self._retries.failed)(target)
        self._settled += not stopped

    def _forget(self, target: Target, outcome: Rejected) -> None:
        # Without Apple's moment, what the phone said before this push was sent is what Apple judged.
        dead_at_ms = target.sent_at_ms if outcome.timestamp_ms is None else outcome.timestamp_ms
        if self._tokens.forget(target.row, dead_at_ms=dead_at_ms):
            self._telemetry.count(Count.FORGOTTEN)
            if self.tally is not None:
                self.tally.forgotten += 1
            if self._bus is not None:
                self._bus.forgotten(self._plan.row.activity, target, outcome)

    def _log(self, what: str, target: Target, reason: str, status: int | None) -> None:
        self._telemetry.log.info(
            "push",
            correlation_id=self._correlation_id,
            activity=self._plan.row.activity,
            outcome=what,
            reason=reason,
            status=status,
            phone=target.row.phone,
            token=shorten(target.row.token or ""),
            environment=target.environment.value,
            start=target.marker is not None,
        )
