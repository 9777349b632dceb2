"""Which push, if any, brings a phone up to date with its activity's row: pure."""

import hashlib
from copy import replace
from functools import cached_property

from lockstep.apns import Environment, Push
from lockstep.bodies import Bodies
from lockstep.channels import Broadcast, Channel, Storage, takes_channels
from lockstep.delivery import Delivery
from lockstep.payload import BROADCAST_BODY_MAX_BYTES, DEVICE_BODY_MAX_BYTES, start_body
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.row import CARD_LIFE_S, Register, Row
from lockstep.shards import shard_of
from lockstep.targets import Target

# A start that a phone gets later than this shows something that is over (a choice: Apple names no number).
START_LIFE_S = 600

# Apple keeps the most recent message of a channel for 8 hours at most.
_STORED_S = 8 * 3600

_OTHER = {Environment.PRODUCTION: Environment.SANDBOX, Environment.SANDBOX: Environment.PRODUCTION}


class Plan:
    """What one delivery has to say to each phone. Bodies are made once and shared."""

    def __init__(
        self,
        delivery: Delivery,
        row: Row,
        *,
        default_environment: Environment,
        now_s: float,
        guests_required: bool = False,
    ) -> None:
        self._guests_required = guests_required
        self.delivery = delivery
        self.row = row
        self._default_environment = default_environment
        self._now_s = now_s
        self._now_ms = int(now_s * 1000)

    def of_row(self, row: Row) -> "Plan":
        """Plan the same with the row as it is now."""
        return Plan(
            self.delivery,
            row,
            default_environment=self._default_environment,
            now_s=self._now_s,
            guests_required=self._guests_required,
        )

    def of_card(self, card: Card, phone: Phone | None, marker: Marker | None) -> Push | None:
        """Bring a card up to date; None where it must not or need not hear."""
        if phone is None or phone.owner != card.owner or card.observed_at_ms < phone.cards_at_ms:
            return None
        if card.token is None or not (self._everybody or self._allows(card.owner)):
            return None
        if not self.row.is_of_run(card.run):
            body = self._said_to_earlier_runs
        elif marker is not None and self._shows_already(marker):
            body = None
        else:
            body = self._said_to_this_run
        if body is None:
            return None
        priority = self._infrequent_priority if phone.frequent_updates is False else self._usual_priority
        return self._push(card, card.token, phone, body, priority, self._expiration_s)

    def of_start(self, start_token: StartToken, phone: Phone | None) -> Push | None:
        """Start the activity on a phone; None where it must not be, or the row lacks a part that iOS needs."""
        if phone is None or phone.owner != start_token.owner or start_token.observed_at_ms < phone.start_tokens_at_ms:
            return None
        if self.row.audience is not None and self.row.audience not in phone.follows:
            return None
        channel = self.row.channel(phone.environment or self._default_environment)
        body = self._bodies.start(channel.id if channel is not None and takes_channels(phone.os_version) else None)
        if body is None or start_token.token is None or not self._allows(start_token.owner):
            return None
        shard = shard_of(phone.phone, self.row.shards)
        marker = Marker(self.row.activity, phone.phone, start_token.owner, self.row.run, self.row.revision, shard=shard)
        priority = _said(self.row.registers.start) or 10
        expiration_s = int(self._now_s) + START_LIFE_S
        return self._push(start_token, start_token.token, phone, body, priority, expiration_s, marker)

    def broadcasts(self) -> list[Broadcast]:
        """Say once what is to be said to all who are on a channel: the end, on those of earlier runs."""
        found = [self._broadcast(channel) for channel in self.row.channels if self._hears(channel)]
        return [broadcast for broadcast in found if broadcast is not None]

    def _hears(self, channel: Channel) -> bool:
        wanted = self.delivery.channels
        return channel.environment in wanted if wanted is not None else self.delivery.begins

    def _broadcast(self, channel: Channel) -> Broadcast | None:
        # Who is on a run's channel was started after its first alert, and by a start that rang with it.
        rings = self._rings and self.row.alert_revision > self.row.run_revision
        bodies = Bodies(self.row, rings=rings, max_bytes=BROADCAST_BODY_MAX_BYTES)
        if channel.run != self.row.run:
            body: bytes | None = bodies.end_of_earlier_run
        else:
            body = bodies.end if self.row.registers.ended else bodies.update
        if body is None:
            return None
        # What is said again, for those who came late, is news to nobody else.
        priority = 5 if self.delivery.is_said_again and not self.row.registers.ended else self._usual_priority
        expiration_s = 0
        if channel.storage is Storage.LATEST:
            expiration_s = min(self._expiration_s, int(self._now_s) + _STORED_S)
        return Broadcast(channel, body, priority, expiration_s)

    @property
    def brings_news(self) -> bool:
        """Whether it says what was not said yet: it is no retry, no catch-up, and no end that is said again."""
        return self.delivery.brings_news and not (self.row.registers.ended and self.row.repeats)

    @property
    def is_lowered(self) -> bool:
        """Whether it goes out with priority 5 because the hour's budget is spent."""
        row = self.row
        return row.lowered and not row.registers.ended and not self._rings and row.state_priority is None

    def elsewhere(self, push: Push, target: Target, *, now_s: float) -> Push | None:
        """
        Send a push to the other environment, for a phone that didn't say which is its own.

        A start is built anew: it speaks of the environment that it goes to. What cards hear is the same in both.
        """
        other = _OTHER[target.environment]
        again: Push | None = push
        if isinstance(target.row, StartToken):
            again = self.of_start(target.row, replace(target.phone, environment=other))
        found = replace(target, environment=other, elsewhere=True, sent_at_ms=int(now_s * 1000))
        return again and replace(again, ref=found)

    @property
    def may_start(self) -> bool:
        """Whether the row can be started by push at all."""
        return self.row.registers.running and self._bodies.start() is not None

    @property
    def oversized(self) -> bool:
        """Whether start and state, each small enough when published, are too long together."""
        body = start_body(self.row)
        return body is not None and len(body) > DEVICE_BODY_MAX_BYTES

    def _push(
        self,
        row: Card | StartToken,
        token: str,
        phone: Phone,
        body: bytes,
        priority: int,
        expiration_s: int,
        marker: Marker | None = None,
    ) -> Push:
        environment = phone.environment or self._default_environment
        target = Target(self, row, phone, environment, phone.environment is not None, self._now_ms, marker)
        collapse_id = self._collapse_id if marker else None
        return Push(token, body, priority, expiration_s, collapse_id, marker is not None, target)

    def _allows(self, user: str) -> bool:
        return self.row.allows(user, guests_required=self._guests_required)

    def _shows_already(self, marker: Marker) -> bool:
        """A card that just registered shows what its own start carried."""
        if self.delivery.from_revision is not None:
            return False
        return marker.confirmed and (marker.run, marker.revision) == (self.row.run, self.row.revision)

    # What is the same for all cards of a delivery is found once: an audience may have a hundred thousand.

    @cached_property
    def _everybody(self) -> bool:
        """Whether no guests are named, so that nobody need be asked for."""
        return not self._guests_required and not self.row.names_guests

    @cached_property
    def _said_to_this_run(self) -> bytes | None:
        if self.row.registers.ended:
            return self._bodies.late_end if self.delivery.from_revision is None else self._bodies.end
        return self._bodies.update

    @cached_property
    def _said_to_earlier_runs(self) -> bytes | None:
        told = self.delivery.from_revision is not None and self.delivery.from_revision >= self.row.run_revision
        return None if told else self._bodies.end_of_earlier_run

    @cached_property
    def _usual_priority(self) -> int:
        return self._priority(infrequent=False)

    @cached_property
    def _infrequent_priority(self) -> int:
        return self._priority(infrequent=True)

    def _priority(self, *, infrequent: bool) -> int:
        registers = self.row.registers
        if registers.ended:
            # What is said again is news to nobody.
            return 5 if self.row.repeats else _said(registers.end) or 10
        if self.row.state_priority is not None:
            return self.row.state_priority
        if self._rings:
            return 10
        return 5 if self.row.lowered or infrequent else 10

    @cached_property
    def _bodies(self) -> Bodies:
        return Bodies(self.row, rings=self._rings)

    @cached_property
    def _rings(self) -> bool:
        """An alert rides on the delivery that brings phones from before it to after it, and only while it is new."""
        had, carried = self.delivery.from_revision, self.delivery.revision
        if self.delivery.phones is not None and carried is not None and self.row.alert_revision > carried:
            # Whoever has brought the row that far since has rung.
            return False
        return had is not None and self.row.rings(had, self._now_ms)

    @cached_property
    def card_ends_s(self) -> int:
        """The last possible hour of this run's cards, in Unix seconds."""
        return self.row.run // 1000 + CARD_LIFE_S

    @cached_property
    def _expiration_s(self) -> int:
        """What runs on past its last possible hour gets a minute at a time."""
        return max(self.card_ends_s, int(self._now_s) + 60)

    @cached_property
    def _collapse_id(self) -> str:
        return collapse_id_of(self.row)


def collapse_id_of(row: Row) -> str:
    """Name the starts of a run, so that APNs keeps one of those that wait for a phone which is away."""
    return hashlib.sha256(f"{row.activity}/{row.run}".encode()).hexdigest()[:32]


def _said(register: Register | None) -> int | None:
    priority = register.value.get("priority") if register else None
    return priority if isinstance(priority, int) else None
