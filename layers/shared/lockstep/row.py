"""An activity's row: what its phones should show, and how far we have brought them there."""

from dataclasses import dataclass, field, fields, replace

from lockstep.apns import Environment
from lockstep.channels import Channel, Storage
from lockstep.json_values import JsonObject
from lockstep.shards import Sharded

# A card lives 12 hours after its last sign of life (Apple: 8 hours active and 4 on the lock screen); the row a day more.
CARD_LIFE_S = 12 * 3600
ROW_LIFE_S = CARD_LIFE_S + 24 * 3600

# Phones may not show an update whose stamp is 50 s old (APNs field reports): none goes out with one that is older than
# this; and who takes up a delivery sets a stamp anew that has not half of it left.
STAMP_LIFE_S = 20
STAMP_FRESH_S = 10

# An alert rings for a minute after its publish; later it would only startle.
ALERT_LIFE_MS = 60_000


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """When a state was true, and the SHA-256 of the publish that said so: equal only for a redelivery."""

    published_at_ms: int
    digest: str


@dataclass(frozen=True, slots=True)
class Register:
    """One part of what an activity shows, with the publish that set it last."""

    version: Version
    value: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registers:
    """
    The five parts of an activity, each set by the newest publish that carried it.

    Attributes:
        start: `{"attributes-type"?, "attributes"?, "users": [...], "audience"?, "channel"?, "aps": {...}}`; "aps" holds
            keys we don't know.
        guests: `{"users": [...]}`, or `{"users": null}` where everyone may follow.
        state: `{"content-state", "stale-date"?, "relevance-score"?, "aps"}`.
        alert: `{"alert": {...}}`.
        end: `{"dismissal-date"?, "aps"}`.
    """

    start: Register | None = None
    guests: Register | None = None
    state: Register | None = None
    alert: Register | None = None
    end: Register | None = None

    @property
    def ended(self) -> bool:
        """An end older than the newest start ends nothing."""
        return self.end is not None and (self.start is None or self.end.version > self.start.version)

    @property
    def running(self) -> bool:
        """Whether phones should show it: a start opens an activity, and so does an update without one."""
        return not self.ended and (self.start is not None or self.state is not None)

    @property
    def published_at_ms(self) -> int:
        """When the newest of its parts was published."""
        return max(register.version.published_at_ms for register in self.given().values())

    def given(self) -> dict[str, Register]:
        """Name the parts that are set."""
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: register for name, register in named if register is not None}


@dataclass(frozen=True, slots=True)
class Row:
    """
    What DynamoDB holds for an activity.

    Attributes:
        run: Which life of the activity this is; grows with each, and is about the Unix milliseconds of its opening.
        first_run: The run the row began with: that of cards which registered before there was a row.
        run_revision: The revision at which this run began.
        writes: Raised by every write; what compare-and-set compares.
        revision: Changes of the registers so far.
        sent_revision: The newest revision that a delivery to the whole audience has brought out.
        alert_revision: The revision at which the alert was set.
        urgent_revision: The newest revision that set a start, an end or an alert, or began a run.
        timestamp_s: aps `timestamp` of the state last sent; strictly grows.
        stamped_revision: The revision that this stamp belongs to.
        claimed_revision: The newest revision for which a delivery to everyone has set out.
        delivered_at_ms: When the last delivery to everyone set out.
        due_at_ms: When a delayed delivery is to set out; 0 if none is queued.
        hour: The hour since 1970 whose silent updates `spent` counts.
        spent: How many silent updates of that hour set out.
        lowered: Whether they were too many to go out with priority 10.
        shards: How many partitions its cards and markers are written to; only grows (`shards`).
        channels: Those that were made for it, of this run, and of earlier ones that were not told their end yet.
        broadcast_at_ms: When something last set out on them.
        repeats: How often its end was said again.
        started: Version of the start register whose phones have all been started, as `ms/digest`; empty if none.
    """

    activity: str
    registers: Registers
    run: int = 0
    first_run: int = 0
    run_revision: int = 0
    writes: int = 0
    revision: int = 0
    sent_revision: int = 0
    alert_revision: int = 0
    urgent_revision: int = 0
    timestamp_s: int = 0
    stamped_revision: int = 0
    claimed_revision: int = 0
    delivered_at_ms: int = 0
    due_at_ms: int = 0
    hour: int = 0
    spent: int = 0
    lowered: bool = False
    shards: int = 1
    channels: tuple[Channel, ...] = ()
    broadcast_at_ms: int = 0
    repeats: int = 0
    started: str = ""
    expires_at_s: int = 0

    @property
    def users(self) -> tuple[str, ...]:
        """The users whose phones the start names."""
        return _strings(self.registers.start, "users")

    @property
    def audience(self) -> str | None:
        """The name whose followers' phones the start names."""
        value = self.registers.start.value.get("audience") if self.registers.start else None
        return value if isinstance(value, str) else None

    @property
    def sliced(self) -> bool:
        """Whether the audience is too big for one function, and is served in slices."""
        return self.shards > 1

    @property
    def partitions(self) -> Sharded:
        """Where its cards and markers are."""
        return Sharded.of_activity(self.activity, self.shards)

    @property
    def names_somebody(self) -> bool:
        """Whether its start is to phones."""
        return bool(self.users) or self.audience is not None

    @property
    def storage(self) -> Storage | None:
        """Which kind of channel its start asks for; None for no channel."""
        value = self.registers.start.value.get("channel") if self.registers.start else None
        return Storage(value) if value in tuple(Storage) else None

    def channel(self, environment: Environment) -> Channel | None:
        """Return the channel of this run in an environment."""
        return next((one for one in self.channels if one.run == self.run and one.environment is environment), None)

    @property
    def attributes_type(self) -> str | None:
        """Name of the Swift struct that a start by push needs."""
        value = self.registers.start.value.get("attributes-type") if self.registers.start else None
        return value if isinstance(value, str) else None

    @property
    def state_priority(self) -> int | None:
        """The priority that the producer wants its state to have; None if it said none."""
        priority = self.registers.state.value.get("priority") if self.registers.state else None
        return priority if isinstance(priority, int) else None

    @property
    def owes(self) -> bool:
        """Whether the whole audience is behind the row."""
        return self.sent_revision < self.revision

    @property
    def start_version(self) -> str:
        """What `started` will be once all phones that the start names have been started."""
        version = self.registers.start.version if self.registers.start else None
        return f"{self.run}/{version.published_at_ms}/{version.digest}" if version else ""

    @property
    def owes_starts(self) -> bool:
        """Whether phones that the start names may not have been started yet."""
        return self.registers.running and self.names_somebody and self.started != self.start_version

    def is_silent(self, now_ms: int) -> bool:
        """Say whether what the whole audience is owed is an update that nobody need notice."""
        if self.registers.ended or self.sent_revision < self.run_revision:
            return False
        return not self.rings(self.sent_revision, now_ms)

    def rings(self, had: int, now_ms: int) -> bool:
        """An alert rings on phones that had a revision from before it, and only while it is new."""
        alert = self.registers.alert
        if alert is None or had >= self.alert_revision:
            return False
        return now_ms - alert.version.published_at_ms <= ALERT_LIFE_MS

    @property
    def names_guests(self) -> bool:
        """Whether somebody said who may follow the activity."""
        return self.registers.guests is not None and self.registers.guests.value.get("users") is not None

    def allows(self, user: str, *, guests_required: bool = False) -> bool:
        """
        Say whether this user may follow the activity.

        Args:
            guests_required: Whether nobody may where no guests are named; else everybody may.
        """
        return user in _strings(self.registers.guests, "users") if self.names_guests else not guests_required

    def is_of_run(self, card_run: int) -> bool:
        """Say whether a card belongs to the row's run, not an earlier one; one that registered before the row has run 0."""
        return (card_run or self.first_run) >= self.run

    def needs_stamp(self, now_s: int) -> bool:
        """A push carries a stamp of its own state, and a fresh one."""
        return self.stamped_revision != self.revision or now_s - self.timestamp_s > STAMP_FRESH_S

    def stamp_is_old(self, now_s: float) -> bool:
        """Whether its stamp may not go out any more."""
        return now_s >= self.timestamp_s + STAMP_LIFE_S

    def stamped(self, now_s: int) -> "Row":
        """Claim the row for a delivery: one more write, and a stamp above every earlier one."""
        return replace(
            self,
            writes=self.writes + 1,
            timestamp_s=max(now_s, self.timestamp_s + 1),
            stamped_revision=self.revision,
        )


def _strings(register: Register | None, key: str) -> tuple[str, ...]:
    values = register.value.get(key) if register else None
    return tuple(v for v in values if isinstance(v, str)) if isinstance(values, list) else ()
