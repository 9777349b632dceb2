"""Who is in the stadium: phones that follow the team, and some that don't."""

import random
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from bench.quick_moto import fill, held
from bench.stadium.fan import Fan
from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.dynamodb import Item, text, to_item, write_batch
from lockstep.followers import Followers
from lockstep.models import CardRegistration, Report
from lockstep.phones import Card, Follower, StartToken
from lockstep.queues import DeliveryQueue
from lockstep.registration import Registration
from lockstep.row import Row
from lockstep.shards import ACTIVITY_SHARDS, NAME_SHARDS, shard_of
from lockstep.token_items import card_key, follower_key, phone_key, start_token_key
from lockstep.tokens import Tokens
from onebox.aws import LocalAws

TEAM, ACTIVITY, ATTRIBUTES_TYPE = "team-42", "match-42", "MatchAttributes"

# One of so many: phones of a sandbox build, with iOS 17, and without frequent updates.
_SANDBOX, _IOS_17, _INFREQUENT = 10, 4, 5


class Issuer(Protocol):
    """Whoever makes tokens."""

    def issue(self, environment: Environment, count: int) -> list[str]:
        """Make live tokens."""

    def kill(self, token: str) -> None:
        """Answer 410 for it from now on."""


class Crowd:
    """
    All phones, and what they tell of themselves.

    Attributes:
        fans: Those that follow the team.
        strangers: Those that don't: half of them are still in its index.
        of: By each token that is theirs.
    """

    def __init__(
        self, aws: LocalAws, apple: Issuer, followers: int, dice: random.Random, *, strangers: int, late: int
    ) -> None:
        self._client, self._table = aws.dynamodb, aws.tables["TokensTable"]
        self._apple = apple
        self._activities = Activities(self._client, aws.tables["ActivitiesTable"])
        self._registration = Registration(
            self._activities,
            Tokens(self._client, self._table),
            Followers(self._client, self._table),
            DeliveryQueue(aws.sqs, aws.queues["DeliveryQueue"]),
            now=time.time,
        )
        every = [self._fan(i, dice) for i in range(followers + strangers)]
        for environment in Environment:
            here = [fan for fan in every if fan.environment is environment]
            tokens = apple.issue(environment, 2 * len(here))
            for fan, start_token, token in zip(here, tokens[::2], tokens[1::2], strict=True):
                fan.start_token, fan.token = start_token, token
        self.fans, self.strangers = every[:followers], every[followers:]
        for stranger in self.strangers:
            stranger.follows = False
        for fan in dice.sample(self.fans, late):
            fan.late = True
        self.of = {token: fan for fan in every for token in (fan.start_token, fan.token)}

    def enter(self) -> None:
        """Register everybody: the first by the code that register uses, the others as copies of its items."""
        first, at_ms = self.fans[0], _now_ms()
        self._registration.report(first.owner, first.device, _report(first))
        phone = self._item(phone_key(first.phone))
        follows = self._item(follower_key(_follower(first)))
        start = self._item(start_token_key(_start_token(first, at_ms)))
        items: list[Item] = []
        for fan in (*self.fans, *self.strangers):
            whose = to_item({"device_key": fan.phone, "owner": fan.owner})
            about = to_item(
                {
                    "environment": fan.environment.value,
                    "os_version": fan.os_version,
                    "frequent_updates": fan.frequent_updates,
                }
            )
            said = {**phone, **whose, **about, **phone_key(fan.phone)}
            if not fan.follows:
                said = {name: value for name, value in said.items() if name != "follows"}
            of_start = start_token_key(_start_token(fan, at_ms))
            items += [said, {**start, **whose, **to_item({"token": fan.start_token}), **of_start}]
            if fan.follows or fan.index % 2:
                items.append({**follows, **whose, **follower_key(_follower(fan))})
        fill(self._table, items)

    def show(self, fans: Iterable[Fan], run: int) -> None:
        """
        Register the cards that pushes started, as copies of what the register code writes.

        No catch-up follows: until somebody publishes again it would find that the start carried the row's state.
        """
        wanted = list(fans)
        for alike in ([fan for fan in wanted if fan.channel], [fan for fan in wanted if not fan.channel]):
            if alike:
                self._show(alike, run)

    def _show(self, fans: Sequence[Fan], run: int) -> None:
        self.tell(fans[0], run)
        row = self._activities.get(ACTIVITY, now_s=_now_ms() // 1000)
        shards = row.shards if row else 1
        item, at_ms, items = self._item(card_key(_card(fans[0], shards))), _now_ms(), []
        for fan in fans[1:]:
            token = {} if fan.channel else {"token": fan.token}
            own = to_item({"device_key": fan.phone, "owner": fan.owner, "card": fan.card, **token})
            items.append({**item, **own, **card_key(_card(fan, shards))})
            fan.registered = True
            if not fan.channel:
                fan.told_ms[fan.token] = at_ms
        write_batch(self._client, self._table, [{"PutRequest": {"Item": one}} for one in items])

    def tell(self, fan: Fan, run: int) -> None:
        """Register a card, its token with its catch-up: all of it by the register code."""
        request = {"activity": ACTIVITY, "run": run, "token": fan.card_token, "observed_at_ms": _now_ms()}
        fan.registered = True
        if not fan.channel:
            fan.told_ms[fan.token] = _now_ms()
        self._registration.put_card(fan.owner, fan.device, fan.card, CardRegistration.model_validate(request))

    def open_app(self, fan: Fan) -> None:
        """Report; where the answer says that an activity runs which no push started here, start it and say so."""
        _, rows = self._registration.report(fan.owner, fan.device, _report(fan))
        for row in rows:
            if row.activity == ACTIVITY and not fan.registered:
                named = row.channel(fan.environment)
                fan.channel = named.id if named and fan.takes_channels else ""
                fan.started_itself, fan.started_ms = (_state_of(row), row.timestamp_s), _now_ms()
                self.tell(fan, row.run)

    def rotate(self, fan: Fan, run: int) -> None:
        """Give a card another token, as iOS does now and then; the former one dies."""
        former, [fan.token] = fan.token, self._apple.issue(fan.environment, 1)
        self.of[fan.token] = fan
        self.tell(fan, run)
        self._apple.kill(former)

    def remove_app(self, fan: Fan) -> None:
        """Let Apple call all its tokens dead."""
        fan.gone_ms = _now_ms()
        for token in (fan.start_token, fan.token):
            self._apple.kill(token)

    def has_card(self, fan: Fan) -> bool:
        """Say whether a card's row is there, with the token that it should have."""
        stored = (held(self._table, card_key(_card(fan, shards))) for shards in (ACTIVITY_SHARDS, 1))
        return [text(item, "token") for item in stored if item][:1] == [fan.card_token]

    def stored_start_token(self, fan: Fan) -> str | None:
        """Read the start token that a phone's row has now."""
        return text(held(self._table, start_token_key(_start_token(fan, 0))), "token")

    def _fan(self, index: int, dice: random.Random) -> Fan:
        environment = Environment.PRODUCTION if dice.randrange(_SANDBOX) else Environment.SANDBOX
        os_version = "18.2" if dice.randrange(_IOS_17) else "17.6"
        return Fan(index, environment, os_version, bool(dice.randrange(_INFREQUENT)), "", "")

    def _item(self, key: Item) -> dict[str, Any]:
        return dict(self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))


def _report(fan: Fan) -> Report:
    return Report.model_validate(
        {
            "observed_at_ms": _now_ms(),
            "environment": fan.environment.value,
            "os_version": fan.os_version,
            "frequent_updates": fan.frequent_updates,
            "follows": [TEAM] if fan.follows else [],
            "start_tokens": [{"attributes_type": ATTRIBUTES_TYPE, "token": fan.start_token}],
        }
    )


def _start_token(fan: Fan, at_ms: int) -> StartToken:
    return StartToken(fan.owner, fan.phone, ATTRIBUTES_TYPE, fan.start_token, at_ms, at_ms)


def _card(fan: Fan, shards: int) -> Card:
    return Card(ACTIVITY, fan.phone, fan.card, fan.owner, 0, None, 0, 0, shard_of(fan.phone, shards))


def _follower(fan: Fan) -> Follower:
    return Follower(TEAM, fan.phone, fan.owner, 0, 0, shard_of(fan.phone, NAME_SHARDS))


def _state_of(row: Row) -> int:
    state: Any = row.registers.state.value if row.registers.state else {}
    return int(state["content-state"]["state"])


def _now_ms() -> int:
    return int(time.time() * 1000)
