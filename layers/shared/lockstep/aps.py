"""Apple's own dictionary in a publish: which part of it sets which register, and what it must hold."""

from dataclasses import dataclass, field

from lockstep.errors import InvalidInput
from lockstep.ids import is_id
from lockstep.json_values import Json, JsonObject

EVENTS = ("start", "update", "end")

# Unix seconds reach this in the year 5138; milliseconds passed it in 1973.
_MILLISECONDS_FROM = 100_000_000_000

_STATE = frozenset({"content-state", "stale-date", "relevance-score"})
_START = frozenset({"attributes-type", "attributes"})
# A producer's timestamp is ignored, ours is set; how the update token is asked for is ours too.
_OURS = frozenset({"timestamp", "input-push-token", "input-push-channel"})
_KNOWN = _STATE | _START | _OURS | {"event", "alert", "dismissal-date"}


@dataclass(frozen=True, slots=True)
class Parts:
    """An `aps` taken apart; None where it doesn't carry a part. Keys that we don't know ride with their event."""

    event: str
    attributes_type: str | None = None
    start: JsonObject | None = field(default=None, repr=False)
    state: JsonObject | None = field(default=None, repr=False)
    alert: JsonObject | None = field(default=None, repr=False)
    end: JsonObject | None = field(default=None, repr=False)

    def require_for_start(self) -> None:
        """Refuse what APNs would take with a 200, and the phone never show."""
        start = self.start or {}
        if "attributes-type" not in start:
            raise InvalidInput(
                "aps.attributes-type", "is missing; a start to phones needs the name of the Swift struct"
            )
        if "attributes" not in start:
            raise InvalidInput("aps.attributes", "is missing; a start to phones needs them, {} if there are none")
        if self.state is None:
            raise InvalidInput("aps.content-state", "is missing; a start to phones needs one")
        if self.alert is None or not (self.alert.get("title") or self.alert.get("body")):
            raise InvalidInput(
                "aps.alert", "needs a title or a body; without one iOS starts nothing, and Apple answers 200"
            )


def parse(value: Json) -> Parts:
    """
    Take an `aps` dictionary apart.

    Raises:
        InvalidInput: Something is missing, of the wrong type, or a date is in milliseconds.
    """
    if value is None:
        raise InvalidInput("aps", "is missing")
    if not isinstance(value, dict):
        raise InvalidInput("aps", "must be an object")
    event = value.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        raise InvalidInput("aps.event", "must be start, update or end")
    _check_types(value)
    if event == "update" and "content-state" not in value:
        raise InvalidInput("aps.content-state", "is missing; an update needs one")
    extra: JsonObject = {"aps": {key: part for key, part in value.items() if key not in _KNOWN}}
    alert, attributes_type = value.get("alert"), value.get("attributes-type")
    return Parts(
        event,
        attributes_type=attributes_type if isinstance(attributes_type, str) else None,
        start={**_pick(value, _START), **extra} if event == "start" else None,
        state={**_pick(value, _STATE), **(extra if event == "update" else {})} if "content-state" in value else None,
        alert=alert if isinstance(alert, dict) else None,
        end={**_pick(value, frozenset({"dismissal-date"})), **extra} if event == "end" else None,
    )


def _pick(value: JsonObject, keys: frozenset[str]) -> JsonObject:
    return {key: value[key] for key in value if key in keys}


def _check_types(value: JsonObject) -> None:
    for name in ("content-state", "attributes", "alert"):
        if name in value and not isinstance(value[name], dict):
            raise InvalidInput(f"aps.{name}", "must be an object")
    if "attributes-type" in value and not (
        isinstance(value["attributes-type"], str) and is_id(value["attributes-type"])
    ):
        raise InvalidInput("aps.attributes-type", "must be the name of a Swift struct")
    for name in ("stale-date", "dismissal-date"):
        if name in value:
            _check_date(f"aps.{name}", value[name])
    score = value.get("relevance-score", 0)
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise InvalidInput("aps.relevance-score", "must be a number")


def _check_date(name: str, value: Json) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(name, "must be a number of Unix seconds")
    if abs(value) >= _MILLISECONDS_FROM:
        raise InvalidInput(name, "is in milliseconds; Apple takes Unix seconds")
