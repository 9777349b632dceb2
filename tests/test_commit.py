"""Publishes into rows: compare-and-set, whoever writes meanwhile."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lockstep.activities import Activities
from lockstep.commit import Committer, Contended
from lockstep.delivery import Audience, Delivery
from lockstep.merge import Effect
from lockstep.row import STAMP_FRESH_S
from onebox.stack import Stack
from tests.committing import committer
from tests.messages import DRIVER, end, read, start, update


class Clock:
    def __init__(self) -> None:
        self.s = time.time()

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def activities(stack: Stack) -> Activities:
    return Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])


@pytest.fixture
def ours(stack: Stack, clock: Clock) -> Committer:
    return committer(stack, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_commit_writes_the_row_with_its_stamp_in_one_write(
    ours: Committer, activities: Activities, clock: Clock
) -> None:
    committed = ours.commit([read(update())])

    assert committed.effects == (Effect.TOOK,)
    assert committed.delivery == Delivery("order-42", Audience.CARDS, from_revision=0)
    assert committed.row == activities.get("order-42", now_s=int(clock()))
    assert committed.row.timestamp_s == int(clock())
    assert committed.row.stamped_revision == committed.row.revision == 1


def test_what_changes_nothing_and_owes_nothing_is_not_written(
    ours: Committer, activities: Activities, clock: Clock
) -> None:
    row = ours.commit([read(update())]).row
    activities.record(row, sent=row.revision, started=False)

    again = ours.commit([read(update())])

    assert again.effects == (Effect.REPEATED,)
    assert again.delivery is None
    assert again.row.writes == row.writes + 1, "only the record was written"


def test_stamps_strictly_grow_and_no_two_states_share_one(ours: Committer, clock: Clock) -> None:
    stamps = [ours.commit([read(update(minutes=i), at_ms=1_800_000_000_000 + i)]).row.timestamp_s for i in range(3)]

    assert stamps == [int(clock()) + i for i in range(3)]


def test_writers_that_meet_all_get_through(ours: Committer, activities: Activities, clock: Clock) -> None:
    """Twelve publishes of one activity at once, from as many functions: the newest stands, nothing is lost."""
    publishes = [read(update(minutes=i), at_ms=1_800_000_000_000 + i) for i in range(12)]

    with ThreadPoolExecutor(12) as pool:
        committed = list(pool.map(lambda publish: ours.commit([publish]), publishes))

    row = activities.get("order-42", now_s=int(clock()))
    assert row is not None
    assert row.registers.state is not None
    assert row.registers.state.value["content-state"] == {"driver": DRIVER, "minutes": 11}
    rows = [one.row for one in committed if one.delivery]
    assert len({one.timestamp_s for one in rows}) == len({one.revision for one in rows}), "one state, one stamp"
    assert row.sent_revision == 0
    assert row.claimed_revision == row.revision or row.due_at_ms > 0, "the newest is delivered, now or later"


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
    other = committer(stack, clock)
    newer = read(update(minutes=1), at_ms=1_800_000_000_005)
    names = stack.container("PushFunction").names  # clients of its own, so that the hook meets its calls only
    mine, events = committer(stack, clock, activities=names["activities"]), names["dynamodb"].meta.events
    act = meanwhile(lambda: other.commit([newer]), 1)
    events.register("before-call.dynamodb.UpdateItem", act)
    try:
        committed = mine.commit([read(start(), at_ms=1_800_000_000_001)])
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", act)

    assert committed.row.registers.start is not None
    assert committed.row.registers.state is not None
    assert committed.row.registers.state.version == newer.version


def test_a_row_that_changes_all_the_time_is_left_for_later(stack: Stack, clock: Clock) -> None:
    other = committer(stack, clock)
    names = stack.container("PushFunction").names
    count = 0

    def write(**_: Any) -> None:
        nonlocal count
        count += 1
        other.commit([read(update(minutes=count), at_ms=1_800_000_000_100 + count)])

    events = names["dynamodb"].meta.events
    events.register("before-call.dynamodb.UpdateItem", write)
    try:
        with pytest.raises(Contended):
            committer(stack, clock, activities=names["activities"]).commit([read(end(), at_ms=1_800_000_000_001)])
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", write)


def test_an_expired_row_is_none(ours: Committer, activities: Activities, clock: Clock) -> None:
    first = ours.commit([read(update(minutes=1), at_ms=int(clock() * 1000))]).row
    clock.s = first.expires_at_s

    row = ours.commit([read(update(minutes=2), at_ms=int(clock() * 1000))]).row

    assert row.revision == 1
    assert row.run > first.run


def test_a_claim_stamps_only_what_has_no_fresh_stamp(ours: Committer, activities: Activities, clock: Clock) -> None:
    catch_up = Delivery("order-42", Audience.CARDS, phones=("ab" * 16,))
    assert ours.claim(catch_up) is None
    row = ours.commit([read(update())]).row

    assert ours.claim(catch_up) == (row, catch_up)
    clock.s += STAMP_FRESH_S
    assert ours.claim(catch_up) == (row, catch_up)
    clock.s += 1
    claimed = ours.claim(catch_up)

    assert claimed is not None
    assert claimed[0].timestamp_s == int(clock()) > row.timestamp_s
    assert claimed[0].writes == row.writes + 1
    assert claimed[0] == activities.get("order-42", now_s=int(clock()))
