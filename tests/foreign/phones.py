"""Phones that show a card, and what a client pushes to them."""

import time
from typing import Any

from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator, ReceivedPush
from onebox.lock_screen import Card, apply


def update(*, note: str = "") -> dict[str, Any]:
    """Make the `aps` of an update of now."""
    return {"event": "update", "timestamp": int(time.time()), "content-state": {"minutes": 7, "note": note}}


def phone(apple: ApnsSimulator) -> str:
    """Return the token of a card on a phone's lock screen, which takes what pushes say and gives its verdict."""
    now_s = int(time.time())
    card = Card("card", "order-42", 1, "Order", {}, {"minutes": 8}, now_s - 1, now_s)

    def receive(push: ReceivedPush) -> str:
        return apply(card, push.payload["aps"], now_s=time.time())

    return apple.issue_token(Environment.PRODUCTION, receive=receive)


def phones(apple: ApnsSimulator, count: int) -> list[str]:
    """Return so many."""
    return [phone(apple) for _ in range(count)]
