"""Deliveries: leases, handing on, retries, and two functions at once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.channel_items import ChannelItems
from lockstep.channel_keeping import ChannelKeeper
from lockstep.channels_api import Broadcasts, ChannelsApi
from lockstep.deliver import Deliverer
from lockstep.delivery import NAMED_MAX, Audience, Delivery, read_body
from lockstep.followers import Followers
from lockstep.handover import Handover
from lockstep.ids import phone_of
from lockstep.jobs import HOPS_MAX, Invocation, Job
from lockstep.key_source import KeySource
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue
from lockstep.row import Row
from lockstep.sender import Sender
from lockstep.shards import Sharded
from lockstep.single_requests import SingleRequests
from lockstep.slice_items import SliceItems
from lockstep.slices import Slice
from lockstep.starting import Starter
from lockstep.telemetry import Telemetry
from lockstep.tokens import Tokens
from onebox.apns.simulator import Fault
from onebox.stack import BUNDLE_ID, Stack
from tests.committing import committer
from tests.messages import read, sqs, start, update

ORDER = "order-42"


class World:
    """What a Deliverer works with, and a clock that stands still unless told otherwise."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.now_s = time.time()
        self.activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
        self.tokens = Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
        [arn] = stack.aws.secret_arns.values()
        keys = KeySource(stack.aws.secrets, arn, now=self.now)
        self.sender = Sender(
            {Environment.PRODUCTION: stack.apns.production_url, Environment.SANDBOX: stack.apns.sandbox_url},
            bundle_id=BUNDLE_ID,
            ca_file=str(stack.apns.ca_file),
            keys=keys,
            now=self.now,
        )
        self.sender.prepare()
        queue = DeliveryQueue(stack.aws.sqs, stack.aws.queues["DeliveryQueue"])
        telemetry = Telemetry(Logger(service="test"), Metrics(namespace="Test", service="test"))
        slice_queue = DeliveryQueue(stack.aws.sqs, stack.aws.queues["SliceQueue"])
        followers = Followers(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
        self.slices = SliceItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
        starter = Starter(self.tokens, followers, self.slices, queue, now=self.now)
        requests = SingleRequests(ca_file=str(stack.apns.ca_file), keys=keys, now=self.now)
        channels = ChannelKeeper(
            self.activities,
            self.tokens,
            followers,
            ChannelItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"]),
            starter,
            ChannelsApi({}, bundle_id=BUNDLE_ID, requests=requests),
            Broadcasts({}, bundle_id=BUNDLE_ID, requests=requests),
            telemetry,
            page_phones=1000,
            default_environment=Environment.PRODUCTION,
            now=self.now,
        )
        self.deliverer = Deliverer(
            self.activities,
            self.tokens,
            self.slices,
            Handover(self.activities, self.tokens, followers, self.slices, slice_queue, page_phones=1000, now=self.now),
            starter,
            channels,
            queue,
            self.sender,
            telemetry,
            now=self.now,
        )

    def now(self) -> float:
        return self.now_s

    def publish(self, body: dict[str, Any]) -> Row:
        return committer(self.stack, self.now).commit([read(body, at_ms=int(self.now_s * 1000))]).row

    def has_phones(self, count: int, *, cards: bool = True, owner: str = "ana") -> list[str]:
        """Register phones; returns their hashes in order."""
        at_ms = int(self.now_s * 1000)
        phones = sorted(phone_of(f"{owner}-{i}") for i in range(count))
        for phone in phones:
            item = Phone(phone, owner, environment=Environment.PRODUCTION)
            assert self.tokens.replace_phone(None, item, now_s=at_ms // 1000)
            token = self.stack.apns.issue_token(Environment.PRODUCTION)
            if cards:
                assert self.tokens.put_card(Card(ORDER, phone, "c", owner, 0, token, at_ms, at_ms), now_s=at_ms // 1000)
            else:
                row = StartToken(owner, phone, "OrderAttributes", token, at_ms, at_ms)
                assert self.tokens.put_start_token(row, now_s=at_ms // 1000)
        return phones

    def deliver(self, row: Row, delivery: Delivery, *, left_s: float = 30, holder: str = "us") -> Job:
        plan = Plan(delivery, row, default_environment=Environment.PRODUCTION, now_s=self.now_s)
        job = self.deliverer.job(plan, correlation_id="m-1")
        until_ms = int((self.now_s + left_s + 15) * 1000)
        self.deliverer.run([job], Invocation(holder, self.now_s + left_s, until_ms))
        return job

    def queued(self) -> list[Delivery]:
        """Take what was sent to the delivery queue, delayed or not."""
        self.stack.aws.hasten_messages()
        messages = [read_body(message.body) for message in self.stack.queues.look("DeliveryQueue")]
        return [message for message in messages if isinstance(message, Delivery)]

    def row(self) -> Row:
        row = self.activities.get(ORDER, now_s=int(self.now_s))
        assert row is not None
        return row


@pytest.fixture
def world(stack: Stack) -> Any:
    world = World(stack)
    yield world
    world.sender.close()


def taken(world: World) -> list[str]:
    return [push.payload["aps"]["event"] for push in world.stack.apns.pushes if push.status == 200]


def test_an_audience_once_served_owes_nothing(world: World) -> None:
    world.has_phones(3)
    row = world.publish(update())

    job = world.deliver(row, Delivery(ORDER, Audience.CARDS, from_revision=0))

    assert job.error is None
    assert taken(world) == ["update"] * 3
    assert not world.row().owes
    assert not world.queued()


def test_a_catch_up_pushes_to_its_phones_only_and_records_nothing(world: World) -> None:
    phones = world.has_phones(3)
    row = world.publish(update())

    world.deliver(row, Delivery(ORDER, Audience.CARDS, phones=(phones[1],)))

    assert len(taken(world)) == 1
    assert world.row().owes


def test_a_delivery_without_time_hands_the_rest_on_and_does_not_call_the_audience_served(world: World) -> None:
    phones = world.has_phones(3)
    row = world.publish(update())

    job = world.deliver(row, Delivery(ORDER, Audience.ALL, from_revision=0), left_s=-1)

    assert job.error is None
    assert not world.stack.apns.pushes
    assert world.queued() == [Delivery(ORDER, Audience.ALL, first=phones[0], from_revision=0, revision=1, hops=1)]
    assert world.row().owes


def test_what_was_handed_on_serves_the_range_to_its_end(world: World) -> None:
    phones = world.has_phones(4)
    row = world.publish(update())

    world.deliver(row, Delivery(ORDER, Audience.CARDS, first=phones[2], from_revision=0, hops=1))

    assert len(taken(world)) == 2
    assert not world.row().owes


def test_what_was_handed_on_calls_nobody_served_whom_an_earlier_part_brought_less(world: World) -> None:
    """The first part brought revision 1; its rest, taken up later, brings revision 2."""
    phones = world.has_phones(4)
    world.publish(update(minutes=9))
    world.now_s += 1
    second = world.publish(update(minutes=8))

    world.deliver(second, Delivery(ORDER, Audience.CARDS, first=phones[2], from_revision=0, revision=1, hops=1))

    assert world.row().sent_revision == 1
    assert world.row().owes
    assert world.queued() == [Delivery(ORDER)], "and what is owed is seen to"


def test_pushes_do_not_go_out_with_an_old_stamp(world: World) -> None:
    phones = world.has_phones(2)
    row = world.publish(update())
    world.now_s += 20

    world.deliver(row, Delivery(ORDER, Audience.CARDS, from_revision=0))

    assert not world.stack.apns.pushes
    assert world.queued() == [Delivery(ORDER, Audience.CARDS, first=phones[0], from_revision=0, revision=1, hops=1)]


def test_starts_do_not_go_out_with_an_old_stamp(world: World) -> None:
    world.has_phones(1, cards=False)
    row = world.publish(start(ORDER, "ana"))
    world.now_s += 20

    world.deliver(row, Delivery(ORDER, Audience.ALL, from_revision=0))

    assert not world.stack.apns.pushes
    assert world.queued() == [Delivery(ORDER, Audience.STARTS, from_revision=0)]
    assert world.row().owes_starts


def test_what_came_meanwhile_and_nobody_sees_to_is_followed_up(world: World) -> None:
    """Its function died after the commit."""
    world.has_phones(1)
    row = world.publish(update(minutes=9))
    world.now_s += 1
    world.publish(update(minutes=8))

    world.deliver(row, Delivery(ORDER, Audience.CARDS, from_revision=0))

    assert world.row().owes
    assert world.queued() == [Delivery(ORDER)]


def test_a_delivery_handed_on_for_ever_is_a_failure(world: World) -> None:
    world.has_phones(1)
    row = world.publish(update())

    job = world.deliver(row, Delivery(ORDER, Audience.CARDS, hops=HOPS_MAX), left_s=-1)

    assert job.error is not None
    assert not world.queued()


def test_phones_that_wait_are_retried_as_phones_in_groups(world: World) -> None:
    count = NAMED_MAX + 5
    phones = world.has_phones(count)
    world.stack.apns.faults.add(Fault("answer", count=None, status=503, reason="ServiceUnavailable"))
    row = world.publish(update())

    world.deliver(row, Delivery(ORDER, Audience.CARDS, from_revision=0))

    retries = world.queued()
    assert sorted(phone for retry in retries for phone in retry.phones or ()) == phones
    assert {len(retry.phones or ()) for retry in retries} == {NAMED_MAX, 5}
    assert {(retry.attempt, retry.from_revision, retry.audience) for retry in retries} == {(1, 0, Audience.CARDS)}
    assert not world.row().owes, "the retries owe it now"


def test_a_start_is_not_retried_past_its_ten_minutes_nor_an_update_past_its_twelve_hours(world: World) -> None:
    world.has_phones(1, cards=False, owner="ben")
    [shown] = world.has_phones(1)
    world.stack.apns.faults.add(Fault("answer", count=None, status=503, reason="ServiceUnavailable"))
    row = world.publish(start(ORDER, "ana", "ben"))

    world.deliver(row, Delivery(ORDER, Audience.STARTS, attempt=8))
    assert [retry.attempt for retry in world.queued()] == [9]
    world.deliver(row, Delivery(ORDER, Audience.STARTS, attempt=9))
    assert [retry.attempt for retry in world.queued()] == [9]
    old = replace(row, run=int((world.now_s - 12 * 3600 - 1) * 1000))
    world.deliver(old, Delivery(ORDER, Audience.CARDS, phones=(shown,)))
    assert [retry.audience for retry in world.queued()] == [Audience.STARTS]


def test_a_start_leaves_a_confirmed_marker_and_gives_the_lease_back(world: World) -> None:
    [phone] = world.has_phones(1, cards=False)
    row = world.publish(start(ORDER, "ana"))

    world.deliver(row, Delivery(ORDER, Audience.ALL, from_revision=0))

    [[marker]] = world.tokens.of_activity(Sharded.of_activity(ORDER, 1), now_s=int(world.now_s))
    assert marker == Marker(ORDER, phone, "ana", row.run, row.revision, confirmed=True)
    assert not world.row().owes_starts
    now_ms = int(world.now_s * 1000)
    assert isinstance(world.slices.take(ORDER, "", "another", now_ms=now_ms, until_ms=now_ms + 1), Slice)


def test_where_another_holds_the_lease_the_starts_are_looked_at_again_once_it_is_over(world: World) -> None:
    world.has_phones(1, cards=False)
    row = world.publish(start(ORDER, "ana"))
    now_ms = int(world.now_s * 1000)
    assert isinstance(world.slices.take(ORDER, "", "another", now_ms=now_ms, until_ms=now_ms + 65_000), Slice)

    world.deliver(row, Delivery(ORDER, Audience.ALL, from_revision=0))

    assert not world.stack.apns.pushes
    [again] = world.queued()
    assert again == Delivery(ORDER, Audience.STARTS, from_revision=0)
    assert world.row().owes_starts
    world.now_s += 65
    world.deliver(row.stamped(int(world.now_s)), again)
    assert taken(world) == ["start"]
    assert not world.row().owes_starts


def test_a_start_that_apns_did_not_take_leaves_no_marker(world: World) -> None:
    world.has_phones(1, cards=False)
    world.stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable"))
    row = world.publish(start(ORDER, "ana"))

    world.deliver(row, Delivery(ORDER, Audience.STARTS))

    assert not [
        row for page in world.tokens.of_activity(Sharded.of_activity(ORDER, 1), now_s=int(world.now_s)) for row in page
    ]
    [again] = world.queued()
    assert (again.audience, again.attempt) == (Audience.STARTS, 1)


def test_a_start_that_apns_may_have_taken_leaves_an_unconfirmed_marker_and_is_not_sent_again(world: World) -> None:
    world.has_phones(1, cards=False)
    world.stack.apns.faults.add(Fault("reset", taken=True))
    row = world.publish(start(ORDER, "ana"))

    world.deliver(row, Delivery(ORDER, Audience.STARTS))
    world.deliver(row, Delivery(ORDER, Audience.STARTS))

    [[marker]] = world.tokens.of_activity(Sharded.of_activity(ORDER, 1), now_s=int(world.now_s))
    assert isinstance(marker, Marker)
    assert not marker.confirmed
    assert not world.queued()
    assert len(world.stack.apns.pushes) == 1


def test_two_functions_that_start_the_same_phones_at_once_make_one_card_each(stack: Stack) -> None:
    """The same publish from two containers, again and again: SQS delivers at least once."""
    phones = [stack.phones.of(f"user-{i}") for i in range(5)]
    stack.drain(hasten=True)
    containers = [stack.container("PushFunction") for _ in range(2)]
    record = sqs(
        start(ORDER, *(f"user-{i}" for i in range(5))), queue="PublishQueue", sent_at_ms=int(time.time() * 1000)
    )

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda container: container.invoke({"Records": [record]}), containers))
    stack.drain(hasten=True)

    assert answers == [{"batchItemFailures": []}] * 2
    assert [len(phone.starts(ORDER)) for phone in phones] == [1] * 5
    assert [phone.shows(ORDER) for phone in phones] == [json.loads(record["body"])["aps"]["content-state"]] * 5


def test_oversized_together_starts_nobody_but_updates_cards(world: World) -> None:
    world.has_phones(1, cards=False, owner="ben")
    world.has_phones(1)
    world.publish(start(ORDER, "ana", "ben", aps={"attributes": {"text": "x" * 3000}}))
    world.now_s += 1
    row = world.publish(update(aps={"content-state": {"text": "y" * 1500}}))

    job = world.deliver(row, Delivery(ORDER, Audience.ALL, from_revision=0))

    assert job.error is None
    assert taken(world) == ["update"]
