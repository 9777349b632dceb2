"""What becomes of a delivery's pushes: each outcome's remedy, carried out or noted for later."""

from collections.abc import Callable, Iterable, Iterator
from copy import replace

from lockstep.apns import Accepted, Environment, Outcome, Push, Rejected, Unanswered
from lockstep.delivery import Audience, Delivery, retry_delay_s, waited_s
from lockstep.ids import shorten
from lockstep.phones import Marker
from lockstep.plan import START_LIFE_S, Plan
from lockstep.reasons import Remedy
from lockstep.targets import Target, target_of
from lockstep.telemetry import Count, Telemetry
from lockstep.tokens import Tokens

# A message of the delivery queue names this many phones at most.
NAMED_MAX = 200

# How long phones wait while Apple refuses our key or topic: a person must act first.
STOPPED_DELAY_S = 60


class Settlement:
    """Keeps the books of one delivery."""

    def __init__(
        self, plan: Plan, tokens: Tokens, telemetry: Telemetry, *, correlation_id: str, now: Callable[[], float]
    ) -> None:
        self._plan = plan
        self._tokens = tokens
        self._telemetry = telemetry
        self._correlation_id = correlation_id
        self._now = now
        self._retry: dict[Audience, dict[str, None]] = {Audience.CARDS: {}, Audience.STARTS: {}}
        self._stopped: dict[Audience, dict[str, None]] = {Audience.CARDS: {}, Audience.STARTS: {}}
        self._stopped_by: dict[Environment, str] = {}
        self._elsewhere: list[tuple[Environment, Push]] = []
        self._confirmed: list[Marker] = []
        self._not_taken: list[Marker] = []
        self._retry_channels: dict[Environment, None] = {}
        self._stopped_channels: dict[Environment, None] = {}
        self._settled = 0
        self.last_accepted_ms: int | None = None

    def of_plan(self, plan: Plan) -> "Settlement":
        """Keep the books of another plan of the same message."""
        return Settlement(plan, self._tokens, self._telemetry, correlation_id=self._correlation_id, now=self._now)

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
            self._stopped_channels[environment] = None
            return
        self._settled += 1
        if outcome.remedy is Remedy.RETRY:
            self._retry_channels[environment] = None

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
        delivery = self._plan.delivery
        messages: list[tuple[Delivery, int]] = []
        for audience, phones in self._retry.items():
            if not phones:
                continue
            if not self._in_time(audience):
                self._telemetry.log.warning(
                    "given up: past the push's expiration",
                    correlation_id=self._correlation_id,
                    activity=delivery.activity,
                    audience=audience.value,
                    phones=len(phones),
                )
                continue
            self._telemetry.count(Count.RETRIED, len(phones))
            again = replace(delivery, audience=audience, revision=self._carried, attempt=delivery.attempt + 1)
            messages += [(part, retry_delay_s(delivery.attempt)) for part in _split(again, phones)]
        for audience, phones in self._stopped.items():
            again = replace(delivery, audience=audience, revision=self._carried)
            messages += [(part, STOPPED_DELAY_S) for part in _split(again, phones)]
        return messages + self._channel_retries()

    @property
    def _carried(self) -> int:
        """The revision that was to be brought at first."""
        delivery = self._plan.delivery
        if delivery.phones is not None and delivery.revision is not None:
            return delivery.revision
        return self._plan.row.revision

    def _channel_retries(self) -> list[tuple[Delivery, int]]:
        delivery = self._plan.delivery
        again = replace(
            delivery, audience=Audience.CARDS, first="", last="", phones=(), since_ms=None, revision=self._carried
        )
        messages: list[tuple[Delivery, int]] = []
        if self._retry_channels and self._in_time(Audience.CARDS):
            self._telemetry.count(Count.RETRIED)
            later = replace(again, channels=tuple(self._retry_channels), attempt=delivery.attempt + 1)
            messages.append((later, retry_delay_s(delivery.attempt)))
        if self._stopped_channels:
            messages.append((replace(again, channels=tuple(self._stopped_channels)), STOPPED_DELAY_S))
        return messages

    def _accepted(self, target: Target) -> None:
        self._settled += 1
        self.last_accepted_ms = int(self._now() * 1000)
        self._telemetry.accepted()
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
        if target.marker:
            self._not_taken.append(target.marker)
        if remedy in (Remedy.STOP_AND_ALARM, Remedy.NEW_PROVIDER_TOKEN):
            self._stopped_by[target.environment] = outcome.reason
            self._stopped[_audience(target)][target.row.phone] = None
            return
        self._settled += 1
        if remedy is Remedy.RETRY:
            self._retry[_audience(target)][target.row.phone] = None
        elif remedy in (Remedy.FORGET_TOKEN, Remedy.OTHER_ENVIRONMENT):
            self._forget(target, outcome)

    def _unanswered(self, target: Target, outcome: Unanswered) -> None:
        self._log("unanswered", target, outcome.why, None)
        stopped = target.environment in self._stopped_by and not outcome.maybe_taken
        if not stopped:
            self._telemetry.unanswered()
        if target.marker and outcome.maybe_taken:
            # It counts as sent: a second card is worse than none, and the phone's own report repairs a miss.
            self._settled += 1
            return
        if target.marker:
            self._not_taken.append(target.marker)
        (self._stopped if stopped else self._retry)[_audience(target)][target.row.phone] = None
        self._settled += not stopped

    def _forget(self, target: Target, outcome: Rejected) -> None:
        # Without Apple's moment, what the phone said before this push was sent is what Apple judged.
        dead_at_ms = target.sent_at_ms if outcome.timestamp_ms is None else outcome.timestamp_ms
        if self._tokens.forget(target.row, dead_at_ms=dead_at_ms):
            self._telemetry.count(Count.FORGOTTEN)

    def _in_time(self, audience: Audience) -> bool:
        """A retry may come until the push's own expiration."""
        if audience is Audience.STARTS:
            return waited_s(self._plan.delivery.attempt + 1) <= START_LIFE_S
        return self._now() < self._plan.card_ends_s

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


def _audience(target: Target) -> Audience:
    return Audience.STARTS if target.marker else Audience.CARDS


def _split(delivery: Delivery, phones: Iterable[str]) -> list[Delivery]:
    named = list(phones)
    return [
        replace(delivery, first="", last="", phones=tuple(named[i : i + NAMED_MAX]))
        for i in range(0, len(named), NAMED_MAX)
    ]
