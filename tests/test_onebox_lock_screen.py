"""What iOS makes of pushes."""

import json
from pathlib import Path
from typing import Any

import pytest

from lockstep.schemas import Schemas
from onebox.lock_screen import ACTIVE_S, LINGER_S, Card, CardState, Verdict, apply, card_of

NOW_S = 1_800_000_000


def start(**changed: Any) -> dict[str, Any]:
    aps = {
        "event": "start",
        "timestamp": NOW_S,
        "attributes-type": "OrderAttributes",
        "attributes": {"activity": "order-42", "run": 7},
        "content-state": {"minutes": 30},
        "alert": {"title": "Taken"},
    }
    return {name: value for name, value in (aps | changed).items() if value is not None}


def update(**changed: Any) -> dict[str, Any]:
    aps = {"event": "update", "timestamp": NOW_S + 1, "content-state": {"minutes": 7}}
    return {name: value for name, value in (aps | changed).items() if value is not None}


def started(**changed: Any) -> Card | Verdict:
    return card_of(start(**changed), card_id="C", attributes_type="OrderAttributes", now_s=NOW_S)


@pytest.fixture
def card() -> Card:
    made = started()
    assert isinstance(made, Card)
    return made


def test_a_start_makes_a_card(card: Card) -> None:
    assert (card.activity, card.run, card.content_state, card.timestamp_s) == ("order-42", 7, {"minutes": 30}, NOW_S)
    assert card.state(NOW_S) is CardState.ACTIVE


@pytest.mark.parametrize("alert", [None, {}, {"sound": "default"}, "Taken"])
def test_a_start_without_title_or_body_shows_nothing(alert: Any) -> None:
    assert started(alert=alert) is Verdict.IGNORED_NO_ALERT


@pytest.mark.parametrize(
    "changed",
    [
        {"attributes": None},
        {"attributes": []},
        {"attributes": {"run": 7}},
        {"attributes": {"activity": "order-42"}},
        {"attributes": {"activity": "order-42", "run": "7"}},
        {"attributes-type": "orderattributes"},
        {"content-state": None},
        {"content-state": "text"},
        {"timestamp": None},
        {"timestamp": "now"},
        {"stale-date": "soon"},
    ],
)
def test_a_start_that_the_app_cannot_decode_shows_nothing(changed: dict[str, Any]) -> None:
    assert started(**changed) is Verdict.DECODE_ERROR


def test_a_newer_update_is_shown(card: Card) -> None:
    assert apply(card, update(), now_s=NOW_S) is Verdict.APPLIED
    assert (card.content_state, card.timestamp_s) == ({"minutes": 7}, NOW_S + 1)


def test_an_older_update_is_ignored(card: Card) -> None:
    assert apply(card, update(timestamp=NOW_S - 1), now_s=NOW_S) is Verdict.IGNORED_OLD_TIMESTAMP
    assert card.content_state == {"minutes": 30}


def test_of_two_states_with_one_timestamp_the_second_is_ignored(card: Card) -> None:
    assert apply(card, update(timestamp=NOW_S), now_s=NOW_S) is Verdict.IGNORED_OLD_TIMESTAMP


def test_the_same_state_with_the_same_timestamp_is_applied_again(card: Card) -> None:
    again = update(timestamp=NOW_S, **{"content-state": {"minutes": 30}})

    assert apply(card, again, now_s=NOW_S) is Verdict.APPLIED


@pytest.mark.parametrize(
    ("ahead_s", "verdict"), [(ACTIVE_S, Verdict.APPLIED), (ACTIVE_S + 1, Verdict.IGNORED_FUTURE_TIMESTAMP)]
)
def test_a_timestamp_may_be_eight_hours_ahead(card: Card, ahead_s: int, verdict: Verdict) -> None:
    assert apply(card, update(timestamp=NOW_S + ahead_s), now_s=NOW_S) is verdict


@pytest.mark.parametrize(
    "changed",
    [
        {"content-state": None},
        {"content-state": []},
        {"event": "start"},
        {"event": None},
        {"stale-date": "soon"},
        {"event": "end", "dismissal-date": True},
    ],
)
def test_an_update_that_cannot_be_decoded_changes_nothing(card: Card, changed: dict[str, Any]) -> None:
    assert apply(card, update(**changed), now_s=NOW_S) is Verdict.DECODE_ERROR


def test_an_end_shows_its_state_until_its_dismissal_date(card: Card) -> None:
    end = update(event="end", **{"dismissal-date": NOW_S + 60})

    assert apply(card, end, now_s=NOW_S) is Verdict.APPLIED
    assert card.content_state == {"minutes": 7}
    assert [card.state(NOW_S + after_s) for after_s in (59, 60)] == [CardState.ENDED, CardState.DISMISSED]


def test_an_end_without_a_date_stays_for_four_hours(card: Card) -> None:
    apply(card, update(event="end"), now_s=NOW_S)

    states = [card.state(NOW_S + after_s) for after_s in (LINGER_S - 1, LINGER_S)]
    assert states == [CardState.ENDED, CardState.DISMISSED]


def test_a_dismissal_date_beyond_four_hours_counts_as_four(card: Card) -> None:
    apply(card, update(event="end", **{"dismissal-date": NOW_S + LINGER_S + 1}), now_s=NOW_S)

    assert card.state(NOW_S + LINGER_S) is CardState.DISMISSED


def test_an_old_end_ends_without_showing_its_state(card: Card) -> None:
    assert apply(card, update(event="end", timestamp=NOW_S - 1), now_s=NOW_S) is Verdict.APPLIED
    assert (card.state(NOW_S), card.content_state) == (CardState.ENDED, {"minutes": 30})


def test_nothing_reaches_a_card_that_has_ended(card: Card) -> None:
    apply(card, update(event="end"), now_s=NOW_S)

    assert apply(card, update(timestamp=NOW_S + 2), now_s=NOW_S) is Verdict.IGNORED_ENDED


def test_ios_ends_a_card_after_eight_hours(card: Card) -> None:
    states = [card.state(NOW_S + after_s) for after_s in (ACTIVE_S - 1, ACTIVE_S, ACTIVE_S + LINGER_S)]

    assert states == [CardState.ACTIVE, CardState.ENDED, CardState.DISMISSED]


def test_a_card_goes_stale_at_its_stale_date(card: Card) -> None:
    apply(card, update(**{"stale-date": NOW_S + 60}), now_s=NOW_S)

    assert [card.state(NOW_S + after_s) for after_s in (59, 60)] == [CardState.ACTIVE, CardState.STALE]
    assert apply(card, update(timestamp=NOW_S + 70), now_s=NOW_S + 65) is Verdict.APPLIED


# --- what the app's structs take


@pytest.fixture
def schemas(tmp_path: Path) -> Schemas:
    whole = {"type": "integer"}
    attributes = {"properties": {"shop": {"type": "string"}, "run": whole}, "required": ["run"]}
    state = {"properties": {"minutes": whole}, "required": ["minutes"]}
    schema = {"properties": {"attributes": attributes, "content-state": state}}
    (tmp_path / "OrderAttributes.json").write_text(json.dumps(schema))
    return Schemas.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("changed", "makes"),
    [
        ({}, Card),
        ({"attributes": {"activity": "order-42", "run": 7, "unknown": 1}}, Card),
        ({"attributes": {"activity": "order-42", "run": 7, "shop": 1}}, Verdict),
        ({"content-state": {"minutes": "30"}}, Verdict),
        ({"content-state": {}}, Verdict),
    ],
)
def test_a_start_makes_a_card_only_of_what_the_schema_allows(
    schemas: Schemas, changed: dict[str, Any], makes: type[Card | Verdict]
) -> None:
    made = card_of(start(**changed), card_id="C", attributes_type="OrderAttributes", now_s=NOW_S, schemas=schemas)

    assert isinstance(made, makes)
    assert made is Verdict.DECODE_ERROR or isinstance(made, Card)


@pytest.mark.parametrize("event", ["update", "end"])
def test_a_card_takes_no_state_that_the_schema_does_not_allow(card: Card, schemas: Schemas, event: str) -> None:
    wrong = update(event=event, **{"content-state": {"minutes": None}})

    assert apply(card, wrong, now_s=NOW_S, schemas=schemas) is Verdict.DECODE_ERROR
    assert (card.content_state, card.is_running(NOW_S)) == ({"minutes": 30}, True)

    assert apply(card, update(event=event), now_s=NOW_S, schemas=schemas) is Verdict.APPLIED


def test_an_end_without_a_state_needs_none_to_fit(card: Card, schemas: Schemas) -> None:
    end = update(event="end", **{"content-state": None})

    assert apply(card, end, now_s=NOW_S, schemas=schemas) is Verdict.APPLIED
