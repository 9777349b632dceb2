"""
Bring phones up to date with their activity's row.

First channels and cards, then, under a lease, starts. Row before phones, strongly consistent: register writes the phone
before it queues a catch-up, so one of the two sees the other. What is too much for one function goes to slices (`slicing`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lockstep.activities import Activities
from lockstep.apns import Environment, Push
from lockstep.aws_faults import AWS_FAULTS
from lockstep.card_pages import CardPages, to_cards
from lockstep.channel_keeping import ChannelKeeper
from lockstep.delivery import Audience, Delivery
from lockstep.handover import Handover
from lockstep.jobs import HOPS_MAX, Invocation, Job
from lockstep.pace import is_due
from lockstep.phones import Card, Marker, StartToken
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.sender import Sender
from lockstep.settle import Settlement
from lockstep.slice_items import SliceItems
from lockstep.starting import Starter
from lockstep.targets import target_of
from lockstep.telemetry import Telemetry
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from lockstep.event_bus import EventBus
    from lockstep.tally import Tally

# What is delivered by somebody else is done by then, as a rule, and this message finds nothing to do.
_FOLLOW_UP_S = 2


class Deliverer:
    """Carries out deliveries, those of one invocation together, through one stream of pushes."""

    def __init__(
        self,
        activities: Activities,
        tokens: Tokens,
        slices: SliceItems,
        handover: Handover,
        starter: Starter,
        channels: ChannelKeeper,
        queue: DeliveryQueue,
        sender: Sender,
        telemetry: Telemetry,
        *,
        now: Callable[[], float],
        bus: "EventBus | None" = None,
    ) -> None:
        self._activities = activities
        self._tokens = tokens
        self._slices = slices
        self._starter = starter
        self._channels = channels
        self._queue = queue
        self._handover = handover
        self._card_pages = CardPages(tokens, handover, now=now)
        self._sender = sender
        self._telemetry = telemetry
        self._now = now
        self._bus = bus

    def job(self, plan: Plan, *, correlation_id: str, tally: "Tally | None" = None) -> Job:
        """Make a job of a plan; the correlation id is that of the message which asked for it."""
        settlement = Settlement(
            plan,
            self._tokens,
            self._telemetry,
            correlation_id=correlation_id,
            now=self._now,
            bus=self._bus,
            tally=tally,
        )
        return Job(plan, settlement)

    def run(self, jobs: Iterable[Job], invocation: Invocation) -> None:
        """Carry out jobs; what became of each is in its `error`. Raises only for what no message is to blame for."""
        todo = list(jobs)
        self._channels.attend(todo, deadline_s=invocation.deadline_s)
        by_plan = {job.plan: job for job in todo}
        self._send(self._cards(todo, invocation), by_plan, invocation)
        self._send(self._starts(todo, invocation), by_plan, invocation)
        self._send((again for job in todo for again in job.settlement.elsewhere()), by_plan, invocation)
        for job in todo:
            try:
                self._finish(job, invocation)
            except AWS_FAULTS as error:
                job.error = error

    def serve(
        self,
        plan: Plan,
        shown: Iterable[Card | Marker],
        named: Iterable[StartToken],
        invocation: Invocation,
        *,
        correlation_id: str,
        tally: "Tally | None",
    ) -> Settlement:
        """
        Serve some phones of a slice, whose lease is ours: their cards, and those of them that are to be started.

        Raises:
            ClientError, BotoCoreError, OSError: Some were not served.
        """
        job, rows = self.job(plan, correlation_id=correlation_id, tally=tally), list(shown)
        settlement = job.settlement
        try:
            self._send(to_cards(plan, rows, self._card_pages.phones_of(rows)), {plan: job}, invocation)
            starts = self._starter.pushes(plan, named, rows)
            settlement.note_starts(starts)
            self._send(((target_of(push).environment, push) for push in starts), {plan: job}, invocation)
            self._send(settlement.elsewhere(), {plan: job}, invocation)
        finally:
            settlement.settle_markers()
        if job.error is not None:
            raise job.error
        if (took_ms := job.took_ms) is not None:
            self._telemetry.accepted_after(took_ms)
        if not settlement.stopped_whole:
            again = self._channels.said_again(plan.row) if starts else []
            self._queue.send([*settlement.retries(), *again])
        return settlement

    def _send(self, pushes: Iterable[tuple[Environment, Push]], jobs: dict[Plan, Job], invocation: Invocation) -> None:
        if self._bus is not None:
            pushes = self._bus.watched(pushes, jobs)
        for push, outcome in self._sender.send(pushes, deadline_s=invocation.deadline_s):
            target = target_of(push)
            job = jobs[target.plan]
            try:
                job.settlement.settle(push, target, outcome)
            except AWS_FAULTS as error:
                job.error = error

    # --- cards

    def _cards(self, jobs: Iterable[Job], invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        wanted = (job for job in jobs if job.delivery.audience is not Audience.STARTS and job.error is None)
        for job, rows, phones in self._card_pages.of_jobs(wanted):
            now_s = self._now()
            if now_s < invocation.deadline_s and not job.plan.row.stamp_is_old(now_s):
                yield from to_cards(job.plan, rows, phones)
                continue
            try:
                self._hand_on(job, rows[0].phone)
            except AWS_FAULTS as error:
                job.error = error

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
            if not wanted or job.sliced or not job.plan.may_start or job.delivery.phones == ():
                continue
            try:
                yield from self._starts_of(job, invocation)
            except AWS_FAULTS as error:
                job.error = error

    def _starts_of(self, job: Job, invocation: Invocation) -> Iterator[tuple[Environment, Push]]:
        now_ms = int(self._now() * 1000)
        delivery, row = replace(job.delivery, audience=Audience.STARTS), job.plan.row
        if (
            delivery.whole
            and job.delivery.audience is Audience.STARTS
            and (row.sliced or self._handover.has_many_followers(job))
        ):
            self._handover.to_slices(job)
            return
        if row.stamp_is_old(now_ms / 1000):
            # The cards took long. Whoever takes up the message sets a stamp anew.
            self._put_off(job, replace(delivery, first=""), 0)
            return
        prefix = ""
        if row.sliced and delivery.phones is not None:
            prefix, delivery = self._starter.of_one_slice(delivery)
        wait_s = self._starter.wait_s(delivery, prefix, invocation, now_ms)
        if wait_s:
            # Somebody is starting these phones now. Look again when they are certainly done.
            self._put_off(job, delivery, wait_s)
            return
        job.leased = prefix
        meant = self._starter.meant(row, delivery, job.followers)
        pushes = self._starter.pushes(
            job.plan, meant, [shown for page in self._card_pages.pages(delivery, row) for shown in page]
        )
        job.settlement.note_starts(pushes)
        job.started = bool(pushes)
        for push in pushes:
            yield target_of(push).environment, push

    def _put_off(self, job: Job, delivery: Delivery, delay_s: int) -> None:
        self._queue.send([(delivery, delay_s)])
        job.starts_done = False

    # --- the end of a job

    def _finish(self, job: Job, invocation: Invocation) -> None:
        """Note the starts, queue what must be tried again, and only then call the audience served."""
        if job.leased is not None:
            job.settlement.settle_markers()
            self._slices.release(job.delivery.activity, job.leased, invocation.id)
        if job.error is not None or job.settlement.stopped_whole:
            return
        delivery, row = job.delivery, job.plan.row
        self._queue.send([*job.settlement.retries(), *(self._channels.said_again(row) if job.started else ())])
        if delivery.whole:
            sent = row.revision if delivery.revision is None else min(row.revision, delivery.revision)
            cards = delivery.audience is not Audience.STARTS and job.cards_done and row.sent_revision < sent
            started = delivery.audience is not Audience.CARDS and job.starts_done and row.owes_starts
            if cards or started:
                heard = job.settlement.heard()
                after = self._activities.record(row, sent=sent if cards else None, started=started, heard=heard)
                if cards and after is not None:
                    self._follow_up(after)
        if (took_ms := job.took_ms) is not None:
            self._telemetry.accepted_after(took_ms)
        if self._bus is not None and job.settlement.tally is not None:
            self._bus.completed(job.settlement.tally, complete=job.is_complete)

    def _follow_up(self, row: Row) -> None:
        """
        See that what the row still owes is delivered: what came into it meanwhile, or after an earlier part of this.

        Whoever brought it delivers it, or has queued that; this is for those who died before they could.
        """
        if row.owes and not is_due(row, int(self._now() * 1000)):
            self._queue.send([(Delivery(row.activity), _FOLLOW_UP_S)])
