"""
For producers in Python: build publishes, which `Publisher` sends.

A publish is a plain dict, and what is sent of it is what `aws sqs send-message` would send.
"""

from collections.abc import Sequence
from typing import Literal, cast

from lockstep.envelope import PUBLISHED_AT
from lockstep.errors import InvalidInput, NotSent
from lockstep.json_values import JsonObject
from lockstep.publisher import MOMENTS, Object, Publisher, check
from lockstep.schemas import Schemas

__all__ = ["InvalidInput", "NotSent", "Publisher", "Schemas", "check", "end", "start", "update"]


def start(
    activity: str,
    *,
    attributes_type: str | None = None,
    attributes: Object | None = None,
    content_state: Object | None = None,
    alert: Object | None = None,
    users: Sequence[str] | None = None,
    audience: str | None = None,
    guests: Sequence[str] | None = None,
    channel: Literal["frequent", "latest"] | None = None,
    stale_date_s: float | None = None,
    relevance_score: float | None = None,
    priority: Literal[5, 10] | None = None,
    published_at_ms: int | None = None,
    aps: Object | None = None,
) -> JsonObject:
    """
    Build a start: to `users`, or to who follows `audience`; without either it opens the activity and starts nobody.

    Args:
        published_at_ms: When the state was true. Default: now, and later than what was built of this activity before.
        aps: More keys of Apple's dictionary, in Apple's words.

    Raises:
        InvalidInput: Push would refuse it.
    """
    parts: Object = {
        "attributes-type": attributes_type,
        "attributes": attributes,
        "content-state": content_state,
        "alert": alert,
        "stale-date": stale_date_s,
        "relevance-score": relevance_score,
    }
    to = _given({"users": _listed(users), "audience": audience})
    beside = {"to": to or None, "guests": _listed(guests), "channel": channel, "priority": priority}
    return _publish(activity, "start", {**(aps or {}), **_given(parts)}, beside, published_at_ms)


def update(
    activity: str,
    content_state: Object,
    *,
    alert: Object | None = None,
    attributes_type: str | None = None,
    stale_date_s: float | None = None,
    relevance_score: float | None = None,
    priority: Literal[5, 10] | None = None,
    published_at_ms: int | None = None,
    aps: Object | None = None,
) -> JsonObject:
    """
    Build an update; arguments and errors are those of `start`.

    Args:
        attributes_type: By whose schema the content-state is to be checked; push knows it from the start.
    """
    parts: Object = {
        "attributes-type": attributes_type,
        "content-state": content_state,
        "alert": alert,
        "stale-date": stale_date_s,
        "relevance-score": relevance_score,
    }
    return _publish(activity, "update", {**(aps or {}), **_given(parts)}, {"priority": priority}, published_at_ms)


def end(
    activity: str,
    content_state: Object | None = None,
    *,
    alert: Object | None = None,
    attributes_type: str | None = None,
    dismissal_date_s: float | None = None,
    priority: Literal[5, 10] | None = None,
    published_at_ms: int | None = None,
    aps: Object | None = None,
) -> JsonObject:
    """Build an end, with the final state if there is one; arguments and errors are those of `update`."""
    parts: Object = {
        "attributes-type": attributes_type,
        "content-state": content_state,
        "alert": alert,
        "dismissal-date": dismissal_date_s,
    }
    return _publish(activity, "end", {**(aps or {}), **_given(parts)}, {"priority": priority}, published_at_ms)


def _publish(activity: str, event: str, aps: Object, beside: Object, published_at_ms: int | None) -> JsonObject:
    at_ms = MOMENTS.next(activity) if published_at_ms is None else published_at_ms
    publish = {"activity": activity, **_given(beside), "aps": {**aps, "event": event}, PUBLISHED_AT: at_ms}
    check(publish)
    return cast("JsonObject", publish)


def _given(parts: Object) -> dict[str, object]:
    return {name: value for name, value in parts.items() if value is not None}


def _listed(users: Sequence[str] | None) -> object:
    # A text would make a list of letters; as it is, it is refused.
    return users if users is None or isinstance(users, str) else list(users)
