"""A phone in the stadium, and what it has told."""

from dataclasses import dataclass, field

from lockstep.apns import Environment
from lockstep.channels import takes_channels
from lockstep.ids import phone_of


@dataclass(slots=True, eq=False)
class Fan:
    """
    A phone.

    Attributes:
        follows: Whether it follows the team now; one that did once may still be in the index.
        late: Whether it tells of its card only while the match is on.
        token: Of its card; what it tells, unless the card is on a channel.
        channel: What its card is on; empty where it has a token.
        registered: Whether it has told of its card.
        told_ms: When each of its cards' tokens was told, by token, in Unix milliseconds.
        gone_ms: When its app was removed: Apple says 410 from then on, and it hears no channel; 0 if it wasn't.
        started_itself: The state and stamp that its app started the card with, where no push had.
        started_ms: When it did; from then on it is on the card's channel.
    """

    index: int
    environment: Environment
    os_version: str
    frequent_updates: bool
    start_token: str = field(repr=False)
    token: str = field(repr=False)
    follows: bool = True
    late: bool = False
    channel: str = ""
    registered: bool = False
    told_ms: dict[str, int] = field(default_factory=dict)
    gone_ms: int = 0
    started_itself: tuple[int, int] | None = None
    started_ms: int = 0

    @property
    def takes_channels(self) -> bool:
        return takes_channels(self.os_version)

    @property
    def card_token(self) -> str | None:
        """What its card's row should hold."""
        return None if self.channel else self.token

    @property
    def device(self) -> str:
        return f"device-{self.index}"

    @property
    def phone(self) -> str:
        return phone_of(self.device)

    @property
    def owner(self) -> str:
        return f"user-{self.index}"

    @property
    def card(self) -> str:
        return f"card-{self.index}"
