"""Each publish's way: its commit, the pushes that carried it, what Apple answered, what each phone made of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onebox.apns.received import ReceivedPush
from onebox.page.chronicle import Published
from onebox.phone import Phone
from onebox.phones import Phones

# Of an audience of thousands, a page has no room for more.
_PUSHES_MAX = 24


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a push was for: a phone, None for a channel's; and which activity it is about, if anybody knows."""

    phone: Phone | None
    activity: str | None


def ways(publishes: Sequence[Published], pushes: Iterable[ReceivedPush], phones: Phones) -> dict[str, dict[str, Any]]:
    """Return the way of each publish by its id, and of states whose publish is not known by their activity and stamp."""
    every = phones.all()
    found: dict[str, dict[str, Any]] = {one.id: _way(one) for one in publishes}
    for push in pushes:
        to = addressee(push, every)
        publish = publish_of(push, to.activity, publishes)
        # What was said in one stamp was one state.
        stray = f"of {to.activity or 'nobody'}, {_aps(push).get('timestamp')}"
        key = stray if publish is None else publish.id
        if key not in found:
            found[key] = _way(Published(key, push.at_ms, activity=to.activity))
        way = found[key]
        if publish is None or publish.message is None:
            # It came by another road than ours: what it said is known by its pushes alone.
            way["state"] = way["state"] or _aps(push).get("content-state")
            way["alert"] = way["alert"] or "alert" in _aps(push)
        if len(way["pushes"]) < _PUSHES_MAX:
            way["pushes"].append(_push(push, to.phone, phones.verdict(push)))
        else:
            way["more"] += 1
    return found


def addressee(push: ReceivedPush, phones: Sequence[Phone]) -> Addressee:
    """Say whom a push was for, by the token or the channel that it went to."""
    if push.channel is not None:
        of = (card.activity for phone in phones for card in phone.cards if card.channel == push.channel)
        return Addressee(None, next(of, None))
    phone = next((phone for phone in phones if push.token in phone.ios.tokens), None)
    card = None if phone is None else phone.ios.tokens[push.token]
    if card is not None:
        return Addressee(phone, card.activity)
    attributes = _aps(push).get("attributes")
    named = attributes.get("activity") if isinstance(attributes, dict) else None
    return Addressee(phone, named if isinstance(named, str) else None)


def publish_of(push: ReceivedPush, activity: str | None, publishes: Sequence[Published]) -> Published | None:
    """
    Return the publish whose state a push carried: no push says it, but a push carries the newest there was.

    Args:
        publishes: The oldest first.
    """
    before = [
        one
        for one in reversed(publishes)
        if activity is not None
        and one.activity == activity
        and one.outcome not in ("superseded", "refused")
        and (one.settled_at_ms or one.at_ms) <= push.at_ms
    ]
    aps = _aps(push)
    event, state = aps.get("event"), aps.get("content-state")
    said = [one for one in before if one.aps.get("content-state", state) == state]
    of_event = (one for one in said if one.event == event)
    return next(of_event, None) or next(iter(said), None) or next(iter(before), None)


def _way(publish: Published) -> dict[str, Any]:
    alert = publish.aps.get("alert")
    return {
        "at_ms": publish.at_ms,
        "known": publish.message is not None or publish.outcome is not None,
        "activity": publish.activity,
        "event": publish.event,
        "state": publish.aps.get("content-state"),
        "alert": isinstance(alert, Mapping),
        "outcome": publish.outcome,
        "settled_at_ms": publish.settled_at_ms,
        "revision": publish.revision,
        "reason": publish.reason,
        "pushes": [],
        "more": 0,
    }


def _push(push: ReceivedPush, phone: Phone | None, verdict: str | None) -> dict[str, Any]:
    return {
        "phone": phone.name if phone else None,
        "channel": push.channel is not None,
        "environment": push.environment,
        "event": _aps(push).get("event"),
        "priority": push.headers.get("apns-priority"),
        "at_ms": push.at_ms,
        "status": push.status,
        "reason": push.reason,
        "fault": push.fault,
        "answered_at_ms": push.answered_at_ms,
        "verdict": verdict,
        "late_ms": None if phone is None or verdict == push.verdict else _late_ms(push, phone, verdict),
        "verdicts": dict(push.verdicts),
    }


def _late_ms(push: ReceivedPush, phone: Phone, verdict: str | None) -> int | None:
    """Return when a phone decided on a push that Apple had kept for it."""
    timestamp_s = _aps(push).get("timestamp")
    decided = (one for one in reversed(phone.history) if (one.timestamp_s, one.verdict) == (timestamp_s, verdict))
    return next((one.at_ms for one in decided), None)


def _aps(push: ReceivedPush) -> dict[str, Any]:
    aps = push.payload.get("aps") if isinstance(push.payload, dict) else None
    return aps if isinstance(aps, dict) else {}
