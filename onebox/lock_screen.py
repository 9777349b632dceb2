"""
What iOS makes of a Live Activity push: the part of the phone that no app's code has a say in.

Apple documents little of it; where it says nothing, this is strict, so that a sender that relies on luck is found out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeIs

from lockstep.errors import InvalidInput
from lockstep.schemas import Schemas

# Apple: a Live Activity is active for eight hours at most, and stays on the lock screen for four more.
ACTIVE_S = 8 * 3600
LINGER_S = 4 * 3600

# An app whose structs nobody described decodes whatever is an object.
ANYTHING = Schemas()


class Verdict(StrEnum):
    """What became of a push on the phone. APNs answers 200 whatever it is."""

    APPLIED = "applied"
    IGNORED_OLD_TIMESTAMP = "ignored_old_timestamp"
    IGNORED_FUTURE_TIMESTAMP = "ignored_future_timestamp"
    IGNORED_NO_ALERT = "ignored_no_alert"
    IGNORED_ENDED = "ignored_ended"
    IGNORED_NO_CHANNELS = "ignored_no_channels"
    CONTRADICTORY = "contradictory"
    DECODE_ERROR = "decode_error"
    EXPIRED = "expired"
    STORED = "stored"
    OVERWRITTEN_IN_STORAGE = "overwritten_in_storage"


class CardState(StrEnum):
    """ActivityKit's words for the state of an activity; `discarded` is ours: the app ended it as a double."""

    ACTIVE = "active"
    STALE = "stale"
    ENDED = "ended"
    DISMISSED = "dismissed"
    DISCARDED = "discarded"


@dataclass(slots=True)
class Card:
    """
    One Live Activity on one phone.

    Attributes:
        activity: What it is about, from its attributes.
        run: From its attributes; None if the app made it without knowing.
        ended_at_s: When it ended, for whatever reason.
        dismissal_date_s: When it leaves the lock screen once it has ended.
        gone: The state it ended in for good, if somebody took it away.
        channel: The channel it is on; such a card has no token.
        verdict: Of the latest push.
    """

    id: str
    activity: str
    run: int | None
    attributes_type: str
    attributes: Mapping[str, Any] = field(repr=False)
    content_state: Mapping[str, Any] = field(repr=False)
    timestamp_s: int
    began_at_s: float
    stale_date_s: float | None = None
    ended_at_s: float | None = None
    dismissal_date_s: float | None = None
    gone: CardState | None = None
    token: str | None = field(default=None, repr=False)
    channel: str | None = None
    verdict: Verdict = Verdict.APPLIED

    def state(self, now_s: float) -> CardState:
        """Return ActivityKit's state of it at this time."""
        if self.gone is not None:
            return self.gone
        ended_at_s = self.began_at_s + ACTIVE_S if self.ended_at_s is None else self.ended_at_s
        if now_s >= ended_at_s:
            leaves_at_s = ended_at_s + LINGER_S
            if self.dismissal_date_s is not None:
                leaves_at_s = min(self.dismissal_date_s, leaves_at_s)
            return CardState.DISMISSED if now_s >= leaves_at_s else CardState.ENDED
        if self.stale_date_s is not None and now_s >= self.stale_date_s:
            return CardState.STALE
        return CardState.ACTIVE

    def is_running(self, now_s: float) -> bool:
        """Return whether updates still reach it."""
        return self.state(now_s) in (CardState.ACTIVE, CardState.STALE)

    def end(self, now_s: float, *, dismissal_date_s: float | None = None) -> None:
        """End it; it stays on the lock screen for a while."""
        self.ended_at_s = now_s
        self.dismissal_date_s = dismissal_date_s


def rings(aps: Mapping[str, Any]) -> bool:
    """Return whether a push that is applied makes itself heard."""
    alert = aps.get("alert")
    return isinstance(alert, Mapping) and bool(alert.get("title") or alert.get("body"))


def decodes(
    schemas: Schemas, attributes_type: str, attributes: Mapping[str, Any] | None, state: Mapping[str, Any] | None
) -> bool:
    """Return whether an app's structs take these, as its schemas say; None is not looked at."""
    try:
        schemas.check(
            attributes_type,
            None if attributes is None else dict(attributes),
            None if state is None else dict(state),
        )
    except InvalidInput:
        return False
    return True


def card_of(
    aps: Mapping[str, Any], *, card_id: str, attributes_type: str, now_s: float, schemas: Schemas = ANYTHING
) -> Card | Verdict:
    """Return the card that a start makes, or why it makes none."""
    attributes, state, timestamp_s = aps.get("attributes"), aps.get("content-state"), aps.get("timestamp")
    if not rings(aps):
        return Verdict.IGNORED_NO_ALERT
    if (
        aps.get("attributes-type") != attributes_type
        or not isinstance(attributes, Mapping)
        or not isinstance(state, Mapping)
        or not _is_whole(timestamp_s)
        # The app's struct has `activity`; and a start whose `run` is no number is a mistake of ours.
        or not isinstance(attributes.get("activity"), str)
        or not _is_whole(attributes.get("run"))
        or not _is_date(aps.get("stale-date"))
        or not decodes(schemas, attributes_type, attributes, state)
    ):
        return Verdict.DECODE_ERROR
    if timestamp_s > now_s + ACTIVE_S:
        return Verdict.IGNORED_FUTURE_TIMESTAMP
    return Card(
        id=card_id,
        activity=attributes["activity"],
        run=attributes["run"],
        attributes_type=attributes_type,
        attributes=attributes,
        content_state=state,
        timestamp_s=timestamp_s,
        began_at_s=now_s,
        stale_date_s=aps.get("stale-date"),
    )


def apply(card: Card, aps: Mapping[str, Any], *, now_s: float, schemas: Schemas = ANYTHING) -> Verdict:
    """Let a card take an update or an end, and return what it made of it."""
    card.verdict = _apply(card, aps, now_s=now_s, schemas=schemas)
    return card.verdict


def _apply(card: Card, aps: Mapping[str, Any], *, now_s: float, schemas: Schemas) -> Verdict:
    event, state, timestamp_s = aps.get("event"), aps.get("content-state"), aps.get("timestamp")
    ends = event == "end"
    if not (ends or event == "update") or not _is_whole(timestamp_s):
        return Verdict.DECODE_ERROR
    if not _is_date(aps.get("stale-date")) or not _is_date(aps.get("dismissal-date")):
        return Verdict.DECODE_ERROR
    if not isinstance(state, Mapping) and not (ends and state is None):
        return Verdict.DECODE_ERROR
    if not decodes(schemas, card.attributes_type, None, state):
        return Verdict.DECODE_ERROR
    if not card.is_running(now_s):
        return Verdict.IGNORED_ENDED
    if timestamp_s > now_s + ACTIVE_S:
        return Verdict.IGNORED_FUTURE_TIMESTAMP
    # Which of two states with one timestamp wins is not documented. Here neither replaces the other; a repetition of
    # the same one is harmless.
    newer = timestamp_s > card.timestamp_s or (timestamp_s == card.timestamp_s and state in (None, card.content_state))
    if not newer and not ends:
        return Verdict.IGNORED_OLD_TIMESTAMP
    if newer:
        card.timestamp_s = timestamp_s
        if isinstance(state, Mapping):
            card.content_state = state
            card.stale_date_s = aps.get("stale-date")
    if ends:
        # An end is obeyed even when it is older than what is shown (field reports); what it shows is not.
        card.end(now_s, dismissal_date_s=aps.get("dismissal-date"))
    return Verdict.APPLIED


def _is_whole(value: Any) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    """Return whether iOS can read it as a moment, or need not."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
