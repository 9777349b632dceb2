"""The simulator's channels: what Apple's pages say of their management and of broadcasts, over the wire."""

import base64
import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from lockstep.apns import Environment
from onebox.apns.faults import Place
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.apns_simulator_client import BUNDLE_ID, UPDATE, provider_token, simulator, token_of_now

PRODUCTION, SANDBOX = Environment.PRODUCTION, Environment.SANDBOX
LATEST = {"message-storage-policy": 1, "push-type": "LiveActivity"}
FREQUENT = {**LATEST, "message-storage-policy": 0}
UNKNOWN = base64.b64encode(bytes(16)).decode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApnsSimulator]:
    with simulator(tmp_path_factory.mktemp("apns")) as running:
        yield running


@pytest.fixture
def apple(running: ApnsSimulator) -> ApnsSimulator:
    running.faults.clear()
    running.clear()
    running.channels.clear()
    return running


@pytest.fixture
def ask(apple: ApnsSimulator) -> Iterator[Callable[..., httpx.Response]]:
    context = ssl.create_default_context(cafile=str(apple.ca_file))
    with httpx.Client(http1=False, http2=True, verify=context) as client:

        def ask(
            method: str,
            path: str,
            body: object = b"",
            *,
            on: str = "channels",
            environment: Environment = PRODUCTION,
            **headers: str | None,
        ) -> httpx.Response:
            push_url = apple.production_url if environment is PRODUCTION else apple.sandbox_url
            url = apple.channels_url(environment) if on == "channels" else push_url
            said = {"authorization": f"bearer {token_of_now()}"} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            given = {name: value for name, value in said.items() if value is not None}
            return client.request(method, f"{url}{path}", headers=given, content=content or None)

        yield ask


CHANNELS = f"/1/apps/{BUNDLE_ID}/channels"
EVERY = f"/1/apps/{BUNDLE_ID}/all-channels"
BROADCASTS = f"/4/broadcasts/apps/{BUNDLE_ID}"


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def made(ask: Callable[..., httpx.Response], policy: dict[str, Any] = FREQUENT, **more: Any) -> str:
    answer = ask("POST", CHANNELS, policy, **more)
    assert answer.status_code == 201, answer.text
    return answer.headers["apns-channel-id"]


def say(
    ask: Callable[..., httpx.Response], channel: str | None, body: bytes = UPDATE, **changed: Any
) -> httpx.Response:
    headers = {
        "apns_channel_id": channel,
        "apns_push_type": "liveactivity",
        "apns_priority": "10",
        "apns_expiration": "0",
    }
    return ask("POST", BROADCASTS, body, on="push", **{**headers, **changed})


def into(pushes: list[ReceivedPush]) -> Callable[[ReceivedPush], str]:
    """Make a subscriber that keeps what it hears."""

    def receive(push: ReceivedPush) -> str:
        pushes.append(push)
        return "applied"

    return receive


# --- management


def test_a_channel_is_made_read_listed_and_deleted(ask: Callable[..., httpx.Response]) -> None:
    created = ask("POST", CHANNELS, LATEST, apns_request_id="7f1f5b4c-0d4e-4c0a-8d4b-2b7a7c8f1a11")
    channel = created.headers["apns-channel-id"]

    assert (created.status_code, created.content) == (201, b"")
    assert created.headers["apns-request-id"] == "7f1f5b4c-0d4e-4c0a-8d4b-2b7a7c8f1a11"
    assert len(base64.b64decode(channel, validate=True)) == 16
    read = ask("GET", CHANNELS, apns_channel_id=channel)
    assert (read.status_code, read.json()) == (200, LATEST)
    assert ask("GET", EVERY).json() == {"channels": [channel]}
    deleted = ask("DELETE", CHANNELS, apns_channel_id=channel)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert ask("GET", EVERY).json() == {"channels": []}
    assert reason(ask("DELETE", CHANNELS, apns_channel_id=channel)) == (400, "ChannelNotRegistered")


def test_environments_know_nothing_of_each_others_channels(ask: Callable[..., httpx.Response]) -> None:
    channel = made(ask)

    assert ask("GET", EVERY, environment=SANDBOX).json() == {"channels": []}
    assert reason(ask("GET", CHANNELS, environment=SANDBOX, apns_channel_id=channel)) == (400, "ChannelNotRegistered")
    assert reason(say(ask, channel, environment=SANDBOX)) == (400, "ChannelNotRegistered")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "BadRequestPayload"),
        ([], "BadRequestPayload"),
        ({**LATEST, "name": "match-7"}, "BadRequestParams"),
        ({"message-storage-policy": 1}, "MissingPushType"),
        ({**LATEST, "push-type": "liveactivity"}, "InvalidPushType"),
        ({"push-type": "LiveActivity"}, "MissingChannelQueueSize"),
        ({**LATEST, "message-storage-policy": True}, "MissingChannelQueueSize"),
        ({**LATEST, "message-storage-policy": 2}, "MissingChannelQueueSize"),
    ],
)
def test_a_channel_is_asked_for_as_apple_says(
    ask: Callable[..., httpx.Response], apple: ApnsSimulator, body: object, expected: str
) -> None:
    assert reason(ask("POST", CHANNELS, body)) == (400, expected)
    assert not apple.channels.every(PRODUCTION)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (("PUT", CHANNELS), (405, "MethodNotAllowed")),
        (("POST", EVERY), (405, "MethodNotAllowed")),
        (("GET", f"{CHANNELS}/{UNKNOWN}"), (404, "BadPath")),
        (("POST", BROADCASTS), (404, "BadPath")),
        (("POST", "/3/device/ab"), (404, "BadPath")),
        (("GET", CHANNELS), (400, "MissingChannelId")),
        (("GET", "/1/apps/com.example.other/all-channels"), (403, "TopicMismatch")),
        (("GET", f"/1/apps/{BUNDLE_ID}.push-type.liveactivity/all-channels"), (400, "TopicDisallowed")),
    ],
)
def test_what_is_no_request_about_channels_is_refused(
    ask: Callable[..., httpx.Response], request_: tuple[str, str], expected: tuple[int, str]
) -> None:
    assert reason(ask(*request_)) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": None}, (403, "MissingProviderToken")),
        ({"authorization": "bearer x.y.z"}, (403, "InvalidProviderToken")),
        ({"apns_request_id": "1"}, (400, "BadMessageId")),
        ({"apns_channel_id": "no base64!"}, (400, "BadChannelId")),
        ({"apns_channel_id": "A" * 400}, (400, "BadChannelId")),
        ({"apns_channel_id": UNKNOWN}, (400, "ChannelNotRegistered")),
    ],
)
def test_headers_are_looked_at_in_order(
    ask: Callable[..., httpx.Response], headers: dict[str, str | None], expected: tuple[int, str]
) -> None:
    assert reason(ask("GET", CHANNELS, **headers)) == expected


def test_a_provider_token_is_of_an_hour_here_too(ask: Callable[..., httpx.Response]) -> None:
    stale = provider_token(iat=int(time.time()) - 3700)

    assert reason(ask("GET", EVERY, authorization=f"bearer {stale}")) == (403, "ExpiredProviderToken")


def test_there_are_only_so_many_channels(ask: Callable[..., httpx.Response], apple: ApnsSimulator) -> None:
    apple.channels.limit = 2
    first = made(ask)
    made(ask)

    assert reason(ask("POST", CHANNELS, LATEST)) == (400, "CannotCreateChannelConfig")
    made(ask, environment=SANDBOX)
    ask("DELETE", CHANNELS, apns_channel_id=first)
    made(ask)


def test_without_the_capability_there_are_no_channels(ask: Callable[..., httpx.Response], apple: ApnsSimulator) -> None:
    channel = made(ask)
    apple.channels.enabled = False

    assert reason(ask("POST", CHANNELS, LATEST)) == (400, "FeatureNotEnabled")
    assert reason(say(ask, channel)) == (400, "FeatureNotEnabled")


# --- broadcasts


def test_a_broadcast_reaches_all_who_are_subscribed(ask: Callable[..., httpx.Response], apple: ApnsSimulator) -> None:
    channel, other = made(ask), made(ask)
    got: list[ReceivedPush] = []
    for name in (channel, channel, other):
        apple.channels.subscribe(PRODUCTION, name, into(got))

    answer = say(ask, channel, apns_request_id="7f1f5b4c-0d4e-4c0a-8d4b-2b7a7c8f1a11")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["apns-request-id"] == "7f1f5b4c-0d4e-4c0a-8d4b-2b7a7c8f1a11"
    assert "apns-unique-id" in answer.headers
    assert len(got) == 2
    [push] = apple.pushes
    assert (push.channel, push.token, push.status, push.verdicts) == (channel, "", 200, {"applied": 2})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"apns_channel_id": None}, (400, "MissingChannelId")),
        ({"apns_channel_id": UNKNOWN}, (400, "ChannelNotRegistered")),
        ({"apns_push_type": None}, (400, "InvalidPushType")),
        ({"apns_push_type": "alert"}, (400, "InvalidPushType")),
        ({"apns_priority": None}, (400, "BadPriority")),
        ({"apns_priority": "7"}, (400, "BadPriority")),
        ({"apns_expiration": None}, (400, "BadExpirationDate")),
        ({"apns_expiration": "soon"}, (400, "BadExpirationDate")),
        ({"apns_expiration": "1900000000"}, (400, "BadExpirationDate")),
        ({"body": b""}, (400, "PayloadEmpty")),
        ({"body": b"x" * 5121}, (413, "PayloadTooLarge")),
        ({"authorization": None}, (403, "MissingProviderToken")),
    ],
)
def test_a_broadcast_is_refused_as_apple_says(
    ask: Callable[..., httpx.Response], apple: ApnsSimulator, changed: dict[str, Any], expected: tuple[int, str]
) -> None:
    channel = made(ask)

    body = changed.pop("body", UPDATE)
    assert reason(say(ask, channel, body, **changed)) == expected

    assert [(push.status, push.reason) for push in apple.pushes] == [expected]


def test_a_broadcast_may_be_longer_than_a_push_to_a_device(ask: Callable[..., httpx.Response]) -> None:
    assert say(ask, made(ask), b"x" * 5120).status_code == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{BROADCASTS}.push-type.liveactivity", (400, "TopicDisallowed")),
        ("/4/broadcasts/apps/com.example.other", (403, "TopicMismatch")),
        (f"{BROADCASTS}/channels", (404, "BadPath")),
        (CHANNELS, (404, "BadPath")),
    ],
)
def test_a_broadcast_has_its_path(ask: Callable[..., httpx.Response], path: str, expected: tuple[int, str]) -> None:
    assert reason(ask("POST", path, UPDATE, on="push")) == expected


def test_the_latest_message_is_kept_for_who_comes_late_and_nothing_on_the_other_kind(
    ask: Callable[..., httpx.Response], apple: ApnsSimulator
) -> None:
    in_an_hour = str(int(time.time()) + 3600)
    latest, frequent, stale = made(ask, LATEST), made(ask), made(ask, LATEST)
    say(ask, latest, b'{"n": 1}', apns_expiration=in_an_hour)
    say(ask, latest, b'{"n": 2}', apns_expiration=in_an_hour)
    say(ask, stale, apns_expiration=str(int(time.time()) - 1))
    say(ask, frequent)

    got: dict[str, list[ReceivedPush]] = {latest: [], frequent: [], stale: []}
    for channel, pushes in got.items():
        apple.channels.subscribe(PRODUCTION, channel, into(pushes))

    assert [[push.payload["n"] for push in pushes] for pushes in got.values()] == [[2], [], []]


# --- faults


def test_faults_strike_what_they_are_for(ask: Callable[..., httpx.Response], apple: ApnsSimulator) -> None:
    for fault in (Fault("answer", on=on, status=429, reason="TooManyRequests") for on in get_args(Place)):
        apple.faults.add(fault)

    assert reason(ask("GET", EVERY)) == (429, "TooManyRequests")
    channel = made(ask)
    assert reason(say(ask, channel)) == (429, "TooManyRequests")
    assert say(ask, channel).status_code == 200
    assert [fault.on for fault in apple.faults.pending()] == ["push"]


def test_a_channel_whose_answer_was_lost_is_there(ask: Callable[..., httpx.Response], apple: ApnsSimulator) -> None:
    apple.faults.add(Fault("reset", on="channels", taken=True))

    with pytest.raises(httpx.HTTPError):
        made(ask)

    assert len(apple.channels.every(PRODUCTION)) == 1
    assert [(one.operation, one.status, one.answered) for one in apple.managed] == [("create", 201, False)]


def test_ports_stay_after_a_restart(tmp_path: Path) -> None:
    with simulator(tmp_path) as apple:
        before = {apple.channels_url(one) for one in Environment} | {apple.production_url, apple.sandbox_url}
        apple.stop()
        apple.start()

        assert len(before) == 4
        assert {apple.channels_url(one) for one in Environment} | {apple.production_url, apple.sandbox_url} == before
