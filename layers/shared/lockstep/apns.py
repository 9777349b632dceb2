"""What is pushed to APNs, and what becomes of it: all values, never exceptions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from lockstep.reasons import REASONS, Remedy, remedy_for


class Environment(StrEnum):
    """The two worlds of APNs; a token lives in one of them."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class Push(NamedTuple):
    """
    One Live Activity push to one token. A named tuple, for the sake of its making (see `phones`).

    Attributes:
        token: Hex, of whatever length Apple chose.
        body: The whole JSON, UTF-8, 4096 bytes at most.
        priority: 5 or 10.
        expiration_s: Unix seconds until which APNs keeps trying; 0 means one attempt and no storage.
        collapse_id: 64 bytes at most; pushes of the same id replace each other while they wait.
        once: A start: a second copy makes a second card, so it is never sent again after APNs may have taken it.
        ref: The caller's own, handed back with the outcome.
    """

    token: str
    body: bytes
    priority: int
    expiration_s: int
    collapse_id: str | None = None
    once: bool = False
    ref: object = None

    def __repr__(self) -> str:
        """Name it, without its token and what it says."""
        return f"Push(priority={self.priority}, expiration_s={self.expiration_s}, once={self.once})"


@dataclass(frozen=True, slots=True)
class Accepted:
    """APNs took the push. Not: that the phone showed it."""

    @property
    def remedy(self) -> Remedy:
        """Nothing to do."""
        return Remedy.NONE


ACCEPTED = Accepted()


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    APNs answered that it did not take the push.

    Attributes:
        status: HTTP status.
        reason: Apple's word, kept even if we don't know it.
        timestamp_ms: With 410: when APNs confirmed that the token was no longer valid.
    """

    status: int
    reason: str
    timestamp_ms: int | None = None

    @property
    def remedy(self) -> Remedy:
        """What to do, by the table of reasons."""
        return remedy_for(self.status, self.reason)

    @property
    def reconnects(self) -> bool:
        """Whether the connection that brought it must not be used again."""
        known = REASONS.get(self.reason)
        return known is not None and known.reconnects


@dataclass(frozen=True, slots=True)
class Unanswered:
    """
    No answer came.

    Attributes:
        maybe_taken: False only if APNs provably did not process the push.
        why: For the log.
    """

    maybe_taken: bool
    why: str

    @property
    def remedy(self) -> Remedy:
        """Try again, where that is harmless."""
        return Remedy.RETRY


type Outcome = Accepted | Rejected | Unanswered
