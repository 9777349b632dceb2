"""What APNs refuses before it looks for the device. Reasons: Apple's "Handling notification responses from APNs"."""

import logging
import re

from onebox.apns.requests import DEVICE_PATH, Refusal, Request

LIVE_ACTIVITY_SUFFIX = ".push-type.liveactivity"

_LOG = logging.getLogger(__name__)
_MAX_BODY_BYTES = 4096
_MAX_COLLAPSE_ID_BYTES = 64
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TOPIC = re.compile(r"[A-Za-z0-9.-]+")
_PUSH_TYPES = frozenset(
    {
        "alert",
        "background",
        "complication",
        "controls",
        "fileprovider",
        "liveactivity",
        "location",
        "mdm",
        "pushtotalk",
        "voip",
        "widgets",
    }
)


def route_refusal(request: Request) -> Refusal | None:
    """Check path and method. A path without a token is refused later: authentication comes first."""
    below = request.path.removeprefix(DEVICE_PATH)
    if not request.path.startswith(DEVICE_PATH) or (below and not below.startswith("/")) or "/" in below[1:]:
        return Refusal(404, "BadPath")
    return None if request.method == "POST" else Refusal(405, "MethodNotAllowed")


def topic_refusal(request: Request, bundle_id: str) -> Refusal | None:
    """Check that this team may push to the topic."""
    topic = request.headers.get("apns-topic", "")
    if not topic:
        return Refusal(400, "MissingTopic")
    if not _TOPIC.fullmatch(topic):
        return Refusal(400, "BadTopic")
    if topic not in (bundle_id, bundle_id + LIVE_ACTIVITY_SUFFIX):
        return Refusal(400, "TopicDisallowed")
    return None


def header_refusal(request: Request) -> Refusal | None:
    """Check how the headers are written."""
    headers = request.headers
    if request.repeats_header:
        return Refusal(400, "DuplicateHeaders")
    if not _push_type_fits(headers.get("apns-push-type", ""), headers.get("apns-topic", "")):
        return Refusal(400, "InvalidPushType")
    if not has_good_id(request):
        return Refusal(400, "BadMessageId")
    if not re.fullmatch(r"[0-9]+", headers.get("apns-expiration", "0")):
        return Refusal(400, "BadExpirationDate")
    if headers.get("apns-priority", "10") not in ("10", "5", "1"):
        return Refusal(400, "BadPriority")
    if not 1 <= len(headers.get("apns-collapse-id", "none").encode()) <= _MAX_COLLAPSE_ID_BYTES:
        return Refusal(400, "BadCollapseId")
    return None


def body_refusal(request: Request) -> Refusal | None:
    """Check the size of the body. What it says is the phone's affair: Apple answers 200 to nonsense."""
    if not request.body:
        return Refusal(400, "PayloadEmpty")
    return None if len(request.body) <= _MAX_BODY_BYTES else Refusal(413, "PayloadTooLarge")


def has_good_id(request: Request) -> bool:
    """Whether its apns-id is absent or a UUID, so that an answer can repeat it."""
    apns_id = request.headers.get("apns-id")
    return apns_id is None or _UUID.fullmatch(apns_id) is not None


def has_good_request_id(request: Request) -> bool:
    """The same of the id that broadcasts and the management of channels take."""
    request_id = request.headers.get("apns-request-id")
    return request_id is None or _UUID.fullmatch(request_id) is not None


def _push_type_fits(push_type: str, topic: str) -> bool:
    if push_type != push_type.lower():
        _LOG.warning("apns-push-type %r: Apple writes it in lower case", push_type)
    if topic.endswith(LIVE_ACTIVITY_SUFFIX):
        return push_type.lower() == "liveactivity"
    return push_type.lower() in _PUSH_TYPES
