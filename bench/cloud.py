"""moto with the template's tables and queues, and phones in them."""

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.cold_environment import SCHEMAS
from bench.kept_alive import kept_alive
from bench.quick_moto import fill
from bench.worker import MeasurementFailed
from lockstep.activities import Activities
from lockstep.apns import Environment, Push
from lockstep.delivery import Audience, Delivery
from lockstep.dynamodb import Item, to_item
from lockstep.ids import phone_of
from lockstep.phones import Card, Phone
from lockstep.plan import Plan
from lockstep.token_items import card_key, phone_key
from lockstep.tokens import Tokens
from onebox import ROOT
from onebox.aws import ENVIRONMENT, REGION, LocalAws
from onebox.event_source import EventSource
from onebox.lambda_runtime import Invocable
from onebox.signing_key import LocalSigningKey
from onebox.stack import PARAMETERS, running
from onebox.template import FunctionSpec, QueueSource, Template

PUSH = "PushFunction"
PUBLISH_QUEUE = "PublishQueue"


@dataclass(frozen=True, slots=True)
class Cloud:
    """
    A deployed stack without its functions.

    Attributes:
        url: Where AWS is to the function.
        push: The push function, as the template says it.
        variables: Its environment, which still leads to Apple's hosts.
        sources: What feeds it, by queue.
        arns: Of these queues.
    """

    aws: LocalAws
    url: str
    key: LocalSigningKey
    push: FunctionSpec
    variables: Mapping[str, str | int]
    sources: Mapping[str, QueueSource]
    arns: Mapping[str, str]

    def environment(
        self,
        *,
        apns_url: str,
        ca_file: str,
        sandbox_url: str | None = None,
        channels_urls: Mapping[Environment, str] | None = None,
    ) -> dict[str, str | None]:
        """Return what push's process needs, with this APNs in place of Apple's."""
        here = {"AWS_ENDPOINT_URL": self.url, "APNS_PRODUCTION_URL": apns_url, "APNS_CA_FILE": ca_file}
        here["SCHEMAS_FOLDER"] = str(SCHEMAS)
        if sandbox_url is not None:
            here["APNS_SANDBOX_URL"] = sandbox_url
        for environment, url in (channels_urls or {}).items():
            here[f"APNS_{environment.name}_CHANNELS_URL"] = url
        runtime = {"AWS_SAM_LOCAL": "true", "AWS_LAMBDA_FUNCTION_NAME": PUSH}
        return {**ENVIRONMENT, **runtime, **{name: str(value) for name, value in self.variables.items()}, **here}

    def source(self, queue: str, function: Invocable) -> EventSource:
        """Feed a function from a queue, as the template says."""
        said = self.sources[queue]
        return EventSource(
            self.aws.sqs,
            self.aws.queues[queue],
            function,
            queue_arn=self.arns[queue],
            batch_size=said.batch_size,
            reports_failures=said.reports_failures,
            region=REGION,
        )

    def publish(
        self, activities: Sequence[str], minutes: int, state: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Make the event of an update to each activity, as SQS would hand it over now, with a short state or this one."""
        sent_at_ms = int(time.time() * 1000)
        return {
            "Records": [
                {
                    "messageId": f"m-{i}",
                    "receiptHandle": f"receipt of m-{i}",
                    "body": json.dumps(_update(activity, state or _short(minutes))),
                    "attributes": {"SentTimestamp": str(sent_at_ms), "ApproximateReceiveCount": "1"},
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self.arns[PUBLISH_QUEUE],
                    "awsRegion": REGION,
                }
                for i, activity in enumerate(activities)
            ]
        }

    def push_to(self, card: Card) -> Push:
        """Return the push that brings a card up to date with its row as it is."""
        row = Activities(self.aws.dynamodb, self.aws.tables["ActivitiesTable"]).get(card.activity, now_s=0)
        if row is None:
            raise MeasurementFailed(f"{card.activity} has no row")
        delivery = Delivery(card.activity, Audience.CARDS, from_revision=0)
        plan = Plan(delivery, row, default_environment=Environment.PRODUCTION, now_s=row.timestamp_s)
        push = plan.of_card(card, phone_under(card), None)
        if push is None:
            raise MeasurementFailed(f"{card.activity} has nothing to say")
        return push

    def register(self, cards: Sequence[Card]) -> None:
        """
        Store cards and their phones.

        The code that register uses writes the first; the others are copies of its items, each with a phone and token of
        its own.
        """
        client, table = self.aws.dynamodb, self.aws.tables["TokensTable"]
        tokens, first, now_s = Tokens(client, table), cards[0], int(time.time())
        tokens.replace_phone(None, phone_under(first), now_s=now_s)
        tokens.put_card(first, now_s=now_s)
        tokens.caught_up(first)
        phone = client.get_item(TableName=table, Key=phone_key(first.phone))["Item"]
        card = client.get_item(TableName=table, Key=card_key(first))["Item"]
        items: list[Item] = []
        for one in cards:
            own = to_item({"device_key": one.phone, "owner": one.owner})
            named = to_item({"activity": one.activity, "card": one.card, "token": one.token})
            items += [{**phone, **own, **phone_key(one.phone)}, {**card, **own, **named, **card_key(one)}]
        fill(table, items)


def cards_of(activity: str, count: int) -> list[Card]:
    """Make cards of an activity: each on a phone of its own, with a token as long as iOS's."""
    now_ms = int(time.time() * 1000)
    return [
        Card(
            activity,
            phone_of(f"{activity}, device {i}"),
            f"card-{i}",
            f"{activity}, user {i}",
            run=0,
            token=secrets.token_hex(80),
            observed_at_ms=now_ms,
            registered_at_ms=now_ms,
        )
        for i in range(count)
    ]


def phone_under(card: Card) -> Phone:
    """Make the phone of a card, as one that has reported itself."""
    at_ms = card.observed_at_ms
    return Phone(card.phone, card.owner, Environment.PRODUCTION, "18.2", frequent_updates=True, observed_at_ms=at_ms)


@contextmanager
def deployed() -> Iterator[Cloud]:
    """Run moto in this process, with the template in it."""
    template, aws, key = Template.load(ROOT / "template.yaml", region=REGION), LocalAws(), LocalSigningKey.fresh()
    [push] = [spec for spec in template.functions if spec.logical_id == PUSH]
    sources = {source.queue: source for source in template.queue_sources()}
    with running(aws):
        resolved = aws.deploy(
            template,
            parameters=PARAMETERS,
            secret=key.secret(),
            expressions={"variables": push.environment}
            | {source.queue: {"Fn::GetAtt": [source.queue, "Arn"]} for source in sources.values()},
        )
        with kept_alive(aws.url) as url:
            yield Cloud(aws, url, key, push, resolved["variables"], sources, {name: resolved[name] for name in sources})


def _short(minutes: int) -> dict[str, object]:
    return {"driver": "Ana", "minutes": minutes, "stage": "on its way"}


def _update(activity: str, state: Mapping[str, object]) -> dict[str, Any]:
    return {"activity": activity, "aps": {"event": "update", "content-state": state}}
