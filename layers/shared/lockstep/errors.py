"""
What can go wrong that somebody must hear of.

LockstepError
├── InvalidInput     the caller sent something we will never accept
│   └── Forbidden    the caller may not have it: the activity's guests don't include them
├── Misconfigured    settings or signing key unusable: the invocation fails, the messages stay
└── NotSent          SQS did not take what a producer sent by `publisher`

What becomes of a push is never an exception. See `apns.Outcome`.
"""

from collections.abc import Sequence

from lockstep.json_values import JsonObject


class LockstepError(Exception):
    """The root of the tree."""


class InvalidInput(LockstepError):
    """
    The caller sent something we will never accept.

    Attributes:
        field: What is wrong, as a path in what was sent, such as `aps.content-state`.
        message: What a person should change; never quotes what was sent.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Forbidden(InvalidInput):
    """The activity's guests don't include the user."""


class Misconfigured(LockstepError):
    """Settings or signing key are unusable; the message names which, and never quotes a secret."""


class NotSent(LockstepError):
    """
    SQS did not take some publishes; all others were sent.

    Attributes:
        publishes: These, to be sent again as they are: each keeps its place in time.
        reasons: SQS's code for each, or the name of the error because of which SQS could not be asked.
    """

    def __init__(self, publishes: Sequence[JsonObject], reasons: Sequence[str]) -> None:
        super().__init__(f"SQS did not take {len(publishes)}: {', '.join(sorted(set(reasons)))}")
        self.publishes = tuple(publishes)
        self.reasons = tuple(reasons)
