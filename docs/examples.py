"""
What openapi.json shows of each operation: a request, its answer, and each refusal with the request that gets it.

tests/test_openapi_examples.py asks for all of them, and compares.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.http import BODY_MAX_BYTES

TOKEN = "80a1f2c3d4e5f60718293a4b5c6d7e8f" * 2

PARAMETERS: Mapping[str, str | int] = {
    "device": "7C9E6679-7425-40DE-944B-E07FC1F90AE7",
    "attributes_type": "OrderAttributes",
    "card": "6F9619FF-8B86-D011-B42D-00C04FC964FF",
    "activity": "match-7",
    "environment": "production",
    "reason": "dismissed",
    "observed_at_ms": 1_800_000_000_000,
}

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "report": {
        "observed_at_ms": 1_800_000_000_000,
        "environment": "production",
        "os_version": "18.2",
        "frequent_updates": True,
        "follows": ["team-42"],
        "start_tokens": [{"attributes_type": "OrderAttributes", "token": TOKEN}],
        "cards": [{"card": "6F9619FF-8B86-D011-B42D-00C04FC964FF", "activity": "order-42"}],
    },
    "putStartToken": {"token": TOKEN, "observed_at_ms": 1_800_000_000_000},
    "putCard": {
        "activity": "order-42",
        "run": 1_799_999_990_000,
        "token": TOKEN,
        "observed_at_ms": 1_800_000_000_000,
    },
}

ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "report": {
        "activities": [
            {
                "activity": "order-42",
                "run": 1_799_999_990_000,
                "attributes_type": "OrderAttributes",
                "attributes": {"shop": "Pizzeria Uno", "activity": "order-42", "run": 1_799_999_990_000},
                "content_state": {"driver": "Ana", "minutes": 30},
                "timestamp": 1_799_999_990,
                "ended": False,
            }
        ]
    },
    "getChannel": {"channel": "V+8UslywEfAAAOq9SbTrLg=="},
}

# What API Gateway answers by itself, in its own words. (Those of 429 and 503 nobody can get from it on one machine.)
GATEWAY: Mapping[int, str] = {
    401: "Unauthorized",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A refusal, word for word.

    Attributes:
        parameters: What of the request's path and query is otherwise than in its example.
        body: What is said in place of the example's body.
        user: Who asks; activity order-42 admits ana and ben.
    """

    status: int
    answer: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    user: str | None = "ana"

    @property
    def name(self) -> str:
        """What openapi.json calls it: the field that is wrong."""
        return self.answer.get("field", "gateway")


_ALPHABET = "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -"
_NOT_FOUND = {"message": "Not Found"}
_NOT_A_GUEST = {"field": "activity", "message": "does not have you among its guests"}

# What only this operation says.
_OWN: Mapping[str, tuple[Refusal, ...]] = {
    "report": (
        Refusal(422, {"field": "observed_at_ms", "message": "Field required"}, body="{}"),
        Refusal(
            422,
            {"field": "start_tokens.0.token", "message": "must have an even number of hex digits"},
            body=f'{{"observed_at_ms": 1, "start_tokens": [{{"attributes_type": "OrderAttributes", "token": "{TOKEN}0"}}]}}',
        ),
    ),
    "putStartToken": (
        Refusal(
            422, {"field": "token", "message": "String should have at least 64 characters"}, body='{"token": "80a1"}'
        ),
    ),
    "putCard": (
        Refusal(422, {"field": "activity", "message": "Field required"}, body="{}"),
        Refusal(403, _NOT_A_GUEST, user="eve"),
    ),
    "removeCard": (Refusal(422, {"field": "reason", "message": "must be dismissed or ended"}, {"reason": "swiped"}),),
    "getChannel": (
        Refusal(403, _NOT_A_GUEST, {"activity": "order-42"}, user="eve"),
        Refusal(404, {"field": "activity", "message": "has no channel in production"}, {"activity": "order-42"}),
        Refusal(
            422, {"field": "environment", "message": "must be one of production, sandbox"}, {"environment": "debug"}
        ),
    ),
    "signOut": (
        Refusal(
            422,
            {"field": "observed_at_ms", "message": "must be Unix milliseconds, a whole number"},
            {"observed_at_ms": "yesterday"},
        ),
    ),
    "forgetMe": (),
}


def refusals(operation: str, ids: tuple[str, ...]) -> Iterator[Refusal]:
    """
    Yield what an operation may refuse.

    Args:
        ids: Names of the ids in its path.
    """
    for status, message in GATEWAY.items():
        yield Refusal(status, {"message": message}, user=None if status == 401 else "ana")
    if ids:
        yield Refusal(404, _NOT_FOUND, {ids[0]: "a/b"})
        yield Refusal(422, {"field": ids[0], "message": _ALPHABET}, {ids[0]: "a b"})
    if operation in REQUESTS:
        yield Refusal(400, {"field": "body", "message": "Input should be an object"}, body="[]")
        long = "0" * (BODY_MAX_BYTES + 1)
        yield Refusal(413, {"field": "body", "message": f"is longer than {BODY_MAX_BYTES} bytes"}, body=long)
    yield from _OWN[operation]
