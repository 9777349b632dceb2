"""Every few minutes: closes activities, repeats ends, deletes channels that no activity needs."""

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
from lockstep.aws_clients import CONFIG, dynamodb_client
from lockstep.channel_items import ChannelItems
from lockstep.channels_api import ChannelsApi
from lockstep.errors import Misconfigured
from lockstep.key_source import KeySource
from lockstep.queues import DeliveryQueue, PublishQueue
from lockstep.settings import SweepSettings
from lockstep.single_requests import SingleRequests
from lockstep.sweeping import Sweep
from lockstep.telemetry import Count, Telemetry

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Nothing new is taken up this long before the function would be killed.
RESERVE_S = 15

# Where Lambda starts functions from a snapshot (SnapStart), all would spread their retries by the same numbers.
register_after_restore(random.seed)

settings = SweepSettings.from_env(os.environ)
logger = Logger()
telemetry = Telemetry(logger, Metrics())

dynamodb = dynamodb_client()
sqs = boto3.client("sqs", config=CONFIG)

requests = SingleRequests(
    ca_file=settings.apns_ca_file or certifi.where(),
    keys=KeySource(boto3.client("secretsmanager", config=CONFIG), settings.signing_key_secret, now=time.time),
    now=time.time,
)
sweep = Sweep(
    Activities(dynamodb, settings.activities_table),
    ChannelItems(dynamodb, settings.activities_table),
    ChannelsApi(
        {
            Environment.PRODUCTION: settings.apns_production_channels_url,
            Environment.SANDBOX: settings.apns_sandbox_channels_url,
        },
        bundle_id=settings.bundle_id,
        requests=requests,
    ),
    PublishQueue(sqs, settings.publish_queue_url),
    DeliveryQueue(sqs, settings.delivery_queue_url),
    telemetry,
    sole_owner=settings.sole_channel_owner,
    now=time.time,
)


@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: "LambdaContext") -> None:  # noqa: ARG001  # the clock's event says nothing
    """Look at everything once."""
    left_s = context.get_remaining_time_in_millis() / 1000
    try:
        sweep.run(deadline_s=time.time() + left_s - RESERVE_S)
    except Misconfigured as error:
        telemetry.count(Count.KEY_UNUSABLE)
        logger.error("the signing key is unusable", reason=str(error))
    finally:
        telemetry.flush()
