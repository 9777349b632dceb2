"""
The one table of APNs' reasons and what each asks for.

Statuses and meanings are Apple's ("Handling notification responses from APNs"; of broadcasts and channels "Handling error
responses from APNs"); remedies are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Remedy(Enum):
    """What an outcome asks for."""

    NONE = "none"
    RETRY = "retry"
    FORGET_TOKEN = "forget the token"
    FORGET_CHANNEL = "forget the channel"
    OTHER_ENVIRONMENT = "other environment"
    NEW_PROVIDER_TOKEN = "new provider token"
    REFUSE = "refuse"
    STOP_AND_ALARM = "stop and alarm"


@dataclass(frozen=True, slots=True)
class Reason:
    """
    A row of the table.

    Attributes:
        reconnects: Whether the connection that brought it must not be used again.
    """

    status: int
    meaning: str
    remedy: Remedy
    reconnects: bool = False


_REFUSE, _RETRY, _STOP = Remedy.REFUSE, Remedy.RETRY, Remedy.STOP_AND_ALARM

REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "BadCollapseId": Reason(400, "The collapse identifier exceeds the maximum allowed size.", _REFUSE),
        # A good token of the other environment gets this too: whether to forget it depends on what the phone said.
        "BadDeviceToken": Reason(
            400, "The device token is invalid or of the other environment.", Remedy.OTHER_ENVIRONMENT
        ),
        "BadExpirationDate": Reason(400, "The apns-expiration value is invalid.", _REFUSE),
        "BadMessageId": Reason(400, "The apns-id value is invalid.", _REFUSE),
        "BadPriority": Reason(400, "The apns-priority value is invalid.", _REFUSE),
        "BadTopic": Reason(400, "The apns-topic value is invalid.", _STOP),
        # May be a good token under the wrong topic: a wrong BundleId must not delete every token there is.
        "DeviceTokenNotForTopic": Reason(400, "The device token doesn't match the specified topic.", _REFUSE),
        "DuplicateHeaders": Reason(400, "One or more headers are repeated.", _REFUSE),
        "IdleTimeout": Reason(400, "Idle timeout.", _RETRY, reconnects=True),
        "InvalidPushType": Reason(400, "The apns-push-type value is invalid.", _REFUSE),
        "MissingDeviceToken": Reason(400, "The device token isn't specified in the request path.", _REFUSE),
        "MissingTopic": Reason(400, "The apns-topic header is missing and required.", _REFUSE),
        "PayloadEmpty": Reason(400, "The message payload is empty.", _REFUSE),
        "TopicDisallowed": Reason(400, "Pushing to this topic is not allowed.", _STOP),
        "BadCertificate": Reason(403, "The certificate is invalid.", _STOP),
        "BadCertificateEnvironment": Reason(403, "The client certificate doesn't match the environment.", _STOP),
        "ExpiredProviderToken": Reason(403, "The provider token is stale.", Remedy.NEW_PROVIDER_TOKEN, reconnects=True),
        "Forbidden": Reason(403, "The specified action is not allowed.", _STOP),
        "InvalidProviderToken": Reason(403, "The provider token is not valid.", _STOP, reconnects=True),
        "MissingProviderToken": Reason(403, "No provider certificate or token was given.", _STOP),
        "UnrelatedKeyIdInToken": Reason(
            403, "The key is unrelated to the connection's first.", _RETRY, reconnects=True
        ),
        # Documented with Id, seen in the wild without it.
        "BadEnvironmentKeyIdInToken": Reason(403, "The key is for the other environment.", _STOP),
        "BadEnvironmentKeyInToken": Reason(403, "The key is for the other environment.", _STOP),
        "BadPath": Reason(404, "The request contained an invalid :path value.", _REFUSE),
        "MethodNotAllowed": Reason(405, "The specified :method value isn't POST.", _REFUSE),
        "ExpiredToken": Reason(410, "The device token has expired.", Remedy.FORGET_TOKEN),
        "Unregistered": Reason(410, "The device token is inactive for the specified topic.", Remedy.FORGET_TOKEN),
        "PayloadTooLarge": Reason(413, "The message payload is too large.", _REFUSE),
        "TooManyProviderTokenUpdates": Reason(429, "The provider token is being updated too often.", _RETRY),
        "TooManyRequests": Reason(429, "Too many requests were made consecutively to the same device token.", _RETRY),
        "InternalServerError": Reason(500, "An internal server error occurred.", _RETRY),
        "ServiceUnavailable": Reason(503, "The service is unavailable.", _RETRY),
        # As Apple's table of broadcasts has it.
        "Service Unavailable": Reason(503, "The service is unavailable.", _RETRY),
        "Shutdown": Reason(503, "The APNs server is shutting down.", _RETRY, reconnects=True),
        # Broadcasts and channels.
        "FeatureNotEnabled": Reason(400, "Broadcast is not enabled for the topic.", _STOP),
        "MissingChannelId": Reason(400, "The apns-channel-id header is missing.", _REFUSE),
        "BadChannelId": Reason(400, "The channel id is wrongly encoded or too long.", Remedy.FORGET_CHANNEL),
        "ChannelNotRegistered": Reason(400, "The channel doesn't exist.", Remedy.FORGET_CHANNEL),
        "BadRequestParams": Reason(400, "The request has an unknown attribute.", _REFUSE),
        "BadRequestPayload": Reason(400, "The request is not the JSON that it should be.", _REFUSE),
        "MissingPushType": Reason(400, "The push-type attribute is missing.", _REFUSE),
        # Not Apple's; seen where message-storage-policy is absent or invalid.
        "MissingChannelQueueSize": Reason(400, "The message storage policy is missing.", _REFUSE),
        "CannotCreateChannelConfig": Reason(400, "The app has as many channels as it may have.", _REFUSE),
        "TopicMismatch": Reason(403, "The bundle id in the path is not the token's.", _STOP),
    }
)


def remedy_for(status: int, reason: str) -> Remedy:
    """Say what to do next: by the reason where we know it, else by the status."""
    known = REASONS.get(reason)
    if known is not None:
        return known.remedy
    if status == 429 or status >= 500:
        return Remedy.RETRY
    if status == 410:
        return Remedy.FORGET_TOKEN
    if status == 403:
        return Remedy.STOP_AND_ALARM
    return Remedy.REFUSE
