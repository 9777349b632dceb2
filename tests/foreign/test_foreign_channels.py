"""
@parse/node-apn, the one of these clients that knows channels, manages one and broadcasts over it.

Where it differs from the simulator, Apple's documentation settles it ("Sending channel management requests to APNs"):

- Its readme makes a channel with `"message-storage-policy": "1"` and `"push-type": "liveactivity"`, and it puts the latter in
  itself where it is missing. Apple takes a number and writes `LiveActivity`: the simulator refuses both.
- Beside Apple's headers it sends `apns-priority` with each request about channels; Apple lists no header that would be wrong.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bench.peers.work import Work
from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator
from tests.foreign.clients import NODE_APN, Lines, node
from tests.foreign.conftest import ready
from tests.foreign.phones import update

APP = "com.example.app"
LATEST = {"message-storage-policy": 1, "push-type": "LiveActivity"}
EXPIRY_S = 1_900_000_000


@pytest.fixture
def client(apple: ApnsSimulator, work: Work) -> Iterator[Lines]:
    ready(NODE_APN.install)
    where = apple.channels_url(Environment.PRODUCTION).replace("localhost", "127.0.0.1")
    with node("node-apn-channels.mjs", where, work=work) as client:
        yield client
    apple.channels.clear()


def told(client: Lines, action: str, app: str = APP, **more: Any) -> dict[str, Any]:
    """Let it do one thing; return what it says, without the id of the request."""
    client.write([{"action": action, "app": app, **more}])
    [what] = client.read()
    assert what.pop("bundleId") == app
    assert what.pop("apns-request-id")
    return what


def refused(status: int, reason: str) -> dict[str, Any]:
    return {"status": status, "response": {"reason": reason}}


def test_a_channel_is_made_read_listed_used_and_deleted(client: Lines, apple: ApnsSimulator) -> None:
    made = told(client, "create", raw=LATEST)
    channel = made["apns-channel-id"]
    apple.channels.subscribe(Environment.PRODUCTION, channel, lambda push: f"applied {push.payload['aps']['event']}")

    read = told(client, "read", channel=channel)
    listed = told(client, "readAll")
    said = told(client, "broadcast", channel=channel, expiry=EXPIRY_S, raw={"aps": update()})
    deleted = told(client, "delete", channel=channel)
    late = told(client, "broadcast", channel=channel, expiry=EXPIRY_S, raw={"aps": update()})

    assert read == {"message-storage-policy": 1, "push-type": "LiveActivity"}
    assert listed == {"channels": [channel]}
    assert list(said) == ["apns-unique-id"]
    assert deleted == {}
    assert late == refused(400, "ChannelNotRegistered")
    assert [(one.operation, one.status) for one in apple.managed] == [
        ("create", 201),
        ("read", 200),
        ("list", 200),
        ("delete", 204),
    ]
    assert [(one.status, one.channel, dict(one.verdicts)) for one in apple.pushes] == [
        (200, channel, {"applied update": 1}),
        (400, channel, {}),
    ]
    assert apple.pushes[0].headers["apns-push-type"] == "liveactivity"
    assert time.time() < int(apple.pushes[0].headers["apns-expiration"]) == EXPIRY_S


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"payload": {"message-storage-policy": "1", "push-type": "liveactivity"}}, "InvalidPushType"),
        ({"payload": {"message-storage-policy": 1}}, "InvalidPushType"),
        ({"raw": {**LATEST, "message-storage-policy": "1"}}, "MissingChannelQueueSize"),
    ],
)
def test_a_channel_is_not_made_in_the_words_of_its_readme(
    client: Lines, apple: ApnsSimulator, body: dict[str, Any], reason: str
) -> None:
    assert told(client, "create", **body) == refused(400, reason)
    assert apple.channels.every(Environment.PRODUCTION) == []


def test_a_broadcast_of_5121_bytes_is_refused_and_one_of_5120_taken(client: Lines, apple: ApnsSimulator) -> None:
    channel = told(client, "create", raw=LATEST)["apns-channel-id"]

    def broadcast(note: str) -> dict[str, Any]:
        return told(client, "broadcast", channel=channel, expiry=EXPIRY_S, raw={"aps": update(note=note)})

    broadcast("")
    room = 5120 - len(apple.pushes[0].body)

    assert list(broadcast("." * room)) == ["apns-unique-id"]
    assert broadcast("." * (room + 1)) == refused(413, "PayloadTooLarge")


def test_a_channel_of_another_app_is_not_spoken_of(client: Lines) -> None:
    assert told(client, "readAll", "com.example.sushi") == refused(403, "TopicMismatch")
    assert told(client, "readAll", APP + ".push-type.liveactivity") == refused(400, "TopicDisallowed")
