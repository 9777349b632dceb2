"""What each phone's lock screen shows, as the page draws it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from onebox.lock_screen import Card, CardState
from onebox.phone import Phone
from onebox.sighting import Sighting

_ON_SCREEN = (CardState.ACTIVE, CardState.STALE, CardState.ENDED)

# A lock screen has room for so many cards; of more, the latest.
_CARDS_MAX = 3

# Of what can't be drawn, so much is written.
_ODD_MAX = 200

# So far back a number's highest value is looked for.
_LOOK_BACK = 200


def screen(phone: Phone, now_s: float) -> dict[str, Any]:
    """Say what a phone shows, and what can be done with it."""
    history = phone.history[-_LOOK_BACK:]
    cards = [card for card in phone.cards if card.state(now_s) in _ON_SCREEN]
    return {
        "name": phone.name,
        "user": phone.app.user,
        "environment": phone.hardware.environment,
        "os_version": phone.hardware.os_version,
        "follows": list(phone.app.follows),
        "online": phone.ios.online,
        "app_runs": phone.app.runs,
        "installed": phone.installed,
        "idle": phone.is_idle,
        "banner": _banner(history),
        "cards": [_card(card, history, now_s) for card in cards[-_CARDS_MAX:]],
        "more": max(0, len(cards) - _CARDS_MAX),
        "refusals": [f"{one.status} {one.request}" for one in phone.refusals[-1:]],
    }


def _banner(history: Sequence[Sighting]) -> dict[str, Any] | None:
    rang = next((one for one in reversed(history) if one.alert is not None), None)
    if rang is None or rang.alert is None:
        return None
    return {
        "at_ms": rang.at_ms,
        "activity": rang.activity,
        # Apple lets either be a key into the app's own texts, with arguments.
        "title": _text(rang.alert.get("title")),
        "body": _text(rang.alert.get("body")),
    }


def _text(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("loc-key")
    return value if isinstance(value, str) else None


def _card(card: Card, history: Sequence[Sighting], now_s: float) -> dict[str, Any]:
    attributes, state = _object(card.attributes), _object(card.content_state)
    seen = [one.content_state for one in history if one.card == card.id]
    return {
        "id": card.id,
        "activity": card.activity,
        "run": card.run,
        "attributes_type": card.attributes_type,
        "attributes": {name: value for name, value in attributes.items() if name not in ("activity", "run")},
        "state": state,
        "odd": _odd(card),
        "most": _most([*map(_object, seen), state]),
        "shows": card.state(now_s),
        "timestamp": card.timestamp_s,
        "dismissal_date": card.dismissal_date_s,
        "verdict": card.verdict,
        "token": None if card.token is None else f"{card.token[:8]}…",
        "channel": card.channel,
    }


def _object(value: object) -> dict[str, Any]:
    """Return what can be drawn: of what is no object, nothing."""
    return dict(value) if isinstance(value, Mapping) else {}


def _odd(card: Card) -> str | None:
    """Write what of a card can't be drawn, for it is to be seen all the same."""
    parts: dict[str, object] = {"attributes": card.attributes, "content-state": card.content_state}
    odd = [f"{name}: {json.dumps(value)[:_ODD_MAX]}" for name, value in parts.items() if not isinstance(value, Mapping)]
    return ", ".join(odd) or None


def _most(states: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the highest value that each number of a card has had: where a countdown began."""
    most: dict[str, float] = {}
    for state in states:
        for name, value in state.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                most[name] = max(value, most.get(name, value))
    return most
