"""What went wrong on the way: every push is accounted for, and none is sent again that APNs may have taken."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from lockstep.apns import Environment, Push, Unanswered
from lockstep.engine import FAILED_PRIMES_MAX, TRIES_MAX, Engine
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import engine_to, hold, kinds, push_to, pushes, send, taken


@pytest.mark.parametrize("once", [False, True])
def test_a_fresh_connection_that_allows_one_stream_loses_none_of_500(
    engine: Engine, apple: ApnsSimulator, once: bool
) -> None:
    wanted = pushes(apple, 500, once=once)
    made = apple.connections_made

    outcomes = send(engine, wanted)

    assert kinds(outcomes) == {"Accepted": 500}
    hold(outcomes, wanted, apple)
    assert apple.connections_made - made == 1
    assert all(push.status == 200 for push in apple.pushes), "none was refused for too many streams"


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("skip", [0, 1, 60])
@pytest.mark.parametrize("taken_first", [False, True])
def test_after_a_tcp_reset_every_push_is_accounted_for(
    engine: Engine, apple: ApnsSimulator, once: bool, skip: int, taken_first: bool
) -> None:
    wanted = pushes(apple, 300, once=once)
    apple.faults.add(Fault("reset", skip=skip, taken=taken_first))

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    assert kinds(outcomes)["Accepted"] >= 199, "only those on the wire can be lost"
    assert kinds(outcomes)["Unanswered(True)"] >= 1


@pytest.mark.parametrize("last_stream", ["below", "at", "above"])
@pytest.mark.parametrize("once", [False, True])
def test_after_goaway_what_apns_did_not_process_is_sent_again(
    engine: Engine, apple: ApnsSimulator, last_stream: str, once: bool
) -> None:
    wanted = pushes(apple, 300, once=once)
    apple.faults.add(Fault("goaway", skip=50, last_stream=last_stream))  # type: ignore[arg-type]  # one of the three

    outcomes = send(engine, wanted)

    hold(outcomes, wanted, apple)
    if once:
        assert kinds(outcomes) == {"Accepted": 300}


def test_a_push_that_is_always_refused_is_given_up_after_some_tries(engine: Engine, apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 60, once=True)
    apple.faults.add(Fault("refused_stream", count=None, token=wanted[-1].token))

    def source() -> Iterator[Push]:
        """Hold updates ready, so that it never goes alone."""
        yield from wanted[1:]
        for i in range(200):
            yield push_to(apple.issue_token(Environment.PRODUCTION), ref=f"update {i}")

    outcomes = {push.ref: outcome for push, outcome in engine.send(source(), deadline_s=time.time() + 20)}

    last = outcomes[59]
    assert isinstance(last, Unanswered)
    assert not last.maybe_taken
    assert Counter(push.token for push in apple.pushes)[wanted[-1].token] == TRIES_MAX
    assert taken(apple)[wanted[-1].token] == 0


def test_connections_that_never_answer_end_in_untaken_or_maybe_taken_not_in_waiting(apple: ApnsSimulator) -> None:
    wanted = pushes(apple, 20)
    apple.faults.add(Fault("silence", count=None))
    engine = engine_to(apple, alone_timeout_s=0.2)
    made, began_s = apple.connections_made, time.monotonic()

    outcomes = send(engine, wanted)
    engine.close()

    assert kinds(outcomes) == {"Unanswered(True)": 2, "Unanswered(False)": 18}
    assert apple.connections_made - made == FAILED_PRIMES_MAX
    assert time.monotonic() - began_s < 1.5, "timers are libcurl's, not those of select"
