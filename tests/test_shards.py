"""Which partitions an audience has, and that a page read out of them is what one partition would have given."""

from copy import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.followers import Followers
from lockstep.ids import phone_of
from lockstep.phones import Card, Follower, Marker
from lockstep.row import CARD_LIFE_S
from lockstep.shards import ACTIVITY_SHARDS, NAME_SHARDS, Sharded, shard_of
from lockstep.tokens import Tokens
from onebox.stack import Stack
from tests.messages import NOW_MS, NOW_S
from tests.phones_side import ORDER

SPREAD = Sharded.of_activity(ORDER, ACTIVITY_SHARDS)

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
ORDERS = count()
PREFIXES = st.text("0123456789abcdef", max_size=3)


def card(phone: str, shard: int = 0, *, observed_at_ms: int = NOW_MS, token: str = "a1" * 40) -> Card:
    return Card(ORDER, phone, "c-1", "ana", 1, token, observed_at_ms, NOW_MS, shard)


@pytest.fixture
def tokens(stack: Stack) -> Tokens:
    return Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])


def read(tokens: Tokens, *, limit: int = 1000, first: str = "", last: str = "") -> list[Card | Marker]:
    """Read a range page by page, as a slice does."""
    found: list[Card | Marker] = []
    while True:
        page, end = tokens.page_of_activity(SPREAD, now_s=NOW_S, first=first, last=last, limit=limit)
        assert [row.phone for row in page] == sorted(row.phone for row in page)
        found += page
        if not end:
            return found
        assert all(row.phone <= end for row in page)
        assert end > first
        first = f"{end}~"


# --- which


@pytest.mark.parametrize("shards", [1, NAME_SHARDS, ACTIVITY_SHARDS])
def test_shards_are_ranges_of_hashes_in_their_order_and_none_is_left_out(shards: int) -> None:
    found = [shard_of(f"{i:02x}", shards) for i in range(256)]

    assert found == sorted(found)
    assert set(found) == set(range(shards))
    assert {found.count(shard) for shard in found} == {256 // shards}


@given(HASHES, PREFIXES, PREFIXES, st.sampled_from([1, NAME_SHARDS, ACTIVITY_SHARDS]))
def test_a_range_is_looked_for_where_its_phones_are(phone: str, first: str, last: str, shards: int) -> None:
    shard = shard_of(phone, shards)
    looked_at = list(Sharded("activity#order-42", shards).beyond_first(first, last))

    assert looked_at == sorted(looked_at)
    if phone >= first and phone <= f"{last or 'f'}~":
        assert shard == 0 or shard in looked_at


def test_a_slice_of_two_digits_is_looked_for_in_one_shard() -> None:
    assert list(SPREAD.beyond_first("a7", "a7")) == [0xA7 // 4]
    assert list(Sharded("name#team-42", NAME_SHARDS).beyond_first("a", "a")) == [0xA]


# --- pages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.data())
def test_pages_have_each_phone_of_a_range_once_wherever_it_is_stored(stack: Stack, data: st.DataObject) -> None:
    tokens = Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
    audience = Sharded.of_activity(f"order-{next(ORDERS)}", data.draw(st.sampled_from([1, 2, 8])))
    wanted: dict[str, str] = {}
    for phone in data.draw(st.lists(HASHES, unique=True, max_size=12)):
        at = data.draw(st.sampled_from(["first", "own", "first newer", "own newer"]))
        own = shard_of(phone, audience.shards)
        stored = [(0, NOW_MS, "a1" * 40)] if at == "first" else [(own, NOW_MS, "b2" * 40)]
        if at == "first newer":
            stored = [(own, NOW_MS, "b2" * 40), (0, NOW_MS + 1, "a1" * 40)]
        if at == "own newer":
            stored = [(0, NOW_MS, "a1" * 40), (own, NOW_MS + 1, "b2" * 40)]
        for shard, observed_at_ms, token in stored:
            one = card(phone, shard, observed_at_ms=observed_at_ms, token=token)
            one = replace(one, activity=audience.audience.removeprefix("activity#"))
            assert tokens.put_card(one, now_s=NOW_S)
        wanted[phone] = stored[-1][2]
    prefix = data.draw(PREFIXES)
    limit = data.draw(st.integers(1, 6))

    found: list[Card | Marker] = []
    first, last = prefix, "begin"
    while last:
        page, last = tokens.page_of_activity(audience, now_s=NOW_S, first=first, last=prefix, limit=limit)
        found += page
        first = f"{last}~"

    held = {row.phone: row.token for row in found if isinstance(row, Card)}
    assert [row.phone for row in found] == sorted(phone for phone in wanted if phone.startswith(prefix))
    assert held == {phone: wanted[phone] for phone in held}


def test_where_the_first_shard_breaks_off_no_shard_beyond_is_asked(stack: Stack, tokens: Tokens) -> None:
    phones = [f"{i:02x}".ljust(64, "0") for i in range(0, 256, 4)]
    for phone in phones:
        assert tokens.put_card(card(phone), now_s=NOW_S)
    asked: list[str] = []

    def note(params: dict[str, Any], **_: object) -> None:
        asked.append(params["ExpressionAttributeValues"][":audience"]["S"])

    events = stack.aws.dynamodb.meta.events
    events.register("provide-client-params.dynamodb.Query", note)
    try:
        page, end = tokens.page_of_activity(SPREAD, now_s=NOW_S, first="", last="", limit=4)
    finally:
        events.unregister("provide-client-params.dynamodb.Query", note)

    assert ([row.phone for row in page], end) == (phones[:3], phones[2])
    assert asked == [SPREAD.key(shard) for shard in range(4)]


def test_a_page_ends_before_a_phone_whose_rows_it_may_not_have_all(tokens: Tokens) -> None:
    phones = sorted(phone_of(f"device-{i}") for i in range(20))
    for phone in phones:
        for shard in (0, shard_of(phone, ACTIVITY_SHARDS)):
            for name in ("c-1", f"c-{shard}"):
                tokens.put_card(replace(card(phone, shard), card=name), now_s=NOW_S)

    rows = read(tokens, limit=4)

    expected = {(phone, name) for phone in phones for name in ("c-1", "c-0", f"c-{shard_of(phone, ACTIVITY_SHARDS)}")}
    assert sorted((row.phone, row.card) for row in rows if isinstance(row, Card)) == sorted(expected)


def test_a_page_of_rows_that_have_all_expired_still_says_where_it_ended(tokens: Tokens) -> None:
    phones = sorted(phone for i in range(4) if shard_of(phone := phone_of(f"device-{i}"), ACTIVITY_SHARDS))[:3]
    for phone in phones:
        assert tokens.put_card(card(phone, shard_of(phone, ACTIVITY_SHARDS)), now_s=NOW_S)

    rows, last = tokens.page_of_activity(SPREAD, now_s=NOW_S + CARD_LIFE_S, limit=2)

    assert (rows, last) == ([], phones[0])


def test_of_two_markers_of_a_phone_that_of_the_later_run_counts(tokens: Tokens) -> None:
    phone = phone_of("device")
    earlier = Marker(ORDER, phone, "ana", 1, 1, shard=shard_of(phone, ACTIVITY_SHARDS))
    later = Marker(ORDER, phone, "ana", 2, 3)
    tokens.put_markers([later], now_s=NOW_S, now_ms=NOW_MS)
    # A card of the earlier run was swiped away since.
    tokens.put_markers([earlier], now_s=NOW_S, now_ms=NOW_MS + 1000)

    assert read(tokens) == [later]


# --- names


def test_followers_are_found_where_the_release_before_wrote_them_too(stack: Stack) -> None:
    followers = Followers(stack.aws.dynamodb, stack.aws.tables["TokensTable"])
    phones = sorted(phone_of(f"device-{i}") for i in range(40))
    every = [
        Follower("team-42", phone, "ana", NOW_MS, NOW_MS, 0 if i % 2 else shard_of(phone, NAME_SHARDS))
        for i, phone in enumerate(phones)
    ]
    followers.put(every, now_s=NOW_S)
    # Some have reported since, and are in both places.
    newer = [replace(one, observed_at_ms=NOW_MS + 1, shard=shard_of(one.phone, NAME_SHARDS)) for one in every[:10]]
    followers.put(newer, now_s=NOW_S)

    assert followers.page("team-42", now_s=NOW_S, limit=100) == ([*newer, *every[10:]], "")
    assert sorted(followers.among("team-42", phones, now_s=NOW_S), key=lambda one: one.phone) == [*newer, *every[10:]]


# --- a card that moves


OWN = next(phone for i in range(99) if shard_of(phone := phone_of(f"device-{i}"), ACTIVITY_SHARDS))
HOME = shard_of(OWN, ACTIVITY_SHARDS)


def test_a_card_moves_with_its_run_and_is_owed_a_catch_up_again(tokens: Tokens) -> None:
    before = card(OWN)
    tokens.put_card(before, now_s=NOW_S)
    tokens.caught_up(before)

    tokens.move(before, HOME)
    guessed = replace(before, run=2, shard=HOME, observed_at_ms=NOW_MS + 1)
    stored = tokens.put_card(guessed, now_s=NOW_S, keeps_run=True)

    assert stored is not None
    assert stored.owed, "a delivery may have passed that looked in shard 0 only"
    assert read(tokens) == [replace(guessed, run=1)]
    assert [row for row in tokens.of_phone(OWN) if isinstance(row, Card)] == [replace(guessed, run=1)]


def test_a_dead_token_stays_dead_where_its_card_moves(tokens: Tokens) -> None:
    before = card(OWN)
    tokens.put_card(before, now_s=NOW_S)
    assert tokens.forget(before, dead_at_ms=NOW_MS + 10)

    tokens.move(before, HOME)

    assert tokens.put_card(replace(before, shard=HOME, observed_at_ms=NOW_MS + 5), now_s=NOW_S) is None
    assert [row.token for row in read(tokens) if isinstance(row, Card)] == [None]


def test_a_card_is_not_moved_over_a_newer_one(tokens: Tokens) -> None:
    before, newer = card(OWN), card(OWN, HOME, observed_at_ms=NOW_MS + 1, token="b2" * 40)
    tokens.put_card(before, now_s=NOW_S)
    tokens.put_card(newer, now_s=NOW_S)

    tokens.move(before, HOME)

    assert list(tokens.of_phone(OWN)) == [newer]


def test_what_is_not_there_is_not_moved(tokens: Tokens) -> None:
    tokens.move(card(OWN), HOME)

    assert read(tokens) == []


def test_a_card_that_dies_while_it_moves_moves_dead(stack: Stack, tokens: Tokens) -> None:
    before = card(OWN)
    tokens.put_card(before, now_s=NOW_S)
    once = [None]

    def die(**_: object) -> None:
        if once:
            once.pop()
            assert tokens.forget(before, dead_at_ms=NOW_MS + 10)

    stack.aws.dynamodb.meta.events.register("before-call.dynamodb.DeleteItem", die)
    try:
        tokens.move(before, HOME)
    finally:
        stack.aws.dynamodb.meta.events.unregister("before-call.dynamodb.DeleteItem", die)

    assert [(row.shard, row.token) for row in tokens.of_phone(OWN) if isinstance(row, Card)] == [(HOME, None)]
    assert tokens.put_card(replace(before, shard=HOME), now_s=NOW_S) is None
