"""
What phones register.

Rows first, then the phone's item, then the queue: push reads rows and phones strongly consistent, so a delivery either
sees a new row, or the catch-up that is queued after it does. A request that dies halfway is harmless, and mended by its
repetition: a card with a new token is owed its catch-up until that is queued.
"""

from collections.abc import Callable, Iterable
from copy import replace
from typing import TYPE_CHECKING

from lockstep import forgetting
from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.channels import Channel
from lockstep.delivery import Audience, Delivery
from lockstep.errors import Forbidden
from lockstep.followers import Followers
from lockstep.ids import phone_of
from lockstep.models import CardRegistration, Report, ReportedCard, StartTokenRegistration
from lockstep.phones import Card, Follower, Marker, Phone, PhoneRow, StartToken
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.shards import NAME_SHARDS, shard_of
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from lockstep.missing_cards import MissingCards

# An app that just reported may start a card itself, from the report's answer; its card registers before the push does.
START_GRACE_S = 5

# Each conflict means that another write of the phone got through.
_TRIES = 10


class Registration:
    """
    Carries out the app's requests; `user` is always the JWT's.

    Args:
        missing_cards: Looks for starts without a card; None where nobody would be told.
    """

    def __init__(
        self,
        activities: Activities,
        tokens: Tokens,
        followers: Followers,
        queue: DeliveryQueue,
        *,
        now: Callable[[], float],
        guests_required: bool = False,
        missing_cards: "MissingCards | None" = None,
    ) -> None:
        self._activities = activities
        self._tokens = tokens
        self._followers = followers
        self._queue = queue
        self._now = now
        self._guests_required = guests_required
        self._missing_cards = missing_cards

    def report(self, user: str, device: str, report: Report) -> tuple[Phone | None, list[Row]]:
        """
        Store the phone's whole truth.

        Returns:
            The phone, None if it is not the user's; and what it should show: the activities of its cards, and running
            ones whose start names the user or what the phone follows.
        """
        phone, now_ms = phone_of(device), self._now_ms()
        observed_at_ms = min(report.observed_at_ms, now_ms)
        if self._is_anothers(phone, user, observed_at_ms):
            return None, []
        of_cards = self._activities.get_many({card.activity for card in report.cards or []}, now_s=now_ms // 1000)
        known = [row for row in self._tokens.of_phone(phone, now_s=now_ms // 1000) if not isinstance(row, Phone)]
        cards = [
            _card(user, phone, card, of_cards.get(card.activity), observed_at_ms, now_ms)
            for card in report.cards or []
            if card.activity not in of_cards or of_cards[card.activity].allows(user)
        ]
        guessed = {card.card for card in report.cards or [] if card.run is None}
        start_tokens = [
            StartToken(user, phone, one.attributes_type, one.token, observed_at_ms, now_ms)
            for one in report.start_tokens or []
        ]

        follows = None if report.follows is None else tuple(dict.fromkeys(report.follows))
        at = shard_of(phone, NAME_SHARDS)
        followed = [Follower(name, phone, user, observed_at_ms, now_ms, at) for name in follows or ()]

        self._followers.put(followed, now_s=now_ms // 1000)
        self._move(cards, known)
        stored = [self._tokens.put_card(card, now_s=now_ms // 1000, keeps_run=card.card in guessed) for card in cards]
        for start_token in start_tokens:
            self._tokens.put_start_token(start_token, now_s=now_ms // 1000)
        owned = self._own(
            phone,
            user,
            observed_at_ms,
            environment=Environment(report.environment) if report.environment else None,
            os_version=report.os_version,
            frequent_updates=report.frequent_updates,
            lists_cards=report.cards is not None,
            lists_start_tokens=report.start_tokens is not None,
            follows=follows,
        )
        if owned is None:
            self._withdraw([*cards, *start_tokens, *followed])
            return None, []
        self._tidy(owned, known, [*cards, *start_tokens], report, observed_at_ms, now_ms)

        wanting = self._activities.wanting(user, owned.follows, now_s=now_ms // 1000)
        shown = {card.activity for card in cards}
        has = start_tokens if report.start_tokens is not None else known
        attributes_types = {one.attributes_type for one in has if isinstance(one, StartToken) and one.owner == user}
        owed = [card for card in stored if card and card.owed]
        self._queue.send(
            [
                *((delivery, 0) for delivery in dict.fromkeys(map(_catch_up, owed))),
                *(
                    (Delivery(row.activity, Audience.STARTS, phones=(phone,)), START_GRACE_S)
                    for row in wanting
                    if row.activity not in shown and row.attributes_type in attributes_types
                ),
            ]
        )
        for card in owed:
            self._tokens.caught_up(card)
        if self._missing_cards is not None:
            self._missing_cards.look(owned, report, known, wanting, observed_at_ms=observed_at_ms)
        answered = {
            activity: row
            for activity, row in of_cards.items()
            if row.allows(user, guests_required=self._guests_required)
        }
        return owned, list((answered | {row.activity: row for row in wanting}).values())

    def put_start_token(self, user: str, device: str, attributes_type: str, request: StartTokenRegistration) -> None:
        """Store a push-to-start token, and have the running activities started that want this user."""
        phone, now_ms = phone_of(device), self._now_ms()
        observed_at_ms = min(request.observed_at_ms or now_ms, now_ms)
        if self._is_anothers(phone, user, observed_at_ms):
            return
        start_token = StartToken(user, phone, attributes_type, request.token, observed_at_ms, now_ms)
        stored = self._tokens.put_start_token(start_token, now_s=now_ms // 1000)
        owned = self._own(phone, user, observed_at_ms)
        if owned is None:
            self._withdraw([start_token])
        elif stored:
            wanting = self._activities.wanting(user, owned.follows, now_s=now_ms // 1000)
            self._queue.send(
                (Delivery(row.activity, Audience.STARTS, phones=(phone,)), START_GRACE_S)
                for row in wanting
                if row.attributes_type == attributes_type
            )

    def put_card(self, user: str, device: str, card: str, request: CardRegistration) -> None:
        """
        Store a card, and have it brought up to date if it has a new token.

        Raises:
            Forbidden: The activity's guests don't include the user.
        """
        phone, now_ms = phone_of(device), self._now_ms()
        observed_at_ms = min(request.observed_at_ms or now_ms, now_ms)
        row = self._activities.get(request.activity, now_s=now_ms // 1000)
        if row is not None and not row.allows(user):
            raise Forbidden("activity", "does not have you among its guests")
        if self._is_anothers(phone, user, observed_at_ms):
            return
        reported = ReportedCard(card=card, activity=request.activity, run=request.run, token=request.token)
        shown = _card(user, phone, reported, row, observed_at_ms, now_ms)
        if row is not None and row.shards > 1:
            self._move([shown], self._tokens.of_phone(phone, now_s=now_ms // 1000))
        stored = self._tokens.put_card(shown, now_s=now_ms // 1000, keeps_run=request.run is None)
        if self._own(phone, user, observed_at_ms) is None:
            self._withdraw([shown])
        elif stored and stored.owed:
            self._queue.send([(_catch_up(stored), 0)])
            self._tokens.caught_up(stored)

    def remove_card(self, user: str, device: str, card: str, *, dismissed: bool) -> None:
        """Forget a card; one that the user swiped away leaves a marker, so that its run doesn't bring it back."""
        phone, now_ms = phone_of(device), self._now_ms()
        known = list(self._tokens.of_phone(phone))
        for row in known:
            if not isinstance(row, Card) or row.card != card or row.owner != user:
                continue
            if dismissed:
                self._note_gone(row, now_ms)
            elif self._missing_cards is not None:
                self._missing_cards.ended(row, known, now_ms=now_ms)
            self._tokens.delete(row, registered_by_ms=now_ms)

    def channel(self, user: str, activity: str, environment: Environment) -> Channel | None:
        """
        Return the channel that apps subscribe to for an activity; None where it has none, or none runs.

        Raises:
            Forbidden: The activity's guests don't include the user.
        """
        row = self._activities.get(activity, now_s=self._now_ms() // 1000)
        if row is not None and not row.allows(user, guests_required=self._guests_required):
            raise Forbidden("activity", "does not have you among its guests")
        return row.channel(environment) if row is not None and row.registers.running else None

    def sign_out(self, user: str, device: str, *, observed_at_ms: int | None = None) -> None:
        """Forget all of this phone, if it is the user's."""
        forgetting.sign_out(
            self._tokens,
            self._queue,
            phone_of(device),
            user,
            observed_at_ms=observed_at_ms,
            now_ms=self._now_ms(),
        )

    def forget_user(self, user: str) -> None:
        """Forget all of this user."""
        forgetting.forget_user(self._tokens, self._queue, user, now_ms=self._now_ms())

    # --- the phone

    def _is_anothers(self, phone: str, user: str, observed_at_ms: int) -> bool:
        """Say whether a request is older than what made the phone another's, or nobody's."""
        return _outdated(self._tokens.phones([phone]).get(phone), user, observed_at_ms)

    def _own(
        self,
        phone: str,
        user: str,
        observed_at_ms: int,
        *,
        environment: Environment | None = None,
        os_version: str | None = None,
        frequent_updates: bool | None = None,
        lists_cards: bool = False,
        lists_start_tokens: bool = False,
        follows: tuple[str, ...] | None = None,
    ) -> Phone | None:
        """
        Make the phone the user's, and note what it said of itself, unless it has said more since.

        Returns:
            The phone, which is the user's now; None if it is not.
        """
        for _ in range(_TRIES):
            before = self._tokens.phones([phone]).get(phone)
            if _outdated(before, user, observed_at_ms):
                return None
            had = before or Phone(phone, owner=None)
            newest = observed_at_ms >= had.observed_at_ms
            after = replace(had, owner=user, observed_at_ms=max(had.observed_at_ms, observed_at_ms))
            if newest:
                after = replace(
                    after,
                    environment=environment or had.environment,
                    os_version=os_version or had.os_version,
                    frequent_updates=had.frequent_updates if frequent_updates is None else frequent_updates,
                )
            if had.owner != user:
                after = replace(after, follows=())
            if follows is not None and observed_at_ms >= had.follows_at_ms:
                after = replace(after, follows=follows, follows_at_ms=observed_at_ms)
            if lists_cards:
                after = replace(after, cards_at_ms=max(had.cards_at_ms, observed_at_ms))
            if lists_start_tokens:
                after = replace(after, start_tokens_at_ms=max(had.start_tokens_at_ms, observed_at_ms))
            if self._tokens.replace_phone(before, after, now_s=self._now_ms() // 1000):
                if before is not None and before.owner not in (None, user):
                    forgetting.leave(
                        self._tokens,
                        self._queue,
                        phone,
                        str(before.owner),
                        observed_before_ms=observed_at_ms + 1,
                        now_ms=self._now_ms(),
                    )
                return after
        raise TimeoutError("the phone changes all the time")

    def _move(self, cards: Iterable[Card], known: Iterable[PhoneRow]) -> None:
        """Take cards along that were stored before their activity grew; the index may not know one that is a second old."""
        shards = {_name(card): card.shard for card in cards}
        for row in known:
            if isinstance(row, Card) and shards.get(_name(row), 0) not in (0, row.shard):
                self._tokens.move(row, shards[_name(row)])

    def _withdraw(self, rows: Iterable[Card | StartToken | Follower]) -> None:
        """Take back what we wrote for a phone that became another's, or nobody's, meanwhile."""
        for row in rows:
            self._tokens.delete(row, observed_before_ms=row.observed_at_ms + 1, registered_by_ms=row.registered_at_ms)

    def _tidy(
        self,
        phone: Phone,
        known: list[Card | StartToken | Marker | Follower],
        listed: list[Card | StartToken],
        report: Report,
        observed_at_ms: int,
        now_ms: int,
    ) -> None:
        """Delete rows that the lists left out, or that a former owner left; push passes over both already."""
        names, at = {_name(row) for row in listed}, shard_of(phone.phone, NAME_SHARDS)
        for row in known:
            if row.owner != phone.owner:
                self._tokens.delete(row, observed_before_ms=observed_at_ms + 1, registered_by_ms=now_ms)
                continue
            moved = isinstance(row, Follower) and report.follows is not None and row.shard != at
            if isinstance(row, Follower) and (row.name not in phone.follows or moved):
                self._tokens.delete(row, observed_before_ms=observed_at_ms, registered_by_ms=now_ms)
            if isinstance(row, Marker | Follower):
                continue
            given = report.cards if isinstance(row, Card) else report.start_tokens
            if given is not None and _name(row) not in names:
                if isinstance(row, Card):
                    # Swiped away while the app was dead, or while the index didn't know the card yet: who can tell?
                    self._note_gone(row, now_ms)
                self._tokens.delete(row, observed_before_ms=observed_at_ms, registered_by_ms=now_ms)

    def _note_gone(self, card: Card, now_ms: int) -> None:
        """Note that the phone had its card of a run, before its row goes: that run doesn't bring it back."""
        activity = None if card.run else self._activities.get(card.activity, now_s=now_ms // 1000)
        run = card.run or (activity.run if activity else 0)
        marker = Marker(card.activity, card.phone, card.owner, run, revision=0, confirmed=True, shard=card.shard)
        self._tokens.note_dismissal(marker, now_s=now_ms // 1000, now_ms=now_ms)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _outdated(phone: Phone | None, user: str, observed_at_ms: int) -> bool:
    return phone is not None and phone.owner != user and phone.observed_at_ms > observed_at_ms


def _card(user: str, phone: str, card: ReportedCard, row: Row | None, observed_at_ms: int, now_ms: int) -> Card:
    """A card that doesn't say which run it is of belongs to the row's run of now; with no row yet, to the first."""
    run = card.run if card.run is not None else (row.run if row else 0)
    shard = shard_of(phone, row.shards if row else 1)
    return Card(card.activity, phone, card.card, user, run, card.token, observed_at_ms, now_ms, shard)


def _catch_up(card: Card) -> Delivery:
    return Delivery(card.activity, Audience.CARDS, phones=(card.phone,))


def _name(row: Card | StartToken) -> tuple[str, ...]:
    return ("card", row.activity, row.card) if isinstance(row, Card) else ("start", row.attributes_type)
