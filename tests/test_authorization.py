"""Who may do what over HTTPS: every route of the template, for every kind of caller."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from lockstep.ids import phone_of
from onebox import ROOT
from onebox.aws import REGION
from onebox.stack import Stack
from onebox.template import IAM, Template
from tests.callers import LOOKALIKES, NAMELESS, STRANGERS, Caller
from tests.pushing import now_ms, settle
from tests.signers import FORGERS, OPERATOR, Headers
from tests.two_users import ANA, CARD, EVE, EVES_PHONE, MATCH, ORDER, PHONE, TEAM, TYPE, TwoUsers


@dataclass(frozen=True, slots=True)
class Row:
    """
    What comes of one route.

    Attributes:
        query: What follows the path.
        body: As ana or eve would say it; tokens are eve's.
        anas: The status where ana herself asks, of her own.
        eves: The status where eve asks the same, of ana's phone and activity.
        elsewhere: The status where eve asks of her own phone, and of ana's activity.
        takes_over: Whether a phone is from then on the user's who asks.
    """

    anas: int
    eves: int
    elsewhere: int
    body: Mapping[str, Any] | None = None
    query: str = ""
    takes_over: bool = False


EVES_TOKEN = "ee" * 40

MATRIX: Mapping[str, Row] = {
    "PUT /v1/devices/{device}": Row(
        anas=200,
        eves=200,
        elsewhere=200,
        body={
            "observed_at_ms": 2**43,
            "start_tokens": [{"attributes_type": TYPE, "token": EVES_TOKEN}],
            "cards": [{"card": CARD, "activity": ORDER, "token": EVES_TOKEN}],
        },
        takes_over=True,
    ),
    "PUT /v1/devices/{device}/start-tokens/{attributes_type}": Row(
        anas=204, eves=204, elsewhere=204, body={"token": EVES_TOKEN}, takes_over=True
    ),
    # Only ana is a guest: eve is turned away before the phone is looked at.
    "PUT /v1/devices/{device}/cards/{card}": Row(
        anas=204, eves=403, elsewhere=403, body={"activity": ORDER, "token": EVES_TOKEN}
    ),
    "DELETE /v1/devices/{device}/cards/{card}": Row(anas=204, eves=204, elsewhere=204, query="?reason=dismissed"),
    # What has guests has no channel.
    "GET /v1/activities/{activity}/channel": Row(anas=404, eves=403, elsewhere=403, query="?environment=production"),
    "DELETE /v1/devices/{device}": Row(anas=204, eves=204, elsewhere=204, query="?observed_at_ms=8796093022208"),
    "DELETE /v1/me": Row(anas=204, eves=204, elsewhere=204),
}

PARAMETERS = {"{device}": PHONE, "{attributes_type}": TYPE, "{card}": CARD, "{activity}": ORDER}
TAKING_OVER = [key for key, row in MATRIX.items() if row.takes_over]
LEAVING = [key for key, row in MATRIX.items() if not row.takes_over]


# Behind IAM: no user may ask them, whoever it is.
OPERATORS: Mapping[str, str] = {"GET /v1/activities/{activity}": f"/v1/activities/{ORDER}?state=true"}


def asked(key: str, device: str = PHONE) -> tuple[str, str, Any]:
    """Return method, target and body of a request to a route, about ana's activity and this phone."""
    method, target = key.split(" ")
    for name, value in {**PARAMETERS, "{device}": device}.items():
        target = target.replace(name, value)
    return method, target + MATRIX[key].query, MATRIX[key].body


@pytest.fixture(scope="module")
def settled(running_stack: Stack) -> TwoUsers:
    """Return both users, for where nobody changes anything."""
    running_stack.reset()
    users = TwoUsers(running_stack)
    users.settle()
    return users


@pytest.fixture
def users(settled: TwoUsers) -> TwoUsers:
    """Return both users as if nothing had happened yet."""
    settled.restore()
    return settled


def test_every_route_of_the_template_stands_in_the_matrix_and_asks_for_a_token_or_a_signature() -> None:
    routes = Template.load(ROOT / "template.yaml", region=REGION).routes()

    assert sorted(route.key for route in routes) == sorted([*MATRIX, *OPERATORS])
    assert {route.key for route in routes if route.authorizer == "Jwt"} == set(MATRIX)
    assert {route.key for route in routes if route.authorizer == IAM} == set(OPERATORS)


# --- who gets in


@pytest.mark.parametrize("caller", STRANGERS.values(), ids=STRANGERS)
def test_api_gateway_turns_a_stranger_away_from_every_route(settled: TwoUsers, caller: Caller) -> None:
    before, log = settled.anas(), settled.stack.functions["RegisterFunction"].log
    log.clear()

    for key in MATRIX:
        method, target, body = asked(key)
        answer = settled.ask(method, target, body, authorization=caller(settled.stack.identity))
        assert (key, answer.status, answer.json) == (key, 401, {"message": "Unauthorized"})
        assert answer.headers["www-authenticate"].startswith("Bearer")

    assert log.lines == []
    assert settled.anas() == before


@pytest.mark.parametrize("caller", NAMELESS.values(), ids=NAMELESS)
def test_lockstep_turns_away_from_every_route_whom_no_phone_could_belong_to(settled: TwoUsers, caller: Caller) -> None:
    before = settled.anas()

    for key in MATRIX:
        method, target, body = asked(key)
        answer = settled.ask(method, target, body, authorization=caller(settled.stack.identity))
        assert (key, answer.status, answer.json["field"]) == (key, 401, "user")

    assert settled.anas() == before


@pytest.mark.parametrize("forger", FORGERS.values(), ids=FORGERS)
def test_api_gateway_turns_away_from_an_operators_route_whoever_did_not_sign_the_request(
    settled: TwoUsers, forger: Callable[[str], Headers]
) -> None:
    log = settled.stack.functions["ExplainFunction"].log
    log.clear()

    for target in OPERATORS.values():
        url = f"{settled.stack.api.url}{target}"
        answer = settled.ask("GET", target, authorization=[], headers=forger(url))
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})

    assert log.lines == []


@pytest.mark.parametrize("caller", [*STRANGERS.values(), *NAMELESS.values()], ids=[*STRANGERS, *NAMELESS])
def test_no_token_opens_an_operators_route_whatever_it_says(settled: TwoUsers, caller: Caller) -> None:
    for target in OPERATORS.values():
        answer = settled.ask("GET", target, authorization=caller(settled.stack.identity))
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("user", [ANA, EVE, *LOOKALIKES])
def test_no_user_may_ask_what_operators_ask_not_even_of_their_own(settled: TwoUsers, user: str) -> None:
    for target in OPERATORS.values():
        answer = settled.ask("GET", target, user=user)
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


def test_an_operator_gets_in_and_changes_nothing(users: TwoUsers) -> None:
    before, activities = users.anas(), users.activities()

    for target in OPERATORS.values():
        headers = list(OPERATOR.sign(f"{users.stack.api.url}{target}").items())
        answer = users.ask("GET", target, authorization=[], headers=headers)
        assert (answer.status, answer.json["activity"]) == (200, ORDER)
        assert not [token for token in users.tokens.values() if token in answer.body.decode()]

    assert (users.anas(), users.activities()) == (before, activities)


def test_an_operators_signature_opens_no_route_of_users(settled: TwoUsers) -> None:
    before = settled.anas()

    for key in MATRIX:
        method, target, body = asked(key)
        content = b"" if body is None else json.dumps(body).encode()
        headers = OPERATOR.sign(f"{settled.stack.api.url}{target}", method, content)
        answer = settled.ask(method, target, body, authorization=[], headers=list(headers.items()))
        assert (key, answer.status, answer.json) == (key, 401, {"message": "Unauthorized"})

    assert settled.anas() == before


@pytest.mark.parametrize("key", MATRIX)
def test_ana_gets_in(users: TwoUsers, key: str) -> None:
    """Or else nothing above would show anything."""
    assert users.ask(*asked(key), user=ANA).status == MATRIX[key].anas


# --- what eve can do


@pytest.mark.parametrize("key", LEAVING)
def test_eve_changes_nothing_of_anas_and_reads_nothing(users: TwoUsers, key: str) -> None:
    before, activities, said = users.anas(), users.activities(), users.report().json
    settled = users.anas()
    assert settled.rows.keys() == before.rows.keys()

    answer = users.ask(*asked(key))

    assert answer.status == MATRIX[key].eves
    assert users.told(answer.body) == []
    assert (users.anas(), users.activities()) == (settled, activities)
    assert users.report().json == said
    assert users.anas_pushes() == sorted([users.tokens["order"], users.tokens["tablet"]])


@pytest.mark.parametrize("key", TAKING_OVER)
def test_eve_takes_over_a_phone_whose_id_she_knows_and_is_told_nothing_of_anas(users: TwoUsers, key: str) -> None:
    before, activities = users.anas(), users.activities()

    answer = users.ask(*asked(key))

    assert answer.status == MATRIX[key].eves
    assert answer.json in (None, {"activities": []})
    assert users.told(answer.body) == []
    phone = phone_of(PHONE)
    assert (users.anas().without(phone), users.activities()) == (before.without(phone), activities)
    # Hers it is no more: it hears nothing of ana's order, and eve doesn't either.
    assert users.anas_pushes() == [users.tokens["tablet"]]


@pytest.mark.parametrize("key", TAKING_OVER)
def test_ana_takes_it_back_and_finds_all_as_it_was(users: TwoUsers, key: str) -> None:
    said = users.report().json
    assert users.ask(*asked(key)).status == MATRIX[key].eves

    users.reported_at_ms = now_ms()
    assert users.report().json == said
    settle(users.stack)

    assert users.anas_pushes() == sorted([users.tokens["order"], users.tokens["tablet"]])
    assert EVE not in users.owners_on(PHONE)


@pytest.mark.parametrize("key", TAKING_OVER)
def test_what_eve_observed_before_ana_did_takes_nothing_over(users: TwoUsers, key: str) -> None:
    before = users.anas()
    method, target, body = asked(key)

    answer = users.ask(method, target, {**body, "observed_at_ms": users.reported_at_ms - 1})

    assert answer.json in (None, {"activities": []})
    assert users.anas() == before
    assert users.anas_pushes() == sorted([users.tokens["order"], users.tokens["tablet"]])


@pytest.mark.parametrize("key", MATRIX)
def test_eves_own_phone_brings_her_nothing_of_anas(users: TwoUsers, key: str) -> None:
    before, activities = users.anas(), users.activities()

    answer = users.ask(*asked(key, EVES_PHONE))

    assert answer.status == MATRIX[key].elsewhere
    assert answer.json is None or answer.json == {"activities": []} or answer.json["field"] == "activity"
    assert users.told(answer.body) == []
    assert (users.anas(), users.activities()) == (before, activities)
    assert users.anas_pushes() == sorted([users.tokens["order"], users.tokens["tablet"]])


def test_eve_sees_of_what_is_everybodys_what_everybody_sees(users: TwoUsers) -> None:
    """Or else the tests above would pass where nobody sees anything."""
    before = users.anas()

    answer = users.ask(
        "PUT", f"/v1/devices/{EVES_PHONE}", {"observed_at_ms": 1, "os_version": "18.0", "follows": [TEAM]}
    )

    [match] = answer.json["activities"]
    assert match["activity"] == MATCH
    assert match["channel"]
    assert users.ask("GET", f"/v1/activities/{MATCH}/channel?environment=production").json == {
        "channel": match["channel"]
    }
    assert users.anas() == before


@pytest.mark.parametrize("name", LOOKALIKES)
def test_who_looks_like_ana_is_not_ana(users: TwoUsers, name: str) -> None:
    before = users.anas()

    for key in LEAVING:
        assert users.ask(*asked(key), user=name).status == MATRIX[key].eves, key
    answer = users.ask("PUT", f"/v1/devices/{EVES_PHONE}", {"observed_at_ms": 1}, user=name)

    assert (answer.status, answer.json) == (200, {"activities": []})
    assert users.anas() == before


# What a request might say of its user beside the token; some servers believe it.
PRETENCES: Mapping[str, tuple[str, str]] = {
    "a user": ("x-user", ANA),
    "a subject": ("x-amzn-oidc-identity", ANA),
    "claims": ("x-amzn-oidc-data", '{"sub": "ana"}'),
    "Lambda's client context": ("x-amz-client-context", "eyJzdWIiOiAiYW5hIn0="),
    "another method": ("x-http-method-override", "DELETE"),
    "another method, said otherwise": ("x-method-override", "DELETE"),
    "another path": ("x-original-url", "/v1/me"),
    "another path, said otherwise": ("x-rewrite-url", "/v1/me"),
    "another address": ("x-forwarded-for", "127.0.0.1"),
    "another host": ("x-forwarded-host", "localhost"),
    "cookies": ("cookie", "sub=ana; user=ana; authorization=ana"),
}


@pytest.mark.parametrize("header", PRETENCES.values(), ids=PRETENCES)
def test_nothing_but_the_token_says_who_asks_and_nothing_but_the_first_line_what_for(
    users: TwoUsers, header: tuple[str, str]
) -> None:
    before = users.anas()
    pretended = {"user": ANA, "owner": ANA, "sub": ANA, "claims": {"sub": ANA}, "_method": "DELETE"}

    card = {"activity": MATCH, **pretended}
    put = users.ask("PUT", f"/v1/devices/{EVES_PHONE}/cards/c?sub=ana&_method=DELETE", card, headers=[header])
    gone = users.ask("DELETE", "/v1/me?user=ana&sub=ana", headers=[header])

    assert (put.status, gone.status) == (204, 204)
    assert users.anas() == before
    assert users.owners_on(EVES_PHONE) == set()
