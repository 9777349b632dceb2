"""register, whole: events in, answers out; and the road over HTTPS, with its JWT check."""

import base64
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.delivery import Delivery, Forgetting, read_body
from lockstep.ids import phone_of
from lockstep.models import Report
from onebox.http_event import Request, event, match
from onebox.stack import Stack
from tests.messages import end, sqs, start, update
from tests.phones_side import DEVICE, ORDER, PHONE, START_TOKEN, START_TOKEN_2, TOKEN, TOKEN_2, TYPE

EVENTS = Path(__file__).parent.parent / "events"
NAMES = ["report", "channel", "start-token", "card", "remove-card", "sign-out", "forget-me"]

CARD = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
REPORT = f"/v1/devices/{DEVICE}"
START_PATH = f"{REPORT}/start-tokens/{TYPE}"
CARD_PATH = f"{REPORT}/cards/{CARD}"

OBSERVED_MS = 1_700_000_000_000


def event_of(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((EVENTS / f"register-{name}.json").read_text())
    return parsed


def invoke(stack: Stack, request: dict[str, Any]) -> tuple[int, Any]:
    answer = stack.functions["RegisterFunction"].invoke(request)
    return answer["statusCode"], json.loads(answer["body"]) if answer.get("body") else None


def publish(stack: Stack, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        assert stack.invoke_push({"Records": [sqs(body, queue="PublishQueue", sent_at_ms=2**42)]}) == {
            "batchItemFailures": []
        }


def items(stack: Stack) -> list[dict[str, Any]]:
    return stack.aws.items(stack.aws.tables["TokensTable"])


def stored(stack: Stack, attribute: str) -> list[str]:
    return sorted(item[attribute]["S"] for item in items(stack) if attribute in item)


def queued(stack: Stack) -> list[Delivery | Forgetting]:
    stack.aws.hasten_messages()
    return [read_body(message.body) for message in stack.queues.look("DeliveryQueue")]


# --- who calls

NOBODY = event_of("forget-me")
del NOBODY["requestContext"]["authorizer"]


@pytest.mark.parametrize("local", ["false", "", None])
def test_a_deployed_function_knows_no_local_user(stack: Stack, local: str | None) -> None:
    deployed = stack.container("RegisterFunction", LOCAL_USER="ana", AWS_SAM_LOCAL=local)

    assert deployed.invoke(NOBODY)["statusCode"] == 401


def test_under_sam_local_the_local_user_calls(stack: Stack) -> None:
    local = stack.container("RegisterFunction", LOCAL_USER="ana", AWS_SAM_LOCAL="true")

    assert local.invoke(NOBODY)["statusCode"] == 204


# --- events/


def test_there_is_an_event_for_each_route(stack: Stack) -> None:
    routes = [route.key for route in stack.template.routes() if route.function == "RegisterFunction"]
    assert {event_of(name)["routeKey"] for name in NAMES} == set(routes)


def test_the_events_are_such_as_api_gateway_makes(stack: Stack) -> None:
    for name in NAMES:
        said = event_of(name)
        http = said["requestContext"]["http"]
        request = Request(http["method"], http["path"], list(said["headers"].items()), said.get("body", "").encode())
        found = match(stack.template.routes(), request)
        assert found is not None
        route, parameters = found
        made = event(request, route, parameters, {"jwt": {"claims": {"sub": "ana"}, "scopes": None}})

        assert said["routeKey"] == route.key
        assert said.get("pathParameters", {}) == parameters
        assert set(said) - {"queryStringParameters"} == set(made)
        assert set(said["requestContext"]) == set(made["requestContext"])
        assert said["requestContext"]["authorizer"]["jwt"].keys() == made["requestContext"]["authorizer"]["jwt"].keys()


def test_the_events_tell_of_a_phone_from_its_first_report_to_its_end(stack: Stack) -> None:
    [published] = json.loads((EVENTS / "publish-start.json").read_text())["Records"]
    assert json.loads(published["body"])["activity"] == ORDER
    publish(stack, json.loads(published["body"]))

    status, answer = invoke(stack, event_of("report"))
    assert status == 200
    assert [(one["activity"], one["content_state"]["minutes"]) for one in answer["activities"]] == [(ORDER, 30)]
    assert [one.activity for one in queued(stack) if isinstance(one, Delivery)] == [ORDER]

    assert invoke(stack, event_of("channel"))[0] == 404
    assert invoke(stack, event_of("start-token")) == (204, None)
    assert invoke(stack, event_of("card")) == (204, None)
    assert len(stored(stack, "token")) == 2
    assert stored(stack, "card") == [CARD]

    assert invoke(stack, event_of("remove-card")) == (204, None)
    assert stored(stack, "card") == []
    assert invoke(stack, event_of("sign-out")) == (204, None)
    assert stored(stack, "owner") == []

    assert invoke(stack, event_of("report"))[0] == 200
    assert invoke(stack, event_of("forget-me")) == (204, None)
    assert stored(stack, "owner") == []


@pytest.mark.parametrize("name", NAMES)
def test_without_a_user_nothing_is_done(stack: Stack, name: str) -> None:
    request = event_of(name)
    del request["requestContext"]["authorizer"]

    assert invoke(stack, request) == (401, {"field": "user", "message": "is not named by a valid token"})

    assert items(stack) == []


def test_nothing_in_body_or_path_says_who_the_user_is(stack: Stack) -> None:
    request = event_of("card")
    request["body"] = json.dumps({**json.loads(request["body"]), "user": "ben", "owner": "ben", "sub": "ben"})

    assert invoke(stack, request) == (204, None)

    assert set(stored(stack, "owner")) == {"ana"}


def test_a_body_in_base64_is_the_same_body(stack: Stack) -> None:
    request = event_of("report")
    request |= {"body": base64.b64encode(request["body"].encode()).decode(), "isBase64Encoded": True}

    assert invoke(stack, request) == (200, {"activities": []})

    assert stored(stack, "attributes_type") == [TYPE]


def test_what_is_not_of_this_api_is_not_found(stack: Stack) -> None:
    request = event_of("report")
    request |= {"rawPath": "/v2/devices"}
    request["requestContext"]["http"]["path"] = "/v2/devices"

    assert invoke(stack, request) == (404, {"field": "path", "message": "is not one of this API"})


# --- the road over HTTPS


class App:
    """Speaks to the API as an app does, and keeps the connection."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str = "ana",
        authorization: str | None = "",
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Send a request; `authorization` None sends none, empty the user's valid token."""
        headers = {"content-type": content_type} if body is not None else {}
        if authorization is not None:
            headers["authorization"] = authorization or f"Bearer {self._stack.identity.token(user)}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, path, content, headers)
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    def report(self, user: str = "ana", **truth: Any) -> tuple[int, Any]:
        return self.send("PUT", REPORT, {"observed_at_ms": OBSERVED_MS, **truth}, user=user)


@pytest.fixture
def app(stack: Stack) -> Iterator[App]:
    made = App(stack)
    yield made
    made.connection.close()


@pytest.mark.parametrize(("method", "path"), [(event_of(n)["requestContext"]["http"]["method"], n) for n in NAMES])
@pytest.mark.parametrize(
    "claims",
    [None, {"exp": 1_700_000_000}, {"exp": None}, {"iss": "https://other.example.com/"}, {"aud": "another app"}],
    ids=["no token", "expired", "never expires", "another issuer", "another audience"],
)
def test_without_a_valid_token_nobody_gets_in(
    stack: Stack, app: App, method: str, path: str, claims: dict[str, Any] | None
) -> None:
    request = event_of(path)
    authorization = None if claims is None else f"Bearer {stack.identity.token('ana', **claims)}"

    status, _ = app.send(method, request["rawPath"], {}, authorization=authorization)

    assert status == 401
    assert items(stack) == []


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer x.y.z", "Basic YW5hOmFuYQ==", "Bearer eyJhbGciOiJub25lIn0.e30."]
)
def test_what_is_no_token_gets_nobody_in(app: App, authorization: str) -> None:
    assert app.send("DELETE", "/v1/me", authorization=authorization)[0] == 401


def test_a_token_signed_by_another_gets_nobody_in(stack: Stack, app: App) -> None:
    head, claims, signature = stack.identity.token("ana").split(".")
    others = stack.identity.token("ben").split(".")[1]

    assert app.send("DELETE", "/v1/me", authorization=f"Bearer {head}.{others}.{signature}")[0] == 401
    assert app.send("DELETE", "/v1/me", authorization=f"Bearer {head}.{claims}.{signature}")[0] == 204


def test_a_token_without_a_subject_names_nobody(stack: Stack, app: App) -> None:
    authorization = f"Bearer {stack.identity.token('ana', sub=None)}"

    assert app.send("DELETE", "/v1/me", authorization=authorization)[0] == 401


def test_a_phone_registers_and_is_answered(stack: Stack, app: App) -> None:
    publish(stack, start(ORDER, "ana"))

    status, answer = app.report(
        environment="sandbox",
        start_tokens=[{"attributes_type": TYPE, "token": START_TOKEN}],
        cards=[{"card": CARD, "activity": ORDER}],
    )
    assert status == 200
    [shown] = answer["activities"]
    assert (shown["activity"], shown["attributes_type"], shown["ended"]) == (ORDER, TYPE, False)
    assert shown["attributes"]["run"] == shown["run"]

    assert app.send("PUT", CARD_PATH, {"activity": ORDER, "run": shown["run"], "token": TOKEN}) == (204, None)
    assert app.send("PUT", START_PATH, {"token": START_TOKEN_2}) == (204, None)
    assert set(stored(stack, "token")) == {TOKEN, START_TOKEN_2}
    assert Delivery(ORDER, phones=(PHONE,)).phones in [one.phones for one in queued(stack) if isinstance(one, Delivery)]

    assert app.send("DELETE", f"{CARD_PATH}?reason=dismissed") == (204, None)
    assert app.send("DELETE", CARD_PATH) == (204, None)
    assert app.send("DELETE", REPORT) == (204, None)
    assert stored(stack, "owner") == []


def test_an_answer_keeps_what_is_null_inside_the_content_state(stack: Stack, app: App) -> None:
    publish(stack, update(ORDER, aps={"content-state": {"driver": None}}))

    _, answer = app.report(cards=[{"card": CARD, "activity": ORDER}])

    [shown] = answer["activities"]
    assert shown["content_state"] == {"driver": None}
    assert set(shown) == {"activity", "run", "content_state", "timestamp", "ended"}


def test_an_ended_activity_is_answered_so_that_the_app_can_end_its_card(stack: Stack, app: App) -> None:
    publish(stack, start(ORDER, "ana"), end(ORDER, published_at_ms=2**42 + 1))

    _, answer = app.report(cards=[{"card": CARD, "activity": ORDER}])

    assert [one["ended"] for one in answer["activities"]] == [True]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("PUT", REPORT, None, 400, "body"),
        ("PUT", REPORT, b"{", 400, "body"),
        ("PUT", REPORT, [], 400, "body"),
        ("PUT", REPORT, b"\xff\xfe", 400, "body"),
        ("PUT", REPORT, {}, 422, "observed_at_ms"),
        ("PUT", REPORT, {"observed_at_ms": 1, "cards": [{"card": "a/b", "activity": ORDER}]}, 422, "cards.0.card"),
        ("PUT", START_PATH, {"token": "abc"}, 422, "token"),
        ("PUT", f"{REPORT}/start-tokens/Order%20Attributes", {"token": TOKEN}, 422, "attributes_type"),
        ("PUT", CARD_PATH, {"token": TOKEN}, 422, "activity"),
        ("PUT", f"{REPORT}/cards/{'c' * 129}", {"activity": ORDER}, 422, "card"),
        ("PUT", f"/v1/devices/{'d' * 129}", {"observed_at_ms": 1}, 422, "device"),
        ("PUT", "/v1/devices/%C3%A9", {"observed_at_ms": 1}, 422, "device"),
        ("PUT", "/v1/devices/a%25b", {"observed_at_ms": 1}, 422, "device"),
        ("PUT", "/v1/devices/%22", {"observed_at_ms": 1}, 422, "device"),
        ("PUT", "/v1/devices/a%0A", {"observed_at_ms": 1}, 422, "device"),
        ("DELETE", f"{CARD_PATH}%0A", None, 422, "card"),
        ("DELETE", f"{REPORT}?observed_at_ms=253402300800000", None, 422, "observed_at_ms"),
        ("DELETE", f"{CARD_PATH}?reason=bored", None, 422, "reason"),
        ("DELETE", f"{CARD_PATH}?reason=dismissed&reason=ended", None, 422, "reason"),
        ("DELETE", "/v1/devices/a%20b", None, 422, "device"),
    ],
)
def test_bad_input_is_refused_with_its_field(
    stack: Stack, app: App, method: str, path: str, body: object, status: int, field: str
) -> None:
    found, answer = app.send(method, path, body)

    assert (found, answer["field"]) == (status, field)
    assert set(answer) == {"field", "message"}
    assert items(stack) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", REPORT),
        ("POST", REPORT),
        ("PUT", "/v1/devices"),
        ("PUT", f"{REPORT}/cards"),
        ("DELETE", "/v1/you"),
        ("GET", "/"),
    ],
)
def test_what_is_no_route_is_not_found(app: App, method: str, path: str) -> None:
    assert app.send(method, path)[0] == 404


def test_a_slash_in_an_id_divides_the_path(app: App) -> None:
    assert app.send("PUT", f"{REPORT}/cards/a%2Fb", {"activity": ORDER})[0] == 404


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
def test_64_kib_are_taken_and_one_byte_more_is_not(app: App, content_type: str) -> None:
    body = json.dumps({"observed_at_ms": OBSERVED_MS, "padding": ""}).encode()
    whole = body.replace(b'""', b'"' + b"x" * (65_536 - len(body)) + b'"')
    assert len(whole) == 65_536

    assert app.send("PUT", REPORT, whole, content_type=content_type)[0] == 200
    status, answer = app.send("PUT", REPORT, whole + b" ", content_type=content_type)

    assert (status, answer["field"]) == (413, "body")


def test_a_stranger_may_not_follow(stack: Stack, app: App) -> None:
    publish(stack, start(ORDER, "ana"))

    status, answer = app.send("PUT", CARD_PATH, {"activity": ORDER, "token": TOKEN}, user="ben")

    assert (status, answer["field"]) == (403, "activity")
    assert items(stack) == []
    assert app.report("ben", cards=[{"card": CARD, "activity": ORDER, "token": TOKEN}]) == (200, {"activities": []})
    assert stored(stack, "card") == []


@pytest.mark.parametrize("path", ["/v1/me", REPORT])
def test_what_an_index_showed_too_late_is_forgotten_by_pushs_second_look(stack: Stack, app: App, path: str) -> None:
    app.report(cards=[{"card": CARD, "activity": ORDER, "token": TOKEN}])
    [card] = [item for item in items(stack) if "card" in item]

    assert app.send("DELETE", path) == (204, None)
    stack.aws.dynamodb.put_item(TableName=stack.aws.tables["TokensTable"], Item=card)
    assert stored(stack, "card") == [CARD]
    stack.drain(hasten=True)

    assert stored(stack, "card") == []


def test_deleting_what_is_not_there_or_not_yours_is_204_and_changes_nothing(stack: Stack, app: App) -> None:
    app.report(cards=[{"card": CARD, "activity": ORDER, "token": TOKEN}])
    before = items(stack)

    for path in (CARD_PATH, f"{CARD_PATH}?reason=dismissed", REPORT, "/v1/me"):
        assert app.send("DELETE", path, user="ben") == (204, None)
    assert app.send("DELETE", f"{REPORT}/cards/unheard-of") == (204, None)
    assert app.send("DELETE", "/v1/devices/unheard-of") == (204, None)

    assert items(stack) == before


def test_nothing_secret_is_logged(stack: Stack, app: App) -> None:
    publish(stack, start(ORDER, "ana", aps={"content-state": {"driver": "Zaphod"}}))
    token = stack.identity.token("ana")

    app.send("PUT", REPORT, {"observed_at_ms": 1, "cards": [{"card": CARD, "activity": ORDER, "token": TOKEN}]})
    app.send("PUT", START_PATH, {"token": START_TOKEN}, authorization=f"Bearer {token}")
    app.send("PUT", START_PATH, {"token": TOKEN_2 + "x"})
    app.send("PUT", REPORT, {"observed_at_ms": 1, "environment": "c0ffee"})
    app.send("DELETE", REPORT)

    lines = stack.functions["RegisterFunction"].log.lines
    assert len(lines) >= 5
    for secret in (TOKEN, START_TOKEN, TOKEN_2, token, DEVICE, "Zaphod", "c0ffee"):
        assert not [line for line in lines if secret in line], secret


def test_a_log_line_names_its_own_phone_or_none(stack: Stack, app: App) -> None:
    app.report()
    app.send("PUT", "/v1/devices/a%20b", {"observed_at_ms": 1})

    lines = [json.loads(line) for line in stack.functions["RegisterFunction"].log.lines]
    phones = [(line["message"], line.get("phone")) for line in lines]
    assert phones == [("answered", phone_of(DEVICE)), ("refused", None), ("answered", None)]


def test_a_fault_of_aws_is_a_500_and_the_repetition_is_answered(stack: Stack, app: App) -> None:
    def is_away(**_: object) -> None:
        raise ConnectionError("DynamoDB is away")

    calls = stack.functions["RegisterFunction"].names["dynamodb"].meta.events
    calls.register("before-call.dynamodb", is_away)
    try:
        assert app.report() == (500, {"message": "Internal Server Error"})
    finally:
        calls.unregister("before-call.dynamodb", is_away)

    assert app.report() == (200, {"activities": []})


# --- whatever comes


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([TOKEN, ORDER]),
    nested,
    max_leaves=6,
)
keys = st.sampled_from([*Report.model_fields, "activity", "token", "run", "card"]) | st.text()
bodies = (
    st.dictionaries(keys, json_values, max_size=6).map(json.dumps) | json_values.map(json.dumps) | st.text()
)  # fmt: skip
valid_items = {
    "observed_at_ms": st.integers(1, 2**47),
    "cards": st.lists(
        st.fixed_dictionaries(
            {"card": st.sampled_from(["c-1", "c-2"]), "activity": st.sampled_from([ORDER, "order-43"])},
            optional={"token": st.sampled_from([TOKEN, TOKEN_2]), "run": st.integers(0, 2**63 - 1)},
        ),
        max_size=3,
    ),
    "token": st.sampled_from([TOKEN, TOKEN_2]),
    "activity": st.just(ORDER),
    "run": st.integers(-1, 2**64),
}
nearly_valid = st.fixed_dictionaries({}, optional=valid_items).map(json.dumps)
path_ids = st.sampled_from(["c-1", DEVICE, TYPE]) | st.sampled_from(["c-2", "d" * 128]) | st.text(min_size=1)


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_comes_is_answered_and_never_by_a_500(running_stack: Stack, name: str, data: st.DataObject) -> None:
    request = event_of(name)
    parameters = {key: data.draw(path_ids, key) for key in request.get("pathParameters", {})}
    path = request["routeKey"].partition(" ")[2]
    for key, value in parameters.items():
        path = path.replace(f"{{{key}}}", value)
    request |= {"rawPath": path, "pathParameters": parameters}
    request["requestContext"]["http"]["path"] = path
    if "body" in request:
        request["body"] = data.draw(nearly_valid | bodies, "body")
        request["isBase64Encoded"] = data.draw(st.sampled_from([False, False, False, True]), "encoded")
    if "queryStringParameters" in request:
        request["queryStringParameters"] = {"reason": data.draw(st.text() | st.just("dismissed"), "reason")}

    status, answer = invoke(running_stack, request)

    assert status in {200, 204, 400, 404, 413, 422}
    if status >= 400:
        assert set(answer) == {"field", "message"}
    for item in items(running_stack):
        if "owner" in item:
            assert item["owner"] == {"S": "ana"}
        # Whole, or not there: what every reader of a row goes by.
        assert {"device_key", "expires_at_s", "v"} <= set(item)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["PUT", "DELETE"]),
    parts=st.lists(st.sampled_from(["v1", "devices", "me", "cards", "start-tokens"]) | st.text(), max_size=5),
    body=nearly_valid | bodies,
)
def test_no_path_or_body_over_http_is_answered_by_a_500(
    running_stack: Stack, method: str, parts: list[str], body: str
) -> None:
    app = App(running_stack)
    path = "/" + "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)

    status, _ = app.send(method, path, body.encode(errors="surrogatepass"))

    app.connection.close()
    assert status < 500
