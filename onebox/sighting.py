"""What happened to lock screens, as it is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lockstep.apns import Environment
from onebox.apns.received import ReceivedPush
from onebox.lock_screen import Card, Verdict

# What tells one push from another: environment, connection and stream.
type Stream = tuple[Environment, int, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    One thing that happened to a phone's lock screen, or that should have.

    Attributes:
        by: Who did it: a push, the answer to the app's report, the app itself or the person.
        rang: Whether the phone made itself heard.
        alert: With what, if it did.
    """

    at_ms: int
    by: str
    event: str
    activity: str | None
    run: int | None
    card: str | None
    content_state: Any
    timestamp_s: int | None
    verdict: Verdict
    rang: bool = False
    alert: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        by: str,
        event: str,
        verdict: Verdict,
        card: Card | None,
        shown: tuple[Any, int | None],
        now_s: float,
        *,
        alert: Mapping[str, Any] | None = None,
    ) -> Self:
        """Remember what happened to a card, if there was one, and the content state and timestamp that it is about."""
        return cls(
            int(now_s * 1000),
            by,
            event,
            card.activity if card else None,
            card.run if card else None,
            card.id if card else None,
            *shown,
            verdict,
            alert is not None,
            alert,
        )

    def to_json(self) -> dict[str, Any]:
        """Say what it is, for the control interface."""
        return {
            "at_ms": self.at_ms,
            "by": self.by,
            "event": self.event,
            "activity": self.activity,
            "run": self.run,
            "card": self.card,
            "state": self.content_state,
            "timestamp": self.timestamp_s,
            "verdict": self.verdict,
            "rang": self.rang,
            "alert": None if self.alert is None else dict(self.alert),
        }


def stream_of(push: ReceivedPush) -> Stream:
    """Return what tells this push from all others."""
    return push.environment, push.connection, push.stream
