"""
The event bus that a stack may have: what is told during an invocation is sent at its end.

Without a bus there is none of this, and nothing of it is imported.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from lockstep.apns import Environment, Push, Rejected
from lockstep.aws_clients import CONFIG
from lockstep.aws_faults import AWS_FAULTS
from lockstep.envelope import SqsRecord
from lockstep.errors import InvalidInput
from lockstep.json_values import compact
from lockstep.outcome_events import (
    OutcomeEvent,
    delivery_completed,
    publish_refused,
    start_without_card,
    token_forgotten,
)
from lockstep.phones import Marker, Phone
from lockstep.tally import Tally
from lockstep.targets import Target, target_of
from lockstep.telemetry import Count, Telemetry

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from lockstep.jobs import Job
    from lockstep.plan import Plan

SOURCE = "lockstep"

# PutEvents takes ten entries, and 256 KB of them at the least; ten of our longest have a fraction of that.
_BATCH_MAX = 10

# So many are worth a pause between two pages of a slice: an audience may have thousands of dead tokens.
_MANY = 100

# An entry that was refused is tried once more: EventBridge throttles entries one by one.
_TRIES = 2

# By the clients' own time-outs, two tries of a call take no longer than this.
_CALL_MAX_S = 7

# Where a call fails, the next ones are likely to: pushes and answers would wait for each.
_PAUSE_S = 60
_CONFIG = CONFIG.merge(Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "max_attempts": 2}))


class EventBus:
    """
    Takes events, and sends them together. What cannot be sent is counted and lost; a bus that fails is left alone for a minute.

    Args:
        stack: ARN of the stack whose events they are, for rules of a bus that many stacks share.
    """

    def __init__(
        self, client: "EventBridgeClient", name: str, telemetry: Telemetry, *, stack: str, now: Callable[[], float]
    ) -> None:
        self._client = client
        self._name = name
        self._telemetry = telemetry
        self._stack = stack
        self._now = now
        self._told: list[tuple[OutcomeEvent, float]] = []
        self._paused_until_s = 0.0

    # --- what happened

    def tally(self) -> Tally:
        """Begin to gather for a delivery."""
        return Tally()

    def watched(
        self, pushes: Iterable[tuple[Environment, Push]], jobs: "Mapping[Plan, Job]"
    ) -> Iterator[tuple[Environment, Push]]:
        """Pass pushes on as they are asked for, and note of each job when its first one is."""
        for environment, push in pushes:
            tally = jobs[target_of(push).plan].settlement.tally
            if tally is not None and tally.first_sent_ms is None:
                tally.sets_out(int(self._now() * 1000))
            yield environment, push

    def completed(self, tally: Tally, *, complete: bool, part: str = "") -> None:
        """Tell of a delivery that brought news, or of a slice, if anything of it was taken up."""
        if tally.row is not None:
            self._tell(delivery_completed(tally.row, tally, complete=complete, part=part))

    def forgotten(self, activity: str, target: Target, outcome: Rejected) -> None:
        """Tell of a token that was deleted since Apple called it dead."""
        self._tell(token_forgotten(activity, target, outcome))

    def refused(self, record: SqsRecord, error: InvalidInput) -> None:
        """Tell of a publish that was put aside since it can never work."""
        self._tell(publish_refused(record, error))

    def missing(self, phone: Phone, marker: Marker, *, started_at_ms: int, reported_at_ms: int) -> None:
        """Tell of a phone that has no card of a start which Apple took."""
        self._tell(start_without_card(phone, marker, started_at_ms=started_at_ms, reported_at_ms=reported_at_ms))

    def _tell(self, event: OutcomeEvent) -> None:
        self._told.append((event, self._now()))

    # --- sending it

    def flush(self, *, end_s: float) -> None:
        """
        Send what was told. Never raises for what AWS does.

        Args:
            end_s: Unix seconds at which the function is killed: no call is begun that may last longer.
        """
        told, self._told = [self._entry(event, at_s) for event, at_s in self._told], []
        for _ in range(_TRIES):
            told = self._put(told, end_s)
        if told:
            self._telemetry.count(Count.EVENTS_LOST, len(told))

    def relieve(self, *, end_s: float) -> None:
        """Send what was told so far, if it is much and there is time: at the end there may be none."""
        if len(self._told) >= _MANY and self._now() + 2 * _CALL_MAX_S < end_s:
            self.flush(end_s=end_s)

    def _put(
        self, entries: Sequence["PutEventsRequestEntryTypeDef"], end_s: float
    ) -> list["PutEventsRequestEntryTypeDef"]:
        """Send entries; returns those that EventBridge did not take."""
        left: list[PutEventsRequestEntryTypeDef] = []
        for group in batched(entries, _BATCH_MAX, strict=False):
            now_s = self._now()
            if now_s < self._paused_until_s:
                left += group
                continue
            if now_s + _CALL_MAX_S > end_s:
                self._note(len(group), "no time left")
                left += group
                continue
            try:
                answer = self._client.put_events(Entries=group)
            except AWS_FAULTS as error:
                self._note(len(group), f"{type(error).__name__}: {error}; none is sent for {_PAUSE_S} s")
                self._paused_until_s = self._now() + _PAUSE_S
                left += group
                continue
            if answer["FailedEntryCount"]:
                results = zip(group, answer["Entries"], strict=True)
                refused = [(entry, result["ErrorCode"]) for entry, result in results if result.get("ErrorCode")]
                self._note(len(refused), ", ".join(sorted({code for _, code in refused})))
                left += [entry for entry, _ in refused]
        return left

    def _note(self, count: int, why: str) -> None:
        self._telemetry.log.warning("events were not taken", count=count, reason=why)

    def _entry(self, event: OutcomeEvent, at_s: float) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.detail_type.value,
            "Time": datetime.fromtimestamp(at_s, UTC),
            "Resources": [self._stack],
            "Detail": compact(event.detail),
        }


def open_bus(name: str, telemetry: Telemetry, *, stack: str) -> EventBus:
    """Make the bus of a function, with a client of its own."""
    return EventBus(boto3.client("events", config=_CONFIG), name, telemetry, stack=stack, now=time.time)
