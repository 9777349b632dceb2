"""
One stream until the first accepted push: what other people's clients make of it.

On a new connection Apple allows one stream until a push with a valid provider token is accepted. Those above it get
REFUSED_STREAM, which says that nobody looked at them, and that they may be sent again (RFC 9113, 8.7).
"""

from pathlib import Path

import pytest

from bench.peers.work import Work
from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator, Fault, ReceivedPush
from tests.engine_side import taken
from tests.foreign.clients import AIOAPNS, APNS2, CURL, NODE_APN, TAKEN, Foreign, Told
from tests.foreign.conftest import ready
from tests.foreign.phones import phones, update
from tests.foreign.tools import Counts, h2load


def test_node_apn_opens_all_its_streams_at_once_and_does_not_send_again_what_is_refused(
    apple: ApnsSimulator, work: Work
) -> None:
    """It opens them before it has heard how many there may be: who sends a burst first loses all of it but one push."""
    ready(NODE_APN.install)
    tokens = phones(apple, 6)

    with NODE_APN.talk(work) as client:
        client.tell(tokens, update())
        at_first = client.hear()
        refused = [push.fault for push in apple.pushes if push.status is None]
        client.tell(tokens, update())
        later = client.hear()

    failed = Told(error="apn write failed: Stream closed with error code NGHTTP2_REFUSED_STREAM")
    assert at_first == [TAKEN, *[failed] * 5]
    assert refused == ["stream_limit"] * 5
    assert later == [TAKEN] * 6
    assert len({push.connection for push in apple.pushes}) == 1


def test_apns2_opens_a_connection_for_each_push_under_way(apple: ApnsSimulator, work: Work) -> None:
    """Up to 32, with one stream each, ever: Apple's limit never hurts it."""
    ready(APNS2.install)
    tokens = phones(apple, 6)

    with APNS2.talk(work) as client:
        client.tell(tokens, update())
        told = client.hear()

    assert told == [TAKEN] * 6
    assert {push.stream for push in apple.pushes} == {1}
    assert len({push.connection for push in apple.pushes}) == 6


@pytest.mark.parametrize("patient", [AIOAPNS, CURL], ids=lambda patient: patient.name)
def test_the_others_wait_for_their_turn(apple: ApnsSimulator, work: Work, patient: Foreign) -> None:
    """
    They obey what the connection says, as soon as they have heard it. What they sent before that is refused, and sent again:
    by aioapns only once it has given up the connection, which is why it gets no more than it has attempts (five).
    """
    ready(patient.install)
    tokens = phones(apple, 4)

    with patient.talk(work) as client:
        client.tell(tokens, update())
        told = client.hear()

    assert told == [TAKEN] * 4
    assert taken(apple) == dict.fromkeys(tokens, 1)
    assert {push.fault for push in apple.pushes if push.status is None} <= {"stream_limit"}


def test_aioapns_has_two_under_way_where_there_may_be_a_thousand(apple: ApnsSimulator, work: Work) -> None:
    """When the limit rises from 1 it counts two streams as free, and never more."""
    ready(AIOAPNS.install)
    under_way: list[int] = []

    def receive(push: ReceivedPush) -> str:
        under_way.append(1 + sum(not other.answered for other in apple.pushes))
        return "applied"

    tokens = [apple.issue_token(Environment.PRODUCTION, receive=receive) for _ in range(6)]
    with AIOAPNS.talk(work) as client:
        client.tell(phones(apple, 1), update())
        client.hear()
        apple.faults.add(Fault("latency", latency_s=0.3, count=6))
        client.tell(tokens, update())
        told = client.hear()

    assert told == [TAKEN] * 6
    assert max(under_way) == 2


def test_h2load_counts_as_errors_what_it_sent_before_it_heard_of_the_limit(
    apple: ApnsSimulator, work: Work, tmp_path: Path
) -> None:
    """Which is all but one, or nothing: then it waits for its turn."""
    tokens = phones(apple, 6)

    counts = h2load(work, tmp_path, tokens, at_once=6)

    refused = [push for push in apple.pushes if push.fault == "stream_limit"]
    assert counts == Counts(good=6 - len(refused), refused=0, errored=len(refused))
    assert len(refused) in (0, 5)
    assert taken(apple).total() == counts.good
