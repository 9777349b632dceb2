"""Which push, if any, a phone gets."""

import json
from copy import replace
from typing import Any

import pytest

from lockstep.apns import Environment, Push
from lockstep.delivery import Audience, Delivery
from lockstep.payload import end_body
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.plan import Plan, collapse_id_of
from lockstep.row import Row
from tests.messages import NOW_MS, NOW_S, end, read, start, update
from tests.test_payload import row_of

PHONE = Phone("f0" * 16, "ana", environment=Environment.PRODUCTION, observed_at_ms=NOW_MS)
CARD = Card("order-42", PHONE.phone, "c-1", "ana", 0, "a1" * 40, NOW_MS, NOW_MS)
START_TOKEN = StartToken("ana", PHONE.phone, "OrderAttributes", "b2" * 40, NOW_MS, NOW_MS)


def plan(row: Row, *, from_revision: int | None = 0, now_s: float = NOW_S) -> Plan:
    delivery = Delivery("order-42", Audience.ALL, from_revision=from_revision)
    return Plan(delivery, row, default_environment=Environment.SANDBOX, now_s=now_s)


def said(push: Push | None) -> dict[str, Any]:
    assert push is not None
    return dict(json.loads(push.body)["aps"])


def test_a_card_gets_the_rows_state_with_the_rows_stamp() -> None:
    push = plan(row_of(update())).of_card(CARD, PHONE, None)

    assert push is not None
    assert (push.token, push.priority, push.collapse_id, push.once) == (CARD.token, 10, None, False)
    assert push.expiration_s == NOW_S + 12 * 3600
    assert said(push)["event"] == "update"
    assert said(push)["timestamp"] == NOW_S


@pytest.mark.parametrize(
    ("card", "phone"),
    [
        (CARD, None),
        (CARD, replace(PHONE, owner="ben")),
        (CARD, replace(PHONE, owner=None)),
        (CARD, replace(PHONE, cards_at_ms=NOW_MS + 1)),
        (replace(CARD, token=None), PHONE),
        (replace(CARD, owner="ben"), replace(PHONE, owner="ben")),
    ],
    ids=["unknown phone", "another's phone", "signed out", "not on the phone's last list", "no token", "not a guest"],
)
def test_a_card_that_is_not_its_owners_or_not_there_gets_nothing(card: Card, phone: Phone | None) -> None:
    row = row_of(start("order-42", "ana"))

    assert plan(row).of_card(card, phone, None) is None
    assert plan(row).of_card(CARD, replace(PHONE, cards_at_ms=NOW_MS), None) is not None


def test_an_ended_activity_ends_its_cards_and_a_late_one_with_a_dismissal_date() -> None:
    row = row_of(update(), end())

    assert said(plan(row).of_card(CARD, PHONE, None))["event"] == "end"
    assert "dismissal-date" not in said(plan(row).of_card(CARD, PHONE, None))
    assert said(plan(row, from_revision=None).of_card(CARD, PHONE, None))["dismissal-date"] == NOW_S + 4 * 3600


def test_a_card_of_an_earlier_run_ends_without_the_new_runs_state() -> None:
    row = replace(row_of(start("order-42", "ana")), run=NOW_MS + 1, first_run=NOW_MS, run_revision=5, revision=5)

    push = plan(row, from_revision=4).of_card(CARD, PHONE, None)

    assert said(push) == {"timestamp": NOW_S, "event": "end", "dismissal-date": NOW_S}
    assert plan(row, from_revision=5).of_card(CARD, PHONE, None) is None, "it was told when the run began"
    assert said(plan(row, from_revision=None).of_card(CARD, PHONE, None))["event"] == "end"


def test_an_alert_rings_where_the_phone_is_from_before_it_and_only_for_a_minute() -> None:
    row = row_of(update(aps={"alert": {"title": "Nearly there"}}))

    assert "alert" in said(plan(row, from_revision=0).of_card(CARD, PHONE, None))
    assert "alert" not in said(plan(row, from_revision=1).of_card(CARD, PHONE, None))
    assert "alert" in said(plan(row, now_s=NOW_S + 60).of_card(CARD, PHONE, None))
    assert "alert" not in said(plan(row, now_s=NOW_S + 60.001).of_card(CARD, PHONE, None))


def test_a_catch_up_never_rings() -> None:
    row = row_of(update(aps={"alert": {"title": "Nearly there"}}))

    assert "alert" not in said(plan(row, from_revision=None).of_card(CARD, PHONE, None))


def test_an_older_alert_that_does_not_fit_beside_a_newer_state_is_left_out() -> None:
    row = row_of(update(aps={"alert": {"title": "x" * 3000}}), update(aps={"content-state": {"text": "y" * 3000}}))

    body = said(plan(row).of_card(CARD, PHONE, None))

    assert "alert" not in body
    assert len(body["content-state"]["text"]) == 3000


def test_an_end_that_does_not_fit_beside_the_state_still_ends_the_card() -> None:
    row = row_of(update(aps={"content-state": {"text": "y" * 3000}}), end(aps={"new-in-ios-30": "x" * 3000}))

    for from_revision in (0, None):
        assert said(plan(row, from_revision=from_revision).of_card(CARD, PHONE, None)) == {
            "timestamp": NOW_S,
            "event": "end",
        }


def test_a_late_end_that_is_full_goes_without_a_dismissal_date_of_ours() -> None:
    row = row_of(end(aps={"content-state": {"text": "y" * 4010}}))
    assert len(end_body(row, ring=False)) <= 4096 < len(end_body(row, ring=False, dismissal_date_s=NOW_S))

    body = said(plan(row, from_revision=None).of_card(CARD, PHONE, None))

    assert "dismissal-date" not in body
    assert len(body["content-state"]["text"]) == 4010


def test_a_catch_up_says_nothing_to_a_card_whose_own_start_carried_the_state() -> None:
    row = row_of(start("order-42", "ana"))
    marker = Marker("order-42", PHONE.phone, "ana", row.run, row.revision, confirmed=True)

    assert plan(row, from_revision=None).of_card(CARD, PHONE, marker) is None
    assert plan(row, from_revision=None).of_card(CARD, PHONE, replace(marker, confirmed=False)) is not None
    assert plan(replace(row, revision=2), from_revision=None).of_card(CARD, PHONE, marker) is not None
    assert plan(row, from_revision=0).of_card(CARD, PHONE, marker) is not None


def test_a_start_goes_once_with_a_collapse_id_and_ten_minutes() -> None:
    row = row_of(start("order-42", "ana"))

    push = plan(row).of_start(START_TOKEN, PHONE)

    assert push is not None
    assert (push.token, push.priority, push.once) == (START_TOKEN.token, 10, True)
    assert push.expiration_s == NOW_S + 600
    assert push.collapse_id == collapse_id_of(row)
    assert len(push.collapse_id.encode()) <= 64
    assert collapse_id_of(replace(row, run=row.run + 1)) != push.collapse_id


@pytest.mark.parametrize(
    ("start_token", "phone"),
    [
        (START_TOKEN, None),
        (START_TOKEN, replace(PHONE, owner="ben")),
        (START_TOKEN, replace(PHONE, start_tokens_at_ms=NOW_MS + 1)),
        (replace(START_TOKEN, token=None), PHONE),
        (replace(START_TOKEN, owner="ben"), replace(PHONE, owner="ben")),
    ],
)
def test_a_start_goes_to_its_owners_phone_and_to_guests_only(start_token: StartToken, phone: Phone | None) -> None:
    assert plan(row_of(start("order-42", "ana"))).of_start(start_token, phone) is None


def test_start_and_state_that_are_too_long_together_start_nothing_and_say_so() -> None:
    attributes = {"attributes": {"text": "x" * 3000}}
    row = row_of(start("order-42", "ana", aps=attributes), update(aps={"content-state": {"text": "y" * 1500}}))

    assert plan(row).oversized
    assert not plan(row).may_start
    assert plan(row).of_start(START_TOKEN, PHONE) is None


@pytest.mark.parametrize(
    ("body", "frequent_updates", "priority"),
    [
        (update(), None, 10),
        (update(), True, 10),
        (update(), False, 5),
        (update(aps={"alert": {"title": "Nearly there"}}), False, 10),
        (update(priority=5), True, 5),
        (update(priority=10), False, 10),
        (end(), False, 10),
        (end(priority=5), None, 5),
    ],
)
def test_priority_is_the_producers_else_5_for_silent_updates_where_the_user_wants_few(
    body: dict[str, Any], frequent_updates: bool | None, priority: int
) -> None:
    push = plan(row_of(body)).of_card(CARD, replace(PHONE, frequent_updates=frequent_updates), None)

    assert push is not None
    assert push.priority == priority


@pytest.mark.parametrize(
    ("body", "priority"),
    [(update(), 5), (update(priority=10), 10), (update(aps={"alert": {"title": "Now"}}), 10), (end(), 10)],
    ids=["silent", "the producer said", "an alert", "an end"],
)
def test_beyond_the_hours_budget_silent_updates_go_with_priority_5(body: dict[str, Any], priority: int) -> None:
    push = plan(replace(row_of(body), lowered=True)).of_card(CARD, PHONE, None)

    assert push is not None
    assert push.priority == priority


def test_a_phone_that_did_not_say_is_in_the_stacks_environment() -> None:
    push = plan(row_of(update())).of_card(CARD, replace(PHONE, environment=None), None)

    assert push is not None
    assert push.ref.environment is Environment.SANDBOX  # type: ignore[attr-defined]  # ref is a Target
    assert not push.ref.environment_said  # type: ignore[attr-defined]


def test_what_runs_past_its_last_possible_hour_gets_a_minute_at_a_time() -> None:
    push = plan(row_of(update()), now_s=NOW_S + 13 * 3600).of_card(CARD, PHONE, None)

    assert push is not None
    assert push.expiration_s == NOW_S + 13 * 3600 + 60


def test_a_version_of_the_start_names_the_run_too() -> None:
    row = row_of(start("order-42", "ana"))
    version = read(start("order-42", "ana")).version

    assert row.start_version == f"{row.run}/{version.published_at_ms}/{version.digest}"
