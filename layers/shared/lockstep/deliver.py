"""
Bring phones up to date with their activity's row.

First the cards, then, under a lease, the starts. Row before phones, strongly consistent: register writes the phone
before it queues a catch-up, so one of the two always sees the other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from lockstep.activities import Activities
from lockstep.apns import Environment, Push
from lockstep.delivery import Audience, Delivery
from lockstep.pace import is_due
from lockstep.phones import Card, Marker, StartToken
from lockstep.plan import Plan, target_of
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.sender import Sender
from lockstep.settle import Settlement
from lockstep.telemetry import Telemetry
from lockstep.tokens import Tokens

# What is delivered by somebody else is done by then, as a rule, and this message finds nothing to do.
_FOLLOW_UP_S = 2

# An audience that needs more invocations than this is handed on by mistake.
HOPS_MAX = 100

AWS_FAULTS = (ClientError, BotoCoreError, OSError)


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
        published_at_ms: Of the newest publish that asked for it, if one did.
        cards_done: Whether all cards of the range were read, none handed on.
        starts_done: The same of the starts.
        leased: Whether the lease of its starts is ours.
        error: Why it must be done again.
    """

    plan: Plan
    settlement: Settlement
    published_at_ms: int | None = None
    cards_done: bool = True
    starts_done: bool = True
    leased: bool = False
    error: Exception | None = None

    @property
    def delivery(self) -> Delivery:
        """What was asked for."""
        return self.plan.delivery


class Deliverer:
    """Carries out deliveries, those of one invocation together, through one stream of pushes."""

    def __init__(
        self,
        activities: Activities,
        tokens: Tokens,
        queue: DeliveryQueue,
        sender: Sender,
        telemetry: Telemetry,
        *,
        now: Callable[[], float],
    ) -> None:
        self._activities = activities
        self._tokens = tokens
        self._queue = queue
        self._sender = sender
        self._telemetry = telemetry
        self._now = now

    def job(self, plan: Plan, *, correlation_id: str, published_at_ms: int | None = None) -> Job:
        """Make a job of a plan; the correlation id is that of the message which asked for it."""
        settlement = Settlement(plan, self._tokens, self._telemetry, correlation_id=correlation_id, now=self._now)
        return Job(plan, settlement, published_at_ms)

    def run(self, jobs: Iterable[Job], invocation: Invocation) -> None:
        """Carry out jobs; what became of each is in its `error`. Raises only for what no message is to blame for."""
        by_plan = {job.plan: job for job in jobs}
        todo = by_plan.values()
        self._send(self._cards(todo, invocation), by_plan, invocation)
        self._send(self._starts(todo, invocation), by_plan, invocation)
        self._send((again for job in todo for again in job.settlement.elsewhere()), by_plan, invocation)
        for job in todo:
            try:
                self._finish(job, invocation)
            except AWS_FAULTS as error:
                job.error = error

    def _send(self, pushes: Iterable[tuple[Environment, Push]], jobs: dict[Plan, Job], invocation: Invocation) -> None:
        for push, outcome in self._sender.send(pushes, deadline_s=invocation.deadline_s):
            target = target_of(push)
            job = jobs[target.plan]
            try:
                job.settlement.settle(push, target, outcome)
            except AWS_FAULTS as error:
                job.error = error

    # --- cards

    def _cards(self, jobs: Iterable[Job], invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        for job in jobs:
            if job.delivery.audience is Audience.STARTS:
                continue
            try:
                yield from self._cards_of(job, invocation)
            except AWS_FAULTS as error:
                job.error = error

    def _cards_of(self, job: Job, invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        for page in self._pages(job.delivery):
            now_s = self._now()
            if now_s >= invocation.deadline_s or job.plan.row.stamp_is_old(now_s):
                self._hand_on(job, page[0].phone)
                return
            cards = [row for row in page if isinstance(row, Card)]
            markers = {row.phone: row for row in page if isinstance(row, Marker)}
            phones = self._tokens.phones(card.phone for card in cards)
            for card in cards:
                push = job.plan.of_card(card, phones.get(card.phone), markers.get(card.phone))
                if push is not None:
                    yield target_of(push).environment, push

    def _pages(self, delivery: Delivery) -> Iterator[list[Card | Marker]]:
        ranges = [(delivery.first, delivery.last)]
        if delivery.phones is not None:
            ranges = [(phone, phone) for phone in delivery.phones]
        for first, last in ranges:
            pages = self._tokens.of_activity(delivery.activity, now_s=int(self._now()), first=first, last=last)
            yield from (page for page in pages if page)

    def _hand_on(self, job: Job, first: str) -> None:
        delivery = job.delivery
        if delivery.hops >= HOPS_MAX:
            raise OSError(f"handed on {delivery.hops} times")
        carried = job.plan.row.revision if delivery.revision is None else min(delivery.revision, job.plan.row.revision)
        rest = replace(delivery, first=first, revision=carried, hops=delivery.hops + 1)
        if delivery.phones is not None:
            rest = replace(rest, first="", phones=delivery.phones[delivery.phones.index(first) :])
        self._queue.send([(rest, 0)])
        job.cards_done = job.starts_done = False

    # --- starts

    def _starts(self, jobs: Iterable[Job], invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        for job in jobs:
            wanted = job.delivery.audience is not Audience.CARDS and job.cards_done and job.error is None
            if not wanted or not job.plan.may_start:
                continue
            try:
                yield from self._starts_of(job, invocation)
            except AWS_FAULTS as error:
                job.error = error

    def _starts_of(self, job: Job, invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        now_ms = int(self._now() * 1000)
        activity = job.delivery.activity
        if job.plan.row.stamp_is_old(now_ms / 1000):
            # The cards took long. Whoever takes up the message sets a stamp anew.
            self._queue.send([(replace(job.delivery, audience=Audience.STARTS, first=""), 0)])
            job.starts_done = False
            return
        until_ms = invocation.lease_until_ms
        held_until_ms = self._activities.lease_starts(activity, invocation.id, now_ms=now_ms, until_ms=until_ms)
        if held_until_ms is not None:
            # Somebody is starting these phones now. Look again when they are certainly done.
            delay_s = max(1, -(-(held_until_ms - now_ms) // 1000))
            self._queue.send([(replace(job.delivery, audience=Audience.STARTS), delay_s)])
            job.starts_done = False
            return
        job.leased = True
        pushes = [push for push in self._candidates(job) if push is not None]
        job.settlement.note_starts(pushes)
        for push in pushes:
            yield target_of(push).environment, push

    def _candidates(self, job: Job) -> list[Push | None]:
        row, delivery, now_s = job.plan.row, job.delivery, int(self._now())
        named: list[StartToken] = []
        for user in row.users:
            named += self._tokens.start_tokens(user, row.attributes_type or "", now_s=now_s)
        if delivery.phones is not None:
            named = [start_token for start_token in named if start_token.phone in delivery.phones]
        if not named:
            return []
        phones = self._tokens.phones(start_token.phone for start_token in named)
        have = {
            (shown.phone, shown.owner) for page in self._pages(delivery) for shown in page if row.is_of_run(shown.run)
        }
        return [
            job.plan.of_start(start_token, phones.get(start_token.phone))
            for start_token in named
            if (start_token.phone, start_token.owner) not in have
        ]

    # --- the end of a job

    def _finish(self, job: Job, invocation: Invocation) -> None:
        """Note the starts, queue what must be tried again, and only then call the audience served."""
        if job.leased:
            job.settlement.settle_markers()
            self._activities.release_starts(job.delivery.activity, invocation.id)
        if job.error is not None or job.settlement.stopped_whole:
            return
        self._queue.send(job.settlement.retries())
        delivery, row = job.delivery, job.plan.row
        if delivery.whole:
            sent = row.revision if delivery.revision is None else min(row.revision, delivery.revision)
            cards = delivery.audience is not Audience.STARTS and job.cards_done and row.sent_revision < sent
            started = delivery.audience is not Audience.CARDS and job.starts_done and row.owes_starts
            if cards or started:
                after = self._activities.record(row, sent=sent if cards else None, started=started)
                if cards and after is not None:
                    self._follow_up(after)
        if job.published_at_ms is not None and job.settlement.last_accepted_ms is not None:
            self._telemetry.accepted_after(job.settlement.last_accepted_ms - job.published_at_ms)

    def _follow_up(self, row: Row) -> None:
        """
        See that what the row still owes is delivered: what came into it meanwhile, or after an earlier part of this.

        Whoever brought it delivers it, or has queued that; this is for those who died before they could.
        """
        if row.owes and not is_due(row, int(self._now() * 1000)):
            self._queue.send([(Delivery(row.activity), _FOLLOW_UP_S)])
