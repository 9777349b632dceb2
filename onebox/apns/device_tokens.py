"""The device tokens that exist: where each lives, what it is for, and whether it is dead."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from lockstep.apns import Environment
from onebox.apns.received import ReceivedPush

Receive = Callable[[ReceivedPush], str]
TokenKind = Literal["liveactivity", "alert"]


@dataclass(frozen=True, slots=True)
class DeviceToken:
    """
    A token of a phone.

    Attributes:
        receive: Called with each push that APNs takes for it; returns the phone's verdict.
        died_at_ms: None while it lives.
        death: The reason that a dead one's pushes get.
    """

    token: str = field(repr=False)
    environment: Environment
    kind: TokenKind
    receive: Receive | None = field(repr=False)
    died_at_ms: int | None = None
    death: Literal["Unregistered", "ExpiredToken"] = "Unregistered"


class DeviceTokens:
    """Every token of both environments. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, DeviceToken] = {}

    def issue(
        self,
        environment: Environment,
        kind: TokenKind,
        receive: Receive | None,
        hex_chars: int,
        token: str | None = None,
    ) -> str:
        """Make a live token of even length, or let this one live."""
        token = token or secrets.token_hex(hex_chars // 2)
        with self._lock:
            self._tokens[token] = DeviceToken(token, environment, kind, receive)
        return token

    def kill(self, token: str, at_ms: int, death: Literal["Unregistered", "ExpiredToken"]) -> None:
        """Answer 410 for it from now on."""
        with self._lock:
            self._tokens[token] = replace(self._tokens[token], died_at_ms=at_ms, death=death)

    def revive(self, token: str) -> None:
        """Let a dead one live again."""
        with self._lock:
            self._tokens[token] = replace(self._tokens[token], died_at_ms=None)

    def find(self, token: str, environment: Environment) -> DeviceToken | None:
        """Find a token, dead or alive; one of the other environment is not known here. Case does not matter."""
        found = self._tokens.get(token.lower())
        return found if found is not None and found.environment is environment else None
