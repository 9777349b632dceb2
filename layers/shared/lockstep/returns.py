"""What becomes of a message that could not be handled: it comes back soon, waits for a person, or is put aside."""

from collections.abc import Callable, Iterable

from lockstep.aws_faults import AWS_FAULTS
from lockstep.envelope import SqsRecord
from lockstep.publishes import MAX_AGE_MS
from lockstep.queues import SourceQueue
from lockstep.telemetry import Telemetry

# The receive at which we stop hoping and put a failing message aside ourselves; the queue's own count is for crashes.
RECEIVES_MAX = 4

# How soon a failing message is received again.
RETURN_S = 5

# How long messages wait while the key is missing or refused: a person must act first.
PUT_BACK_S = 60


class Returns:
    """Sends messages back, or aside; keeps the ids of those that SQS must deliver again."""

    def __init__(
        self, publish_queue: SourceQueue, own: Iterable[SourceQueue], telemetry: Telemetry, *, now: Callable[[], float]
    ) -> None:
        self._publish_queue = publish_queue
        self._own = {queue.name: queue for queue in own}
        self._telemetry = telemetry
        self._now = now
        self._failed: list[str] = []

    def is_our_own(self, record: SqsRecord) -> bool:
        """Say whether it comes from a queue that none but us sends to."""
        return record.queue in self._own

    def take(self) -> list[str]:
        """Name the messages that failed since the last time."""
        failed, self._failed = self._failed, []
        return failed

    def wait_for_key(self, records: Iterable[SqsRecord], reason: str) -> None:
        """Let messages come back when a person may have acted, for as long as they may be of use."""
        for record in records:
            queue = self._source(record)
            if self._now() * 1000 - record.first_sent_at_ms > MAX_AGE_MS:
                self.put_aside(record, f"8 hours old, and still {reason}")
                continue
            try:
                queue.put_back(record, delay_s=PUT_BACK_S)
            except AWS_FAULTS as error:
                self.fail((record,), error)

    def fail(self, records: Iterable[SqsRecord], error: Exception) -> None:
        """Let messages come back in a few seconds, or put them aside once that was tried often enough."""
        for record in records:
            queue = self._source(record)
            self._telemetry.log.warning(
                "failed", reason=f"{type(error).__name__}: {error}", message_id=record.message_id, exc_info=error
            )
            if record.receive_count >= RECEIVES_MAX:
                self.put_aside(record, f"failed {record.receive_count} times: {type(error).__name__}: {error}")
                continue
            self._failed.append(record.message_id)
            try:
                queue.return_soon(record, delay_s=RETURN_S)
            except AWS_FAULTS:
                self._telemetry.log.warning(
                    "comes back only after the visibility timeout", message_id=record.message_id
                )

    def put_aside(self, record: SqsRecord, reason: str) -> bool:
        """Put a message into the dead-letter queue, with its reason; say whether it is there, or else comes again."""
        try:
            self._source(record).dead_letter(record, reason)
        except AWS_FAULTS:
            self._telemetry.log.warning("could not be dead-lettered yet", message_id=record.message_id, reason=reason)
            self._failed.append(record.message_id)
            return False
        return True

    def _source(self, record: SqsRecord) -> SourceQueue:
        return self._own.get(record.queue, self._publish_queue)
