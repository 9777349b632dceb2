"""What APNs refuses of a broadcast. Reasons: Apple's "Handling error responses from APNs"; order as with pushes."""

import base64
import binascii
import re

from lockstep.apns import Environment
from onebox.apns.channels import Channels
from onebox.apns.checks import LIVE_ACTIVITY_SUFFIX, has_good_request_id
from onebox.apns.requests import Refusal, Request

BROADCASTS_PATH = "/4/broadcasts/apps/"

_MAX_BODY_BYTES = 5120
_MAX_CHANNEL_ID_CHARS = 256


def route_refusal(request: Request) -> Refusal | None:
    """Check path and method."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+", request.path.removeprefix(BROADCASTS_PATH)):
        return Refusal(404, "BadPath")
    return None if request.method == "POST" else Refusal(405, "MethodNotAllowed")


def app_refusal(bundle_id: str, ours: str) -> Refusal | None:
    """Check that this team may speak for the app in the path; a suffix is not part of its name."""
    if bundle_id == ours:
        return None
    if bundle_id.endswith(LIVE_ACTIVITY_SUFFIX):
        return Refusal(400, "TopicDisallowed")
    return Refusal(403, "TopicMismatch")


def refusal(request: Request, channels: Channels, environment: Environment) -> Refusal | None:
    """Check headers, body and channel."""
    headers = request.headers
    if not has_good_request_id(request):
        return Refusal(400, "BadMessageId")
    if headers.get("apns-push-type", "").lower() != "liveactivity":
        return Refusal(400, "InvalidPushType")
    if headers.get("apns-priority") not in ("10", "5", "1"):
        return Refusal(400, "BadPriority")
    expiration = headers.get("apns-expiration", "")
    if not re.fullmatch(r"[0-9]+", expiration):
        return Refusal(400, "BadExpirationDate")
    if not request.body:
        return Refusal(400, "PayloadEmpty")
    if len(request.body) > _MAX_BODY_BYTES:
        return Refusal(413, "PayloadTooLarge")
    return channel_refusal(request, channels, environment) or _storage_refusal(request, channels, environment)


def channel_refusal(request: Request, channels: Channels, environment: Environment) -> Refusal | None:
    """Check that the channel which the header names is there."""
    if not channels.enabled:
        return Refusal(400, "FeatureNotEnabled")
    channel = request.headers.get("apns-channel-id", "")
    if not channel:
        return Refusal(400, "MissingChannelId")
    try:
        base64.b64decode(channel, validate=True)
    except binascii.Error:
        return Refusal(400, "BadChannelId")
    if len(channel) > _MAX_CHANNEL_ID_CHARS:
        return Refusal(400, "BadChannelId")
    return None if channels.find(environment, channel) else Refusal(400, "ChannelNotRegistered")


def _storage_refusal(request: Request, channels: Channels, environment: Environment) -> Refusal | None:
    found = channels.find(environment, request.headers["apns-channel-id"])
    keeps_nothing = found is not None and found.storage_policy == 0
    return Refusal(400, "BadExpirationDate") if keeps_nothing and int(request.headers["apns-expiration"]) else None
