"""Bodies of pushes, from a row and nothing else."""

import json
from typing import Any

from lockstep.merge import advance, merge
from lockstep.payload import end_body, late_dismissal_s, start_body, update_body
from lockstep.row import Registers, Row
from tests.messages import DRIVER, NOW_MS, NOW_S, end, read, start, update


def row_of(*bodies: dict[str, Any]) -> Row:
    said = Registers()
    for i, body in enumerate(bodies):
        said = merge(said, read(body, at_ms=NOW_MS + i).registers)
    return advance(None, "order-42", said, now_s=NOW_S).stamped(NOW_S)


def aps(body: bytes | None) -> dict[str, Any]:
    assert body is not None
    parsed = json.loads(body)
    assert parsed.keys() == {"aps"}
    return dict(parsed["aps"])


def test_a_start_has_all_that_ios_needs_and_tells_the_app_which_activity_and_run_it_is() -> None:
    row = row_of(start("order-42", "ana"))

    assert aps(start_body(row)) == {
        "timestamp": NOW_S,
        "event": "start",
        "attributes-type": "OrderAttributes",
        "attributes": {"shop": "Pizzeria Uno", "activity": "order-42", "run": NOW_MS},
        "content-state": {"driver": DRIVER, "minutes": 30},
        "alert": {"title": "On its way", "body": "30 minutes"},
        "input-push-token": 1,
    }


def test_a_start_carries_the_newest_state_and_the_starts_own_alert_whatever_its_age() -> None:
    body = aps(start_body(row_of(start("order-42", "ana"), update(minutes=7))))

    assert body["content-state"]["minutes"] == 7
    assert body["alert"]["title"] == "On its way"


def test_a_row_without_alert_or_attributes_type_can_not_be_started_by_push() -> None:
    assert start_body(row_of(update())) is None
    assert start_body(row_of({"activity": "order-42", "aps": {"event": "start"}})) is None


def test_an_update_is_silent_unless_it_is_to_ring() -> None:
    row = row_of(update(aps={"alert": {"title": "Nearly there"}, "stale-date": NOW_S + 600, "relevance-score": 50}))

    assert aps(update_body(row, ring=False)) == {
        "timestamp": NOW_S,
        "event": "update",
        "content-state": {"driver": DRIVER, "minutes": 7},
        "stale-date": NOW_S + 600,
        "relevance-score": 50,
    }
    assert aps(update_body(row, ring=True))["alert"] == {"title": "Nearly there"}


def test_there_is_no_update_before_a_state() -> None:
    assert update_body(row_of({"activity": "order-42", "aps": {"event": "start"}}), ring=False) is None


def test_an_end_leaves_the_final_state_and_the_producers_dismissal_date() -> None:
    row = row_of(update(minutes=0), end(aps={"dismissal-date": NOW_S + 60}))

    assert aps(end_body(row, ring=False)) == {
        "timestamp": NOW_S,
        "event": "end",
        "content-state": {"driver": DRIVER, "minutes": 0},
        "dismissal-date": NOW_S + 60,
    }
    assert aps(end_body(row, ring=False, dismissal_date_s=1))["dismissal-date"] == NOW_S + 60


def test_a_card_that_learns_late_of_the_end_goes_four_hours_after_it() -> None:
    row = row_of(update(), end())

    assert "dismissal-date" not in aps(end_body(row, ring=False))
    assert late_dismissal_s(row) == NOW_S + 4 * 3600
    assert aps(end_body(row, ring=False, dismissal_date_s=5))["dismissal-date"] == 5


def test_unknown_keys_ride_with_their_own_event() -> None:
    row = row_of(start("order-42", "ana", aps={"new-start": 1}), update(aps={"new-update": 2}), end(aps={"new-end": 3}))

    assert aps(start_body(row))["new-start"] == 1
    assert aps(update_body(row, ring=False))["new-update"] == 2
    assert aps(end_body(row, ring=False))["new-end"] == 3
    assert "new-update" not in aps(start_body(row))


def test_bodies_are_utf8_without_escapes_or_spaces() -> None:
    body = update_body(row_of(update(aps={"content-state": {"emoji": "🍕"}})), ring=False)

    assert body is not None
    assert "🍕".encode() in body
    assert b": " not in body
