"""Requests and answers, whatever the route: identity, body limits, what an answer leaves out."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from lockstep.apns import Environment
from lockstep.channels import Channel, Storage
from lockstep.errors import Forbidden, InvalidInput
from lockstep.http import BODY_MAX_BYTES, RequestError, body, check_id, report_answer, status_of, user_of
from lockstep.merge import advance, merge
from lockstep.phones import Phone
from lockstep.row import Registers, Row
from tests.messages import DRIVER, NOW_S, end, read, start, update


def request(text: str | None = None, *, encoded: bool = False, claims: Any = None) -> APIGatewayProxyEventV2:
    event: dict[str, Any] = {"requestContext": {}, "isBase64Encoded": encoded}
    if text is not None:
        event["body"] = text
    if claims is not None:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return APIGatewayProxyEventV2(event)


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def answered(rows: list[Row], phone: Phone | None = None) -> dict[str, Any]:
    return report_answer(phone, rows, default_environment=Environment.PRODUCTION)


# --- the user


def test_the_user_is_the_tokens_subject() -> None:
    assert user_of(request(claims={"sub": "auth0|ana#1 ☕"}), local_user=None) == "auth0|ana#1 ☕"


@pytest.mark.parametrize("claims", [None, {}, {"sub": ""}, {"sub": "x" * 257}, {"sub": "a\nb"}, {"sub": 7}, "text", []])
def test_without_a_subject_nobody_is_known(claims: Any) -> None:
    with pytest.raises(RequestError) as refused:
        user_of(request(claims=claims), local_user=None)

    assert (refused.value.status, refused.value.field) == (401, "user")


@pytest.mark.parametrize(
    "context", [{}, {"authorizer": None}, {"authorizer": {"jwt": None}}, {"authorizer": {"iam": {}}}]
)
def test_without_an_authorizer_nobody_is_known(context: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        user_of(APIGatewayProxyEventV2({"requestContext": context}), local_user=None)

    assert refused.value.status == 401


def test_without_an_authorizer_the_local_user_calls() -> None:
    assert user_of(request(), local_user="ana") == "ana"


def test_the_local_user_does_not_stand_in_for_a_user_who_was_named() -> None:
    assert user_of(request(claims={"sub": "ben"}), local_user="ana") == "ben"


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": "x" * 257}])
def test_the_local_user_does_not_stand_in_where_an_authorizer_named_nobody(claims: dict[str, str]) -> None:
    with pytest.raises(RequestError) as refused:
        user_of(request(claims=claims), local_user="ana")

    assert refused.value.status == 401


# --- the body


@pytest.mark.parametrize("letter", ["a", "é", "🍕"])
def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(letter: str) -> None:
    whole = letter * (BODY_MAX_BYTES // len(letter.encode()))
    assert len(whole.encode()) == 65_536

    assert body(request(whole)) == whole
    assert body(request(base64_of(whole.encode()), encoded=True)) == whole

    for event in (request(whole + "a"), request(base64_of(whole.encode() + b"a"), encoded=True)):
        with pytest.raises(RequestError) as refused:
            body(event)
        assert (refused.value.status, refused.value.field) == (413, "body")


def test_an_absurd_body_is_not_even_decoded() -> None:
    with pytest.raises(RequestError) as refused:
        body(request("?" * 1_000_000, encoded=True))

    assert refused.value.status == 413


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\xed\xa0\x80"])
def test_a_body_that_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        body(request(base64_of(content), encoded=True))

    assert (refused.value.status, refused.value.field) == (400, "body")


def test_a_body_that_is_no_base64_is_refused() -> None:
    with pytest.raises(RequestError) as refused:
        body(request("a", encoded=True))

    assert refused.value.status == 400


@pytest.mark.parametrize("encoded", [False, True])
def test_no_body_is_an_empty_one(encoded: bool) -> None:
    assert body(request(None, encoded=encoded)) == ""
    assert body(request("", encoded=encoded)) == ""


# --- statuses


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("body", "is not JSON"), 400),
        (InvalidInput("cards.0.token", "is too short"), 422),
        (RequestError(413, "body", "is too long"), 413),
    ],
)
def test_each_error_has_its_status(error: InvalidInput, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize("value", ["a" * 129, "", "a b", "a/b", "é", "a\n"])
def test_an_id_outside_the_alphabet_is_named(value: str) -> None:
    check_id("device", "A-z.0_9:@")

    with pytest.raises(InvalidInput) as refused:
        check_id("device", value)

    assert refused.value.field == "device"
    assert not isinstance(refused.value, Forbidden)


# --- a report's answer


def row_of(*bodies: dict[str, Any]) -> Row:
    registers = Registers()
    for said in bodies:
        registers = merge(registers, read(said).registers)
    return advance(None, "order-42", registers, now_s=NOW_S).stamped(NOW_S)


def test_an_answer_says_what_a_phone_should_show() -> None:
    row = row_of(start(aps={"stale-date": NOW_S + 60}))

    [answer] = answered([row])["activities"]

    assert answer == {
        "activity": "order-42",
        "run": row.run,
        "attributes_type": "OrderAttributes",
        "attributes": {"shop": "Pizzeria Uno", "activity": "order-42", "run": row.run},
        "content_state": {"driver": DRIVER, "minutes": 30},
        "timestamp": NOW_S,
        "stale_date": NOW_S + 60,
        "ended": False,
    }


def test_an_answer_leaves_out_what_has_no_value() -> None:
    [answer] = answered([row_of(update())])["activities"]

    assert set(answer) == {"activity", "run", "content_state", "timestamp", "ended"}


def test_an_answer_keeps_what_is_null_inside_a_content_state() -> None:
    state = {"driver": None, "stops": [None, {"eta": None}], "minutes": 0}

    [answer] = answered([row_of(update(aps={"content-state": state}))])["activities"]

    assert answer["content_state"] == state


def test_an_end_without_a_state_is_an_answer_and_an_empty_row_is_none() -> None:
    ended, empty = row_of(end()), Row("order-43", Registers())

    answer = answered([ended, empty])

    assert [(one["activity"], one["ended"]) for one in answer["activities"]] == [("order-42", True)]
    assert "content_state" not in answer["activities"][0]


def test_an_answer_is_json() -> None:
    assert json.dumps(answered([row_of(start(aps={"content-state": {"☕": [1.5, None, True]}}))]))


# --- channels


@pytest.mark.parametrize(
    ("os_version", "environment", "channel"),
    [
        ("18.0", Environment.SANDBOX, "of the sandbox"),
        ("26", Environment.SANDBOX, "of the sandbox"),
        ("18.0", None, None),
        ("17.6.1", Environment.SANDBOX, None),
        (None, Environment.SANDBOX, None),
    ],
)
def test_a_phone_that_can_be_on_a_channel_is_told_that_of_its_environment(
    os_version: str | None, environment: Environment | None, channel: str | None
) -> None:
    row = row_of(start(channel="latest"))
    row = replace(row, channels=(Channel(Environment.SANDBOX, "of the sandbox", row.run, Storage.LATEST),))

    [answer] = answered([row], Phone("phone", "ana", environment, os_version))["activities"]

    assert answer.get("channel") == channel


def test_a_channel_of_an_earlier_run_or_of_what_has_ended_is_told_to_nobody() -> None:
    phone = Phone("phone", "ana", Environment.SANDBOX, "18.0")
    row = row_of(start(channel="latest"))
    earlier = replace(row, channels=(Channel(Environment.SANDBOX, "old", row.run - 1, Storage.LATEST),))
    ended = replace(
        advance(row, row.activity, read(end(), at_ms=NOW_S * 1000 + 1).registers, now_s=NOW_S),
        channels=(Channel(Environment.SANDBOX, "new", row.run, Storage.LATEST),),
    )

    assert all("channel" not in one for one in answered([earlier, ended], phone)["activities"])
