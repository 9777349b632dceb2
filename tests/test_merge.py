"""Publishes into a row: whatever the order, the same row; and what a run is."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.merge import Effect, advance, effect_of, merge
from lockstep.publishes import Publish
from lockstep.row import ALERT_LIFE_MS, ROW_LIFE_S, Registers, Row
from tests.messages import DRIVER, NOW_MS, NOW_S, end, read, start, update


def publish(body: dict[str, Any], at: int) -> Publish:
    return read(body, at_ms=NOW_MS + at)


def after(*publishes: Publish, row: Row | None = None) -> Row:
    """Let publishes reach a row one by one."""
    for one in publishes:
        row = advance(row, "order-42", one.registers, now_s=NOW_S)
    assert row is not None
    return row


def together(*publishes: Publish, row: Row | None = None) -> Row:
    """Let publishes reach a row in one batch."""
    said = Registers()
    for one in publishes:
        said = merge(said, one.registers)
    return advance(row, "order-42", said, now_s=NOW_S)


bodies = st.one_of(
    st.builds(start, st.just("order-42"), st.sampled_from(["ana", "ben"])),
    st.builds(start, st.just("order-42")),
    st.builds(update, minutes=st.integers(0, 3)),
    st.builds(update, minutes=st.integers(0, 3), aps=st.just({"alert": {"title": "Nearly there"}})),
    st.builds(update, guests=st.sampled_from([["ana"], ["ana", "ben"]])),
    st.builds(end),
    st.builds(end, aps=st.just({"content-state": {"done": True}, "dismissal-date": NOW_S})),
)
publishes = st.builds(publish, bodies, st.integers(0, 3))


@given(publishes, publishes, publishes)
def test_merge_is_commutative_associative_and_idempotent(one: Publish, two: Publish, three: Publish) -> None:
    a, b, c = one.registers, two.registers, three.registers

    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a
    assert merge(a, Registers()) == a


@given(st.lists(publishes, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_in_whatever_order_and_batches_publishes_come_phones_are_shown_the_same(
    said: list[Publish], random: Any
) -> None:
    shuffled = [*random.sample(said, len(said)), random.choice(said)]
    cut = random.randrange(len(shuffled) + 1)

    row = after(*said)
    other = (
        together(*shuffled[cut:], row=after(*shuffled[:cut]) if cut else None)
        if cut < len(shuffled)
        else after(*shuffled)
    )

    assert other.registers == row.registers
    assert other.registers.ended == row.registers.ended


@given(st.lists(publishes, min_size=1, max_size=6))
def test_counters_never_fall_and_only_a_change_writes(said: Sequence[Publish]) -> None:
    row: Row | None = None
    for one in said:
        before, row = row, advance(row, "order-42", one.registers, now_s=NOW_S)

        if before is None:
            assert (row.writes, row.revision) == (1, 1)
            continue
        assert row.run >= before.run
        assert row.revision - before.revision in (0, 1)
        assert row.writes - before.writes == (row.registers != before.registers)
        assert advance(row, "order-42", one.registers, now_s=NOW_S) is row


def test_a_start_that_arrives_after_its_update_still_starts_with_the_newest_state() -> None:
    row = after(publish(update(minutes=7), 1000), publish(start("order-42", "ana"), 0))

    assert row.registers.running
    assert row.users == ("ana",)
    assert row.registers.state is not None
    assert row.registers.state.value["content-state"] == {"driver": DRIVER, "minutes": 7}


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_publishes_in_one_millisecond_the_same_one_wins_in_either_order(order: tuple[int, ...]) -> None:
    said = [publish(update(minutes=1), 0), publish(update(minutes=2), 0)]
    winner = max(said, key=lambda one: one.version)

    row = after(*(said[i] for i in order))

    assert row.registers.state == winner.registers.state


def test_an_end_older_than_the_newest_start_ends_nothing() -> None:
    row = after(publish(start(), 1000), publish(end(), 0))

    assert row.registers.running


def test_a_run_is_numbered_by_the_milliseconds_of_its_start() -> None:
    row = after(publish(start(), 0))

    assert row.run == row.first_run == NOW_MS
    assert row.run_revision == 1


def test_repeated_starts_in_either_order_are_one_run() -> None:
    one, two = publish(start(), 0), publish(start(), 1000)

    assert after(one, two).run == NOW_MS
    assert after(two, one).run == NOW_MS + 1000
    assert after(one, two).registers == after(two, one).registers


def test_a_start_after_an_end_opens_a_new_run() -> None:
    row = after(publish(start(), 0), publish(end(), 1000), publish(start(), 2000))

    assert row.run == NOW_MS + 2000
    assert row.first_run == NOW_MS
    assert row.run_revision == row.revision == 3


def test_an_end_and_a_new_start_in_one_batch_open_a_new_run() -> None:
    row = together(publish(end(), 1000), publish(start(), 2000), row=after(publish(start(), 0)))

    assert row.run == NOW_MS + 2000


def test_an_end_that_arrives_after_the_start_that_followed_it_leaves_the_run() -> None:
    row = after(publish(start(), 0), publish(start(), 2000), publish(end(), 1000))

    assert row.registers.running
    assert row.run == NOW_MS


def test_an_update_without_any_start_opens_the_activity() -> None:
    row = after(publish(update(), 0))

    assert row.registers.running
    assert row.run == NOW_MS


def test_an_update_after_the_end_shows_nothing_new() -> None:
    ended = after(publish(start(), 0), publish(end(), 1000))
    late = publish(update(), 2000)

    row = after(late, row=ended)

    assert row.registers.ended
    assert row.revision == ended.revision
    assert effect_of(late, ended, row) is Effect.SUPERSEDED


def test_an_alert_is_dated_by_the_revision_that_set_it() -> None:
    row = after(publish(start(), 0), publish(update(minutes=5), 1000))
    assert (row.alert_revision, row.revision) == (1, 2)

    row = after(publish(update(aps={"alert": {"title": "Nearly there"}}), 2000), row=row)
    assert (row.alert_revision, row.revision) == (3, 3)


def test_a_publish_takes_repeats_or_is_superseded() -> None:
    one, two = publish(update(minutes=1), 0), publish(update(minutes=2), 1000)
    row = after(two)

    assert effect_of(two, None, row) is Effect.TOOK
    assert effect_of(two, row, row) is Effect.REPEATED
    assert effect_of(one, row, row) is Effect.SUPERSEDED


def test_a_row_lives_a_day_longer_than_its_cards() -> None:
    assert after(publish(update(), 0)).expires_at_s == NOW_S + ROW_LIFE_S == NOW_S + 36 * 3600


@pytest.mark.parametrize(("late_ms", "revision"), [(ALERT_LIFE_MS + 1, 1), (ALERT_LIFE_MS, 2)])
def test_an_alert_that_comes_behind_a_newer_state_counts_while_it_can_ring(late_ms: int, revision: int) -> None:
    """To bring everybody the state once more, for an alert that nobody would hear, is nothing but a cost."""
    alert = read(update(minutes=7, aps={"alert": {"title": "Nearly there"}}), at_ms=NOW_MS - late_ms)
    row = together(read(update(minutes=6), at_ms=NOW_MS))

    after = together(alert, row=row)

    assert after.registers.alert == alert.registers.alert, "a start would carry it"
    assert (row.revision, after.revision) == (1, revision)
    assert after.owes == (after.sent_revision < revision)
