"""The activities table: compare-and-set, what expires, who is wanted, leases."""

from dataclasses import replace
from typing import Any

import pytest

from lockstep.activities import Activities, Conflict
from lockstep.merge import advance
from lockstep.row import ROW_LIFE_S, Registers, Row
from onebox.stack import Stack
from tests.messages import NOW_MS, NOW_S, end, read, start, update
from tests.phones_side import ORDER


@pytest.fixture
def activities(stack: Stack) -> Activities:
    return Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])


def row_of(body: dict[str, Any], before: Row | None = None, *, activity: str = ORDER) -> Row:
    at_ms = NOW_MS if before is None else NOW_MS + 1
    return advance(before, activity, read(body, at_ms=at_ms).registers, now_s=NOW_S)


def get(activities: Activities, *, now_s: int = NOW_S) -> Row:
    row = activities.get(ORDER, now_s=now_s)
    assert row is not None
    return row


# --- compare-and-set


@pytest.mark.parametrize(
    "body",
    [
        start(ORDER, "ana", "ben", guests=["ana", "ben", "☕"]),
        update(aps={"content-state": {"☕": [None, 1.5, {"deep": True}]}, "stale-date": NOW_S + 1}),
        end(ORDER, aps={"dismissal-date": NOW_S}),
    ],
)
def test_a_row_is_read_as_it_was_written(activities: Activities, body: dict[str, Any]) -> None:
    row = row_of(body)

    assert activities.replace(None, row, now_s=NOW_S) is None

    assert get(activities) == row


def test_a_row_is_written_only_as_it_was_read(activities: Activities) -> None:
    first = row_of(start(ORDER))
    activities.replace(None, first, now_s=NOW_S)
    second = row_of(update(minutes=1), first)
    assert activities.replace(first, second, now_s=NOW_S) is None

    assert activities.replace(first, row_of(update(minutes=2), first), now_s=NOW_S) == Conflict(second)
    assert activities.replace(None, row_of(update(minutes=2)), now_s=NOW_S) == Conflict(second)

    assert get(activities) == second


def test_a_row_that_is_gone_is_a_conflict_with_nothing(activities: Activities) -> None:
    first = row_of(start(ORDER))

    assert activities.replace(first, row_of(update(), first), now_s=NOW_S) == Conflict(None)

    assert activities.get(ORDER, now_s=NOW_S) is None


def test_a_register_that_is_gone_is_gone_from_the_row(activities: Activities) -> None:
    first = row_of(start(ORDER))
    activities.replace(None, first, now_s=NOW_S)
    bare = Row(ORDER, Registers(), writes=first.writes + 1, expires_at_s=first.expires_at_s)

    activities.replace(first, bare, now_s=NOW_S)

    assert get(activities) == bare


def test_attributes_of_a_later_release_survive_an_update(stack: Stack, activities: Activities) -> None:
    table = stack.aws.tables["ActivitiesTable"]
    first = row_of(start(ORDER))
    activities.replace(None, first, now_s=NOW_S)
    [item] = stack.aws.items(table)
    stack.aws.dynamodb.put_item(TableName=table, Item={**item, "of_tomorrow": {"S": "kept"}})

    second = row_of(update(), first)
    assert activities.replace(first, second, now_s=NOW_S) is None
    activities.record(second, sent=second.revision, started=False)

    [item] = stack.aws.items(table)
    assert item["of_tomorrow"] == {"S": "kept"}


# --- expiry


@pytest.mark.parametrize(("later_s", "lives"), [(ROW_LIFE_S - 1, True), (ROW_LIFE_S, False)])
def test_an_expired_row_is_none(activities: Activities, later_s: int, lives: bool) -> None:
    row = replace(row_of(start(ORDER, "ana")), expires_at_s=NOW_S + ROW_LIFE_S)
    activities.replace(None, row, now_s=NOW_S)
    activities.want(ORDER, ["ana"], now_s=NOW_S)
    now_s = NOW_S + later_s

    assert (activities.get(ORDER, now_s=now_s) is not None) is lives
    assert bool(activities.wanting("ana", now_s=now_s)) is lives
    conflict = activities.replace(None, replace(row, run=7, expires_at_s=now_s + 1), now_s=now_s)
    assert conflict == (Conflict(row) if lives else None)
    assert get(activities, now_s=now_s).run == (row.run if lives else 7)


def test_a_row_that_expired_while_it_was_read_is_a_conflict_with_nothing(activities: Activities) -> None:
    row = row_of(start(ORDER))
    activities.replace(None, row, now_s=NOW_S)

    stale = replace(row, writes=row.writes - 1)

    assert activities.replace(stale, row, now_s=row.expires_at_s - 1) == Conflict(row)
    assert activities.replace(stale, row, now_s=row.expires_at_s) == Conflict(None)


def test_nothing_of_an_expired_row_remains_in_the_one_that_follows(activities: Activities) -> None:
    old = row_of(start(ORDER, "ana"))
    activities.replace(None, old, now_s=NOW_S)

    new = replace(row_of(update()), expires_at_s=old.expires_at_s + ROW_LIFE_S)
    assert activities.replace(None, new, now_s=old.expires_at_s) is None

    assert get(activities, now_s=old.expires_at_s) == new


# --- how far a delivery came


def test_what_was_sent_is_recorded_and_counts_as_a_write(activities: Activities) -> None:
    row = row_of(start(ORDER, "ana"))
    activities.replace(None, row, now_s=NOW_S)

    answered = activities.record(row, sent=row.revision, started=True)

    found = get(activities)
    assert found == answered
    assert found == replace(row, sent_revision=row.revision, started=row.start_version, writes=row.writes + 1)
    assert not found.owes
    assert not found.owes_starts


def test_recording_never_lowers(activities: Activities) -> None:
    first = row_of(start(ORDER))
    second = replace(row_of(update(), first), writes=first.writes)
    activities.replace(None, second, now_s=NOW_S)

    activities.record(second, sent=second.revision, started=False)
    activities.record(first, sent=first.revision, started=False)

    assert second.revision > first.revision
    assert get(activities).sent_revision == second.revision


def test_starts_are_recorded_even_where_the_cards_were_already(activities: Activities) -> None:
    row = row_of(start(ORDER, "ana"))
    activities.replace(None, row, now_s=NOW_S)
    activities.record(row, sent=row.revision, started=False)

    activities.record(row, sent=row.revision, started=True)

    assert get(activities).started == row.start_version


def test_an_earlier_run_records_nothing(activities: Activities) -> None:
    row = row_of(start(ORDER, "ana"))
    activities.replace(None, row, now_s=NOW_S)

    activities.record(replace(row, run=row.run - 1), sent=row.revision, started=True)

    assert get(activities) == row


def test_recording_makes_no_row(stack: Stack, activities: Activities) -> None:
    assert activities.record(row_of(start(ORDER, "ana")), sent=1, started=True) is None

    assert stack.aws.items(stack.aws.tables["ActivitiesTable"]) == []


# --- who is wanted


def test_a_user_finds_the_running_activities_that_name_them(activities: Activities) -> None:
    rows = {
        "running": row_of(start("running", "ana"), activity="running"),
        "ended": row_of(end("ended"), activity="ended"),
        "of-ben": row_of(start("of-ben", "ben"), activity="of-ben"),
        "not-a-guest": row_of(
            update("not-a-guest", guests=["ben"]),
            row_of(start("not-a-guest", "ana"), activity="not-a-guest"),
            activity="not-a-guest",
        ),
    }
    for row in rows.values():
        activities.replace(None, row, now_s=NOW_S)
    # Written before the commit, so it may speak of what never came to be.
    for activity in (*rows, "never-committed"):
        activities.want(activity, ["ana"], now_s=NOW_S)

    assert activities.wanting("ana", now_s=NOW_S) == [rows["running"]]
    assert activities.wanting("ben", now_s=NOW_S) == []


def test_more_rows_than_one_call_takes_are_all_read(activities: Activities) -> None:
    names = [f"order-{i}" for i in range(101)]
    for name in (names[0], names[-1]):
        activities.replace(None, row_of(start(name), activity=name), now_s=NOW_S)

    assert set(activities.get_many([*names, *names], now_s=NOW_S)) == {names[0], names[-1]}
