"""One batch of SQS messages: publishes into rows, rows onto phones, and what becomes of each message."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lockstep.apns import Environment
from lockstep.commit import Committed, Committer, Contended
from lockstep.deliver import AWS_FAULTS, Deliverer, Invocation, Job
from lockstep.delivery import Delivery, Forgetting, read_body
from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput, Misconfigured
from lockstep.forgetting import forget
from lockstep.merge import Effect
from lockstep.plan import Plan
from lockstep.publish import MAX_AGE_MS, Publish, parse
from lockstep.queues import SourceQueue
from lockstep.row import Row
from lockstep.sender import Sender
from lockstep.telemetry import Count, Telemetry
from lockstep.tokens import Tokens

# The receive at which we stop hoping and put a failing message aside ourselves; the queue's own count is for crashes.
RECEIVES_MAX = 4

# How soon a failing message is received again.
RETURN_S = 5

# How long messages wait while the key is missing or refused: a person must act first.
PUT_BACK_S = 60


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
        publish_queue: SourceQueue,
        delivery_queue: SourceQueue,
        sender: Sender,
        deliverer: Deliverer,
        telemetry: Telemetry,
        *,
        default_environment: Environment,
        guests_required: bool,
        now: Callable[[], float],
    ) -> None:
        self._committer = committer
        self._tokens = tokens
        self._publish_queue = publish_queue
        self._delivery_queue = delivery_queue
        self._sender = sender
        self._deliverer = deliverer
        self._telemetry = telemetry
        self._default_environment = default_environment
        self._guests_required = guests_required
        self._now = now

    def handle(self, records: Iterable[SqsRecord], invocation: Invocation) -> list[str]:
        """
        Work through messages of both queues.

        Returns:
            The ids of those that SQS must deliver again.
        """
        self._failed: list[str] = []
        received = list(records)
        work = [
            *self._publishes(record for record in received if self._queue_of(record) is self._publish_queue),
            *self._deliveries(record for record in received if self._queue_of(record) is self._delivery_queue),
        ]
        if work:
            self._deliver(work, invocation)
        return self._failed

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
            except InvalidInput as error:
                self._refuse(record, str(error))
            else:
                by_activity[publish.activity].append((publish, record))
        work: list[Work] = []
        for said in by_activity.values():
            together = tuple(record for _, record in said)
            try:
                committed = self._committer.commit([publish for publish, _ in said])
            except (*AWS_FAULTS, Contended) as error:
                self._fail(together, error)
                continue
            self._count(said, committed)
            if committed.delivery:
                newest_ms = max(publish.version.published_at_ms for publish, _ in said)
                work.append(Work(self._job(committed.delivery, committed.row, together[0], newest_ms), together))
        return work

    def _refuse(self, record: SqsRecord, reason: str) -> None:
        self._telemetry.count(Count.REFUSED)
        self._telemetry.log.warning("refused", reason=reason, message_id=record.message_id)
        self._put_aside(record, self._publish_queue, reason)

    def _count(self, said: Sequence[tuple[Publish, SqsRecord]], committed: Committed) -> None:
        self._telemetry.count(Count.PUBLISHED, len(said))
        for (publish, record), effect in zip(said, committed.effects, strict=True):
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

    # --- deliveries

    def _deliveries(self, records: Iterable[SqsRecord]) -> list[Work]:
        work: list[Work] = []
        for record in records:
            try:
                message = read_body(record.body)
            except InvalidInput as error:
                self._put_aside(record, self._delivery_queue, str(error))
                continue
            try:
                if isinstance(message, Forgetting):
                    forget(self._tokens, message)
                    continue
                claimed = self._committer.claim(message)
            except (*AWS_FAULTS, Contended) as error:
                self._fail((record,), error)
                continue
            if claimed:
                row, delivery = claimed
                work.append(Work(self._job(delivery, row, record), (record,)))
        return work

    # --- the work

    def _job(self, delivery: Delivery, row: Row, record: SqsRecord, published_at_ms: int | None = None) -> Job:
        plan = Plan(
            delivery,
            row,
            default_environment=self._default_environment,
            now_s=self._now(),
            guests_required=self._guests_required,
        )
        if plan.oversized:
            self._telemetry.count(Count.REFUSED)
            self._telemetry.log.error(
                "attributes, state and alert together are too long to start", activity=row.activity
            )
        if delivery.begins and plan.is_lowered:
            self._telemetry.count(Count.PRIORITY_LOWERED)
        return self._deliverer.job(plan, correlation_id=record.message_id, published_at_ms=published_at_ms)

    def _deliver(self, work: Sequence[Work], invocation: Invocation) -> None:
        try:
            self._sender.prepare()
        except Misconfigured as error:
            self._telemetry.count(Count.KEY_UNUSABLE)
            self._telemetry.log.error("the signing key is unusable", reason=str(error))
            for one in work:
                self._wait_for_key(one.records, str(error))
            return
        self._deliverer.run([one.job for one in work], invocation)
        for one in work:
            settlement = one.job.settlement
            if settlement.stopped_by:
                self._telemetry.count(Count.KEY_UNUSABLE)
                self._telemetry.log.error("Apple refuses our key or topic", reason=settlement.stopped_by)
            if one.job.error is not None:
                self._fail(one.records, one.job.error)
            elif settlement.stopped_whole:
                self._wait_for_key(one.records, f"Apple refuses our key or topic: {settlement.stopped_by}")

    # --- what becomes of a message

    def _queue_of(self, record: SqsRecord) -> SourceQueue:
        return self._delivery_queue if record.queue == self._delivery_queue.name else self._publish_queue

    def _wait_for_key(self, records: Iterable[SqsRecord], reason: str) -> None:
        for record in records:
            queue = self._queue_of(record)
            if self._now() * 1000 - record.first_sent_at_ms > MAX_AGE_MS:
                self._put_aside(record, queue, f"8 hours old, and still {reason}")
                continue
            try:
                queue.put_back(record, delay_s=PUT_BACK_S)
            except AWS_FAULTS as error:
                self._fail((record,), error)

    def _fail(self, records: Iterable[SqsRecord], error: Exception) -> None:
        for record in records:
            queue = self._queue_of(record)
            self._telemetry.log.warning(
                "failed", reason=f"{type(error).__name__}: {error}", message_id=record.message_id, exc_info=error
            )
            if record.receive_count >= RECEIVES_MAX:
                self._put_aside(record, queue, f"failed {record.receive_count} times: {type(error).__name__}: {error}")
                continue
            self._failed.append(record.message_id)
            try:
                queue.return_soon(record, delay_s=RETURN_S)
            except AWS_FAULTS:
                self._telemetry.log.warning(
                    "comes back only after the visibility timeout", message_id=record.message_id
                )

    def _put_aside(self, record: SqsRecord, queue: SourceQueue, reason: str) -> None:
        try:
            queue.dead_letter(record, reason)
        except AWS_FAULTS:
            self._telemetry.log.warning("could not be dead-lettered yet", message_id=record.message_id, reason=reason)
            self._failed.append(record.message_id)
