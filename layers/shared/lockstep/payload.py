"""
Bodies of Live Activity pushes, from a row and nothing else.

Keys and units are Apple's ("Starting and updating Live Activities with ActivityKit push notifications"):
`timestamp`, `stale-date` and `dismissal-date` are Unix seconds.
"""

from lockstep.json_values import JsonObject, compact
from lockstep.row import Register, Row

# Apple answers 413 PayloadTooLarge above this many UTF-8 bytes ("Sending notification requests to APNs").
DEVICE_BODY_MAX_BYTES = 4096

# The same of a broadcast ("Sending broadcast push notification requests to APNs").
BROADCAST_BODY_MAX_BYTES = 5120

# Without a dismissal-date the system keeps an ended card for up to four hours.
DISMISSAL_S = 4 * 3600


def start_body(row: Row, *, channel: str | None = None) -> bytes | None:
    """
    Make the push that starts a card; None where the row lacks a part without which Apple would show nothing.

    Attributes get `activity` and `run`, so that an app which a push woke knows which activity its card is.

    Args:
        channel: Id of the channel that the card is to be on, in place of a token of its own.
    """
    start, state, alert = row.registers.start, row.registers.state, row.registers.alert
    if start is None or state is None or alert is None or row.attributes_type is None:
        return None
    aps: JsonObject = {
        **_extra(start),
        "timestamp": row.timestamp_s,
        "event": "start",
        "attributes-type": row.attributes_type,
        "attributes": attributes_of(row),
        **_state(state),
        "alert": alert.value["alert"],
        # One of the two: a channel, or an update token (of iOS 18 and later; older systems ignore it and give one anyway).
        **({"input-push-token": 1} if channel is None else {"input-push-channel": channel}),
    }
    return _body(aps)


def attributes_of(row: Row) -> JsonObject:
    """Return the attributes of the row's cards, as a start carries them."""
    attributes = row.registers.start.value.get("attributes") if row.registers.start else None
    named: JsonObject = {"activity": row.activity, "run": row.run}
    return {**(attributes if isinstance(attributes, dict) else {}), **named}


def update_body(row: Row, *, ring: bool) -> bytes | None:
    """Make the push that shows the row's state; None where no state was published yet."""
    state = row.registers.state
    if state is None:
        return None
    return _body(
        {**_extra(state), "timestamp": row.timestamp_s, "event": "update", **_state(state), **_alert(row, ring)}
    )


def end_body(row: Row, *, ring: bool, dismissal_date_s: int | None = None) -> bytes:
    """
    Make the push that ends a card and leaves it with the final state.

    Args:
        dismissal_date_s: Used where the producer gave none; None leaves it to the system.
    """
    end, state = row.registers.end, row.registers.state
    value = end.value if end else {}
    dismissal = value.get("dismissal-date", dismissal_date_s)
    aps: JsonObject = {
        **(_extra(end) if end else {}),
        "timestamp": row.timestamp_s,
        "event": "end",
        **(_state(state) if state else {}),
        **({} if dismissal is None else {"dismissal-date": dismissal}),
        **_alert(row, ring),
    }
    return _body(aps)


def late_dismissal_s(row: Row) -> int:
    """When a card that learns late of the end goes, unless the producer said: four hours after the end."""
    end = row.registers.end
    return (end.version.published_at_ms // 1000 if end else row.timestamp_s) + DISMISSAL_S


def _state(state: Register) -> JsonObject:
    shown = ("content-state", "stale-date", "relevance-score")
    return {key: state.value[key] for key in shown if key in state.value}


def _alert(row: Row, ring: bool) -> JsonObject:
    alert = row.registers.alert
    return {"alert": alert.value["alert"]} if ring and alert else {}


def _extra(register: Register) -> JsonObject:
    """Return the keys of `aps` that we don't know; they ride with the event they came with."""
    extra = register.value.get("aps")
    return extra if isinstance(extra, dict) else {}


def _body(aps: JsonObject) -> bytes:
    return compact({"aps": aps}).encode()
