"""APNs broadcast channels, as values (iOS 18 and later): one push reaches every phone that is subscribed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from lockstep.apns import Environment
from lockstep.json_values import Json, compact, parse

# Phones of an older iOS show nothing where a start names a channel ("Starting and updating Live Activities").
_SINCE_IOS = 18


class Storage(StrEnum):
    """Which messages APNs keeps for phones that are away: what a producer calls a channel."""

    FREQUENT = "frequent"
    LATEST = "latest"

    @property
    def message_storage_policy(self) -> int:
        """Apple's number of it: 0 keeps nothing and may be published to more often, 1 keeps the most recent."""
        return 1 if self is Storage.LATEST else 0


@dataclass(frozen=True, slots=True)
class Channel:
    """
    A channel of one run of an activity.

    Attributes:
        id: Apple's, base64; of no fixed length.
    """

    environment: Environment
    id: str
    run: int
    storage: Storage


@dataclass(frozen=True, slots=True)
class Broadcast:
    """
    One push to every subscriber of a channel.

    Attributes:
        body: Whole JSON, 5,120 bytes at most.
        priority: 5 or 10.
        expiration_s: Unix seconds; 0 on a channel that keeps nothing.
    """

    channel: Channel
    body: bytes = field(repr=False)
    priority: int
    expiration_s: int


def takes_channels(os_version: str | None) -> bool:
    """Say whether a phone of this iOS can be on a channel; one that didn't say can't."""
    major = (os_version or "").partition(".")[0]
    return major.isdigit() and int(major) >= _SINCE_IOS


def to_text(channels: Iterable[Channel]) -> str:
    """Write channels as a row holds them."""
    return compact(
        [
            {"environment": one.environment.value, "id": one.id, "run": one.run, "storage": one.storage.value}
            for one in channels
        ]
    )


def from_text(text: str | None) -> tuple[Channel, ...]:
    """Read what `to_text` wrote."""
    listed = parse(text) if text else []
    return tuple(_channel(one) for one in listed) if isinstance(listed, list) else ()


def _channel(value: Json) -> Channel:
    if not (isinstance(value, dict) and isinstance(value["id"], str) and isinstance(value["run"], int)):
        raise ValueError("not a channel")
    return Channel(Environment(str(value["environment"])), value["id"], value["run"], Storage(str(value["storage"])))
