"""The one message that asks for a delivery, and how long a retry waits."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from lockstep.apns import Environment
from lockstep.errors import InvalidInput
from lockstep.ids import is_id, is_user
from lockstep.json_values import NESTING_MAX, JsonObject, compact, parse
from lockstep.message_fields import channels, count, end_of_range, is_phone, phones

_FORMAT = 1
_RETRY_MAX_S = 900

# A message names this many phones at most.
NAMED_MAX = 200

# By then a phone that was started on a channel is subscribed (a guess: Apple names no time).
SUBSCRIBING_MS = 8_000

# What is said again for them is said at such steps of the clock: once for all who were started within one.
_SAID_AGAIN_STEP_MS = 15_000


class Audience(StrEnum):
    """Which of an activity's phones: those that show a card, those that its start names, or both."""

    ALL = "all"
    CARDS = "cards"
    STARTS = "starts"


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    Bring phones of an activity up to date with its row.

    Attributes:
        first: Hash of the first phone of a range; empty for the whole audience.
        last: Hash of its last phone. A slice has its prefix in both.
        phones: Hashes of the only phones meant; None for a range. With phones it is a catch-up or a retry.
        channels: The only environments whose channels are meant, and no phone; None for phones, and in a delivery to
            everyone also for all channels.
        since_ms: What is on them is said again for those who came by then; None where it is the first time, or a retry.
        from_revision: What these phones had at least, where an alert may still ring; None in a catch-up.
        revision: The oldest revision that earlier parts of this audience were brought to; None in the first part. Of a
            retry: what the push carried that is tried again, so that it does not ring for what others have brought since.
        attempt: 0, then one more with each retry.
        hops: How often an audience was handed on to a further invocation.
    """

    activity: str
    audience: Audience = Audience.ALL
    first: str = ""
    last: str = ""
    phones: tuple[str, ...] | None = None
    channels: tuple[Environment, ...] | None = None
    since_ms: int | None = None
    from_revision: int | None = None
    revision: int | None = None
    attempt: int = 0
    hops: int = 0

    @staticmethod
    def on_channels(activity: str, environments: Iterable[Environment], *, since_ms: int | None = None) -> "Delivery":
        """Make one to the subscribers of an activity's channels alone."""
        return Delivery(activity, Audience.CARDS, phones=(), channels=tuple(environments), since_ms=since_ms)

    @property
    def whole(self) -> bool:
        """Whether it ends a delivery to everyone, so that `sent_revision` may be recorded after it."""
        return self.phones is None and not self.last

    @property
    def is_slice(self) -> bool:
        """Whether it is for the phones whose hash begins with a prefix."""
        return self.phones is None and bool(self.last)

    @property
    def is_said_again(self) -> bool:
        """Whether what is on the channels is said once more, for those who came late."""
        return self.since_ms is not None

    @property
    def brings_news(self) -> bool:
        """Whether it is, or is part of, a delivery to everyone: no catch-up, no retry, nothing that is said again."""
        return self.phones is None and self.channels is None

    @property
    def begins(self) -> bool:
        """Whether it is the first part of a delivery to everyone who shows a card."""
        return self.whole and not self.first and self.audience is not Audience.STARTS

    def to_phones(self, phones: Iterable[str]) -> list["Delivery"]:
        """Make it one to these phones alone, in as many messages as that takes."""
        named = list(phones)
        return [
            replace(self, first="", last="", phones=tuple(named[i : i + NAMED_MAX]))
            for i in range(0, len(named), NAMED_MAX)
        ]

    def to_body(self) -> str:
        """Write the message."""
        body: JsonObject = {"v": _FORMAT, "activity": self.activity, "audience": self.audience.value}
        if self.first:
            body["first"] = self.first
        if self.last:
            body["last"] = self.last
        if self.phones is not None:
            body["phones"] = list(self.phones)
        if self.channels is not None:
            # No phones, too, so that the release before this one finds nothing to do.
            body |= {"phones": [], "channels": [environment.value for environment in self.channels]}
        if self.since_ms is not None:
            body["since_ms"] = self.since_ms
        if self.from_revision is not None:
            body["from_revision"] = self.from_revision
        if self.revision is not None:
            body["revision"] = self.revision
        return compact({**body, "attempt": self.attempt, "hops": self.hops})

    @staticmethod
    def from_json(body: JsonObject) -> "Delivery":
        """
        Read the message; keys that a later release may have added are passed over.

        Raises:
            InvalidInput: Not a delivery.
        """
        activity, audience = body.get("activity"), body.get("audience")
        if not isinstance(activity, str) or not is_id(activity):
            raise InvalidInput("activity", "must be an activity's id")
        if audience not in tuple(Audience):
            raise InvalidInput("audience", f"must be one of {', '.join(Audience)}")
        environments = channels(body)
        return Delivery(
            activity=activity,
            audience=Audience(audience),
            first=end_of_range(body, "first"),
            last=end_of_range(body, "last"),
            phones=phones(body) if environments is None else (),
            channels=environments,
            since_ms=count(body, "since_ms"),
            from_revision=count(body, "from_revision"),
            revision=count(body, "revision"),
            attempt=count(body, "attempt") or 0,
            hops=count(body, "hops") or 0,
        )


@dataclass(frozen=True, slots=True)
class Forgetting:
    """
    Delete what an owner registered, once more, since the index that finds it is eventually consistent.

    Attributes:
        phone: Only on this phone; None for all of the owner's phones.
        up_to_ms: What was registered by then (our clock); later registrations stay.
        observed_before_ms: What was observed before then (the phone's clock); None for whenever. What was observed later
            belongs to a request that takes the phone back, and may not have got as far as the phone yet.
    """

    owner: str
    phone: str | None
    up_to_ms: int
    observed_before_ms: int | None = None

    def to_body(self) -> str:
        """Write the message."""
        forget: JsonObject = {"owner": self.owner, "phone": self.phone, "up_to_ms": self.up_to_ms}
        if self.observed_before_ms is not None:
            forget["observed_before_ms"] = self.observed_before_ms
        return compact({"v": _FORMAT, "forget": forget})

    @staticmethod
    def from_json(body: JsonObject) -> "Forgetting":
        """Read the message; raises InvalidInput."""
        forget = body.get("forget")
        owner = forget.get("owner") if isinstance(forget, dict) else None
        if not isinstance(forget, dict) or not isinstance(owner, str) or not is_user(owner):
            raise InvalidInput("forget", "must name an owner")
        phone = forget.get("phone")
        if phone is not None and not is_phone(phone):
            raise InvalidInput("phone", "must be the hash of a phone")
        return Forgetting(
            owner=owner,
            phone=phone,
            up_to_ms=count(forget, "up_to_ms") or 0,
            observed_before_ms=count(forget, "observed_before_ms"),
        )


def read_body(text: str) -> Delivery | Forgetting:
    """Read a message of the delivery queue; raises InvalidInput."""
    try:
        body = parse(text, nesting_max=NESTING_MAX)
    except ValueError as error:
        raise InvalidInput("body", "is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidInput("body", "must be a JSON object")
    return Forgetting.from_json(body) if "forget" in body else Delivery.from_json(body)


def retry_delay_s(attempt: int) -> int:
    """Say how long the retry after this attempt waits: 1, 2, 4 … 900 s, give or take 25 %, so that retries spread."""
    nominal = _nominal_s(attempt)
    return min(max(1, round(nominal * random.uniform(0.75, 1.25))), _RETRY_MAX_S)  # noqa: S311  # jitter, not a secret


def subscribed_in_s(now_ms: int) -> int:
    """Say in how many seconds all phones that were started by now are told again, together with those just after them."""
    due_ms = -(-(now_ms + SUBSCRIBING_MS) // _SAID_AGAIN_STEP_MS) * _SAID_AGAIN_STEP_MS
    return -(-(due_ms - now_ms) // 1000)


def waited_s(attempt: int) -> int:
    """Say how long after the first attempt this one comes, jitter aside."""
    return sum(_nominal_s(n) for n in range(min(attempt, 1000)))


def _nominal_s(attempt: int) -> int:
    # Past some ten attempts the longest wait is reached, and no power of a stranger's number is taken.
    return min(1 << min(attempt, 10), _RETRY_MAX_S)
