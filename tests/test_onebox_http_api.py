"""The HTTP API over the wire."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onebox.aws import REGION, SECRETS
from onebox.function_log import FunctionLog
from onebox.http_api import HttpApi, by_iam, by_jwt, invoking
from onebox.http_event import BODY_MAX
from onebox.identity import AUDIENCE, ISSUER, Identity, JwtCheck
from onebox.lambda_runtime import Function
from onebox.signatures import SignatureCheck
from onebox.template import IAM, FunctionSpec, Route

ROUTES = [
    Route("PUT", "/v1/devices/{device}", "RegisterFunction", "Jwt"),
    Route("DELETE", "/v1/me", "RegisterFunction", "Jwt"),
    Route("GET", "/open", "RegisterFunction", None),
    Route("GET", "/v1/activities/{activity}", "RegisterFunction", IAM),
]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity(tmp_path_factory.mktemp("identity"))


def echo(event: Any, context: Any) -> Any:
    if event.get("body") == "fail":
        raise RuntimeError("no")
    if event["routeKey"] == "DELETE /v1/me":
        return {"statusCode": 204}
    return {"statusCode": 200, "body": json.dumps(event)}


@pytest.fixture(scope="module")
def api(identity: Identity) -> Iterator[HttpApi]:
    spec = FunctionSpec("RegisterFunction", Path(), "register.handler", 10, 128, {})
    function = Function(spec, {}, FunctionLog("register"), region="us-east-1", make_handler=lambda _: echo)
    check = JwtCheck(identity.keys, issuer=ISSUER, audience=[AUDIENCE])
    authorizers = {"Jwt": by_jwt(check), IAM: by_iam(SignatureCheck(SECRETS, region=REGION))}
    api = HttpApi(ROUTES, invoking({"RegisterFunction": function}), authorizers)
    api.start()
    yield api
    api.stop()


@pytest.fixture
def connection(api: HttpApi) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(urlsplit(api.url).netloc, timeout=5)
    yield connection
    connection.close()


def ask(
    connection: HTTPConnection, method: str, path: str, token: str | None = None, body: bytes | None = None
) -> tuple[int, Any]:
    headers = {"content-type": "text/plain"} | ({"authorization": f"Bearer {token}"} if token else {})
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def test_the_function_answers_a_request_with_a_good_token(connection: HTTPConnection, identity: Identity) -> None:
    status, event = ask(connection, "PUT", "/v1/devices/d1?a=b", identity.token("ana"), b"hello")

    assert status == 200
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "ana"
    assert (event["pathParameters"], event["body"], event["rawQueryString"]) == ({"device": "d1"}, "hello", "a=b")


def test_no_token_is_refused_before_the_function_is_asked(connection: HTTPConnection) -> None:
    assert ask(connection, "PUT", "/v1/devices/d1", body=b"fail") == (401, {"message": "Unauthorized"})


def test_a_route_without_authorizer_needs_no_token(connection: HTTPConnection) -> None:
    status, event = ask(connection, "GET", "/open")

    assert status == 200
    assert "authorizer" not in event["requestContext"]


def test_what_is_not_listed_is_not_found(connection: HTTPConnection) -> None:
    assert ask(connection, "GET", "/v1/devices/d1") == (404, {"message": "Not Found"})


def test_a_failing_function_is_a_server_error(connection: HTTPConnection, identity: Identity) -> None:
    answer = ask(connection, "PUT", "/v1/devices/d1", identity.token("ana"), b"fail")

    assert answer == (500, {"message": "Internal Server Error"})


def test_an_empty_answer_leaves_the_connection_usable(connection: HTTPConnection, identity: Identity) -> None:
    token = identity.token("ana")

    assert [ask(connection, "DELETE", "/v1/me", token) for _ in range(2)] == [(204, None)] * 2


@pytest.mark.parametrize(("length", "status"), [(BODY_MAX, 200), (BODY_MAX + 1, 413)])
def test_ten_megabytes_is_the_most(connection: HTTPConnection, identity: Identity, length: int, status: int) -> None:
    token = identity.token("ana")

    found, _ = ask(connection, "PUT", "/v1/devices/d1", token, b"x" * length)

    assert found == status
    assert ask(connection, "DELETE", "/v1/me", token) == (204, None)
