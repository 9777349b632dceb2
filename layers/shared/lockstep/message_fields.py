"""Fields of our own messages, which somebody else may have sent all the same: what they hold, or why it is none of ours."""

import re
from typing import TypeGuard

from lockstep.apns import Environment
from lockstep.errors import InvalidInput
from lockstep.json_values import Json, JsonObject

# Each phone takes a query: so many are done in seconds. We name fewer (`delivery.NAMED_MAX`).
PHONES_MAX = 1000
_COUNT_MAX = 2**63

_PHONE = re.compile("[0-9a-f]{32}")
_PREFIX = re.compile("[0-9a-f]{0,32}")


def is_phone(value: Json) -> TypeGuard[str]:
    """Say whether that can be the hash of a phone."""
    return isinstance(value, str) and _PHONE.fullmatch(value) is not None


def phones(body: JsonObject) -> tuple[str, ...] | None:
    """Read the phones that a message names, each once; None where it names none. Raises InvalidInput."""
    value = body.get("phones")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > PHONES_MAX:
        raise InvalidInput("phones", f"must be a list of {PHONES_MAX} at most")
    named = [one for one in value if is_phone(one)]
    if len(named) < len(value):
        raise InvalidInput("phones", "must be hashes of phones")
    return tuple(dict.fromkeys(named))


def channels(body: JsonObject) -> tuple[Environment, ...] | None:
    """Read the environments whose channels a message names, each once; None where it names none. Raises InvalidInput."""
    value = body.get("channels")
    if value is None:
        return None
    if not isinstance(value, list) or any(one not in tuple(Environment) for one in value):
        raise InvalidInput("channels", f"must be a list of {', '.join(Environment)}")
    return tuple(one for one in Environment if one in value)


def end_of_range(body: JsonObject, name: str) -> str:
    """Read the hash of a phone, or what it begins with; empty where there is none. Raises InvalidInput."""
    value = body.get(name, "")
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise InvalidInput(name, "must be the hash of a phone, or what it begins with")
    return value


def count(body: JsonObject, name: str) -> int | None:
    """Read a whole number from 0, of 63 bits at most, as DynamoDB takes it; None where there is none. Raises InvalidInput."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _COUNT_MAX:
        raise InvalidInput(name, "must be a whole number from 0, of 63 bits at most")
    return value
