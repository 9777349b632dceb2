"""The tokens table: what is stored under which condition, what reads leave out, what Apple's word does."""

from copy import replace

import pytest

from lockstep.apns import Environment
from lockstep.ids import phone_of
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.row import CARD_LIFE_S
from lockstep.shards import Sharded
from lockstep.tokens import START_TOKEN_LIFE_S, Tokens
from onebox.stack import Stack
from tests.messages import NOW_MS, NOW_S
from tests.phones_side import ORDER, PHONE, START_TOKEN, TOKEN, TOKEN_2, TYPE

CARD = Card(ORDER, PHONE, "c-1", "ana", 1, TOKEN, NOW_MS, NOW_MS)
START = StartToken("ana", PHONE, TYPE, START_TOKEN, NOW_MS, NOW_MS)
MARKER = Marker(ORDER, PHONE, "ana", 1, 1)


@pytest.fixture
def tokens(stack: Stack) -> Tokens:
    return Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])


def of_activity(tokens: Tokens, *, now_s: int = NOW_S, first: str = "", last: str = "") -> list[Card | Marker]:
    pages = tokens.of_activity(Sharded.of_activity(ORDER, 1), now_s=now_s, first=first, last=last)
    return [row for page in pages for row in page]


def stored(tokens: Tokens) -> list[str | None]:
    return [row.token for row in of_activity(tokens) if isinstance(row, Card)]


def at(card: Card, ms: int, token: str | None = TOKEN) -> Card:
    return replace(card, observed_at_ms=NOW_MS + ms, token=token)


# --- conditions of a put


@pytest.mark.parametrize(("ms", "is_stored"), [(-1, False), (0, True), (1, True)])
def test_a_card_observed_earlier_than_what_is_stored_is_not_stored(tokens: Tokens, ms: int, is_stored: bool) -> None:
    assert tokens.put_card(CARD, now_s=NOW_S)

    assert bool(tokens.put_card(at(CARD, ms, token=TOKEN_2), now_s=NOW_S)) is is_stored

    assert stored(tokens) == [TOKEN_2 if is_stored else TOKEN]


@pytest.mark.parametrize(("ms", "is_stored"), [(-1, False), (0, True), (1, True)])
def test_a_start_token_observed_earlier_is_not_stored(tokens: Tokens, ms: int, is_stored: bool) -> None:
    assert tokens.put_start_token(START, now_s=NOW_S)

    assert tokens.put_start_token(replace(START, observed_at_ms=NOW_MS + ms), now_s=NOW_S) is is_stored


@pytest.mark.parametrize(("ms", "lives"), [(-1, False), (0, True), (1, True)])
def test_a_dead_token_observed_earlier_is_not_stored_again(tokens: Tokens, ms: int, lives: bool) -> None:
    dead_at_ms = 5_000
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.put_start_token(START, now_s=NOW_S)
    assert tokens.forget(CARD, dead_at_ms=NOW_MS + dead_at_ms)
    assert tokens.forget(START, dead_at_ms=NOW_MS + dead_at_ms)
    assert stored(tokens) == [None]
    assert tokens.start_tokens("ana", TYPE, now_s=NOW_S) == []

    observed_at_ms = NOW_MS + dead_at_ms + ms
    assert bool(tokens.put_card(at(CARD, dead_at_ms + ms), now_s=NOW_S)) is lives
    assert tokens.put_start_token(replace(START, observed_at_ms=observed_at_ms), now_s=NOW_S) is lives

    assert stored(tokens) == [TOKEN if lives else None]
    assert bool(tokens.start_tokens("ana", TYPE, now_s=NOW_S)) is lives


def test_another_token_is_stored_beside_a_tombstone_that_stays(tokens: Tokens) -> None:
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.forget(CARD, dead_at_ms=NOW_MS + 5_000)

    assert tokens.put_card(at(CARD, 1_000, token=TOKEN_2), now_s=NOW_S)
    assert not tokens.put_card(at(CARD, 2_000), now_s=NOW_S)

    assert stored(tokens) == [TOKEN_2]


@pytest.mark.parametrize(("ms", "is_forgotten"), [(-1, False), (0, False), (1, True)])
def test_a_token_is_forgotten_only_if_it_was_observed_before_it_died(
    tokens: Tokens, ms: int, is_forgotten: bool
) -> None:
    tokens.put_card(CARD, now_s=NOW_S)

    assert tokens.forget(CARD, dead_at_ms=NOW_MS + ms) is is_forgotten

    assert stored(tokens) == [None if is_forgotten else TOKEN]


def test_a_token_is_forgotten_only_if_it_is_still_the_stored_one(tokens: Tokens) -> None:
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.put_card(replace(CARD, token=TOKEN_2), now_s=NOW_S)

    assert not tokens.forget(CARD, dead_at_ms=NOW_MS + 5_000)

    assert stored(tokens) == [TOKEN_2]


def test_what_is_not_there_is_not_forgotten_and_leaves_nothing(tokens: Tokens) -> None:
    assert not tokens.forget(CARD, dead_at_ms=NOW_MS + 5_000)
    tokens.caught_up(CARD)

    assert of_activity(tokens) == []
    assert list(tokens.of_phone(PHONE)) == []


def test_a_guessed_run_gives_way_to_the_stored_one_and_a_said_one_does_not(tokens: Tokens) -> None:
    def run() -> list[int]:
        return [row.run for row in of_activity(tokens)]

    tokens.put_card(CARD, now_s=NOW_S, keeps_run=True)
    assert run() == [1]
    tokens.put_card(replace(CARD, run=2), now_s=NOW_S, keeps_run=True)
    assert run() == [1]
    tokens.put_card(replace(CARD, run=2), now_s=NOW_S)
    assert run() == [2]


# --- who is owed a catch-up


def owed(tokens: Tokens, card: Card, *, now_s: int = NOW_S) -> bool:
    put = tokens.put_card(card, now_s=now_s)
    assert put is not None
    return put.owed


def test_a_token_is_owed_a_catch_up_until_one_is_noted(tokens: Tokens) -> None:
    assert owed(tokens, CARD)
    assert owed(tokens, CARD)

    tokens.caught_up(CARD)

    assert not owed(tokens, CARD)
    assert not owed(tokens, replace(CARD, token=None))
    assert owed(tokens, replace(CARD, token=TOKEN_2))


def test_noting_a_catch_up_of_a_former_token_says_nothing_of_the_new_one(tokens: Tokens) -> None:
    owed(tokens, CARD)
    owed(tokens, replace(CARD, token=TOKEN_2))

    tokens.caught_up(CARD)

    assert owed(tokens, replace(CARD, token=TOKEN_2))


def test_a_token_under_another_user_is_owed_a_catch_up(tokens: Tokens) -> None:
    owed(tokens, CARD)
    tokens.caught_up(CARD)

    assert owed(tokens, replace(CARD, owner="ben"))


# --- what reads leave out


@pytest.mark.parametrize(("later_s", "count"), [(CARD_LIFE_S - 1, 2), (CARD_LIFE_S, 0)])
def test_cards_and_markers_live_12_hours(tokens: Tokens, later_s: int, count: int) -> None:
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.put_markers([MARKER], now_s=NOW_S, now_ms=NOW_MS)

    assert len(of_activity(tokens, now_s=NOW_S + later_s)) == count
    assert len(list(tokens.of_phone(PHONE, now_s=NOW_S + later_s))) == count
    assert len(list(tokens.of_phone(PHONE))) == 2


@pytest.mark.parametrize(("later_s", "count"), [(START_TOKEN_LIFE_S - 1, 1), (START_TOKEN_LIFE_S, 0)])
def test_start_tokens_live_a_year(tokens: Tokens, later_s: int, count: int) -> None:
    tokens.put_start_token(START, now_s=NOW_S)

    assert len(tokens.start_tokens("ana", TYPE, now_s=NOW_S + later_s)) == count


def test_start_tokens_are_those_of_the_user_and_the_type(tokens: Tokens) -> None:
    tokens.put_start_token(START, now_s=NOW_S)
    tokens.put_start_token(replace(START, owner="ana#0"), now_s=NOW_S)
    tokens.put_start_token(replace(START, attributes_type="MatchAttributes"), now_s=NOW_S)

    assert tokens.start_tokens("ana", TYPE, now_s=NOW_S) == [START]


def test_an_activitys_rows_come_in_the_order_of_phones_and_by_range(tokens: Tokens) -> None:
    phones = sorted(phone_of(f"device {i}") for i in range(5))
    for phone in phones:
        tokens.put_card(replace(CARD, phone=phone), now_s=NOW_S)
        tokens.put_markers([replace(MARKER, phone=phone)], now_s=NOW_S, now_ms=NOW_MS)

    assert [row.phone for row in of_activity(tokens)] == [phone for phone in phones for _ in range(2)]
    assert {row.phone for row in of_activity(tokens, first=phones[1], last=phones[3])} == set(phones[1:4])
    assert {row.phone for row in of_activity(tokens, first=phones[2], last=phones[2])} == {phones[2]}
    assert {row.phone for row in of_activity(tokens, first=phones[3])} == set(phones[3:])


# --- phones


def test_a_page_has_all_rows_of_its_phones_and_the_next_begins_after_them(tokens: Tokens) -> None:
    phones = sorted(phone_of(f"device-{i}") for i in range(4))
    for phone in phones:
        for card in ("c-1", "c-2"):
            assert tokens.put_card(replace(CARD, phone=phone, card=card), now_s=NOW_S)
        tokens.put_markers([replace(MARKER, phone=phone)], now_s=NOW_S, now_ms=NOW_MS)

    first, pages, last = "", [], "begin"
    while last:
        rows, last = tokens.page_of_activity(Sharded.of_activity(ORDER, 1), now_s=NOW_S, first=first, limit=8)
        pages.append([row.phone for row in rows])
        first = f"{last}~"

    assert pages == [[phone for phone in pair for _ in range(3)] for pair in (phones[:2], phones[2:])]


def test_a_page_whose_rows_have_all_expired_still_says_where_it_ended(tokens: Tokens) -> None:
    phones = sorted(phone_of(f"device-{i}") for i in range(3))
    for phone in phones:
        assert tokens.put_card(replace(CARD, phone=phone), now_s=NOW_S)

    rows, last = tokens.page_of_activity(Sharded.of_activity(ORDER, 1), now_s=NOW_S + CARD_LIFE_S, limit=2)

    assert (rows, last) == ([], phones[0])


def test_a_phone_is_written_only_as_it_was_read(tokens: Tokens) -> None:
    phone = Phone(PHONE, "ana", Environment.SANDBOX, "18.2", frequent_updates=True, observed_at_ms=NOW_MS)
    assert tokens.replace_phone(None, phone, now_s=NOW_S)
    assert not tokens.replace_phone(None, phone, now_s=NOW_S)
    [read] = tokens.phones([PHONE, PHONE, "unheard-of"]).values()
    assert read == replace(phone, writes=1)

    assert tokens.replace_phone(read, replace(read, owner="ben"), now_s=NOW_S)
    assert not tokens.replace_phone(read, replace(read, owner="cem"), now_s=NOW_S)

    assert tokens.phones([PHONE])[PHONE].owner == "ben"


def test_a_phone_loses_what_is_none(tokens: Tokens) -> None:
    tokens.replace_phone(None, Phone(PHONE, "ana", Environment.SANDBOX, "18.2", frequent_updates=True), now_s=NOW_S)
    before = tokens.phones([PHONE])[PHONE]

    tokens.replace_phone(before, Phone(PHONE, owner=None), now_s=NOW_S)

    assert tokens.phones([PHONE])[PHONE] == Phone(PHONE, owner=None, writes=2)
    assert list(tokens.of_owner("ana")) == []


def test_an_environment_is_remembered_unless_the_phone_said_its_own(tokens: Tokens) -> None:
    tokens.remember_environment(PHONE, Environment.SANDBOX)
    assert tokens.phones([PHONE]) == {}

    tokens.replace_phone(None, Phone(PHONE, "ana"), now_s=NOW_S)
    tokens.remember_environment(PHONE, Environment.SANDBOX)
    assert tokens.phones([PHONE])[PHONE].environment is Environment.SANDBOX

    tokens.remember_environment(PHONE, Environment.PRODUCTION)
    assert tokens.phones([PHONE])[PHONE].environment is Environment.SANDBOX


# --- markers


@pytest.mark.parametrize(("run", "noted"), [(0, 1), (1, 1), (2, 2)])
def test_a_dismissal_gives_way_to_the_start_of_a_later_run(tokens: Tokens, run: int, noted: int) -> None:
    tokens.put_markers([MARKER], now_s=NOW_S, now_ms=NOW_MS)

    tokens.note_dismissal(replace(MARKER, run=run, confirmed=True), now_s=NOW_S, now_ms=NOW_MS)

    assert [row.run for row in of_activity(tokens)] == [noted]


def test_a_dismissal_replaces_the_note_of_another_user(tokens: Tokens) -> None:
    tokens.put_markers([replace(MARKER, run=9)], now_s=NOW_S, now_ms=NOW_MS)

    tokens.note_dismissal(replace(MARKER, owner="ben"), now_s=NOW_S, now_ms=NOW_MS)

    assert of_activity(tokens) == [replace(MARKER, owner="ben")]


def test_more_markers_than_one_call_takes_are_all_written_and_taken_back(tokens: Tokens) -> None:
    markers = [replace(MARKER, phone=phone_of(f"device {i}")) for i in range(26)]

    tokens.put_markers(markers, now_s=NOW_S, now_ms=NOW_MS)
    assert len(of_activity(tokens)) == 26

    tokens.remove_markers(markers[:25])
    assert of_activity(tokens) == markers[25:]


# --- what leaves


def test_a_phone_and_an_owner_know_all_of_their_rows(tokens: Tokens) -> None:
    tokens.replace_phone(None, Phone(PHONE, "ana"), now_s=NOW_S)
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.put_start_token(START, now_s=NOW_S)
    tokens.put_markers([MARKER], now_s=NOW_S, now_ms=NOW_MS)
    tokens.put_card(replace(CARD, phone=phone_of("another"), owner="ben"), now_s=NOW_S)

    rows = {CARD, START, MARKER, Phone(PHONE, "ana", writes=1)}
    assert set(tokens.of_phone(PHONE)) == rows
    assert set(tokens.of_owner("ana")) == rows


@pytest.mark.parametrize(
    ("row", "by_ms", "before_ms", "goes"),
    [
        (CARD, NOW_MS, None, True),
        (CARD, NOW_MS - 1, None, False),
        (CARD, NOW_MS, NOW_MS + 1, True),
        (CARD, NOW_MS, NOW_MS, False),
        (replace(CARD, owner="ben"), NOW_MS, None, False),
        (replace(CARD, card="c-9"), NOW_MS, None, False),
    ],
)
def test_a_row_is_deleted_only_if_it_is_its_owners_and_old_enough(
    tokens: Tokens, row: Card, by_ms: int, before_ms: int | None, goes: bool
) -> None:
    tokens.put_card(CARD, now_s=NOW_S)

    tokens.delete(row, registered_by_ms=by_ms, observed_before_ms=before_ms)

    assert of_activity(tokens) == ([] if goes else [CARD])


# --- releases that follow


def test_attributes_of_a_later_release_survive_a_put(stack: Stack, tokens: Tokens) -> None:
    table = stack.aws.tables["TokensTable"]
    tokens.put_card(CARD, now_s=NOW_S)
    tokens.replace_phone(None, Phone(PHONE, "ana"), now_s=NOW_S)
    for item in stack.aws.items(table):
        stack.aws.dynamodb.put_item(TableName=table, Item={**item, "of_tomorrow": {"S": "kept"}})

    tokens.put_card(at(CARD, 1, token=TOKEN_2), now_s=NOW_S)
    tokens.replace_phone(tokens.phones([PHONE])[PHONE], Phone(PHONE, None), now_s=NOW_S)
    tokens.forget(at(CARD, 1, token=TOKEN_2), dead_at_ms=NOW_MS + 5)

    assert [item["of_tomorrow"] for item in stack.aws.items(table)] == [{"S": "kept"}] * 2


def test_no_token_is_shown_by_what_holds_it() -> None:
    assert TOKEN not in repr(CARD)
    assert START_TOKEN not in repr(START)
