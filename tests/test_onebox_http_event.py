"""Requests and answers as API Gateway translates them."""

import base64
from typing import Any

import pytest

from onebox.http_event import Request, event, match, response
from onebox.template import Route

CARD = Route("PUT", "/v1/devices/{device}/cards/{card}", "RegisterFunction", "Jwt")
ME = Route("DELETE", "/v1/me", "RegisterFunction", "Jwt")


def request(
    method: str = "PUT",
    target: str = "/v1/devices/d/cards/c",
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
) -> Request:
    return Request(method, target, headers, body)


def event_of(one: Request) -> Any:
    found = match([CARD, ME], one)
    assert found is not None
    return event(one, *found, {"jwt": {"claims": {"sub": "ana"}, "scopes": None}})


def test_parameters_come_decoded() -> None:
    made = event_of(request(target="/v1/devices/a%3Ab/cards/c%40d"))

    assert made["pathParameters"] == {"device": "a:b", "card": "c@d"}
    assert made["rawPath"] == "/v1/devices/a:b/cards/c@d"
    assert made["routeKey"] == "PUT /v1/devices/{device}/cards/{card}"


def test_an_encoded_slash_divides_like_any_other() -> None:
    assert match([CARD], request(target="/v1/devices/a%2Fb/cards/c")) is None


def test_an_encoded_question_mark_cuts_the_path() -> None:
    assert event_of(request(target="/v1/devices/a/cards/c%3Fd"))["pathParameters"]["card"] == "c"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/v1/devices//cards/c"),
        ("PUT", "/v1/devices/d/cards/"),
        ("PUT", "/v1/devices/d/cards/c/"),
        ("GET", "/v1/devices/d/cards/c"),
        ("DELETE", "/v1/Me"),
    ],
)
def test_what_the_template_does_not_list_has_no_route(method: str, target: str) -> None:
    assert match([CARD, ME], request(method, target)) is None


def test_queries_come_raw_and_decoded() -> None:
    made = event_of(request(target="/v1/devices/d/cards/c?reason=dismissed&a=1&a=%32"))

    assert made["rawQueryString"] == "reason=dismissed&a=1&a=%32"
    assert made["queryStringParameters"] == {"reason": "dismissed", "a": "1,2"}


def test_headers_come_in_lower_case_and_joined() -> None:
    made = event_of(request(headers=(("X-One", "a"), ("x-one", "b"), ("Cookie", "c=1; d=2"))))

    assert made["headers"] == {"x-one": "a,b"}
    assert made["cookies"] == ["c=1", "d=2"]


def test_claims_stand_where_the_authorizer_puts_them() -> None:
    assert event_of(request())["requestContext"]["authorizer"]["jwt"]["claims"] == {"sub": "ana"}


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain"])
def test_text_comes_as_text(kind: str) -> None:
    made = event_of(request(body='{"a": "ä"}'.encode(), headers=(("Content-Type", kind),)))

    assert (made["body"], made["isBase64Encoded"]) == ('{"a": "ä"}', False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/octet-stream", b"{}"), ("application/x-www-form-urlencoded", b"a=1"), ("text/plain", b"\xff")],
)
def test_anything_else_comes_in_base64(kind: str, body: bytes) -> None:
    made = event_of(request(body=body, headers=(("content-type", kind),)))

    assert (base64.b64decode(made["body"]), made["isBase64Encoded"]) == (body, True)


def test_a_request_without_a_body_has_none() -> None:
    assert "body" not in event_of(request())


def test_an_answer_becomes_a_response() -> None:
    made = response(
        {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}", "cookies": ["a=1"]}
    )

    assert (made.status, made.body) == (200, b"{}")
    assert dict(made.headers) == {"content-type": "application/json", "set-cookie": "a=1"}


def test_an_answer_in_base64_is_decoded() -> None:
    assert response({"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}).body == b"hi"


def test_an_answer_without_a_status_is_the_body_of_a_200() -> None:
    made = response({"activities": []})

    assert (made.status, made.body) == (200, b'{"activities": []}')


def test_what_is_no_answer_is_told_from_one() -> None:
    with pytest.raises(ValueError, match="no answer"):
        response({"statusCode": "well"})
