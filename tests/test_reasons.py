"""The table of reasons, row by row, and what is made of a reason that isn't in it."""

import time

import pytest

from lockstep.apns import Environment, Push, Rejected
from lockstep.engine import Engine
from lockstep.provider_token import ProviderToken, SigningKey
from lockstep.reasons import REASONS, Remedy, remedy_for
from onebox.apns.simulator import Fault
from onebox.stack import BUNDLE_ID, Stack

# Apple's table ("Handling notification responses from APNs"), and what we do.
TABLE = [
    (400, "BadCollapseId", Remedy.REFUSE),
    (400, "BadDeviceToken", Remedy.OTHER_ENVIRONMENT),
    (400, "BadExpirationDate", Remedy.REFUSE),
    (400, "BadMessageId", Remedy.REFUSE),
    (400, "BadPriority", Remedy.REFUSE),
    (400, "BadTopic", Remedy.STOP_AND_ALARM),
    (400, "DeviceTokenNotForTopic", Remedy.REFUSE),
    (400, "DuplicateHeaders", Remedy.REFUSE),
    (400, "IdleTimeout", Remedy.RETRY),
    (400, "InvalidPushType", Remedy.REFUSE),
    (400, "MissingDeviceToken", Remedy.REFUSE),
    (400, "MissingTopic", Remedy.REFUSE),
    (400, "PayloadEmpty", Remedy.REFUSE),
    (400, "TopicDisallowed", Remedy.STOP_AND_ALARM),
    (403, "BadCertificate", Remedy.STOP_AND_ALARM),
    (403, "BadCertificateEnvironment", Remedy.STOP_AND_ALARM),
    (403, "ExpiredProviderToken", Remedy.NEW_PROVIDER_TOKEN),
    (403, "Forbidden", Remedy.STOP_AND_ALARM),
    (403, "InvalidProviderToken", Remedy.STOP_AND_ALARM),
    (403, "MissingProviderToken", Remedy.STOP_AND_ALARM),
    (403, "UnrelatedKeyIdInToken", Remedy.RETRY),
    (403, "BadEnvironmentKeyIdInToken", Remedy.STOP_AND_ALARM),
    (403, "BadEnvironmentKeyInToken", Remedy.STOP_AND_ALARM),
    (404, "BadPath", Remedy.REFUSE),
    (405, "MethodNotAllowed", Remedy.REFUSE),
    (410, "ExpiredToken", Remedy.FORGET_TOKEN),
    (410, "Unregistered", Remedy.FORGET_TOKEN),
    (413, "PayloadTooLarge", Remedy.REFUSE),
    (429, "TooManyProviderTokenUpdates", Remedy.RETRY),
    (429, "TooManyRequests", Remedy.RETRY),
    (500, "InternalServerError", Remedy.RETRY),
    (503, "ServiceUnavailable", Remedy.RETRY),
    (503, "Shutdown", Remedy.RETRY),
    # "Handling error responses from APNs", of broadcasts and channels.
    (400, "FeatureNotEnabled", Remedy.STOP_AND_ALARM),
    (400, "MissingChannelId", Remedy.REFUSE),
    (400, "BadChannelId", Remedy.FORGET_CHANNEL),
    (400, "ChannelNotRegistered", Remedy.FORGET_CHANNEL),
    (400, "BadRequestParams", Remedy.REFUSE),
    (400, "BadRequestPayload", Remedy.REFUSE),
    (400, "MissingPushType", Remedy.REFUSE),
    (400, "MissingChannelQueueSize", Remedy.REFUSE),
    (400, "CannotCreateChannelConfig", Remedy.REFUSE),
    (403, "TopicMismatch", Remedy.STOP_AND_ALARM),
    (503, "Service Unavailable", Remedy.RETRY),
]


@pytest.mark.parametrize(("status", "reason", "remedy"), TABLE)
def test_each_reason_has_apples_status_and_our_remedy(status: int, reason: str, remedy: Remedy) -> None:
    assert REASONS[reason].status == status
    assert remedy_for(status, reason) is remedy
    assert REASONS[reason].meaning.endswith(".")


def test_there_is_no_reason_that_apple_does_not_have() -> None:
    assert set(REASONS) == {reason for _, reason, _ in TABLE}


def test_these_reasons_leave_their_connection() -> None:
    assert {name for name, reason in REASONS.items() if reason.reconnects} == {
        "IdleTimeout",
        "Shutdown",
        "ExpiredProviderToken",
        "UnrelatedKeyIdInToken",
        "InvalidProviderToken",
    }


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, Remedy.REFUSE),
        (402, Remedy.REFUSE),
        (403, Remedy.STOP_AND_ALARM),
        (404, Remedy.REFUSE),
        (409, Remedy.REFUSE),
        (410, Remedy.FORGET_TOKEN),
        (411, Remedy.REFUSE),
        (428, Remedy.REFUSE),
        (429, Remedy.RETRY),
        (430, Remedy.REFUSE),
        (499, Remedy.REFUSE),
        (500, Remedy.RETRY),
        (599, Remedy.RETRY),
    ],
)
def test_a_reason_we_do_not_know_is_judged_by_its_status(status: int, remedy: Remedy) -> None:
    assert remedy_for(status, "SomethingNew") is remedy


def test_a_reason_we_know_counts_more_than_its_status() -> None:
    assert remedy_for(400, "Unregistered") is Remedy.FORGET_TOKEN


def test_one_engine_reads_every_reason_back_and_goes_on(stack: Stack) -> None:
    token = ProviderToken(SigningKey.from_json(stack.signing_key.secret()), time.time)
    topic = f"{BUNDLE_ID}.push-type.liveactivity"
    engine = Engine(stack.apns.production_url, topic, token, ca_file=str(stack.apns.ca_file))
    dead_at_ms = 1_800_000_000_123

    outcomes = []
    for status, reason in [*((status, reason) for status, reason, _ in TABLE), (418, "SomethingNew")]:
        push = Push(stack.apns.issue_token(Environment.PRODUCTION), b'{"aps":{}}', 10, 0)
        timestamp_ms = dead_at_ms if status == 410 else None
        # Some are worth a second try: it gets the same answer.
        stack.apns.faults.add(
            Fault("answer", None, token=push.token, status=status, reason=reason, timestamp_ms=timestamp_ms)
        )
        outcomes += [outcome for _, outcome in engine.send([push], deadline_s=time.time() + 10)]
    engine.close()

    assert outcomes == [
        *(Rejected(status, reason, dead_at_ms if status == 410 else None) for status, reason, _ in TABLE),
        Rejected(418, "SomethingNew"),
    ]
    assert [outcome.remedy for outcome in outcomes] == [*(remedy for _, _, remedy in TABLE), Remedy.REFUSE]
