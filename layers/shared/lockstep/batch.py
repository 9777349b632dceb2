"""One batch of SQS messages: publishes into rows, rows onto phones, and what becomes of each message."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockstep.aws_faults import AWS_FAULTS
from lockstep.commit import Committed, Committer, Contended
from lockstep.deliver import Deliverer
from lockstep.delivery import Delivery, Forgetting, read_body
from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput, Misconfigured
from lockstep.fitting import check
from lockstep.forgetting import forget
from lockstep.jobs import Invocation, Job
from lockstep.merge import Effect
from lockstep.plan import Plan
from lockstep.publishes import Publish, parse
from lockstep.returns import Returns
from lockstep.row import Row
from lockstep.schemas import Schemas
from lockstep.sender import Sender
from lockstep.settle import Settlement
from lockstep.slicing import Slicer
from lockstep.telemetry import Count, Telemetry
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from lockstep.event_bus import EventBus


@dataclass(frozen=True, slots=True)
class Work:
    """A job and the messages that it answers."""

    job: Job
    records: tuple[SqsRecord, ...]


class Batch:
    """Handles the records of one invocation; the instance lives as long as the container."""

    def __init__(
        self,
        committer: Committer,
        tokens: Tokens,
        returns: Returns,
        sender: Sender,
        deliverer: Deliverer,
        slicer: Slicer,
        telemetry: Telemetry,
        schemas: Schemas,
        *,
        plan: Callable[[Delivery, Row], Plan],
        guests_required: bool,
        now: Callable[[], float],
        bus: "EventBus | None",
    ) -> None:
        self._committer = committer
        self._tokens = tokens
        self._returns = returns
        self._sender = sender
        self._deliverer = deliverer
        self._slicer = slicer
        self._telemetry = telemetry
        self._schemas = schemas
        self._plan = plan
        self._guests_required = guests_required
        self._now = now
        self._bus = bus

    def handle(self, records: Iterable[SqsRecord], invocation: Invocation) -> list[str]:
        """
        Work through messages of all queues.

        Returns:
            The ids of those that SQS must deliver again.
        """
        received = list(records)
        work = self._publishes(record for record in received if not self._returns.is_our_own(record))
        of_slices: list[tuple[Delivery, SqsRecord]] = []
        for record in received:
            if self._returns.is_our_own(record):
                self._queued(record, work, of_slices)
        if work or of_slices:
            self._deliver(work, of_slices, invocation)
        return self._returns.take()

    # --- publishes

    def _publishes(self, records: Iterable[SqsRecord]) -> list[Work]:
        by_activity: dict[str, list[tuple[Publish, SqsRecord]]] = defaultdict(list)
        for record in records:
            try:
                now_ms = int(self._now() * 1000)
                message = open_envelope(record, now_ms=now_ms)
                if message.from_the_future:
                    self._telemetry.count(Count.FROM_THE_FUTURE)
                publish = parse(message, now_ms=now_ms, guests_required=self._guests_required)
                check(self._schemas, publish)
            except InvalidInput as error:
                self._refuse_publish(record, error)
            else:
                by_activity[publish.activity].append((publish, record))
        work: list[Work] = []
        rows = self._rows(by_activity)
        for said in by_activity.values():
            together = tuple(record for _, record in said)
            try:
                committed = self._committer.commit([publish for publish, _ in said], rows)
            except (*AWS_FAULTS, Contended) as error:
                self._returns.fail(together, error)
                continue
            together = self._count(said, committed)
            if committed.delivery:
                job = self._job(committed.delivery, committed.row, together[0])
                if job.settlement.tally is not None:
                    job.settlement.tally.late = committed.effects.count(Effect.SUPERSEDED)
                work.append(Work(job, together))
        return work

    def _rows(self, activities: Iterable[str]) -> dict[str, Row] | None:
        """Read all their rows at once; None where that fails: then each asks for its own, and fails by itself."""
        try:
            return self._committer.rows(activities)
        except AWS_FAULTS:
            return None

    def _refuse_publish(self, record: SqsRecord, error: InvalidInput) -> None:
        if self._refuse(record, error) and self._bus is not None:
            self._bus.refused(record, error)

    def _refuse(self, record: SqsRecord, error: InvalidInput) -> bool:
        self._telemetry.count(Count.REFUSED)
        self._telemetry.log.warning("refused", reason=str(error), message_id=record.message_id)
        return self._returns.put_aside(record, str(error))

    def _count(self, said: Sequence[tuple[Publish, SqsRecord]], committed: Committed) -> tuple[SqsRecord, ...]:
        """Tell what became of publishes; returns the records of those that were not refused."""
        if committed.left_out is not None:
            self._telemetry.count(Count.REFUSED)
            self._telemetry.log.warning(
                "a state from before the start was left out",
                activity=committed.row.activity,
                reason=str(committed.left_out),
            )
        taken = []
        for (publish, record), effect in zip(said, committed.effects, strict=True):
            if isinstance(effect, InvalidInput):
                self._refuse_publish(record, effect)
                continue
            taken.append(record)
            if effect is Effect.SUPERSEDED:
                self._telemetry.count(Count.SUPERSEDED)
            self._telemetry.log.info(
                "published",
                correlation_id=record.message_id,
                activity=publish.activity,
                event=publish.event,
                outcome=effect.value,
                published_at_ms=publish.version.published_at_ms,
                revision=committed.row.revision,
            )
        self._telemetry.count(Count.PUBLISHED, len(taken))
        return tuple(taken)

    # --- deliveries

    def _queued(self, record: SqsRecord, work: list[Work], of_slices: list[tuple[Delivery, SqsRecord]]) -> None:
        """Read a message that we sent ourselves, and add what it asks for to the work or the slices."""
        try:
            message = read_body(record.body)
        except InvalidInput as error:
            self._refuse(record, error)
            return
        try:
            if isinstance(message, Forgetting):
                forget(self._tokens, message)
            elif message.is_slice:
                of_slices.append((message, record))
            elif message.begins and (same := _begun(work, message.activity)) is not None:
                # It is owed until that one is done, so a claim would have it twice.
                work[same] = replace(work[same], records=(*work[same].records, record))
            elif claimed := self._committer.claim(message):
                row, delivery = claimed
                work.append(Work(self._job(delivery, row, record), (record,)))
        except (*AWS_FAULTS, Contended) as error:
            self._returns.fail((record,), error)

    # --- the work

    def _job(self, delivery: Delivery, row: Row, record: SqsRecord) -> Job:
        plan = self._plan(delivery, row)
        if plan.oversized:
            self._telemetry.count(Count.REFUSED)
            self._telemetry.log.error(
                "attributes, state and alert together are too long to start", activity=row.activity
            )
        if delivery.begins and plan.is_lowered:
            self._telemetry.count(Count.PRIORITY_LOWERED)
        return self._deliverer.job(plan, correlation_id=record.message_id)

    def _deliver(
        self, work: Sequence[Work], of_slices: Sequence[tuple[Delivery, SqsRecord]], invocation: Invocation
    ) -> None:
        try:
            self._sender.prepare()
        except Misconfigured as error:
            self._telemetry.count(Count.KEY_UNUSABLE)
            self._telemetry.log.error("the signing key is unusable", reason=str(error))
            for one in work:
                self._returns.wait_for_key(one.records, str(error))
            self._returns.wait_for_key((record for _, record in of_slices), str(error))
            return
        self._deliverer.run([one.job for one in work], invocation)
        for one in work:
            if one.job.error is not None:
                self._returns.fail(one.records, one.job.error)
            self._settled(one.job.settlement, one.records, failed=one.job.error is not None)
        for delivery, record in of_slices:
            try:
                stopped = self._slicer.serve(delivery, invocation, correlation_id=record.message_id)
            except (*AWS_FAULTS, Contended) as error:
                self._returns.fail((record,), error)
                continue
            if stopped is not None:
                self._settled(stopped, (record,))

    def _settled(self, settlement: Settlement, records: Sequence[SqsRecord], *, failed: bool = False) -> None:
        if settlement.stopped_by:
            self._telemetry.count(Count.KEY_UNUSABLE)
            self._telemetry.log.error("Apple refuses our key or topic", reason=settlement.stopped_by)
        if settlement.stopped_whole and not failed:
            self._returns.wait_for_key(records, f"Apple refuses our key or topic: {settlement.stopped_by}")


def _begun(work: Sequence[Work], activity: str) -> int | None:
    """Find the work that is a delivery to everyone of an activity."""
    deliveries = (one.job.delivery for one in work)
    return next((i for i, one in enumerate(deliveries) if one.begins and one.activity == activity), None)
