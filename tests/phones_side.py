"""The register side as tests use it: against moto, with a clock of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.delivery import Audience, Delivery, Forgetting, read_body
from lockstep.followers import Followers
from lockstep.ids import phone_of
from lockstep.models import CardRegistration, Report, StartTokenRegistration
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue
from lockstep.registration import Registration
from lockstep.row import Row
from lockstep.shards import ACTIVITY_SHARDS, Sharded
from lockstep.tokens import Tokens
from onebox.stack import Stack
from tests.committing import committer
from tests.messages import NOW_MS, read

ORDER = "order-42"
TYPE = "OrderAttributes"
DEVICE = "3F2504E0-4F89-41D3-9A0C-0305E82C3301"
PHONE = phone_of(DEVICE)

TOKEN, TOKEN_2, TOKEN_3 = "a1" * 40, "b2" * 40, "c3" * 40
START_TOKEN, START_TOKEN_2 = "d4" * 40, "e5" * 40


class Clock:
    """Unix seconds, as `time.time` says them; moved by hand."""

    def __init__(self, ms: int = NOW_MS) -> None:
        self.ms = ms

    def __call__(self) -> float:
        return self.ms / 1000

    @property
    def s(self) -> int:
        return self.ms // 1000

    def advance(self, seconds: int) -> int:
        """Move on; returns the new time in milliseconds."""
        self.ms += seconds * 1000
        return self.ms


@contextmanager
def hooked(stack: Stack, event: str, act: Callable[..., None]) -> Iterator[None]:
    """Meet the calls to AWS where botocore lets one."""
    emitters = [stack.aws.dynamodb.meta.events, stack.aws.sqs.meta.events]
    for emitter in emitters:
        emitter.register(event, act)
    try:
        yield
    finally:
        for emitter in emitters:
            emitter.unregister(event, act)


class RegisterSide:
    """Registration with what it stands on, and the eyes with which push would see it."""

    def __init__(self, stack: Stack, clock: Clock | None = None) -> None:
        self.stack = stack
        self.clock = clock or Clock()
        self.activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
        self.tokens = Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
        self.queue = DeliveryQueue(stack.aws.sqs, stack.aws.queues["DeliveryQueue"])
        self.followers = Followers(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
        self.registration = Registration(self.activities, self.tokens, self.followers, self.queue, now=self.clock)

    # --- what apps and producers say

    def report(self, user: str = "ana", *, device: str = DEVICE, at_ms: int | None = None, **truth: Any) -> list[Row]:
        said = {"observed_at_ms": at_ms or self.clock.ms, **truth}
        _, rows = self.registration.report(user, device, Report.model_validate(said))
        return rows

    def put_card(
        self, user: str = "ana", card: str = "c-1", *, activity: str = ORDER, device: str = DEVICE, **more: Any
    ) -> None:
        request = CardRegistration.model_validate({"activity": activity, **more})
        self.registration.put_card(user, device, card, request)

    def put_start_token(
        self, user: str = "ana", token: str = START_TOKEN, *, device: str = DEVICE, **more: Any
    ) -> None:
        request = StartTokenRegistration.model_validate({"token": token, **more})
        self.registration.put_start_token(user, device, TYPE, request)

    def publish(self, body: dict[str, Any]) -> Row:
        return committer(self.stack, self.clock).commit([read(body, at_ms=self.clock.ms)]).row

    # --- what is stored

    def cards(self, activity: str = ORDER) -> list[Card]:
        pages = self.tokens.of_activity(Sharded.of_activity(activity, ACTIVITY_SHARDS), now_s=self.clock.s)
        return [row for page in pages for row in page if isinstance(row, Card)]

    def markers(self, activity: str = ORDER) -> list[Marker]:
        pages = self.tokens.of_activity(Sharded.of_activity(activity, ACTIVITY_SHARDS), now_s=self.clock.s)
        return [row for page in pages for row in page if isinstance(row, Marker)]

    def start_tokens(self, user: str = "ana") -> list[StartToken]:
        return self.tokens.start_tokens(user, TYPE, now_s=self.clock.s)

    def phone(self, device: str = DEVICE) -> Phone | None:
        return self.tokens.phones([phone_of(device)]).get(phone_of(device))

    def owners(self) -> set[str]:
        """Return whose rows the table holds."""
        items = self.stack.aws.items(self.stack.aws.tables["TokensTable"])
        return {item["owner"]["S"] for item in items if "owner" in item}

    def pushable(self, row: Row, *users: str) -> set[tuple[str, str]]:
        """Return owner and token of what push would send to, if this row went out to everyone now."""
        delivery = Delivery(row.activity, Audience.ALL, from_revision=0)
        plan = Plan(delivery, row, default_environment=Environment.PRODUCTION, now_s=self.clock())
        cards = self.cards(row.activity)
        start_tokens = [one for user in users for one in self.start_tokens(user)]
        phones = self.tokens.phones([one.phone for one in cards] + [one.phone for one in start_tokens])
        to_cards = ((card, plan.of_card(card, phones.get(card.phone), None)) for card in cards)
        to_start = ((one, plan.of_start(one, phones.get(one.phone))) for one in start_tokens)
        sent = [(card.owner, push) for card, push in to_cards] + [(one.owner, push) for one, push in to_start]
        return {(owner, push.token) for owner, push in sent if push is not None}

    # --- what is queued

    @contextmanager
    def queueing(self) -> Iterator[list[tuple[Delivery | Forgetting, int]]]:
        """Collect what is queued meanwhile, with its delay in seconds."""
        queued: list[tuple[Delivery | Forgetting, int]] = []

        def note(params: dict[str, Any], **_: object) -> None:
            queued.extend((read_body(entry["MessageBody"]), entry["DelaySeconds"]) for entry in params["Entries"])

        with hooked(self.stack, "before-parameter-build.sqs.SendMessageBatch", note):
            yield queued


def catch_up(activity: str = ORDER, phone: str = PHONE) -> tuple[Delivery, int]:
    return Delivery(activity, Audience.CARDS, phones=(phone,)), 0
