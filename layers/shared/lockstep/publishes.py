"""A publish, "this is the state now", as it arrives on the queue: read it, or say why it can never work."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lockstep import aps
from lockstep.channels import Storage
from lockstep.envelope import Message
from lockstep.errors import InvalidInput
from lockstep.ids import is_id, is_user
from lockstep.json_values import Json, JsonObject, canonical, compact
from lockstep.payload import DEVICE_BODY_MAX_BYTES, end_body, start_body, update_body
from lockstep.row import Register, Registers, Row, Version

# The system ends a Live Activity after 8 hours: whatever is older has nothing left to change.
MAX_AGE_MS = 8 * 3600 * 1000
USERS_MAX = 100
_NAME_MAX = 40
KEYS = frozenset({"activity", "aps", "to", "guests", "channel", "priority", "published_at_ms"})

# Lengths of a stamp and a run in this century, for measuring a body before they are known.
_TIMESTAMP_S = 4_000_000_000
_RUN = 4_000_000_000_000
_CHANNEL = "V+8UslywEfAAAOq9SbTrLg=="


@dataclass(frozen=True, slots=True)
class Publish:
    """
    What one message says of one activity.

    Attributes:
        attributes_type: Named by the message itself; only a start needs to.
    """

    activity: str
    event: str
    version: Version
    registers: Registers
    attributes_type: str | None = None

    @property
    def users(self) -> tuple[str, ...]:
        """Users whose phones a start names."""
        return Row(self.activity, self.registers).users

    @property
    def audience(self) -> str | None:
        """The name whose followers' phones a start names."""
        return Row(self.activity, self.registers).audience


def parse(message: Message, *, now_ms: int, guests_required: bool = False) -> Publish:
    """
    Read a publish.

    Args:
        guests_required: Whether a start must say who may follow.

    Raises:
        InvalidInput: It can never work; the field is a path in the body, the message is for its producer.
    """
    body = message.body
    activity = body.get("activity")
    if not is_id(activity) or not isinstance(activity, str):
        raise InvalidInput("activity", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -")
    unknown = sorted(body.keys() - KEYS)
    if unknown:
        raise InvalidInput(_name(unknown[0]), "is not a key that this version knows")
    if now_ms - message.published_at_ms > MAX_AGE_MS:
        raise InvalidInput("published_at_ms", "is over 8 hours ago, which is longer than a Live Activity runs")

    parts = aps.parse(body.get("aps"))
    _check_attributes(parts.start, activity)
    users, audience = _to(body.get("to"), parts.event)
    if users or audience:
        parts.require_for_start()
    storage = _channel(body, parts.event)
    guests = _guests(body, parts.event, () if storage else users)
    if guests_required and storage:
        raise InvalidInput(
            "channel", "reaches whoever subscribes, and this stack requires that a start names its guests"
        )
    if guests_required and guests is not None and guests["users"] is None:
        raise InvalidInput("guests", "are missing, and this stack requires them: who may follow?")
    priority = _priority(body.get("priority"))
    version = Version(message.published_at_ms, hashlib.sha256(canonical(body).encode()).hexdigest()[:32])

    def register(value: JsonObject | None, **more: Json) -> Register | None:
        return None if value is None else Register(version, {**value, **more, **priority})

    publish = Publish(
        activity,
        parts.event,
        version,
        Registers(
            start=register(
                parts.start,
                users=list(users),
                **({"audience": audience} if audience else {}),
                **({"channel": storage.value} if storage else {}),
            ),
            guests=None if guests is None else Register(version, guests),
            state=register(parts.state),
            alert=None if parts.alert is None else Register(version, {"alert": parts.alert}),
            end=register(parts.end),
        ),
        parts.attributes_type,
    )
    _check_size(publish)
    return publish


def _check_attributes(start: JsonObject | None, activity: str) -> None:
    """Every start carries the activity's id and run in its attributes; a producer must not mean something else by them."""
    attributes = (start or {}).get("attributes")
    if isinstance(attributes, dict):
        if attributes.get("activity", activity) != activity:
            raise InvalidInput("aps.attributes.activity", f"is set by Lockstep, to {activity}")
        if "run" in attributes:
            raise InvalidInput("aps.attributes.run", "is set by Lockstep")


def _name(key: str) -> str:
    """Name a key of the producer's as a field. What is too long for a name is none: it may be a token in a wrong place."""
    return key if len(key) <= _NAME_MAX and is_id(key) else "body"


def _to(to: Json, event: str) -> tuple[tuple[str, ...], str | None]:
    """Read whose phones a start names: some users', or those of everyone who follows a name."""
    if to is None:
        return (), None
    if event != "start":
        raise InvalidInput("to", "goes with event start only")
    if not isinstance(to, dict) or to.keys() not in ({"users"}, {"audience"}):
        raise InvalidInput("to", 'must be {"users": [...]} or {"audience": "name"}')
    if "users" in to:
        return _users(to["users"], "to.users"), None
    audience = to["audience"]
    if not isinstance(audience, str) or not is_id(audience):
        raise InvalidInput("to.audience", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -")
    return (), audience


def _channel(body: Mapping[str, Json], event: str) -> Storage | None:
    """Read whether a start asks for a channel. Whoever is on it hears it: nobody can be kept out."""
    channel = body.get("channel")
    if channel is None:
        return None
    if event != "start":
        raise InvalidInput("channel", "goes with event start only")
    if body.get("guests") is not None:
        raise InvalidInput("channel", "reaches whoever subscribes: it can't go with guests")
    try:
        return Storage(str(channel))
    except ValueError:
        raise InvalidInput("channel", f"must be one of {', '.join(Storage)}") from None


def _users(value: Json, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > USERS_MAX:
        raise InvalidInput(name, f"must be a list of {USERS_MAX} users at most")
    users = [user for user in value if isinstance(user, str) and is_user(user)]
    if len(users) != len(value):
        raise InvalidInput(name, "must hold user ids (the sub of their JWT): text of 1 to 256 characters")
    return tuple(dict.fromkeys(users))


def _guests(body: Mapping[str, Json], event: str, users: tuple[str, ...]) -> JsonObject | None:
    """Without `guests`, a start admits those it names, or everyone where it names nobody; other events leave it be."""
    if body.get("guests") is not None:
        guests = _users(body["guests"], "guests")
        if left_out := [user for user in users if user not in guests]:
            raise InvalidInput("guests", f"leaves out {len(left_out)} of those whom to.users names")
        return {"users": list(guests)}
    if event != "start":
        return None
    return {"users": list(users) if users else None}


def _priority(priority: Json) -> JsonObject:
    if priority is None:
        return {}
    if isinstance(priority, bool) or not isinstance(priority, int | float) or priority not in (5, 10):
        raise InvalidInput("priority", "must be 5 or 10 (Live Activities take no other)")
    return {"priority": int(priority)}  # JSON's 5.0 is a 5


def _check_size(publish: Publish) -> None:
    """
    Refuse what no push has room for.

    Parts that wait for others (an alert for a state, say) are measured by themselves: a row that held more than DynamoDB
    takes would fail with every publish after it.
    """
    start, alert = publish.registers.start, publish.registers.alert
    row = Row(publish.activity, publish.registers, run=_RUN, timestamp_s=_TIMESTAMP_S)
    bodies = {
        "start": start_body(row, channel=_CHANNEL if row.storage else None) if start is not None else None,
        "update": update_body(row, ring=start is None and alert is not None),
        "end": end_body(row, ring=True) if publish.registers.end else None,
    }
    waiting = {
        "aps.attributes": start.value.get("attributes") if start else None,
        "aps.alert": alert.value if alert else None,
        "aps": start.value.get("aps") if start else None,
    }
    for name, value in waiting.items():
        if (size := len(compact(value).encode())) > DEVICE_BODY_MAX_BYTES:
            over = size - DEVICE_BODY_MAX_BYTES
            raise InvalidInput(name, f"is longer than the {DEVICE_BODY_MAX_BYTES} bytes of a push, by {over}")
    for event, body in bodies.items():
        if body is not None and len(body) > DEVICE_BODY_MAX_BYTES:
            over = len(body) - DEVICE_BODY_MAX_BYTES
            long = f"makes the {event} push {len(body)} bytes long, {over} more than Apple takes"
            raise InvalidInput("aps", f"{long}. {_biggest(body)}")


def _biggest(body: bytes) -> str:
    """Say where most of a push's bytes are."""
    sizes = {key: len(compact(value).encode()) for key, value in json.loads(body)["aps"].items()}
    key = max(sizes, key=lambda key: sizes[key])
    return f"The biggest part is {f'aps.{key}' if _name(key) == key else 'a key of aps'}, {sizes[key]} bytes"
