"""Each reason for which the APNs simulator refuses a push, from both sides of its limit, and the order of checks."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwt.utils import base64url_decode, base64url_encode

from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.apns_simulator_client import (
    BUNDLE_ID,
    KEY_ID,
    OTHER_KEY_ID,
    TEAM_ID,
    UPDATE,
    RawClient,
    good_headers,
    provider_token,
    public_pem,
    simulator,
)

NOON_S = 1_800_000_000
MINUTE_S = 60


class Clock:
    def __init__(self) -> None:
        self.now_s = float(NOON_S)

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def apple(tmp_path: Path, clock: Clock) -> Iterator[ApnsSimulator]:
    with simulator(tmp_path, now=clock) as apple:
        yield apple


@pytest.fixture
def client(apple: ApnsSimulator) -> Iterator[RawClient]:
    with RawClient(apple.sandbox_url, apple.ca_file) as client:
        yield client


@pytest.fixture
def token(apple: ApnsSimulator) -> str:
    return apple.issue_token(Environment.SANDBOX)


@cache
def bearer(
    *,
    iat: object = NOON_S,
    key_id: str = KEY_ID,
    team: str = TEAM_ID,
    signed_by: str | None = None,
    alg: str = "ES256",
) -> str:
    return "bearer " + provider_token(iat=iat, key_id=key_id, team=team, signed_by=signed_by, alg=alg)


def unsigned(authorization: str) -> str:
    return authorization.rpartition(".")[0]


def der_signed(authorization: str) -> str:
    raw = base64url_decode(authorization.rpartition(".")[2])
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    return f"{unsigned(authorization)}.{base64url_encode(der).decode()}"


def outcome(client: RawClient, token: str, body: bytes = UPDATE, /, **changed: str | None) -> tuple[int, str | None]:
    answer = client.push(token, body, **{"authorization": bearer(), **changed})
    return answer.status, answer.reason


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"path": "/4/device/ab"}, (404, "BadPath")),
        ({"path": "/3/devices/ab"}, (404, "BadPath")),
        ({"path": "/3/device/ab/cd"}, (404, "BadPath")),
        ({"method": "PUT"}, (405, "MethodNotAllowed")),
        ({"path": "/3/device"}, (400, "MissingDeviceToken")),
        ({"path": "/3/device/"}, (400, "MissingDeviceToken")),
        ({"path": "/3/device/nothex"}, (400, "BadDeviceToken")),
        ({"authorization": None}, (403, "MissingProviderToken")),
        ({"authorization": "bearer "}, (403, "MissingProviderToken")),
        ({"authorization": "basic abc"}, (403, "MissingProviderToken")),
        ({"authorization": "bearer abc"}, (403, "InvalidProviderToken")),
        ({"apns_topic": None}, (400, "MissingTopic")),
        ({"apns_topic": "com.example pizza"}, (400, "BadTopic")),
        ({"apns_topic": "com.example.sushi.push-type.liveactivity"}, (400, "TopicDisallowed")),
        ({"apns_topic": f"{BUNDLE_ID}.push-type.liveactivity.push-type.liveactivity"}, (400, "TopicDisallowed")),
        ({"apns_topic": BUNDLE_ID}, (400, "DeviceTokenNotForTopic")),
        ({"apns_push_type": None}, (400, "InvalidPushType")),
        ({"apns_push_type": "alert"}, (400, "InvalidPushType")),
        ({"apns_push_type": "LiveActivity"}, (200, None)),
        ({"apns_id": "not-a-uuid"}, (400, "BadMessageId")),
        ({"apns_expiration": "soon"}, (400, "BadExpirationDate")),
        ({"apns_expiration": "-1"}, (400, "BadExpirationDate")),
        ({"apns_expiration": "1800000600"}, (200, None)),
        ({"apns_expiration": None}, (200, None)),
        ({"apns_priority": "1"}, (200, None)),
        ({"apns_priority": "5"}, (200, None)),
        ({"apns_priority": None}, (200, None)),
        ({"apns_priority": "7"}, (400, "BadPriority")),
        ({"apns_collapse_id": ""}, (400, "BadCollapseId")),
        ({"apns_collapse_id": "c" * 64}, (200, None)),
        ({"apns_collapse_id": "c" * 65}, (400, "BadCollapseId")),
        ({"apns_collapse_id": "é" * 32}, (200, None)),
        ({"apns_collapse_id": "é" * 33}, (400, "BadCollapseId")),
    ],
)
def test_a_request_gets_the_reason_for_what_is_wrong_with_it(
    client: RawClient, token: str, changed: dict[str, str | None], expected: tuple[int, str | None]
) -> None:
    assert outcome(client, token, **changed) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "PayloadEmpty")),
        (b"{}" + b" " * 4094, (200, None)),
        (b"{}" + b" " * 4095, (413, "PayloadTooLarge")),
        (b"{}" + b" " * 20_000, (413, "PayloadTooLarge")),
    ],
)
def test_a_body_has_one_to_4096_bytes(
    client: RawClient, token: str, body: bytes, expected: tuple[int, str | None]
) -> None:
    assert outcome(client, token, body) == expected


def test_a_header_may_not_be_repeated(client: RawClient, token: str) -> None:
    headers = [*good_headers(token, authorization=bearer()), ("apns-priority", "5")]

    stream = client.open(headers)
    client.read_until(lambda: client.is_over(stream))

    assert client.answers[stream].reason == "DuplicateHeaders"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (bearer(), None),
        (bearer().replace("bearer", "Bearer"), None),
        (bearer(iat=NOON_S - 60 * MINUTE_S), None),
        (bearer(iat=NOON_S - 60 * MINUTE_S - 1), "ExpiredProviderToken"),
        (bearer(iat=NOON_S + 60 * MINUTE_S), None),
        (bearer(iat=NOON_S + 60 * MINUTE_S + 1), "InvalidProviderToken"),
        (bearer(iat=NOON_S * 1000), "InvalidProviderToken"),
        (bearer(iat=str(NOON_S)), "InvalidProviderToken"),
        (bearer(iat=NOON_S + 0.5), "InvalidProviderToken"),
        (bearer(team="TEAM999999"), "InvalidProviderToken"),
        (bearer(key_id=OTHER_KEY_ID), "InvalidProviderToken"),
        (bearer(signed_by=OTHER_KEY_ID), "InvalidProviderToken"),
        (bearer(alg="ES512"), "InvalidProviderToken"),
        (der_signed(bearer()), "InvalidProviderToken"),
        (unsigned(bearer()), "InvalidProviderToken"),
        (unsigned(bearer()) + ".", "InvalidProviderToken"),
        (bearer() + "==", "InvalidProviderToken"),
        ("bearer W10.W10.AAAA", "InvalidProviderToken"),
        ("bearer AAAA.AAAA.AAAA", "InvalidProviderToken"),
        ("bearer A.A.A", "InvalidProviderToken"),
    ],
)
def test_a_provider_token_is_checked_whole(
    client: RawClient, token: str, authorization: str, expected: str | None
) -> None:
    answer = client.push(token, authorization=authorization)

    assert (answer.status, answer.reason) == (403 if expected else 200, expected)


def test_a_provider_token_that_was_good_expires(client: RawClient, token: str, clock: Clock) -> None:
    authorization = bearer()
    client.push(token, authorization=authorization)

    clock.now_s += 60 * MINUTE_S
    last = client.push(token, authorization=authorization)
    clock.now_s += 1
    late = client.push(token, authorization=authorization)

    assert last.status == 200
    assert (late.status, late.reason) == (403, "ExpiredProviderToken")


def test_a_connection_takes_a_new_provider_token_every_20_minutes(client: RawClient, token: str, clock: Clock) -> None:
    old, new = bearer(), bearer(iat=NOON_S + 1)
    client.push(token, authorization=old)

    clock.now_s += 20 * MINUTE_S - 1
    early = client.push(token, authorization=new)
    still_old = client.push(token, authorization=old)
    clock.now_s += 1
    in_time = client.push(token, authorization=new)

    assert (early.status, early.reason) == (429, "TooManyProviderTokenUpdates")
    assert (still_old.status, in_time.status) == (200, 200)


def test_the_same_claims_signed_anew_are_a_new_provider_token(client: RawClient, token: str) -> None:
    client.push(token, authorization="bearer " + provider_token(iat=NOON_S))

    answer = client.push(token, authorization="bearer " + provider_token(iat=NOON_S))

    assert answer.reason == "TooManyProviderTokenUpdates"


def test_another_connection_may_bring_another_provider_token(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    client.push(token, authorization=bearer(iat=NOON_S))

    with RawClient(apple.sandbox_url, apple.ca_file) as other:
        answer = other.push(token, authorization=bearer(iat=NOON_S - 1))

    assert answer.status == 200


def test_a_connection_is_bound_to_the_key_of_its_first_accepted_push(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    apple.keys.add(OTHER_KEY_ID, public_pem(OTHER_KEY_ID))
    client.push(token, authorization=bearer())

    bound = client.push(token, authorization=bearer(key_id=OTHER_KEY_ID))
    with RawClient(apple.sandbox_url, apple.ca_file) as other:
        fresh = other.push(token, authorization=bearer(key_id=OTHER_KEY_ID))

    assert (bound.status, bound.reason) == (403, "UnrelatedKeyIdInToken")
    assert fresh.status == 200


def test_a_revoked_key_is_known_no_longer(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    authorization = bearer()
    client.push(token, authorization=authorization)

    apple.keys.revoke(KEY_ID)

    assert client.push(token, authorization=authorization).reason == "InvalidProviderToken"


def test_a_token_of_the_other_environment_is_not_known(apple: ApnsSimulator, client: RawClient) -> None:
    elsewhere = apple.issue_token(Environment.PRODUCTION)

    assert outcome(client, elsewhere) == (400, "BadDeviceToken")


def test_a_token_for_ordinary_pushes_takes_no_live_activity(apple: ApnsSimulator, client: RawClient) -> None:
    ordinary = apple.issue_token(Environment.SANDBOX, kind="alert")

    assert outcome(client, ordinary) == (400, "DeviceTokenNotForTopic")
    assert outcome(client, ordinary, apns_topic=BUNDLE_ID, apns_push_type="alert") == (200, None)


def test_a_dead_token_says_when_it_died_in_milliseconds(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.kill_token(token)

    answer = client.push(token, authorization=bearer())

    assert answer.status == 410
    assert answer.json == {"reason": "Unregistered", "timestamp": NOON_S * 1000}


def test_a_token_can_have_died_at_any_time_for_either_reason(
    apple: ApnsSimulator, client: RawClient, token: str
) -> None:
    apple.kill_token(token, at_ms=1234, reason="ExpiredToken")

    answer = client.push(token, authorization=bearer())

    assert answer.json == {"reason": "ExpiredToken", "timestamp": 1234}


def test_a_dead_token_may_live_again(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.kill_token(token)
    apple.revive_token(token)

    assert outcome(client, token) == (200, None)


def test_what_is_refused_reaches_no_phone(apple: ApnsSimulator, client: RawClient) -> None:
    token = apple.issue_token(Environment.SANDBOX, receive=lambda _: "applied")
    apple.kill_token(token)

    outcome(client, token)

    assert apple.received()[0].verdict is None


def test_the_checks_come_in_apples_order(apple: ApnsSimulator, client: RawClient, token: str) -> None:
    apple.kill_token(token)
    apple.faults.add(Fault("answer", status=429, reason="TooManyRequests"))
    request: dict[str, str | None] = {
        "path": "/2/device/x",
        "method": "GET",
        "authorization": None,
        "apns_topic": None,
        "apns_push_type": None,
        "apns_id": "x",
        "apns_expiration": "x",
        "apns_priority": "x",
        "apns_collapse_id": "",
    }
    reasons = [outcome(client, token, b"", **request)[1]]

    def mend(**mended: str | None) -> None:
        request.update(mended)
        reasons.append(outcome(client, token, b"", **request)[1])

    mend(path="/3/device/" + token)
    mend(method="POST")
    mend(authorization=bearer(team="TEAM999999"))
    mend(authorization=bearer())
    mend(apns_topic=f"{BUNDLE_ID}.push-type.liveactivity")
    mend(apns_push_type="liveactivity")
    mend(apns_id=None)
    mend(apns_expiration="0")
    mend(apns_priority="10")
    mend(apns_collapse_id=None)
    reasons.append(outcome(client, token)[1])
    apple.revive_token(token)
    reasons.append(outcome(client, token)[1])

    assert reasons == [
        "BadPath",
        "MethodNotAllowed",
        "MissingProviderToken",
        "InvalidProviderToken",
        "MissingTopic",
        "InvalidPushType",
        "BadMessageId",
        "BadExpirationDate",
        "BadPriority",
        "BadCollapseId",
        "PayloadEmpty",
        "Unregistered",
        "TooManyRequests",
    ]
