"""Sign-out and deletion: what goes, what stays, and the second look through the queue."""

import json

import pytest

from lockstep import forgetting
from lockstep.delivery import Forgetting
from lockstep.forgetting import SECOND_LOOK_S
from lockstep.ids import phone_of
from lockstep.phones import Card, Marker
from onebox.stack import Stack
from tests.messages import NOW_MS, sqs, start
from tests.phones_side import DEVICE, ORDER, PHONE, START_TOKEN, TOKEN, TOKEN_2, TYPE, RegisterSide

OTHER_DEVICE = "9A8B7C6D-0000-4000-8000-000000000001"
CARD = {"card": "c-1", "activity": ORDER, "token": TOKEN}
START = {"attributes_type": TYPE, "token": START_TOKEN}


@pytest.fixture
def side(stack: Stack) -> RegisterSide:
    return RegisterSide(stack)


def signed_in(side: RegisterSide, user: str = "ana", device: str = DEVICE) -> None:
    side.report(user, device=device, cards=[CARD], start_tokens=[START])
    marker = Marker(ORDER, phone_of(device), user, 1, 1, confirmed=True)
    side.tokens.put_markers([marker], now_s=side.clock.s, now_ms=side.clock.ms)
    side.clock.advance(1)


def test_a_sign_out_forgets_all_of_this_phone(side: RegisterSide) -> None:
    signed_in(side)

    with side.queueing() as queued:
        side.registration.sign_out("ana", DEVICE)

    phone = side.phone()
    assert phone is not None
    assert phone.owner is None
    assert side.owners() == set()
    assert queued == [(Forgetting("ana", PHONE, side.clock.ms), SECOND_LOOK_S)]


def test_a_sign_out_leaves_the_users_other_phones(side: RegisterSide) -> None:
    signed_in(side)
    signed_in(side, device=OTHER_DEVICE)

    side.registration.sign_out("ana", DEVICE)

    assert [card.phone for card in side.cards()] == [phone_of(OTHER_DEVICE)]
    assert [one.phone for one in side.start_tokens()] == [phone_of(OTHER_DEVICE)]
    other = side.phone(OTHER_DEVICE)
    assert other is not None
    assert other.owner == "ana"


@pytest.mark.parametrize(("user", "device"), [("ben", DEVICE), ("ana", "unheard-of")])
def test_signing_out_what_is_not_yours_or_not_there_changes_nothing(side: RegisterSide, user: str, device: str) -> None:
    signed_in(side)
    table = side.stack.aws.tables["TokensTable"]
    before = side.stack.aws.items(table)

    with side.queueing() as queued:
        side.registration.sign_out(user, device)

    assert side.stack.aws.items(table) == before
    assert queued == []


def test_nothing_of_a_signed_out_phone_is_pushed_even_where_its_rows_are_still_there(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana"))
    signed_in(side)
    side.registration.sign_out("ana", DEVICE)

    # A lagging index finds none of these.
    side.tokens.put_card(_late_card(side), now_s=side.clock.s)

    assert len(side.cards()) == 1
    assert side.pushable(row, "ana") == set()


@pytest.mark.parametrize("phone", [PHONE, None], ids=["sign-out", "forget me"])
def test_a_second_look_deletes_up_to_the_moment_of_the_first(side: RegisterSide, phone: str | None) -> None:
    signed_in(side)
    up_to_ms = side.clock.ms
    side.put_card(card="registered-then", token=TOKEN)
    side.clock.ms += 1000
    side.put_card(card="registered-later", token=TOKEN_2)

    forgetting.forget(side.tokens, Forgetting("ana", phone, up_to_ms))

    assert [card.card for card in side.cards()] == ["registered-later"]
    assert side.start_tokens() == []
    found = side.phone()
    assert found is not None
    assert found.owner == "ana"


def test_a_second_look_leaves_the_next_user_alone(side: RegisterSide) -> None:
    signed_in(side)
    side.registration.sign_out("ana", DEVICE)
    side.clock.advance(1)
    side.report("ben", cards=[CARD], start_tokens=[START])

    forgetting.forget(side.tokens, Forgetting("ana", PHONE, side.clock.ms))

    assert side.owners() == {"ben"}
    assert [card.owner for card in side.cards()] == ["ben"]


def test_push_takes_the_second_look(side: RegisterSide) -> None:
    signed_in(side)
    body = json.loads(Forgetting("ana", PHONE, NOW_MS).to_body())

    answer = side.stack.invoke_push({"Records": [sqs(body, queue="DeliveryQueue")]})

    assert answer == {"batchItemFailures": []}
    assert side.cards() == []


def test_a_user_is_forgotten_on_every_phone(side: RegisterSide) -> None:
    row = side.publish(start(ORDER, "ana", "ben"))
    signed_in(side)
    signed_in(side, device=OTHER_DEVICE)
    signed_in(side, "ben", device="bens")

    with side.queueing() as queued:
        side.registration.forget_user("ana")

    assert side.owners() == {"ben"}
    assert {owner for owner, _ in side.pushable(row, "ana", "ben")} == {"ben"}
    for device in (DEVICE, OTHER_DEVICE):
        phone = side.phone(device)
        assert phone is not None
        assert phone.owner is None
    assert queued == [(Forgetting("ana", None, side.clock.ms), SECOND_LOOK_S)]


def test_forgetting_a_user_leaves_the_phones_that_are_anothers_by_now(side: RegisterSide) -> None:
    signed_in(side)
    side.report("ben", cards=[CARD])
    side.clock.advance(1)

    side.registration.forget_user("ana")

    phone = side.phone()
    assert phone is not None
    assert phone.owner == "ben"
    assert [card.owner for card in side.cards()] == ["ben"]


def test_who_was_forgotten_may_come_back(side: RegisterSide) -> None:
    signed_in(side)
    side.registration.forget_user("ana")

    side.clock.advance(1)
    side.report(cards=[CARD])

    assert side.pushable(side.publish(start(ORDER))) == {("ana", TOKEN)}


def _late_card(side: RegisterSide) -> Card:
    return Card(ORDER, PHONE, "c-late", "ana", 0, TOKEN_2, side.clock.ms, side.clock.ms)
