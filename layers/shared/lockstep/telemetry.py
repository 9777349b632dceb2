"""What an operator sees: structured logs and CloudWatch metrics, neither with anything secret in it."""

from collections import Counter
from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lockstep.apns import Environment


class Count(StrEnum):
    """Metrics that count, by their CloudWatch names."""

    PUBLISHED = "Published"
    SUPERSEDED = "Superseded"
    REFUSED = "Refused"
    SENT = "Sent"
    ACCEPTED = "Accepted"
    UNANSWERED = "Unanswered"
    FAILED = "Failed"
    RETRIED = "Retried"
    FORGOTTEN = "Forgotten"
    PRIORITY_LOWERED = "PriorityLowered"
    FROM_THE_FUTURE = "PublishedInTheFuture"
    KEY_UNUSABLE = "SigningKeyUnusable"
    CLOSED = "ClosedAfterEightHours"
    ENDS_REPEATED = "EndsRepeated"
    CHANNELS_DELETED = "ChannelsDeleted"
    CHANNELS_OF_OTHERS = "ChannelsOfOthers"
    EVENTS_LOST = "EventsLost"


class Telemetry:
    """Counts during an invocation; `flush` hands the sums to CloudWatch as EMF lines."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self.log = logger
        self._metrics = metrics
        self._counts: Counter[Count] = Counter()
        # Of pushes: what is counted for each of them is counted without looking up a name.
        self._accepted = 0
        self._rejected: Counter[str] = Counter()

    def count(self, name: Count, by: int = 1) -> None:
        """Count something that happened."""
        self._counts[name] += by

    def accepted(self) -> None:
        """Count a push, or a broadcast, that APNs took."""
        self._accepted += 1

    def push_rejected(self, reason: str, *, failed: bool) -> None:
        """Count a push, or a broadcast, that APNs rejected; it failed if a phone that is there does without."""
        self._counts[Count.SENT] += 1
        self._counts[Count.FAILED] += failed
        self.rejected(reason)

    def unanswered(self) -> None:
        """Count a push, or a broadcast, of which APNs said nothing."""
        self._counts.update((Count.SENT, Count.UNANSWERED, Count.FAILED))

    def rejected(self, reason: str) -> None:
        """Count what APNs rejected, by its reason."""
        self._rejected[reason] += 1

    def accepted_after(self, duration_ms: int) -> None:
        """Note how long a publish took until APNs had accepted the last of its pushes."""
        self._metrics.add_metric(name="PublishToAcceptance", unit=MetricUnit.Milliseconds, value=max(0, duration_ms))

    def channels(self, environment: Environment, count: int) -> None:
        """Note how many channels the app has; Apple's limit is 10,000 in each environment."""
        with single_metric(
            name="Channels", unit=MetricUnit.Count, value=count, namespace=self._metrics.namespace
        ) as metric:
            metric.add_dimension(name="environment", value=environment.value)

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        self._counts.update({Count.SENT: self._accepted, Count.ACCEPTED: self._accepted})
        told = +self._counts
        if told[Count.SENT]:
            # Also where none did: what isn't told is no number that an alarm can reckon with.
            told[Count.FAILED] += 0
        for name, value in told.items():
            self._metrics.add_metric(name=name.value, unit=MetricUnit.Count, value=value)
        for reason, value in self._rejected.items():
            with single_metric(
                name="Rejected", unit=MetricUnit.Count, value=value, namespace=self._metrics.namespace
            ) as metric:
                metric.add_dimension(name="reason", value=reason)
        if self._metrics.metric_set:
            self._metrics.flush_metrics()
        self._counts.clear()
        self._rejected.clear()
        self._accepted = 0
