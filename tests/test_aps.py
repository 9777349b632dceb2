"""Apple's dictionary taken apart; what is refused stands in test_publishes."""

import pytest

from lockstep.aps import parse
from lockstep.errors import InvalidInput
from lockstep.json_values import JsonObject
from tests.messages import DRIVER, NOW_S, START_APS


def test_a_start_sets_start_state_and_alert() -> None:
    parts = parse(START_APS)

    assert parts.start == {"attributes-type": "OrderAttributes", "attributes": {"shop": "Pizzeria Uno"}, "aps": {}}
    assert parts.state == {"content-state": {"driver": DRIVER, "minutes": 30}}
    assert parts.alert == {"title": "On its way", "body": "30 minutes"}
    assert parts.end is None


def test_an_update_sets_the_state_and_no_start() -> None:
    parts = parse({"event": "update", "content-state": {}, "stale-date": NOW_S, "attributes": {"ignored": 1}})

    assert parts.start is None
    assert parts.state == {"content-state": {}, "stale-date": NOW_S, "aps": {}}
    assert parts.alert is None


def test_an_end_sets_the_end_and_a_state_only_if_it_brings_one() -> None:
    assert parse({"event": "end"}).state is None
    assert parse({"event": "end", "dismissal-date": 0}).end == {"dismissal-date": 0, "aps": {}}
    assert parse({"event": "end", "content-state": {"a": 1}}).state == {"content-state": {"a": 1}}


@pytest.mark.parametrize(
    ("date", "is_taken"), [(99_999_999_999, True), (100_000_000_000, False), (0, True), (1.5, True)]
)
def test_a_date_is_in_seconds(date: float, is_taken: bool) -> None:
    aps: JsonObject = {"event": "update", "content-state": {}, "stale-date": date}

    if is_taken:
        assert parse(aps).state is not None
    else:
        with pytest.raises(InvalidInput, match="milliseconds"):
            parse(aps)


def test_a_start_to_phones_is_complete_or_named_what_it_lacks() -> None:
    parse(START_APS).require_for_start()

    for key in ("attributes-type", "attributes", "content-state", "alert"):
        with pytest.raises(InvalidInput) as refused:
            parse({name: value for name, value in START_APS.items() if name != key}).require_for_start()
        assert refused.value.field == f"aps.{key}"
