"""Ids as the contracts allow them, and the hash that stands for a phone in keys and queue messages."""

import hashlib
import re

# API Gateway decodes paths before it routes, so "/", "#" and "?" could never be registered; SQS keeps to the same alphabet.
ID_PATTERN = r"^[A-Za-z0-9._:@-]{1,128}$"
_ID = re.compile(ID_PATTERN.strip("^$"))

# A user is the JWT's "sub", whose alphabet is the identity provider's; only its length is ours.
USER_MAX_CHARACTERS = 256


def is_id(value: object) -> bool:
    """Say whether an activity, audience, device or attributes type may be called that."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_user(value: object) -> bool:
    """Say whether that can be a user: 1 to 256 characters, none of them a control character or half a surrogate pair."""
    return isinstance(value, str) and 0 < len(value) <= USER_MAX_CHARACTERS and value.isprintable()


def phone_of(device: str) -> str:
    """Hash a device id (which is a secret of its app) into the 32 hex digits that stand for the phone everywhere else."""
    return hashlib.sha256(device.encode()).hexdigest()[:32]


def shorten(token: str) -> str:
    """Make a push token fit for a log line."""
    return f"{token[:6]}…({len(token)})"
