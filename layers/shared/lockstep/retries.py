"""What must be pushed again: the phones and channels of one delivery, and the messages that ask for it."""

from collections.abc import Callable
from copy import replace

from lockstep.apns import Environment
from lockstep.delivery import Audience, Delivery, retry_delay_s, waited_s
from lockstep.plan import START_LIFE_S, Plan
from lockstep.targets import Target
from lockstep.telemetry import Count, Telemetry

# How long phones wait while Apple refuses our key or topic: a person must act first.
STOPPED_DELAY_S = 60


class Retries:
    """Notes what failed, and what was stopped since Apple refuses our key or topic. Messages name phones, not payloads."""

    def __init__(self, plan: Plan, telemetry: Telemetry, *, correlation_id: str, now: Callable[[], float]) -> None:
        self._plan = plan
        self._telemetry = telemetry
        self._correlation_id = correlation_id
        self._now = now
        self._failed: dict[Audience, dict[str, None]] = {Audience.CARDS: {}, Audience.STARTS: {}}
        self._stopped: dict[Audience, dict[str, None]] = {Audience.CARDS: {}, Audience.STARTS: {}}
        self._failed_channels: dict[Environment, None] = {}
        self._stopped_channels: dict[Environment, None] = {}

    def failed(self, target: Target) -> None:
        """Note a phone that is tried again soon."""
        self._failed[_audience(target)][target.row.phone] = None

    def stopped(self, target: Target) -> None:
        """Note a phone that is tried again when a person may have acted."""
        self._stopped[_audience(target)][target.row.phone] = None

    def broadcast_failed(self, environment: Environment) -> None:
        """Note a channel that is tried again soon."""
        self._failed_channels[environment] = None

    def broadcast_stopped(self, environment: Environment) -> None:
        """Note a channel that is tried again when a person may have acted."""
        self._stopped_channels[environment] = None

    def messages(self) -> list[tuple[Delivery, int]]:
        """Name the deliveries to queue, each with its delay in seconds."""
        delivery = self._plan.delivery
        messages: list[tuple[Delivery, int]] = []
        for audience, phones in self._failed.items():
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
            messages += [(part, retry_delay_s(delivery.attempt)) for part in again.to_phones(phones)]
        for audience, phones in self._stopped.items():
            again = replace(delivery, audience=audience, revision=self._carried)
            messages += [(part, STOPPED_DELAY_S) for part in again.to_phones(phones)]
        return messages + self._on_channels()

    @property
    def _carried(self) -> int:
        """The revision that was to be brought at first."""
        delivery = self._plan.delivery
        if delivery.phones is not None and delivery.revision is not None:
            return delivery.revision
        return self._plan.row.revision

    def _on_channels(self) -> list[tuple[Delivery, int]]:
        delivery = self._plan.delivery
        again = replace(
            delivery, audience=Audience.CARDS, first="", last="", phones=(), since_ms=None, revision=self._carried
        )
        messages: list[tuple[Delivery, int]] = []
        if self._failed_channels and self._in_time(Audience.CARDS):
            self._telemetry.count(Count.RETRIED)
            later = replace(again, channels=tuple(self._failed_channels), attempt=delivery.attempt + 1)
            messages.append((later, retry_delay_s(delivery.attempt)))
        if self._stopped_channels:
            messages.append((replace(again, channels=tuple(self._stopped_channels)), STOPPED_DELAY_S))
        return messages

    def _in_time(self, audience: Audience) -> bool:
        """A retry may come until the push's own expiration."""
        if audience is Audience.STARTS:
            return waited_s(self._plan.delivery.attempt + 1) <= START_LIFE_S
        return self._now() < self._plan.card_ends_s


def _audience(target: Target) -> Audience:
    return Audience.STARTS if target.marker else Audience.CARDS
