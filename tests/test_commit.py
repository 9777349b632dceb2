"""Publishes into rows: compare-and-set, whoever writes meanwhile."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lockstep.activities import Activities
from lockstep.commit import Contended, claim, commit
from lockstep.merge import Effect
from lockstep.row import STAMP_LIFE_S
from onebox.stack import Stack
from tests.messages import end, read, start, update


class Clock:
    def __init__(self) -> None:
        self.s = time.time()

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def activities(stack: Stack) -> Activities:
    return Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_commit_writes_the_row_with_its_stamp_in_one_write(activities: Activities, clock: Clock) -> None:
    committed = commit(activities, [read(update())], now=clock)

    assert committed.effects == (Effect.TOOK,)
    assert committed.owes
    assert committed.row == activities.get("order-42", now_s=int(clock()))
    assert committed.row.timestamp_s == int(clock())
    assert committed.row.stamped_revision == committed.row.revision == 1


def test_what_changes_nothing_and_owes_nothing_is_not_written(activities: Activities, clock: Clock) -> None:
    row = commit(activities, [read(update())], now=clock).row
    activities.record(row, sent=True, started=False)

    again = commit(activities, [read(update())], now=clock)

    assert again.effects == (Effect.REPEATED,)
    assert not again.owes
    assert again.row.writes == row.writes + 1, "only the record was written"


def test_stamps_strictly_grow_and_no_two_states_share_one(activities: Activities, clock: Clock) -> None:
    stamps = [
        commit(activities, [read(update(minutes=i), at_ms=1_800_000_000_000 + i)], now=clock).row.timestamp_s
        for i in range(5)
    ]

    assert stamps == [int(clock()) + i for i in range(5)]


def test_writers_that_meet_all_get_through(activities: Activities, clock: Clock) -> None:
    """Twelve publishes of one activity at once, from as many functions: the newest stands, nothing is lost."""
    publishes = [read(update(minutes=i), at_ms=1_800_000_000_000 + i) for i in range(12)]

    with ThreadPoolExecutor(12) as pool:
        rows = [one.row for one in pool.map(lambda publish: commit(activities, [publish], now=clock), publishes)]

    row = activities.get("order-42", now_s=int(clock()))
    assert row is not None
    assert row.registers.state is not None
    assert row.registers.state.value["content-state"] == {"driver": "Ana", "minutes": 11}
    stamps = {(one.revision, one.timestamp_s) for one in rows if one.registers.state == row.registers.state}
    assert len(stamps) == 1, "one state, one stamp"
    assert len({one.timestamp_s for one in rows}) == len({one.revision for one in rows})


def meanwhile(act: Callable[[], object], times: int) -> Callable[..., None]:
    """Let somebody else write just before our write goes out."""
    left = times

    def hook(**_: Any) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            act()

    return hook


def test_a_conflict_is_merged_again_with_what_the_other_wrote(
    stack: Stack, activities: Activities, clock: Clock
) -> None:
    other = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    newer = read(update(minutes=1), at_ms=1_800_000_000_005)
    names = stack.container("PushFunction").names  # clients of its own, so that the hook meets its calls only
    ours, events = names["activities"], names["dynamodb"].meta.events
    act = meanwhile(lambda: commit(other, [newer], now=clock), 1)
    events.register("before-call.dynamodb.UpdateItem", act)
    try:
        committed = commit(ours, [read(start(), at_ms=1_800_000_000_001)], now=clock)
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", act)

    assert committed.row.registers.start is not None
    assert committed.row.registers.state is not None
    assert committed.row.registers.state.version == newer.version


def test_a_row_that_changes_all_the_time_is_left_for_later(stack: Stack, clock: Clock) -> None:
    other = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    names = stack.container("PushFunction").names
    count = 0

    def write(**_: Any) -> None:
        nonlocal count
        count += 1
        commit(other, [read(update(minutes=count), at_ms=1_800_000_000_100 + count)], now=clock)

    events = names["dynamodb"].meta.events
    events.register("before-call.dynamodb.UpdateItem", write)
    try:
        with pytest.raises(Contended):
            commit(names["activities"], [read(end(), at_ms=1_800_000_000_001)], now=clock)
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", write)


def test_an_expired_row_is_none(activities: Activities, clock: Clock) -> None:
    first = commit(activities, [read(update(minutes=1), at_ms=int(clock() * 1000))], now=clock).row
    clock.s = first.expires_at_s

    row = commit(activities, [read(update(minutes=2), at_ms=int(clock() * 1000))], now=clock).row

    assert row.revision == 1
    assert row.run > first.run


def test_a_claim_stamps_only_what_has_no_fresh_stamp(activities: Activities, clock: Clock) -> None:
    assert claim(activities, "order-42", now=clock) is None
    row = commit(activities, [read(update())], now=clock).row

    assert claim(activities, "order-42", now=clock) == row
    clock.s += STAMP_LIFE_S
    assert claim(activities, "order-42", now=clock) == row
    clock.s += 1
    claimed = claim(activities, "order-42", now=clock)

    assert claimed is not None
    assert claimed.timestamp_s == int(clock()) > row.timestamp_s
    assert claimed.writes == row.writes + 1
    assert claimed == activities.get("order-42", now_s=int(clock()))
