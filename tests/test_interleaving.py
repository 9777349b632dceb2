"""Two requests of one phone at the same time: one is carried out whole between any two calls of the other."""

from collections.abc import Callable, Iterator

import pytest

from lockstep import forgetting
from lockstep.delivery import Delivery, Forgetting
from onebox.stack import Stack
from tests.messages import NOW_MS, start
from tests.phones_side import (
    DEVICE,
    ORDER,
    PHONE,
    START_TOKEN,
    START_TOKEN_2,
    TOKEN,
    TOKEN_2,
    TOKEN_3,
    TYPE,
    RegisterSide,
    hooked,
)

type Request = Callable[[RegisterSide], object]
type State = tuple[str | None, set[tuple[str, str]], set[str]]

EARLY_MS, LATE_MS = NOW_MS + 10_000, NOW_MS + 10_005
START = {"attributes_type": TYPE, "token": START_TOKEN}
CARD = {"card": "c-1", "activity": ORDER, "token": TOKEN}


def _of_ana(side: RegisterSide) -> None:
    side.report("ana", cards=[{**CARD, "card": "c-0", "token": TOKEN_3}])


def _anas_report(side: RegisterSide) -> None:
    side.report("ana", at_ms=EARLY_MS, cards=[CARD], start_tokens=[START])


def _bens_report(side: RegisterSide) -> None:
    side.report("ben", at_ms=LATE_MS, cards=[CARD], start_tokens=[{**START, "token": START_TOKEN_2}])


def _anas_card(side: RegisterSide) -> None:
    side.put_card("ana", token=TOKEN, observed_at_ms=EARLY_MS)


def _anas_newer_token(side: RegisterSide) -> None:
    side.put_card("ana", token=TOKEN_2, observed_at_ms=LATE_MS)


def _bens_card(side: RegisterSide) -> None:
    side.put_card("ben", card="c-2", token=TOKEN_2, observed_at_ms=LATE_MS)


def _sign_out(side: RegisterSide) -> None:
    side.registration.sign_out("ana", DEVICE)


def _state(side: RegisterSide) -> State:
    """Return whose the phone is, what would be pushed, and whose rows there are."""
    row, phone = side.activities.get(ORDER, now_s=side.clock.s), side.phone()
    assert row is not None
    return phone.owner if phone else None, side.pushable(row, "ana", "ben"), side.owners()


def _interleaved(stack: Stack, before: Request | None, outer: Request, inner: Request) -> Iterator[State]:
    """Yield the end of each life in which the inner request ran before the n-th call of the outer one."""
    n, ran = 0, True
    while ran:
        stack.aws.empty()
        side = RegisterSide(stack)
        side.publish(start(ORDER, "ana", "ben"))
        if before:
            before(side)
        side.clock.advance(20)
        calls, ran = 0, False

        def meet(*, n: int = n, side: RegisterSide = side, **_: object) -> None:
            nonlocal calls, ran
            if ran:
                return
            ran = calls == n
            calls += 1
            if ran:
                inner(side)

        with side.queueing() as queued, hooked(stack, "before-call", meet):
            outer(side)
        for message, _ in queued:
            if isinstance(message, Forgetting):
                forgetting.forget(side.tokens, message)
        if ran:
            yield _state(side)
        n += 1


@pytest.mark.parametrize(
    ("before", "outer", "inner"),
    [
        (_of_ana, _anas_report, _bens_report),
        (_of_ana, _bens_report, _anas_report),
        (None, _anas_card, _bens_card),
        (None, _bens_card, _anas_card),
    ],
)
def test_of_two_users_at_once_the_later_one_has_the_phone_whole(
    running_stack: Stack, before: Request | None, outer: Request, inner: Request
) -> None:
    bens = {("ben", TOKEN), ("ben", START_TOKEN_2)} if _bens_report in (outer, inner) else {("ben", TOKEN_2)}

    for n, state in enumerate(_interleaved(running_stack, before, outer, inner)):
        assert state == ("ben", bens, {"ben"}), n


def test_a_report_and_a_newer_token_at_once_leave_the_newer_token(running_stack: Stack) -> None:
    for n, state in enumerate(_interleaved(running_stack, _of_ana, _anas_report, _anas_newer_token)):
        assert state == ("ana", {("ana", TOKEN_2), ("ana", START_TOKEN)}, {"ana"}), n


@pytest.mark.parametrize(("outer", "inner"), [(_anas_report, _sign_out), (_sign_out, _anas_report)])
def test_after_a_sign_out_nothing_is_left_of_a_request_from_before_it(
    running_stack: Stack, outer: Request, inner: Request
) -> None:
    for n, state in enumerate(_interleaved(running_stack, _of_ana, outer, inner)):
        assert state == (None, set(), set()), n


def test_a_delivery_sees_a_new_token_or_its_catch_up_comes_after(running_stack: Stack) -> None:
    """Rows before the queue: no delivery falls between them."""
    missed = []

    def look(side: RegisterSide) -> None:
        row = side.publish({"activity": ORDER, "aps": {"event": "update", "content-state": {"minutes": 3}}})
        missed.append(("ana", TOKEN) not in side.pushable(row))

    def put_card(side: RegisterSide) -> None:
        with side.queueing() as queued:
            _anas_card(side)
        caught_up.append([one.phones for one, _ in queued if isinstance(one, Delivery)] == [(PHONE,)])

    caught_up: list[bool] = []
    for _ in _interleaved(running_stack, None, put_card, look):
        pass

    assert any(missed)
    assert not all(missed)
    assert all(caught_up)
