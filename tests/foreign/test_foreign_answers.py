"""
Other people's clients push, and are refused for the right reasons; each tells it in its own words.

Where they differ from each other or from the simulator, Apple's documentation settles it:

- `apns-priority`: apns2 leaves it out where it is 10. Apple's default is 10: taken.
- `apns-id`: aioapns brings its own, and finds its push by the one that comes back, so it must come back as it was written;
  the others bring none, and Apple makes one.
- `:authority`: aioapns sends `host` in its place, which HTTP/2 allows (RFC 9113, 8.3.1).
- ALPN: aioapns asks for no protocol in its TLS handshake, unless it is handed a context that does. HTTP/2 over TLS is to be
  asked for (RFC 9113, 3.2), as `h2`: the simulator takes nobody who doesn't, though Apple is said to be less strict
  (jchambers/pushy, issue 808).
- An expired provider token: @parse/node-apn mints another and tries three times more, apns2 mints one for its next push,
  aioapns keeps its own for half an hour. A new one is what Apple asks for, and it judges each by its age alone.
- The moment a device token died: @parse/node-apn, apns2 and aioapns hand on what Apple writes, which is in milliseconds.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import jwt
import pytest

from bench.peers.work import Work
from lockstep.apns import Environment
from lockstep.provider_token import ProviderToken, SigningKey
from onebox.apns.simulator import ApnsSimulator
from tests.engine_side import KEY, TOPIC, Clock
from tests.foreign.clients import AIOAPNS, APNS2, NODE_APN, TAKEN, Foreign, Talk, Told, aioapns
from tests.foreign.conftest import ready
from tests.foreign.phones import phone, update

DIED_AT_MS = 1_764_000_000_123


@pytest.fixture
def late(clock: Clock) -> Iterator[Clock]:
    """Return Apple's clock, which is an hour and a second ahead of everybody's."""
    clock.ahead_s = 3601
    yield clock
    clock.ahead_s = 0


def told(client: Talk, token: str, *, topic: str | None = None) -> Told:
    """Let a client push once, and return what it says of it."""
    client.tell([token], update(), topic)
    [what] = client.hear()
    return what


def test_a_push_is_taken_and_the_phone_shows_it(foreign: Foreign, client: Talk, apple: ApnsSimulator) -> None:
    aps = update()

    client.tell([phone(apple)], aps)
    assert client.hear() == [TAKEN]

    [push] = apple.pushes
    assert (push.status, push.verdict, push.answered) == (200, "applied", True)
    assert push.payload == {"aps": aps}
    assert push.headers["apns-topic"] == TOPIC
    assert push.headers["apns-push-type"] == "liveactivity"
    assert push.headers.get("apns-priority") == (None if foreign is APNS2 else "10")
    assert ("apns-id" in push.headers) is (foreign is AIOAPNS)
    assert int(push.headers["apns-expiration"]) > time.time()
    scheme, _, provider_token = push.headers["authorization"].partition(" ")
    assert scheme == "bearer"
    assert jwt.get_unverified_header(provider_token)["kid"] == KEY.key_id
    assert jwt.decode(provider_token, options={"verify_signature": False})["iss"] == KEY.team_id


def test_a_topic_that_is_none_is_refused(client: Talk, apple: ApnsSimulator) -> None:
    assert told(client, phone(apple), topic="com.example.app/pizza") == Told(400, "BadTopic")


def test_the_topic_of_another_app_is_refused(client: Talk, apple: ApnsSimulator) -> None:
    assert told(client, phone(apple), topic="com.example.sushi") == Told(400, "TopicDisallowed")


def test_a_device_token_that_nobody_has_is_refused(client: Talk, apple: ApnsSimulator) -> None:
    assert told(client, "ab" * 80) == Told(400, "BadDeviceToken")


def test_a_device_token_of_the_other_environment_is_refused(client: Talk, apple: ApnsSimulator) -> None:
    assert told(client, apple.issue_token(Environment.SANDBOX)) == Told(400, "BadDeviceToken")


def test_a_device_token_for_another_kind_of_push_is_refused(client: Talk, apple: ApnsSimulator) -> None:
    ordinary = apple.issue_token(Environment.PRODUCTION, kind="alert")

    assert told(client, ordinary) == Told(400, "DeviceTokenNotForTopic")


def test_an_unregistered_device_token_is_refused_with_the_moment_it_died(client: Talk, apple: ApnsSimulator) -> None:
    token = phone(apple)
    apple.kill_token(token, at_ms=DIED_AT_MS)

    assert told(client, token) == Told(410, "Unregistered", DIED_AT_MS)
    assert apple.pushes[0].verdict is None


def test_a_device_token_that_expired_is_refused_with_the_moment_it_did(client: Talk, apple: ApnsSimulator) -> None:
    token = phone(apple)
    apple.kill_token(token, at_ms=DIED_AT_MS, reason="ExpiredToken")

    assert told(client, token) == Told(410, "ExpiredToken", DIED_AT_MS)


def test_a_body_of_4097_bytes_is_refused_and_one_of_4096_taken(client: Talk, apple: ApnsSimulator) -> None:
    """Each writes JSON in its own way: how much room there is for a note is seen of a first push."""
    token = phone(apple)
    told(client, token)
    room = 4096 - len(apple.pushes[0].body)

    client.tell([token], update(note="." * room))
    fits = client.hear()
    client.tell([token], update(note="." * (room + 1)))
    too_large = client.hear()

    assert [len(push.body) for push in apple.pushes[1:]] == [4096, 4097]
    assert (fits, too_large) == ([TAKEN], [Told(413, "PayloadTooLarge")])


def test_a_provider_token_of_a_key_that_apple_does_not_know_is_refused(
    foreign: Foreign, apple: ApnsSimulator, work: Work
) -> None:
    unknown = SigningKey(KEY.team_id, "KEY7654321", KEY.private_key)
    theirs = replace(work, key_id=unknown.key_id, jwt=ProviderToken(unknown, time.time).current())

    with foreign.talk(theirs) as client:
        assert told(client, phone(apple)) == Told(403, "InvalidProviderToken")


def test_an_expired_provider_token_is_refused_until_there_is_a_good_one(
    foreign: Foreign, apple: ApnsSimulator, work: Work, late: Clock
) -> None:
    """Refused: once more a push, and by @parse/node-apn four times. New tokens: each time, for each push, or none."""
    token = phone(apple)

    with foreign.talk(work) as client:
        expired = [told(client, token) for _ in range(2)]
        late.ahead_s = 0
        good = told(client, token)

    *refused, taken = apple.pushes
    minted = {push.headers["authorization"] for push in refused}
    if foreign is NODE_APN:
        assert expired == [Told(403, error="ExpiredProviderToken")] * 2
        assert (len(refused), len(minted)) == (8, 8)
    else:
        assert expired == [Told(403, "ExpiredProviderToken")] * 2
        assert (len(refused), len(minted)) == (2, 2 if foreign is APNS2 else 1)
    assert {push.reason for push in refused} == {"ExpiredProviderToken"}
    assert (good, taken.status, taken.verdict) == (TAKEN, 200, "applied")


def test_aioapns_as_it_comes_asks_for_no_protocol_and_is_sent_away(apple: ApnsSimulator, work: Work) -> None:
    """It tries five connections, and says that it gave up."""
    ready(AIOAPNS.install)

    with aioapns(work, "--no-alpn") as client:
        assert told(client, phone(apple)) == Told(error="MaxAttemptsExceeded")

    assert apple.pushes == []
