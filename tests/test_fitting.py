"""Publishes held against the schemas: by which start each is checked, and what becomes of a state that came before its start."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.errors import InvalidInput
from lockstep.fitting import Fitted, check, fit
from lockstep.merge import advance
from lockstep.payload import update_body
from lockstep.publishes import Publish
from lockstep.row import Row
from lockstep.schemas import Schemas
from tests.messages import NOW_MS, NOW_S, end, read, start, update

MINUTES = {"minutes": {"type": "integer"}, "driver": {"type": "string"}}
ATTRIBUTES = {"shop": {"type": "string"}, "activity": {"type": "string"}, "run": {"type": "integer", "minimum": 1}}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    """Orders count in minutes, matches have a score; neither takes the other's state."""
    folder = tmp_path_factory.mktemp("schemas")
    state = {"type": "object", "properties": MINUTES, "required": ["minutes"]}
    attributes = {"type": "object", "properties": ATTRIBUTES, "required": [*ATTRIBUTES]}
    order = {"properties": {"attributes": attributes, "content-state": state}}
    match = {"properties": {"content-state": {"required": ["score"]}}}
    (folder / "OrderAttributes.json").write_text(json.dumps(order))
    (folder / "MatchAttributes.json").write_text(json.dumps(match))
    return Schemas.from_folder(folder)


def said(state: dict[str, Any] | None, at: int, *, event: str = "update", **aps: Any) -> Publish:
    makers: dict[str, Callable[..., dict[str, Any]]] = {"start": start, "update": update, "end": end}
    body = makers[event](aps={"content-state": state, **aps})
    if state is None:
        del body["aps"]["content-state"]
    return read(body, at_ms=NOW_MS + at)


def order(at: int, minutes: Any = 30) -> Publish:
    return said({"minutes": minutes}, at, event="start")


def match(at: int, **aps: Any) -> Publish:
    return said({"score": "0–0"}, at, event="start", **{"attributes-type": "MatchAttributes", **aps})


def late(at: int, minutes: Any = "late") -> Publish:
    return said({"minutes": minutes}, at)


def put(schemas: Schemas, row: Row | None, *publishes: Publish) -> tuple[Row, Fitted]:
    """Merge publishes into a row, as a commit does."""
    fitted = fit(schemas, row, publishes)
    return advance(fitted.stored, "order-42", fitted.said, now_s=NOW_S), fitted


def state_of(row: Row) -> Any:
    return row.registers.state and row.registers.state.value["content-state"]


def reasons(fitted: Fitted) -> list[str | None]:
    return [str(reason) if reason else None for reason in fitted.refused]


# --- by itself


def test_a_start_is_checked_by_itself_with_what_is_added_to_its_attributes(schemas: Schemas) -> None:
    check(schemas, order(0))

    with pytest.raises(InvalidInput, match=r"^aps.attributes.shop: must be a string$"):
        check(schemas, said({"minutes": 1}, 0, event="start", attributes={"shop": 1}))
    with pytest.raises(InvalidInput, match=r"^aps.content-state.minutes: must be a whole number$"):
        check(schemas, order(0, minutes="7"))


def test_a_start_that_gives_no_attributes_leaves_them_to_the_app(schemas: Schemas) -> None:
    body = start()
    del body["aps"]["attributes"]

    check(schemas, read(body))


@pytest.mark.parametrize("event", ["update", "end"])
def test_an_update_or_an_end_may_name_its_type_and_is_checked_by_it_whatever_is_stored(
    schemas: Schemas, event: str
) -> None:
    check(schemas, said({"minutes": "7"}, 0, event=event))

    with pytest.raises(InvalidInput, match=r"^aps.content-state.minutes: must be a whole number$"):
        check(schemas, said({"minutes": "7"}, 0, event=event, **{"attributes-type": "OrderAttributes"}))


def test_apple_never_gets_the_type_of_an_update(schemas: Schemas) -> None:
    row, _ = put(schemas, None, said({"minutes": 7}, 0, **{"attributes-type": "OrderAttributes"}))

    assert json.loads(update_body(row, ring=False) or b"")["aps"].keys() == {"timestamp", "event", "content-state"}


# --- by the start that it belongs to


@pytest.mark.parametrize("event", ["update", "end"])
def test_an_update_and_an_end_are_checked_by_the_stored_start(schemas: Schemas, event: str) -> None:
    row, _ = put(schemas, None, order(0))

    after, fitted = put(schemas, row, said({"minutes": "7"}, 1, event=event))

    assert reasons(fitted) == ["aps.content-state.minutes: must be a whole number"]
    assert after == row


def test_an_end_without_a_state_ends(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))

    after, _ = put(schemas, row, said(None, 1, event="end"))

    assert after.registers.ended


@pytest.mark.parametrize("places", [*permutations(range(4))])
def test_in_a_batch_each_is_checked_by_the_start_and_none_holds_back_its_neighbours(
    schemas: Schemas, places: tuple[int, ...]
) -> None:
    batch = [order(0), late(1, 20), late(2, "soon"), late(3, 10)]

    row, fitted = put(schemas, None, *(batch[i] for i in places))

    assert [bool(fitted.refused[places.index(i)]) for i in range(4)] == [False, False, True, False]
    assert state_of(row) == {"minutes": 10}


def test_nothing_is_known_of_a_card_that_the_app_made(schemas: Schemas) -> None:
    row, fitted = put(schemas, None, late(0, "soon"))

    assert reasons(fitted) == [None]
    assert state_of(row) == {"minutes": "soon"}


def test_a_type_without_a_schema_takes_anything(schemas: Schemas) -> None:
    row, _ = put(schemas, None, match(0, **{"attributes-type": "TripAttributes"}))

    assert reasons(put(schemas, row, late(1))[1]) == [None]


def test_each_run_is_checked_by_its_own_start(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))
    row, _ = put(schemas, row, said(None, 10, event="end"))
    row, _ = put(schemas, row, match(20))

    assert reasons(put(schemas, row, said({"score": "1–0"}, 30))[1]) == [None]
    assert reasons(put(schemas, row, late(30, 5))[1]) == ["aps.content-state.score: is missing"]


def test_a_start_of_another_type_in_the_batch_is_what_later_updates_are_checked_by(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))

    _, fitted = put(schemas, row, late(10, 5), match(20), said({"score": "1–0"}, 30), late(30, 5))

    assert reasons(fitted) == [None, None, None, "aps.content-state.score: is missing"]


def test_what_comes_late_from_a_former_run_is_superseded_and_not_refused(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))
    row, _ = put(schemas, row, said(None, 10, event="end"))
    row, _ = put(schemas, row, match(20))

    after, fitted = put(schemas, row, late(5, 25))

    assert reasons(fitted) == [None]
    assert state_of(after) == {"score": "0–0"}


def test_what_was_published_before_its_start_and_came_after_it_is_checked_by_it(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(10))

    assert reasons(put(schemas, row, late(5))[1]) == ["aps.content-state.minutes: must be a whole number"]


# --- a state that came before anybody knew its type


def test_a_start_leaves_out_a_newer_state_that_would_keep_its_card_from_being_made(schemas: Schemas) -> None:
    row, _ = put(schemas, None, late(5, "soon"))

    after, fitted = put(schemas, row, order(0, 30))

    assert reasons(fitted) == [None]
    assert str(fitted.left_out) == "aps.content-state.minutes: must be a whole number"
    assert state_of(after) == {"minutes": 30}
    assert after.writes == row.writes + 1


def test_a_start_keeps_a_newer_state_that_fits(schemas: Schemas) -> None:
    row, _ = put(schemas, None, late(5, 7))

    after, fitted = put(schemas, row, order(0, 30))

    assert fitted.left_out is None
    assert state_of(after) == {"minutes": 7}


def test_what_is_left_out_makes_room_for_the_newest_that_fits(schemas: Schemas) -> None:
    row, _ = put(schemas, None, late(9, "soon"))

    after, _ = put(schemas, row, late(4, 25), order(0, 30), late(2, 28))

    assert state_of(after) == {"minutes": 25}


def test_a_start_without_a_state_keeps_none_that_its_app_could_not_decode(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))
    row, _ = put(schemas, row, said(None, 10, event="end"))

    after, _ = put(schemas, row, said(None, 20, event="start", **{"attributes-type": "MatchAttributes"}))

    assert after.registers.running
    assert state_of(after) is None


def test_what_would_be_the_last_to_be_shown_is_looked_at_too(schemas: Schemas) -> None:
    """An end carries the state."""
    row, _ = put(schemas, None, late(5, "soon"))

    after, _ = put(schemas, row, order(0, 30), said(None, 9, event="end"))

    assert after.registers.ended
    assert state_of(after) == {"minutes": 30}


def test_an_activity_that_runs_keeps_its_state_when_a_schema_is_deployed(schemas: Schemas) -> None:
    row, _ = put(Schemas(), None, order(0, "soon"))

    after, fitted = put(schemas, row, said(None, 1, event="end"))

    assert fitted.left_out is None
    assert state_of(after) == {"minutes": "soon"}


# --- in whatever order

UPDATES = st.lists(st.sampled_from([20, 10, "soon", None]), max_size=4)


def arrivals(minutes: list[Any], begins: int) -> list[Publish]:
    """Return a start and updates, each of another moment; the start is as old as `begins` says."""
    ages = [at for at in range(len(minutes) + 1) if at != begins]
    return [order(begins), *(late(at, one) for at, one in zip(ages, minutes, strict=False))]


@given(minutes=UPDATES, begins=st.integers(0, 4), data=st.data())
def test_a_running_activity_never_has_a_state_that_its_app_could_not_decode(
    schemas: Schemas, minutes: list[Any], begins: int, data: st.DataObject
) -> None:
    publishes = data.draw(st.permutations(arrivals(minutes, begins)))
    row: Row | None = None
    while publishes:
        several = data.draw(st.integers(1, len(publishes)))
        row, _ = put(schemas, row, *publishes[:several])
        publishes = publishes[several:]

    assert row is not None
    check(schemas, replace(read(start()), registers=row.registers))


@given(minutes=UPDATES, begins=st.integers(0, 4), data=st.data())
def test_once_the_start_is_known_the_order_does_not_matter(
    schemas: Schemas, minutes: list[Any], begins: int, data: st.DataObject
) -> None:
    [first, *updates] = arrivals(minutes, begins)
    shuffled = data.draw(st.permutations(updates))
    one, other = (put(schemas, None, first)[0] for _ in range(2))
    for publish in updates:
        one, _ = put(schemas, one, publish)
    for publish in shuffled:
        other, _ = put(schemas, other, publish)

    assert one.registers == other.registers


@given(minutes=st.lists(st.integers(0, 60), max_size=4), begins=st.integers(0, 4), data=st.data())
def test_where_all_fits_a_schema_changes_nothing(
    schemas: Schemas, minutes: list[int], begins: int, data: st.DataObject
) -> None:
    checked: Row | None = None
    free: Row | None = None
    for publish in data.draw(st.permutations(arrivals(minutes, begins))):
        checked, fitted = put(schemas, checked, publish)
        free, _ = put(Schemas(), free, publish)
        assert not any(fitted.refused)

    assert checked == free


def test_an_update_that_does_not_fit_is_shown_to_nobody_whether_it_comes_before_its_start_or_after(
    schemas: Schemas,
) -> None:
    publishes = [order(0), late(1, "soon")]

    rows = []
    for one, other in (publishes, publishes[::-1]):
        row, _ = put(schemas, None, one)
        row, _ = put(schemas, row, other)
        rows.append(row)

    assert rows[0].registers == rows[1].registers


@pytest.mark.parametrize("event", ["update", "end"])
def test_what_is_left_out_takes_all_with_it_that_its_publish_said(schemas: Schemas, event: str) -> None:
    """Else an activity would have ended, or would ring, by a publish that is refused where it comes second."""
    misfit = said({"minutes": "soon"}, 1, event=event, alert={"title": "WRONG", "body": "x"})

    rows = []
    for one, other in ((order(0), misfit), (misfit, order(0))):
        row, _ = put(schemas, None, one)
        row, fitted = put(schemas, row, other)
        rows.append(row)

    assert rows[0].registers == rows[1].registers
    assert rows[1].registers.running
    assert str(fitted.left_out) == "aps.content-state.minutes: must be a whole number"


def test_an_older_end_stays_where_a_state_is_left_out(schemas: Schemas) -> None:
    """It is of the run before, whose cards it ends."""
    row, _ = put(schemas, None, order(0))

    after, _ = put(
        schemas,
        row,
        said({"minutes": 0}, 10, event="end"),
        said(None, 20, event="start", **{"attributes-type": "MatchAttributes"}),
    )

    assert after.registers.end is not None
    assert after.run > row.run
    assert state_of(after) is None


def test_what_stands_in_the_row_is_not_refused_when_it_comes_again(schemas: Schemas) -> None:
    """It was taken, and perhaps not yet delivered, before its schema was deployed."""
    row, _ = put(Schemas(), None, order(0))
    row, _ = put(Schemas(), row, late(1, "soon"))

    after, fitted = put(schemas, row, late(1, "soon"))

    assert reasons(fitted) == [None]
    assert after == row


def test_a_schema_that_is_deployed_leaves_the_state_of_what_runs_alone(schemas: Schemas) -> None:
    row, _ = put(Schemas(), None, order(0))
    row, _ = put(Schemas(), row, late(5, "soon"))

    after, fitted = put(schemas, row, said(None, 6, event="start"))

    assert fitted.left_out is None
    assert state_of(after) == {"minutes": "soon"}


def test_what_comes_late_from_a_former_run_is_not_refused_though_the_next_one_has_ended_too(schemas: Schemas) -> None:
    row, _ = put(schemas, None, order(0))
    row, _ = put(schemas, row, said(None, 10, event="end"))
    row, _ = put(schemas, row, match(20))
    row, _ = put(schemas, row, said(None, 30, event="end"))

    assert reasons(put(schemas, row, late(5, 25))[1]) == [None]
