"""On which phones an activity should show, and why not on the others: pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lockstep.apns import Environment
from lockstep.channels import takes_channels
from lockstep.delivery import Delivery
from lockstep.evidence import Evidence, Trace
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.plan import Plan

# An app that a start woke registers its card within seconds; after so long it won't, as a rule.
REPORTS_WITHIN_MS = 120_000


class Why(StrEnum):
    """Why an activity shows on a phone, or doesn't; what a person should look at first comes first."""

    NO_CARD = "started, no card"
    UNCONFIRMED = "started, no answer"
    DEAD_TOKEN = "the card's token is dead"  # noqa: S105 no password
    NO_TOKEN = "a card without a token"  # noqa: S105 no password
    CANT_START = "can't be started"
    TO_BE_STARTED = "to be started"
    NO_START_TOKEN = "no start token"  # noqa: S105 no password
    OLD_START_TOKEN = "an outdated start token"  # noqa: S105 no password
    EARLIER_RUN = "a card of an earlier run"
    NOT_A_GUEST = "not a guest"
    NOT_FOLLOWING = "does not follow"
    OTHER_USER = "another user's"
    SIGNED_OUT = "signed out"
    DISMISSED = "dismissed"
    GONE = "the card is gone"
    JUST_STARTED = "just started"
    ON_CHANNEL = "shows, by the channel"
    SHOWS = "shows"

    @property
    def shows(self) -> bool:
        """Whether the phone should show the activity."""
        return self in (Why.SHOWS, Why.ON_CHANNEL)


_ORDER = {why: number for number, why in enumerate(Why)}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What there is to say of one phone.

    Attributes:
        phone: Its hash; None where a user has no phone that could be started.
        environment: As the phone said, or as was found out; None where nobody knows.
        at_ms: When its card registered, it was started, its token was called dead; 0 where it is none of these.
    """

    user: str
    phone: str | None
    why: Why
    environment: Environment | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class _OfPhone:
    """What was read of one phone; cards and markers are of the row's run, cards that it has reported gone among them."""

    phone: Phone
    cards: list[Trace]
    markers: list[Trace]
    earlier: list[Trace]
    token: StartToken | None

    @property
    def user(self) -> str | None:
        """Whose phone it is, as far as the activity goes: of several users the one who is signed in."""
        rows = [trace.row for trace in (*self.cards, *self.markers)]
        owners = [row.owner for row in (*rows, *([self.token] if self.token else []))]
        owners = owners or [trace.row.owner for trace in self.earlier]
        return next((owner for owner in owners if owner == self.phone.owner), owners[0] if owners else None)


class Judge:
    """
    Judges by the settings that push has.

    Args:
        default_environment: Of phones that didn't say.
        guests_required: Whether nobody may follow where no guests are named.
    """

    def __init__(
        self, evidence: Evidence, *, default_environment: Environment, guests_required: bool, now_ms: int
    ) -> None:
        self._evidence = evidence
        self._row = evidence.row
        self._environment = default_environment
        self._guests_required = guests_required
        self._now_ms = now_ms
        plan = Plan(
            Delivery(self._row.activity), self._row, default_environment=default_environment, now_s=now_ms / 1000
        )
        self._may_start = plan.may_start

    def findings(self) -> list[Finding]:
        """Say of each phone whether the activity should show there; those where it shouldn't come first."""
        found = [finding for each in self._phones() if (finding := self._of(each)) is not None]
        have = {one.user for one in found}
        if self._row.registers.running and not self._evidence.cut:
            found += [Finding(user, None, Why.NO_START_TOKEN) for user in self._row.users if user not in have]
        return sorted(found, key=lambda one: (_ORDER[one.why], one.user, one.phone or ""))

    def _phones(self) -> Iterable[_OfPhone]:
        traces: dict[str, list[Trace]] = defaultdict(list)
        for trace in self._evidence.traces:
            traces[trace.row.phone].append(trace)
        named = {token.phone: token for token in self._evidence.named}
        for name in dict.fromkeys((*traces, *named)):
            phone = self._evidence.phones.get(name)
            if phone is not None:
                of_run = [one for one in traces[name] if self._row.is_of_run(one.row.run)]
                yield _OfPhone(
                    phone,
                    cards=[one for one in of_run if isinstance(one.row, Card)],
                    markers=[one for one in of_run if isinstance(one.row, Marker)],
                    earlier=[one for one in traces[name] if isinstance(one.row, Card) and one not in of_run],
                    token=named.get(name),
                )

    def _of(self, each: _OfPhone) -> Finding | None:
        user = each.user
        if user is None:
            # The marker of an earlier run is nobody's business any more.
            return None
        why, at_ms = self._why(each, user)
        return Finding(user, each.phone.phone, why, each.phone.environment, at_ms)

    def _why(self, each: _OfPhone, user: str) -> tuple[Why, int]:
        phone = each.phone
        if phone.owner != user:
            return (Why.SIGNED_OUT if phone.owner is None else Why.OTHER_USER), 0
        if not self._row.allows(user, guests_required=self._guests_required):
            return Why.NOT_A_GUEST, 0
        cards = [trace for trace in each.cards if trace.row.owner == user]
        there = [self._of_card(phone, trace) for trace in cards if _is_there(trace, phone)]
        if there:
            # Of two cards the better one: it is what the user sees.
            return max(there, key=lambda found: _ORDER[found[0]])
        markers = [self._of_marker(trace) for trace in each.markers if trace.row.owner == user]
        if cards and Why.DISMISSED not in (why for why, _ in markers):
            return Why.GONE, max(trace.at_ms for trace in cards)
        if markers:
            return markers[0]
        return self._of_start(phone, each.token), 0

    def _of_card(self, phone: Phone, trace: Trace) -> tuple[Why, int]:
        if isinstance(trace.row, Card) and trace.row.token is not None:
            return Why.SHOWS, trace.at_ms
        if self._row.channel(phone.environment or self._environment) is not None and takes_channels(phone.os_version):
            return Why.ON_CHANNEL, trace.at_ms
        if trace.dead_at_ms is not None:
            return Why.DEAD_TOKEN, trace.dead_at_ms
        return Why.NO_TOKEN, trace.at_ms

    def _of_marker(self, trace: Trace) -> tuple[Why, int]:
        marker = trace.row
        if isinstance(marker, Marker) and marker.revision == 0:
            # What register notes where the user swiped a card away; a start carries a revision.
            return Why.DISMISSED, trace.at_ms
        if self._now_ms - trace.at_ms < REPORTS_WITHIN_MS:
            return Why.JUST_STARTED, trace.at_ms
        confirmed = isinstance(marker, Marker) and marker.confirmed
        return (Why.NO_CARD if confirmed else Why.UNCONFIRMED), trace.at_ms

    def _of_start(self, phone: Phone, token: StartToken | None) -> Why:
        if token is None:
            return Why.EARLIER_RUN
        if self._row.audience is not None and self._row.audience not in phone.follows:
            return Why.NOT_FOLLOWING
        if token.observed_at_ms < phone.start_tokens_at_ms:
            return Why.OLD_START_TOKEN
        return Why.TO_BE_STARTED if self._may_start else Why.CANT_START


def _is_there(trace: Trace, phone: Phone) -> bool:
    return isinstance(trace.row, Card) and trace.row.observed_at_ms >= phone.cards_at_ms
