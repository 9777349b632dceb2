"""What the app may say: each limit from both sides, each refusal with its field."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from lockstep.errors import InvalidInput
from lockstep.models import (
    CARDS_MAX,
    START_TOKENS_MAX,
    ActivityAnswer,
    CardRegistration,
    Report,
    StartTokenRegistration,
    read,
)

TOKEN = "a1" * 32
CARD = {"card": "c-1", "activity": "order-42"}
START = {"attributes_type": "OrderAttributes", "token": TOKEN}
YEAR_10000_MS = 253_402_300_800_000

type Body = dict[str, Any]


def report(**more: Any) -> Body:
    return {"observed_at_ms": 1, **more}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (Report, report()),
        (Report, report(observed_at_ms=YEAR_10000_MS - 1)),
        (Report, report(environment="sandbox", os_version="18", frequent_updates=False)),
        (Report, report(environment=None, os_version=None, frequent_updates=None, cards=None, start_tokens=None)),
        (Report, report(os_version="18.2.1.1")),
        (Report, report(cards=[], start_tokens=[])),
        (Report, report(cards=[CARD] * CARDS_MAX, start_tokens=[START] * START_TOKENS_MAX)),
        (Report, report(cards=[{**CARD, "run": 0, "token": TOKEN}])),
        (Report, report(cards=[{**CARD, "run": 2**63 - 1, "token": None}])),
        (Report, report(what_a_newer_app_says={"deep": [1, 2]})),
        (StartTokenRegistration, {"token": "A1" * 256}),
        (StartTokenRegistration, {"token": TOKEN, "observed_at_ms": None}),
        (CardRegistration, {"activity": "A-z.0_9:@" + "x" * 119}),
        (CardRegistration, {"activity": "order-42", "run": 1, "token": TOKEN, "observed_at_ms": 1}),
    ],
)
def test_what_the_contract_allows_is_read(model: type[BaseModel], body: Body) -> None:
    assert read(model, json.dumps(body))  # type: ignore[type-var]  # they are all models of ours


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (Report, {}, "observed_at_ms"),
        (Report, report(observed_at_ms=None), "observed_at_ms"),
        (Report, report(observed_at_ms=0), "observed_at_ms"),
        (Report, report(observed_at_ms=YEAR_10000_MS), "observed_at_ms"),
        (Report, report(observed_at_ms="1800000000000"), "observed_at_ms"),
        (Report, report(observed_at_ms=1.5), "observed_at_ms"),
        (Report, report(observed_at_ms=True), "observed_at_ms"),
        (Report, report(observed_at_ms=10**400), "observed_at_ms"),
        (Report, report(environment="Sandbox"), "environment"),
        (Report, report(os_version="18.2 (22C152)"), "os_version"),
        (Report, report(os_version="1.2.3.4.5"), "os_version"),
        (Report, report(os_version="18\n"), "os_version"),
        (Report, report(os_version=18.2), "os_version"),
        (Report, report(frequent_updates="true"), "frequent_updates"),
        (Report, report(frequent_updates=1), "frequent_updates"),
        (Report, report(cards={}), "cards"),
        (Report, report(cards=[CARD] * (CARDS_MAX + 1)), "cards"),
        (Report, report(cards=[CARD, "c-2"]), "cards.1"),
        (Report, report(cards=[CARD, {"card": "c-2"}]), "cards.1.activity"),
        (Report, report(cards=[{**CARD, "card": "a/b"}]), "cards.0.card"),
        (Report, report(cards=[{**CARD, "run": -1}]), "cards.0.run"),
        (Report, report(cards=[{**CARD, "run": 2**63}]), "cards.0.run"),
        (Report, report(cards=[{**CARD, "token": ""}]), "cards.0.token"),
        (Report, report(start_tokens=[START] * (START_TOKENS_MAX + 1)), "start_tokens"),
        (Report, report(start_tokens=[{**START, "token": None}]), "start_tokens.0.token"),
        (Report, report(start_tokens=[{**START, "attributes_type": "Pizza Attributes"}]), "start_tokens.0.attributes_type"),
        (StartTokenRegistration, {}, "token"),
        (StartTokenRegistration, {"token": "a1" * 31 + "a"}, "token"),
        (StartTokenRegistration, {"token": "a1" * 32 + "a"}, "token"),
        (StartTokenRegistration, {"token": "a1" * 256 + "a"}, "token"),
        (StartTokenRegistration, {"token": "a1" * 257}, "token"),
        (StartTokenRegistration, {"token": "g1" * 32}, "token"),
        (StartTokenRegistration, {"token": "a1" * 32 + "\n"}, "token"),
        (StartTokenRegistration, {"token": "١" * 64}, "token"),
        (CardRegistration, {"token": TOKEN}, "activity"),
        (CardRegistration, {"activity": ""}, "activity"),
        (CardRegistration, {"activity": "x" * 129}, "activity"),
        (CardRegistration, {"activity": "ørder"}, "activity"),
        (CardRegistration, {"activity": 42}, "activity"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(model: type[BaseModel], body: Body, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(model, json.dumps(body))  # type: ignore[type-var]  # they are all models of ours

    assert refused.value.field == field
    assert refused.value.message


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '"text"', "NaN", '{"observed_at_ms": 1}x', "[" * 10_000, '{"a": "\\ud800"}', "\ufeff{}"],
)
def test_what_is_no_json_object_is_wrong_as_a_whole(body: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(Report, body)

    assert refused.value.field == "body"


def test_a_refusal_never_quotes_a_value() -> None:
    secret = "c0ffee" * 11 + "x"

    with pytest.raises(InvalidInput) as refused:
        read(CardRegistration, json.dumps({"activity": "order-42", "token": secret}))

    assert "c0ffee" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_token_is_the_same_in_either_case() -> None:
    assert read(StartTokenRegistration, json.dumps({"token": "AB" * 32})).token == "ab" * 32


def test_tokens_and_states_do_not_show_where_a_request_or_an_answer_is_printed() -> None:
    truth = report(cards=[{**CARD, "token": TOKEN}], start_tokens=[START])
    shown = ActivityAnswer(
        activity="order-42",
        run=1,
        timestamp=1,
        ended=False,
        attributes={"shop": "Uno"},
        content_state={"driver": "Ana"},
    )

    assert TOKEN not in repr(read(Report, json.dumps(truth)))
    assert TOKEN not in repr(read(StartTokenRegistration, json.dumps({"token": TOKEN})))
    assert TOKEN not in repr(read(CardRegistration, json.dumps({"activity": "order-42", "token": TOKEN})))
    assert "Uno" not in repr(shown)
    assert "Ana" not in repr(shown)


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    nested,
    max_leaves=8,
)
fields = st.sampled_from([*Report.model_fields, *CardRegistration.model_fields, *StartTokenRegistration.model_fields])


@given(st.sampled_from([Report, CardRegistration, StartTokenRegistration]), st.dictionaries(fields, json_values))
def test_whatever_comes_is_read_or_refused(
    model: type[Report | CardRegistration | StartTokenRegistration], body: Body
) -> None:
    with suppress(InvalidInput):
        read(model, json.dumps(body))
