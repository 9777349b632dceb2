"""
What EventBridge is told where a stack has a bus: pure. docs/events.md is the contract, docs/events/ its schemas.

Nothing secret is in it, and no user: a phone is named by its hash, as in the log.
"""

from dataclasses import dataclass
from enum import StrEnum

from lockstep.apns import Rejected
from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput
from lockstep.ids import is_id
from lockstep.json_values import Json, JsonObject
from lockstep.phones import Card, Marker, Phone
from lockstep.row import Row
from lockstep.slices import share
from lockstep.tally import Tally
from lockstep.targets import Target

_FORMAT = 1

# Reasons, ours and Apple's, are some words; nothing that anybody says makes an event too long.
_MESSAGE_MAX = 1000


class DetailType(StrEnum):
    """What rules match by."""

    DELIVERY_COMPLETED = "Delivery Completed"
    TOKEN_FORGOTTEN = "Token Forgotten"  # noqa: S105  # an event's name
    PUBLISH_REFUSED = "Publish Refused"
    START_WITHOUT_CARD = "Start Without Card"


@dataclass(frozen=True, slots=True)
class OutcomeEvent:
    """An event as EventBridge is to have it."""

    detail_type: DetailType
    detail: JsonObject


def delivery_completed(row: Row, tally: Tally, *, complete: bool, part: str = "") -> OutcomeEvent:
    """
    Tell what became of a delivery that brought news.

    Args:
        complete: Whether all of the audience, or of the part, has been served.
        part: Prefix of a slice; empty for the whole audience.
    """
    return _event(
        DetailType.DELIVERY_COMPLETED,
        activity=row.activity,
        run=row.run,
        revision=row.revision,
        ended=row.registers.ended,
        published_at_ms=row.registers.published_at_ms,
        first_sent_at_ms=tally.first_sent_ms,
        last_accepted_at_ms=tally.last_accepted_ms,
        p95_ms=tally.p95_ms,
        phones={
            "accepted": tally.accepted,
            "rejected": tally.rejected,
            "forgotten": tally.forgotten,
            "unanswered": tally.unanswered,
            "retrying": tally.retrying,
        },
        broadcasts={what: tally.broadcasts[what] for what in ("accepted", "rejected", "unanswered")},
        superseded=tally.superseded,
        complete=complete,
        slice=part or None,
        share=share(part) if complete else 0,
    )


def token_forgotten(activity: str, target: Target, outcome: Rejected) -> OutcomeEvent:
    """Tell that Apple called a token dead, and that it was deleted."""
    row = target.row
    return _event(
        DetailType.TOKEN_FORGOTTEN,
        activity=activity,
        phone=row.phone,
        kind="card" if isinstance(row, Card) else "start",
        attributes_type=None if isinstance(row, Card) else row.attributes_type,
        environment=target.environment.value,
        status=outcome.status,
        reason=outcome.reason[:_MESSAGE_MAX],
        dead_since_ms=outcome.timestamp_ms,
    )


def publish_refused(record: SqsRecord, error: InvalidInput) -> OutcomeEvent:
    """Tell that a publish can never work, and lies in the dead-letter queue."""
    return _event(
        DetailType.PUBLISH_REFUSED,
        message_id=record.message_id,
        sent_at_ms=record.first_sent_at_ms,
        activity=_activity_of(record),
        field=error.field[:_MESSAGE_MAX],
        message=error.message[:_MESSAGE_MAX],
    )


def start_without_card(phone: Phone, marker: Marker, *, started_at_ms: int, reported_at_ms: int) -> OutcomeEvent:
    """Tell that a phone shows nothing of a start that Apple took."""
    return _event(
        DetailType.START_WITHOUT_CARD,
        activity=marker.activity,
        run=marker.run,
        phone=phone.phone,
        started_at_ms=started_at_ms,
        reported_at_ms=reported_at_ms,
        environment=phone.environment.value if phone.environment else None,
        os_version=phone.os_version,
    )


def _event(detail_type: DetailType, /, **detail: Json) -> OutcomeEvent:
    """What has no value is left out, as over HTTPS."""
    given = {name: value for name, value in detail.items() if value is not None}
    return OutcomeEvent(detail_type, {"v": _FORMAT, **given})


def _activity_of(record: SqsRecord) -> str | None:
    """Read which activity a refused publish was about, if it says so."""
    try:
        activity = open_envelope(record, now_ms=record.sent_at_ms).body.get("activity")
    except InvalidInput:
        return None
    return activity if isinstance(activity, str) and is_id(activity) else None
