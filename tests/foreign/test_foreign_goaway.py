"""
GOAWAY while pushes are under way: who sends again what, as its authors intended.

By Apple's words and RFC 9113 (6.8) a GOAWAY names the last stream that was or may have been looked at: those up to it are
answered, those above were never looked at and may be sent again over a new connection. So does the simulator; and:

- @parse/node-apn waits for the answers that are still to come, says of the rest that they failed, and sends nothing again
  (its readme's "re-sends" holds for Apple's answers 429 and 5xx). The next push opens a new connection.
- apns2 leaves it to undici, whose 7th version gives up a push that is under way, whatever its stream (nodejs/undici, issue
  5089): it may be on the phone. Its other connections go on, and the next push opens a new one.
- aioapns closes at once and sends all again that has no answer, whatever its stream: a phone may have a push twice.
- curl waits for the answers that are still to come, and sends the rest again over new connections; where a connection is
  closed while it starts a transfer, it may fail that, and then has not sent it.
- h2load waits for the answers that are still to come, and counts the rest as errors.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from bench.peers.work import Work
from onebox.apns.simulator import ApnsSimulator, Fault, ReceivedPush
from tests.engine_side import taken
from tests.foreign.clients import AIOAPNS, APNS2, CURL, NODE_APN, TAKEN, Talk, Told
from tests.foreign.conftest import ready
from tests.foreign.phones import phone, phones, update
from tests.foreign.tools import Counts, h2load, nghttp

# Longer than any test.
NEVER_S = 600

UNPROCESSED = Told(error="apn write failed: Stream closed with error code NGHTTP2_REFUSED_STREAM")
GIVEN_UP = Told(error='HTTP/2: "GOAWAY" frame received with code 0')

both_sides = pytest.mark.parametrize("last", ["below", "at"])
Last = Literal["below", "at"]


@pytest.fixture
def wide(apple: ApnsSimulator) -> Iterator[ApnsSimulator]:
    """Return an APNs that allows many streams at once, for clients that come for one burst and go."""
    apple.stream_limits.initial = 1000
    yield apple
    apple.stream_limits.initial = 1


def primed(client: Talk, apple: ApnsSimulator) -> None:
    """Let it push once, so that it has a connection with many streams."""
    client.tell([phone(apple)], update())
    assert client.hear() == [TAKEN]
    apple.clear()


def pushed(client: Talk, tokens: Sequence[str]) -> list[Told]:
    """Let it push to these at once."""
    client.tell(tokens, update())
    return client.hear()


def strike(apple: ApnsSimulator, last: Last) -> None:
    """Let the third push from now meet a GOAWAY, which lets it through ("at") or does not ("below")."""
    apple.faults.add(Fault("goaway", skip=2, reason="Shutdown", last_stream=last))


def struck(apple: ApnsSimulator, last: Last) -> list[ReceivedPush]:
    """Return what came over the connection that was struck, by stream, after a look at what became of it."""
    apple.catch_up()
    hit = next(push for push in apple.pushes if push.fault == "goaway")
    pushes = sorted((push for push in apple.pushes if push.connection == hit.connection), key=lambda push: push.stream)
    let_through = 3 if last == "at" else 2
    assert [push.verdict for push in pushes[:let_through]] == ["applied"] * let_through
    assert {(push.status, push.verdict, push.fault) for push in pushes[let_through:]} == {(None, None, "goaway")}
    return pushes


@both_sides
def test_node_apn_has_the_answers_to_come_and_fails_the_rest(apple: ApnsSimulator, work: Work, last: Last) -> None:
    ready(NODE_APN.install)
    tokens = phones(apple, 6)

    with NODE_APN.talk(work) as client:
        primed(client, apple)
        strike(apple, last)
        told = pushed(client, tokens)
        first = struck(apple, last)
        apple.clear()
        later = pushed(client, [phone(apple)])

    assert [push.token for push in first] == tokens
    assert told == [TAKEN if push.status else UNPROCESSED for push in first]
    assert later == [TAKEN]
    assert apple.pushes[0].connection != first[0].connection


def test_node_apn_waits_for_answers_that_are_late(apple: ApnsSimulator, work: Work) -> None:
    """It says goodbye itself as soon as it hears of the GOAWAY; Apple still answers."""
    ready(NODE_APN.install)
    tokens = phones(apple, 3)

    with NODE_APN.talk(work) as client:
        primed(client, apple)
        apple.faults.add(Fault("latency", latency_s=0.5, count=3))
        client.tell(tokens, update())
        apple.wait_for(lambda pushes: len(pushes) == 3)
        apple.go_away("Shutdown")
        told = client.hear()

    assert told == [TAKEN] * 3
    assert taken(apple) == dict.fromkeys(tokens, 1)


@both_sides
def test_apns2_gives_up_the_push_on_that_connection(apple: ApnsSimulator, work: Work, last: Last) -> None:
    ready(APNS2.install)
    tokens = phones(apple, 6)
    apple.faults.add(Fault("goaway", skip=2, reason="Shutdown", last_stream=last))

    with APNS2.talk(work) as client:
        told = pushed(client, tokens)
        apple.catch_up()
        [hit] = [push for push in apple.pushes if push.fault == "goaway"]
        apple.clear()
        later = pushed(client, tokens)

    assert told == [GIVEN_UP if token == hit.token else TAKEN for token in tokens]
    assert hit.verdict == ("applied" if last == "at" else None)
    assert later == [TAKEN] * 6
    assert hit.connection not in {push.connection for push in apple.pushes}


def test_apns2_does_not_wait_for_answers_that_are_late(apple: ApnsSimulator, work: Work) -> None:
    ready(APNS2.install)
    tokens = phones(apple, 3)

    with APNS2.talk(work) as client:
        apple.faults.add(Fault("latency", latency_s=NEVER_S, count=3))
        client.tell(tokens, update())
        apple.wait_for(lambda pushes: len(pushes) == 3)
        apple.go_away("Shutdown")
        told = client.hear()
        later = pushed(client, tokens)

    assert told == [GIVEN_UP] * 3
    assert later == [TAKEN] * 3
    assert taken(apple) == dict.fromkeys(tokens, 2)


@both_sides
def test_aioapns_sends_all_again_that_has_no_answer(wide: ApnsSimulator, work: Work, last: Last) -> None:
    ready(AIOAPNS.install)
    tokens = phones(wide, 6)

    with AIOAPNS.talk(work) as client:
        primed(client, wide)
        strike(wide, last)
        told = pushed(client, tokens)

    first = struck(wide, last)
    unprocessed = {push.token for push in first if push.status is None}
    assert told == [TAKEN] * 6
    assert {taken(wide)[token] for token in unprocessed} == {1}
    assert {taken(wide)[token] for token in set(tokens) - unprocessed} <= {1, 2}


def test_aioapns_does_not_wait_for_answers_that_are_late(wide: ApnsSimulator, work: Work) -> None:
    ready(AIOAPNS.install)
    tokens = phones(wide, 3)

    with AIOAPNS.talk(work) as client:
        primed(client, wide)
        wide.faults.add(Fault("latency", latency_s=NEVER_S, count=3))
        client.tell(tokens, update())
        wide.wait_for(lambda pushes: len(pushes) == 3)
        wide.go_away("Shutdown")
        told = client.hear()

    assert told == [TAKEN] * 3
    assert taken(wide) == dict.fromkeys(tokens, 2)
    assert len({push.connection for push in wide.pushes}) == 2


@both_sides
def test_curl_sends_again_what_nobody_looked_at(wide: ApnsSimulator, work: Work, last: Last) -> None:
    ready(CURL.install)
    tokens = phones(wide, 6)
    strike(wide, last)

    with CURL.talk(work) as client:
        told = pushed(client, tokens)

    struck(wide, last)
    assert told.count(TAKEN) > (3 if last == "at" else 2)
    assert {token: what == TAKEN for token, what in zip(tokens, told, strict=True)} == {
        token: taken(wide)[token] == 1 for token in tokens
    }
    assert max(taken(wide).values()) == 1


@both_sides
def test_h2load_has_the_answers_to_come_and_counts_the_rest_as_errors(
    wide: ApnsSimulator, work: Work, tmp_path: Path, last: Last
) -> None:
    strike(wide, last)

    counts = h2load(work, tmp_path, phones(wide, 6), at_once=6)

    struck(wide, last)
    good = 3 if last == "at" else 2
    assert counts == Counts(good=good, refused=0, errored=6 - good)


def test_h2load_counts_what_is_refused(apple: ApnsSimulator, work: Work, tmp_path: Path) -> None:
    dead = phone(apple)
    apple.kill_token(dead)

    counts = h2load(work, tmp_path, [*phones(apple, 4), dead, "ab" * 80], at_once=1)

    assert counts == Counts(good=4, refused=2, errored=0)


def test_nghttp_is_told_of_more_streams_before_its_answer_and_of_the_last_stream_with_a_reason(
    apple: ApnsSimulator, work: Work, tmp_path: Path
) -> None:
    apple.faults.add(Fault("goaway", reason="Shutdown"))

    said = nghttp(work, tmp_path, phone(apple))

    [push] = apple.pushes
    limits = [said.index(f"SETTINGS_MAX_CONCURRENT_STREAMS(0x03):{limit}]") for limit in (1, 1000)]
    answer = said.index(":status: 200")
    goaway = said.index(
        f"(last_stream_id={push.stream}, error_code=NO_ERROR(0x00), opaque_data(22)=[" + '{"reason": "Shutdown"}])'
    )
    assert limits[0] < limits[1] < answer
    assert goaway < answer
