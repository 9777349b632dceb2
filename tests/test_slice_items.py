"""Slices in the table: leases, splits, progress."""

from dataclasses import replace

import pytest

from lockstep.outcomes import Heard, Outcomes
from lockstep.slice_items import Held, SliceItems, Split
from lockstep.slices import Known, Slice
from onebox.stack import Stack
from tests.messages import NOW_MS, NOW_S

ORDER = "order-42"

HEARD, NONE = Outcomes(3, 5, (("Accepted", 2),)), Outcomes(3, 6)


@pytest.fixture
def items(stack: Stack) -> SliceItems:
    return SliceItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])


def take(
    items: SliceItems, holder: str, now_ms: int = NOW_MS, *, activity: str = ORDER, prefix: str = ""
) -> Slice | Held | Split:
    return items.take(activity, prefix, holder, now_ms=now_ms, until_ms=now_ms + 65_000)


def test_a_lease_has_one_holder_until_it_ends(items: SliceItems) -> None:
    assert take(items, "one") == Slice("")
    assert take(items, "two", NOW_MS + 64_999) == Held(NOW_MS + 65_000)
    assert take(items, "one", NOW_MS + 1_000) == Slice("")
    assert take(items, "two", NOW_MS + 65_999) == Held(NOW_MS + 66_000)
    assert take(items, "two", NOW_MS + 66_000) == Slice("")


def test_a_lease_is_given_back_by_its_holder_only(items: SliceItems) -> None:
    items.release(ORDER, "", "nobody")
    take(items, "one")

    items.release(ORDER, "", "two")
    assert take(items, "two") == Held(NOW_MS + 65_000)

    items.release(ORDER, "", "one")
    assert take(items, "two") == Slice("")


def test_leases_of_two_activities_are_two_and_those_of_two_slices(items: SliceItems) -> None:
    assert take(items, "one") == Slice("")
    assert take(items, "two", activity="order-1") == Slice("")
    assert take(items, "two", prefix="3") == Slice("3")


def test_what_was_saved_is_what_the_next_holder_finds(items: SliceItems) -> None:
    one = Slice("3", 7, 1, 2, 3, "3a", "35", wrapped=True, done=False, started="7/1/x", cards=HEARD)
    take(items, "one", prefix="3")
    items.save(ORDER, one, "one")
    items.release(ORDER, "3", "one")

    assert take(items, "two", prefix="3") == one
    items.save(ORDER, replace(one, carried=None), "two")
    assert take(items, "two", prefix="3") == replace(one, carried=None)


def test_what_became_of_a_slices_pushes_is_kept_while_it_brings_one_state_and_no_longer() -> None:
    one = Slice("3", 7, revision=3).hears(Heard(HEARD, NONE)).hears(Heard(HEARD, NONE))
    later = Outcomes(4, 9, (("Unregistered", 1),))

    assert (one.cards, one.starts) == (Outcomes(3, 5, (("Accepted", 4),)), None)
    assert one.hears(Heard(NONE, later)).starts == later
    assert one.hears(Heard(later, NONE)).cards == later


def test_who_looks_finds_the_slices_that_there_are_now_and_of_a_split_one_its_parts(items: SliceItems) -> None:
    items.split(ORDER, "", served=0, born=7, now_s=NOW_S)
    items.split(ORDER, "3", served=0, born=6, now_s=NOW_S)
    done = Slice("a", 7, 2, None, 3, done=True, cards=HEARD)
    for one in (done, Slice("b", 6, 9, None, 9)):
        take(items, "one", prefix=one.prefix)
        items.save(ORDER, one, "one")
    take(items, "two", prefix="c")

    found = items.every(ORDER, born=7, most=100)

    assert [each.slice.prefix for each in found] == [*"0123456789abcdef"]
    assert found[0xA] == Known(done, 0, split=False)
    # What another row of that name left behind says nothing.
    assert found[3] == Known(Slice("3"), 0, split=False)
    assert found[0xB] == Known(Slice("b"), 0, split=False)
    assert items.every(ORDER, born=6, most=100) == []


def test_of_very_many_slices_only_so_many_are_looked_at(items: SliceItems) -> None:
    for prefix in ("", "0", "1"):
        items.split(ORDER, prefix, served=0, born=7, now_s=NOW_S)

    assert len(items.every(ORDER, born=7, most=100)) == 14 + 2 * 16
    few = items.every(ORDER, born=7, most=17)
    assert [each.slice.prefix for each in few] == [*"0123456789abcdef"]
    assert [each.split for each in few] == [True, True, *[False] * 14]
    assert [each.split for each in items.every(ORDER, born=7, most=1)] == [True]


def test_the_note_that_it_is_done_gives_the_lease_back(items: SliceItems) -> None:
    one = Slice("3", served=9, revision=9, wrapped=True, done=True)
    take(items, "one", prefix="3")

    items.save(ORDER, one, "one")

    assert take(items, "two", prefix="3") == one


def test_who_has_lost_the_lease_can_save_nothing(items: SliceItems) -> None:
    take(items, "one", prefix="3")
    take(items, "two", NOW_MS + 65_000, prefix="3")

    with pytest.raises(OSError, match="lost"):
        items.save(ORDER, Slice("3", served=9), "one")


def test_a_slice_that_is_split_is_nobodys_and_keeps_what_its_phones_had(items: SliceItems) -> None:
    assert items.split(ORDER, "", served=3, born=7, now_s=NOW_S) == Split(3)
    assert items.split(ORDER, "", served=5, born=7, now_s=NOW_S) == Split(3)

    assert take(items, "one") == Split(3)
    assert items.split(ORDER, "", served=0, born=8, now_s=NOW_S) == Split(0), "another row of that name"


def test_while_somebody_works_on_the_whole_its_parts_wait(items: SliceItems) -> None:
    assert items.held_above(ORDER, "3a", now_ms=NOW_MS) is None
    take(items, "one")
    items.split(ORDER, "", served=0, born=7, now_s=NOW_S)

    assert items.held_above(ORDER, "3a", now_ms=NOW_MS) == NOW_MS + 65_000
    items.release(ORDER, "", "one")
    assert items.held_above(ORDER, "3a", now_ms=NOW_MS) is None


def test_a_phone_is_worked_on_in_the_smallest_slice_that_is_not_split(items: SliceItems) -> None:
    phone = "3af0" + "0" * 28
    assert items.leaf(ORDER, phone) == ""
    items.split(ORDER, "", served=0, born=7, now_s=NOW_S)
    assert items.leaf(ORDER, phone) == "3"
    items.split(ORDER, "3", served=0, born=7, now_s=NOW_S)
    assert items.leaf(ORDER, phone) == "3a"
