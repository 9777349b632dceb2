"""A row: who may follow it, which cards are its own, what it owes, and its stamp."""

from dataclasses import replace

from lockstep.row import Register, Version
from tests.messages import NOW_MS, NOW_S, start, update
from tests.test_merge import after, publish
from tests.test_payload import row_of


def test_a_stamp_strictly_grows_even_within_a_second() -> None:
    row = after(publish(update(), 0)).stamped(NOW_S)

    assert row.timestamp_s == NOW_S
    assert row.stamped(NOW_S).timestamp_s == NOW_S + 1


def test_a_state_needs_a_stamp_if_it_has_none_or_an_old_one() -> None:
    row = after(publish(update(), 0))
    assert row.needs_stamp(NOW_S)

    row = row.stamped(NOW_S)
    assert not row.needs_stamp(NOW_S + 10)
    assert row.needs_stamp(NOW_S + 11)
    assert after(publish(update(minutes=1), 1), row=row).needs_stamp(NOW_S)


def test_no_stamp_goes_out_that_is_20_s_old() -> None:
    row = after(publish(update(), 0)).stamped(NOW_S)

    assert not row.stamp_is_old(NOW_S + 19.9)
    assert row.stamp_is_old(NOW_S + 20)


def test_a_card_belongs_to_the_rows_run_unless_it_is_of_an_earlier_one() -> None:
    row = replace(row_of(update()), run=20, first_run=10)

    assert [row.is_of_run(run) for run in (10, 19, 20, 21)] == [False, False, True, True]


def test_a_card_that_registered_before_there_was_a_row_is_of_its_first_run() -> None:
    row = replace(row_of(update()), run=10, first_run=10)

    assert row.is_of_run(0)
    assert not replace(row, run=20).is_of_run(0)


def test_a_row_owes_until_its_revision_is_sent_and_starts_until_its_start_is() -> None:
    row = row_of(start("order-42", "ana"))
    assert row.owes
    assert row.owes_starts

    assert not replace(row, sent_revision=row.revision).owes
    assert not replace(row, started=row.start_version).owes_starts
    assert replace(row, started=row.start_version, run=row.run + 1).owes_starts
    assert not row_of(start("order-42")).owes_starts


def test_versions_are_ordered_by_time_and_then_by_content() -> None:
    assert Version(1, "b") < Version(2, "a")
    assert Version(1, "a") < Version(1, "b")


def test_a_register_never_prints_its_value() -> None:
    assert "Ana" not in repr(Register(Version(NOW_MS, "x"), {"content-state": {"driver": "Ana"}}))
