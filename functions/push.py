"""SQS-triggered: publishes and deliveries in, pushes to APNs out."""

import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
import certifi
from aws_lambda_powertools import Logger, Metrics
from snapshot_restore_py import register_after_restore

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.aws_clients import CONFIG, CONNECT_TIMEOUT_S, READ_TIMEOUT_S, dynamodb_client
from lockstep.aws_transport import CurlTransport
from lockstep.batch import Batch
from lockstep.channel_items import ChannelItems
from lockstep.channel_keeping import ChannelKeeper
from lockstep.channels_api import Broadcasts, ChannelsApi
from lockstep.commit import Committer
from lockstep.deliver import Deliverer
from lockstep.delivery import Delivery
from lockstep.envelope import SqsRecord
from lockstep.followers import Followers
from lockstep.handover import Handover
from lockstep.jobs import Invocation
from lockstep.key_source import KeySource
from lockstep.pace import Pace
from lockstep.plan import Plan
from lockstep.queues import DeliveryQueue, SourceQueue
from lockstep.returns import Returns
from lockstep.row import Row
from lockstep.schemas import Schemas
from lockstep.sender import Sender
from lockstep.settings import PushSettings
from lockstep.single_requests import SingleRequests
from lockstep.slice_items import SliceItems
from lockstep.slicing import Slicer
from lockstep.starting import Starter
from lockstep.telemetry import Telemetry
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lockstep.event_bus import EventBus

# Nothing new is taken up this long before the function would be killed.
RESERVE_S = 10

# A lease outlives the function that took it by this much, so that its holder is dead before another takes it.
LEASE_MARGIN_S = 5

# Where Lambda starts functions from a snapshot (SnapStart), all would spread their retries by the same numbers.
register_after_restore(random.seed)

settings = PushSettings.from_env(os.environ)
logger = Logger()
telemetry = Telemetry(logger, Metrics())
schemas = Schemas.from_folder(settings.schemas_folder)

bus: "EventBus | None" = None
if settings.event_bus_name is not None:
    # Only a stack that tells of outcomes pays for this.
    from lockstep.event_bus import open_bus

    bus = open_bus(settings.event_bus_name, telemetry, stack=settings.stack_arn)

dynamodb = dynamodb_client()
CurlTransport(
    ca_file=certifi.where(), connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S, now=time.time
).carry(dynamodb)
sqs = boto3.client("sqs", config=CONFIG)

activities = Activities(dynamodb, settings.activities_table)
tokens = Tokens(dynamodb, settings.tokens_table)
followers = Followers(dynamodb, settings.tokens_table)
slices = SliceItems(dynamodb, settings.activities_table)
delivery_queue = DeliveryQueue(sqs, settings.delivery_queue_url)
slice_queue = DeliveryQueue(sqs, settings.slice_queue_url)
keys = KeySource(boto3.client("secretsmanager", config=CONFIG), settings.signing_key_secret, now=time.time)
ca_file = settings.apns_ca_file or certifi.where()
requests = SingleRequests(ca_file=ca_file, keys=keys, now=time.time)
push_urls = {Environment.PRODUCTION: settings.apns_production_url, Environment.SANDBOX: settings.apns_sandbox_url}
sender = Sender(
    push_urls,
    bundle_id=settings.bundle_id,
    ca_file=ca_file,
    keys=keys,
    now=time.time,
)
committer = Committer(
    activities,
    delivery_queue,
    Pace(min_interval_ms=settings.min_update_interval_s * 1000, priority_budget=settings.priority_budget),
    schemas,
    now=time.time,
)
starter = Starter(tokens, followers, slices, delivery_queue, now=time.time)
channels = ChannelKeeper(
    activities,
    tokens,
    followers,
    ChannelItems(dynamodb, settings.activities_table),
    starter,
    ChannelsApi(
        {
            Environment.PRODUCTION: settings.apns_production_channels_url,
            Environment.SANDBOX: settings.apns_sandbox_channels_url,
        },
        bundle_id=settings.bundle_id,
        requests=requests,
    ),
    Broadcasts(push_urls, bundle_id=settings.bundle_id, requests=requests),
    telemetry,
    page_phones=settings.page_phones,
    default_environment=settings.apns_environment,
    now=time.time,
)
deliverer = Deliverer(
    activities,
    tokens,
    slices,
    Handover(activities, tokens, followers, slices, slice_queue, page_phones=settings.page_phones, now=time.time),
    starter,
    channels,
    delivery_queue,
    sender,
    telemetry,
    now=time.time,
    bus=bus,
)


def plan(delivery: Delivery, row: Row) -> Plan:
    """Plan a delivery as this stack is set up."""
    return Plan(
        delivery,
        row,
        default_environment=settings.apns_environment,
        now_s=time.time(),
        guests_required=settings.guests_required,
    )


batch = Batch(
    committer,
    tokens,
    Returns(
        SourceQueue(sqs, settings.publish_queue_url, settings.publish_dead_letter_queue_url),
        [
            SourceQueue(sqs, settings.delivery_queue_url, settings.delivery_dead_letter_queue_url),
            SourceQueue(sqs, settings.slice_queue_url, settings.slice_dead_letter_queue_url),
        ],
        telemetry,
        now=time.time,
    ),
    sender,
    deliverer,
    Slicer(
        committer,
        tokens,
        followers,
        slices,
        slice_queue,
        starter,
        deliverer,
        page_phones=settings.page_phones,
        slice_phones=settings.slice_phones,
        plan=plan,
        now=time.time,
        bus=bus,
    ),
    telemetry,
    schemas,
    plan=plan,
    guests_required=settings.guests_required,
    now=time.time,
    bus=bus,
)


@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, list[dict[str, str]]]:
    """Handle a batch; name the messages that SQS must deliver again."""
    left_s = context.get_remaining_time_in_millis() / 1000
    now = time.time()
    invocation = Invocation(
        context.aws_request_id,
        deadline_s=now + left_s - RESERVE_S,
        lease_until_ms=int((now + left_s + LEASE_MARGIN_S) * 1000),
    )
    failed = batch.handle(map(SqsRecord.of, event["Records"]), invocation)
    if bus is not None:
        bus.flush(end_s=now + left_s)
    telemetry.flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
