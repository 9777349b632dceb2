"""What Apple answers, and what becomes of phones and tokens then."""

import pytest

from lockstep.apns import Environment
from lockstep.ids import phone_of
from onebox.apns.simulator import Fault
from onebox.lock_screen import Verdict
from onebox.stack import Stack
from tests.messages import start, update
from tests.pushing import ORDER, ask, minutes, now_ms, pushed, register_card, say, settle, started, tokens


def test_a_dead_token_is_forgotten_and_never_pushed_again(stack: Stack) -> None:
    [ana, ben] = started(stack, "ana", "ben")
    ben.uninstall()

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert minutes(ana) == 2
    assert sorted(pushed(stack)) == [("update", 200), ("update", 200), ("update", 410)]


def test_a_token_registered_after_apples_410_is_not_forgotten(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    card = ana.card(ORDER)
    assert card is not None
    assert card.token is not None
    long_ago_ms = now_ms() - 3_600_000
    stack.apns.faults.add(Fault("answer", status=410, reason="Unregistered", timestamp_ms=long_ago_ms))

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert minutes(ana) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "TooManyRequests"), (500, "InternalServerError"), (503, "ServiceUnavailable"), (599, "SomethingNew")],
)
def test_a_retry_shows_the_state_of_now_not_of_then(stack: Stack, status: int, reason: str) -> None:
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", count=2, status=status, reason=reason))

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))
    settle(stack)

    assert minutes(ana) == 2
    assert all(push.payload["aps"]["content-state"]["minutes"] == 2 for push in stack.apns.pushes[1:])
    assert {sighting.verdict for sighting in ana.history} == {Verdict.APPLIED}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", count=2, status=503, reason="ServiceUnavailable"),
        Fault("refused_stream", count=2),
        Fault("goaway", last_stream="below"),
        Fault("reset", taken=True),
        Fault("lost_answer"),
        Fault("rst_stream", taken=True),
    ],
    ids=lambda fault: fault.kind,
)
def test_whatever_happens_to_a_start_it_makes_one_card(stack: Stack, fault: Fault) -> None:
    """What may have been taken is not sent again; where it was not, the phone's own report mends the miss."""
    phones = [stack.phones.of(user, self_start=True) for user in ("ana", "ben", "cleo")]
    settle(stack)
    stack.functions["PushFunction"].names["sender"].close()
    stack.apns.faults.add(fault)

    say(stack, start(ORDER, "ana", "ben", "cleo"))
    settle(stack)
    say(stack, start(ORDER, "ana", "ben", "cleo"))
    settle(stack)
    by_push = [len(phone.starts(ORDER)) for phone in phones]
    for phone in phones:
        phone.launch()
    settle(stack)

    assert max(by_push) == 1
    assert [minutes(phone) for phone in phones] == [30, 30, 30]
    assert [len(phone.cards) for phone in phones] == [1, 1, 1]
    if not (fault.taken or fault.kind == "lost_answer"):
        assert by_push == [1, 1, 1], "nothing that Apple provably did not take is left unsent"


def test_a_start_token_that_died_does_not_block_the_next_one(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    [token] = ana.ios.start_tokens.values()
    stack.apns.kill_token(token)
    say(stack, start(ORDER, "ana"))
    settle(stack)
    assert minutes(ana) is None

    ana.rotate_start_token()
    settle(stack)

    assert minutes(ana) == 30
    assert len(ana.starts(ORDER)) == 1


def test_a_phone_that_did_not_say_its_environment_is_found_in_the_other_one(stack: Stack) -> None:
    """The stack's own environment is production; the token is of the sandbox."""
    phone, token = phone_of("a-device"), stack.apns.issue_token(Environment.SANDBOX)
    register_card(stack, "a-device", token)

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert [(push.environment, push.status) for push in stack.apns.pushes] == [
        (Environment.PRODUCTION, 400),
        (Environment.SANDBOX, 200),
        (Environment.SANDBOX, 200),
    ]
    assert tokens(stack).phones([phone])[phone].environment is Environment.SANDBOX


def test_a_start_of_a_phone_that_did_not_say_its_environment_goes_on_in_the_other_one(stack: Stack) -> None:
    phone, token = phone_of("a-device"), stack.apns.issue_token(Environment.SANDBOX)
    ask(stack, "a-device/start-tokens/OrderAttributes", {"token": token})

    say(stack, start(ORDER, "ana"))
    say(stack, start(ORDER, "ana", aps={"content-state": {"driver": "Ana", "minutes": 25}}))

    first, again = stack.apns.pushes
    assert (first.environment, first.status) == (Environment.PRODUCTION, 400)
    assert (again.environment, again.status) == (Environment.SANDBOX, 200), "and no second start of the run"
    assert again.payload["aps"]["input-push-token"] == 1
    assert tokens(stack).phones([phone])[phone].environment is Environment.SANDBOX


def test_a_start_token_that_is_bad_in_both_environments_leaves_no_marker(stack: Stack) -> None:
    ask(stack, "a-device/start-tokens/OrderAttributes", {"token": "ab" * 40})
    say(stack, start(ORDER, "ana"))
    assert pushed(stack) == [("start", 400)] * 2

    token = stack.apns.issue_token(Environment.PRODUCTION)
    ask(stack, "a-device/start-tokens/OrderAttributes", {"token": token})

    assert pushed(stack)[2:] == [("start", 200)]


def test_a_token_that_is_bad_in_both_environments_is_forgotten(stack: Stack) -> None:
    register_card(stack, "a-device", "ab" * 40)

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert pushed(stack) == [("update", 400)] * 2
