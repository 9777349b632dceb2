"""
What a phone registers, as values.

They are made for each push. A named tuple is as frozen as a frozen dataclass, and made in a fifth of its time.
"""

from typing import NamedTuple

from lockstep.apns import Environment

# That a phone has in an activity: its card, and the marker of the start that made it.
ROWS_OF_PHONE = 2


class Phone(NamedTuple):
    """
    A phone itself: whose it is, and how to reach it.

    Attributes:
        phone: Hash of the device id (`ids.phone_of`).
        owner: The last user who registered from it; None once they signed out.
        observed_at_ms: The phone's clock, or ours where that is behind: when it was last heard.
        cards_at_ms: When it last listed all its cards; a card observed before that is gone.
        start_tokens_at_ms: The same of its start tokens.
        follows: Names of the audiences it is of, as it said last.
        follows_at_ms: When it said so.
        writes: What compare-and-set compares.
    """

    phone: str
    owner: str | None
    environment: Environment | None = None
    os_version: str | None = None
    frequent_updates: bool | None = None
    observed_at_ms: int = 0
    cards_at_ms: int = 0
    start_tokens_at_ms: int = 0
    follows: tuple[str, ...] = ()
    follows_at_ms: int = 0
    writes: int = 0


class Card(NamedTuple):
    """
    One Live Activity on one phone.

    Attributes:
        card: ActivityKit's `Activity.id`.
        run: The run of the activity it belongs to; 0 if it registered before the activity had one.
        token: Its update token, None if it has none (yet, or since Apple called it dead).
        registered_at_ms: Our clock, when we stored it.
        shard: In which partition of the activity's it is stored (`shards.shard_of`); 0 is always read.
        owed: Whether no catch-up has been queued yet for its token; said by `Tokens.put_card` alone.
    """

    activity: str
    phone: str
    card: str
    owner: str
    run: int
    token: str | None
    observed_at_ms: int
    registered_at_ms: int
    shard: int = 0
    owed: bool = False

    def __repr__(self) -> str:
        """Name it, without its token."""
        return f"Card(activity={self.activity!r}, phone={self.phone!r}, card={self.card!r}, run={self.run!r})"


class StartToken(NamedTuple):
    """A push-to-start token: one per phone and attributes type."""

    owner: str
    phone: str
    attributes_type: str
    token: str | None
    observed_at_ms: int
    registered_at_ms: int

    def __repr__(self) -> str:
        """Name it, without its token."""
        return f"StartToken(phone={self.phone!r}, attributes_type={self.attributes_type!r})"


class Marker(NamedTuple):
    """
    A note that a start went to a phone, so that a run never makes a second card there.

    Attributes:
        revision: Of the row whose state the start carried.
        confirmed: Whether APNs answered that it took the start.
        settled: Whether it is known what the start came to: a card that is over, or none, of which we told.
        shard: In which partition of the activity's it is stored.
    """

    activity: str
    phone: str
    owner: str
    run: int
    revision: int
    confirmed: bool = False
    shard: int = 0
    settled: bool = False


class Follower(NamedTuple):
    """
    That a phone may be of a named audience; whether it is says the phone itself.

    Attributes:
        shard: In which partition of the name's it is stored.
    """

    name: str
    phone: str
    owner: str
    observed_at_ms: int
    registered_at_ms: int
    shard: int = 0


type PhoneRow = Card | StartToken | Marker | Follower | Phone
