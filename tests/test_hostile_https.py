"""
Hostile requests over HTTPS: whatever comes, the API answers as docs/openapi.json says, and ana keeps what is hers.

`make hostile` asks for more of what schemathesis makes up.
"""

import gzip
import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import pytest
import schemathesis
from requests import Session
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from docs.openapi import OPERATIONS, document
from lockstep.ids import phone_of
from onebox import ROOT
from onebox.stack import Stack
from tests.pushing import settle
from tests.two_users import ANA, CARD, EVE, EVES_PHONE, MATCH, ORDER, PHONE, TYPE, TwoUsers

# --- paths: whatever may be tried in place of an id

NO_IDS = [
    "%2F",
    "a%2Fb",
    "a%2fb",
    "%2e%2e%2f",
    "..%2F..%2Fme",
    "a%5Cb",
    "%5C..%5C",
    "%252F",
    "a%252Fb",
    "%25",
    "%",
    "%2",
    "%zz",
    "%u002F",
    "%C0%AF",
    "%E0%80%AF",
    "%C0%AE%C0%AE",
    "%FF",
    "%ED%A0%80",
    "%F4%90%80%80",
    "%00",
    "a%00",
    "%00a",
    "a%0A",
    "%0Aa",
    "a%0D%0A",
    "a%0D%0AX-User:%20ana",
    "%20",
    "a%20",
    "a%09",
    "a%7F",
    "a%C2%A0",
    "a%E2%80%8B",
    "a%E2%80%AE",
    "%EF%BB%BFa",
    "%D0%B0",
    "%EF%BC%A1",
    "%E2%84%AA",
    "%CC%81",
    "%F0%9F%92%A9",
    "\u00e9",
    "*",
    "a*",
    "a;b",
    "a;jsessionid=1",
    "a,b",
    "a+b",
    "a=b",
    "a&b",
    "a'b",
    "a%22b",
    "a`b",
    "a|b",
    "a^b",
    "a<b",
    "a~b",
    "a!b",
    "a$b",
    "{device}",
    "%7Bdevice%7D",
    "(a)",
    "[a]",
    "a" * 129,
    "a" * 8000,
    "%61" * 129,
]

# What looks odd, and is an id all the same.
IDS = ["..", ".", "...", "%2e%2e", "%2E", "%41", "@", "a:b", "-", "_", "__proto__", "a" * 128, "null", "me"]

# What is nearly the id of ana's phone.
NEARLY = [
    PHONE.lower(),
    PHONE + "%00",
    PHONE + "%0A",
    PHONE + "%20",
    "%20" + PHONE,
    PHONE + ".",
    PHONE + "..",
    PHONE + ";a=b",
    PHONE + "%2F",
    PHONE + "/",
    PHONE + "/.",
    PHONE + "//",
    PHONE + "/x/..",
    f"{EVES_PHONE}/../{PHONE}",
    f"{EVES_PHONE}%2F..%2F{PHONE}",
    f"{EVES_PHONE}%252F..%252F{PHONE}",
    f"./{PHONE}",
    f"/{PHONE}",
    PHONE.replace("-", "%252D"),
    PHONE.replace("-", "\u2010"),
    PHONE.replace("3", "%EF%BC%93"),
    PHONE.replace("A", "%CE%91"),
    phone_of(PHONE),
]

# The same id, said otherwise: decoding is API Gateway's.
THE_SAME = [
    PHONE.replace("-", "%2D"),
    "".join(f"%{ord(letter):02x}" for letter in PHONE),
    PHONE + "%3Fx",
    PHONE + "%23x",
    PHONE + "?x",
]

REPORT: Mapping[str, Any] = {"observed_at_ms": 1_700_000_000_000}
START_TOKEN: Mapping[str, Any] = {"token": "ee" * 40}
HER_CARD: Mapping[str, Any] = {"activity": MATCH}

# Every place of an id, and what else is asked there.
PLACES: Sequence[tuple[str, str, Mapping[str, Any] | None]] = [
    ("PUT", "/v1/devices/{}", REPORT),
    ("DELETE", "/v1/devices/{}", None),
    ("PUT", "/v1/devices/{}/start-tokens/" + TYPE, START_TOKEN),
    ("PUT", f"/v1/devices/{EVES_PHONE}/start-tokens/{{}}", START_TOKEN),
    ("PUT", "/v1/devices/{}/cards/c-1", HER_CARD),
    ("PUT", f"/v1/devices/{EVES_PHONE}/cards/{{}}", HER_CARD),
    ("DELETE", "/v1/devices/{}/cards/c-1", None),
    ("DELETE", f"/v1/devices/{EVES_PHONE}/cards/{{}}", None),
    ("GET", "/v1/activities/{}/channel?environment=production", None),
]
OF_A_PHONE = [place for place in PLACES if "devices/{}" in place[1]]


@pytest.fixture(scope="module")
def users(running_stack: Stack) -> Iterator[TwoUsers]:
    """Return both users; when all is over, ana's phone hears what it would have heard."""
    running_stack.reset()
    users = TwoUsers(running_stack)
    users.settle()
    said = users.report().json
    users.restore()
    yield users
    assert users.report().json == said
    settle(users.stack)
    assert users.anas_pushes() == sorted([users.tokens["order"], users.tokens["tablet"]])


@pytest.fixture(autouse=True)
def ana_keeps_what_is_hers(users: TwoUsers) -> Iterator[None]:
    activities = users.activities()
    yield
    assert (users.anas(), users.activities()) == (users.kept, activities)


@pytest.mark.parametrize(("method", "path", "body"), PLACES)
def test_what_is_no_id_is_refused_wherever_it_stands(
    users: TwoUsers, method: str, path: str, body: Mapping[str, Any] | None
) -> None:
    for text in NO_IDS:
        answer = users.ask(method, path.format(text), body)

        assert answer.status in (404, 422), text
        assert set(answer.json) == ({"message"} if answer.status == 404 else {"field", "message"}), text
    assert users.rows_of(EVE) == []


@pytest.mark.parametrize(("method", "path", "body"), PLACES)
def test_what_looks_odd_and_is_an_id_is_one(
    users: TwoUsers, method: str, path: str, body: Mapping[str, Any] | None
) -> None:
    for text in IDS:
        answer = users.ask(method, path.format(text), body)

        # No such activity has a channel.
        assert (answer.status, (answer.json or {}).get("field")) in [(200, None), (204, None), (404, "activity")], text
    users.ask("DELETE", "/v1/me")


@pytest.mark.parametrize(("method", "path", "body"), OF_A_PHONE)
def test_what_is_nearly_anas_phone_is_not_anas_phone(
    users: TwoUsers, method: str, path: str, body: Mapping[str, Any] | None
) -> None:
    for text in NEARLY:
        users.ask(method, path.format(text), body)
        assert users.anas() == users.kept, text
    users.ask("DELETE", "/v1/me")


@pytest.mark.parametrize("text", THE_SAME)
def test_an_id_that_is_encoded_is_the_same_id(users: TwoUsers, text: str) -> None:
    rows = len(users.rows_of(ANA))

    assert users.ask("PUT", f"/v1/devices/{text}", users.truth(), user=ANA).json == users.report().json
    assert len(users.rows_of(ANA)) == rows
    users.restore()


# --- queries

QUERIES: Sequence[tuple[str, str, str, str]] = (
    [
        ("DELETE", f"/v1/devices/{EVES_PHONE}/cards/c-1", "reason", text)
        for text in (
            "reason=bored",
            "reason=Dismissed",
            "reason=dismissed&reason=ended",
            "reason=dismissed,ended",
            "reason=dismissed%00",
            "reason=dismissed%0A",
            "reason=%20dismissed",
            "reason=" + "x" * 5000,
            "reason=%FF",
            "reason=%ED%A0%80",
            "rea%73on=bored",
        )
    ]
    + [
        ("DELETE", f"/v1/devices/{EVES_PHONE}", "observed_at_ms", f"observed_at_ms={text}")
        for text in (
            *("0", "-1", "%2B1", "+1", "1.0", "1e3", "0x10", "1_000", "1%0A", "NaN", "null", "true", "[1]"),
            *("%EF%BC%91", "%C2%B2", "%D9%A1", "1&observed_at_ms=2", "253402300800000", "9" * 16, "9" * 5000),
        )
    ]
    + [
        ("GET", f"/v1/activities/{MATCH}/channel", "environment", text)
        for text in (
            "",
            "environment",
            "environment=",
            "environment=Production",
            "environment=production&environment=sandbox",
            "environment=production%00",
            "environment[]=production",
            "environment=development",
            "Environment=production",
        )
    ]
)


def test_a_query_that_is_wrong_is_refused_by_its_name(users: TwoUsers) -> None:
    for method, path, name, query in QUERIES:
        answer = users.ask(method, f"{path}?{query}")

        assert (answer.status, answer.json["field"]) == (422, name), query


def test_a_query_that_nobody_asked_for_is_passed_over(users: TwoUsers) -> None:
    odd = "&&=&=x&%00=%00&a[b]=c&" + "&".join(f"n{i}=1" for i in range(500))

    assert users.ask("GET", f"/v1/activities/{MATCH}/channel?environment=production&{odd}").status == 200
    assert users.ask("DELETE", f"/v1/devices/{EVES_PHONE}/cards/c-1?reason=dismissed&{odd}").status == 204


# --- bodies

JSON = ("content-type", "application/json")
DEEP = 20_000


def report_and(text: str) -> bytes:
    """Make the body of a report with something in it that is no field of one, valid for every route that takes one."""
    return f'{{"observed_at_ms": 1, "token": "{"ee" * 40}", "activity": "{MATCH}", "x": {text}}}'.encode()


VALID = report_and("1")

# Not JSON, or no object.
NO_OBJECTS: Mapping[str, bytes] = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "null": b"null",
    "an array": b"[]",
    "a text": b'"observed_at_ms"',
    "a number": b"1",
    "true": b"true",
    "half of one": VALID[:-1],
    "two": VALID + VALID,
    "one and a word": VALID + b"x",
    "one and NUL": VALID + b"\0",
    "a comment": b"/* */" + VALID,
    "a comma too many": VALID[:-1] + b",}",
    "single quotes": VALID.replace(b'"', b"'"),
    "keys without quotes": VALID.replace(b'"observed_at_ms"', b"observed_at_ms"),
    "UTF-16": VALID.decode().encode("utf-16"),
    "UTF-32": VALID.decode().encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + VALID,
    "bytes that are no text": report_and('"\udcff"'.encode(errors="surrogateescape").decode(errors="replace")).replace(
        "\ufffd".encode(), b"\xff"
    ),
    "a surrogate in UTF-8": VALID.replace(b" 1}", b' "\xed\xa0\x80"}'),
    "an overlong slash": VALID.replace(b" 1}", b' "\xc0\xaf"}'),
    "half a pair": report_and('"\\ud800"'),
    "half a pair as a key": report_and('{"\\udc00": 1}'),
    "a line break in a text": report_and('"\n"'),
    "a bad escape": report_and('"\\x41"'),
    "a leading zero": report_and("01"),
    "a hex number": report_and("0x1"),
    "arrays nested deep": b"[" * DEEP,
    "arrays nested deep, and closed": report_and("[" * DEEP + "]" * DEEP),
    "objects nested deep": report_and('{"a":' * (DEEP // 2) + "1" + "}" * (DEEP // 2)),
    "a packed one": gzip.compress(VALID),
    "a form": b"observed_at_ms=1&token=" + b"ee" * 40 + b"&activity=match-7",
    "a part of many": b"--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a pickle": b"\x80\x04K\x01.",
    "YAML": b"observed_at_ms: 1",
}

# Objects all right, whose values are not: for the field of each route that must be there.
NO_VALUES: Sequence[str] = [
    *("null", "true", "[]", "{}", '""', '"1"', "1.5", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "-1", "0"),
    *('{"N": "1"}', '{"$ne": null}', '["1"]', "9" * 400, "-" + "9" * 400, "1" + "0" * 5000, '"' + "a" * 5000 + '"'),
    *('"\\u0000"', '"a/b"', '"\\u0430"', '"\\ud83d\\udca9"', '"ee\\n"'),
]

PUTS: Mapping[str, str] = {
    f"/v1/devices/{EVES_PHONE}": "observed_at_ms",
    f"/v1/devices/{EVES_PHONE}/start-tokens/{TYPE}": "token",
    f"/v1/devices/{EVES_PHONE}/cards/c-1": "activity",
}

KINDS = [
    ("content-type", kind)
    for kind in (
        *(
            "application/json",
            "application/json; charset=utf-16",
            "application/problem+json",
            "text/plain",
            "text/html",
        ),
        *("application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/xml", "nonsense", "", "application/json, text/plain", "a/b; c=" + "d" * 2000),
    )
]


@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS)
@pytest.mark.parametrize("path", PUTS)
def test_a_body_that_is_no_object_is_refused_whole(users: TwoUsers, path: str, body: bytes) -> None:
    for header in (JSON, ("content-type", "application/octet-stream")):
        answer = users.ask("PUT", path, body, headers=[header])

        assert (answer.status, answer.json["field"]) == (400, "body")
    assert users.rows_of(EVE) == []


@pytest.mark.parametrize(("path", "field"), PUTS.items(), ids=PUTS.values())
def test_a_field_that_is_wrong_is_refused_by_its_name(users: TwoUsers, path: str, field: str) -> None:
    for value in NO_VALUES:
        answer = users.ask("PUT", path, f'{{"{field}": {value}}}'.encode())

        # An activity may be called 1.
        if (field, value) != ("activity", '"1"'):
            # NaN and infinities are no JSON; whoever reads them all the same finds no number.
            assert (answer.status, answer.json["field"]) in [(422, field), (400, "body")], value[:20]
            assert value[:20] not in answer.json["message"] or len(value) < 8
    users.ask("DELETE", "/v1/me")


@pytest.mark.parametrize("path", PUTS)
def test_whatever_a_body_says_it_is_it_is_read_as_json(users: TwoUsers, path: str) -> None:
    for header in KINDS:
        assert users.ask("PUT", path, VALID, headers=[header]).status in (200, 204), header
    for encoding in ("gzip", "br", "identity", "nonsense"):
        assert users.ask("PUT", path, VALID, headers=[JSON, ("content-encoding", encoding)]).status in (200, 204)
    users.ask("DELETE", "/v1/me")


@pytest.mark.parametrize("path", PUTS)
def test_of_keys_that_are_said_twice_the_last_counts_and_others_count_for_nothing(users: TwoUsers, path: str) -> None:
    twice = VALID.replace(b"{", b'{"observed_at_ms": "x", "token": 1, "activity": "order-42", ')
    odd = ("__proto__", "constructor", "", "\u0000", "owner", "$where", "a.b", "#", "sub")

    assert users.ask("PUT", path, twice).status in (200, 204)
    assert users.ask("PUT", path, {**json.loads(VALID), **dict.fromkeys(odd, ANA)}).status in (200, 204)
    users.ask("DELETE", "/v1/me")


@pytest.mark.parametrize("path", PUTS)
def test_a_body_may_not_be_long_in_whatever_way(users: TwoUsers, path: str) -> None:
    padding = 65_537 - len(report_and('""'))
    for text in ("x" * padding, "\u00e9" * (padding // 2 + 1), "\\u0000" * (padding // 6 + 1)):
        for header in (JSON, ("content-type", "application/octet-stream")):
            answer = users.ask("PUT", path, report_and(f'"{text}"'), headers=[header])
            assert (answer.status, answer.json["field"]) == (413, "body")
    assert users.ask("PUT", path, b"[" * 11_000_000).status == 413
    assert users.rows_of(EVE) == []


def test_a_packed_body_is_never_unpacked(users: TwoUsers) -> None:
    bomb = gzip.compress(b"[" * 5_000_000)
    assert len(bomb) < 65_536

    for path in PUTS:
        answer = users.ask("PUT", path, bomb, headers=[JSON, ("content-encoding", "gzip")])
        assert (answer.status, answer.json["field"]) == (400, "body")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("!", 400),
        ("=", 400),
        ("e30", 400),
        ("e30=", 422),
        ("e3\n0=", 422),
        ("\u00e9", 400),
        ("\0", 400),
        (b64encode(b"\xff").decode(), 400),
        (b64encode(gzip.compress(VALID)).decode(), 400),
        (b64encode(b64encode(VALID)).decode(), 400),
        ("e" * 87_384, 400),
        ("e" * 87_388, 413),
    ],
)
def test_base64_that_is_none_is_no_body(users: TwoUsers, text: str, status: int) -> None:
    event = json.loads((ROOT / "events" / "register-report.json").read_text())
    event |= {"rawPath": f"/v1/devices/{EVES_PHONE}", "pathParameters": {"device": EVES_PHONE}}
    event |= {"body": text, "isBase64Encoded": True}
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = EVE

    answer = users.stack.functions["RegisterFunction"].invoke(event)

    assert (answer["statusCode"], set(json.loads(answer["body"]))) == (status, {"field", "message"})


# --- frames


def framed(users: TwoUsers, first: str, *lines: str, body: bytes = b"") -> bytes:
    """Make a request of eve's, line by line."""
    said = [first, "host: lockstep", f"authorization: Bearer {users.stack.identity.token(EVE)}", *lines, "", ""]
    return "\r\n".join(said).encode("latin-1") + body


EVES_REPORT = f"PUT /v1/devices/{EVES_PHONE} HTTP/1.1"
ANAS_SIGN_OUT = f"DELETE /v1/devices/{PHONE} HTTP/1.1"

# The first line and further lines, the body, and what comes of it.
FRAMES: Mapping[str, tuple[Sequence[str], bytes, int]] = {
    "a method that is none": (["STEAL /v1/me HTTP/1.1"], b"", 404),
    "a method in small letters": (["delete /v1/me HTTP/1.1"], b"", 404),
    "TRACE": (["TRACE /v1/me HTTP/1.1"], b"", 404),
    "CONNECT": (["CONNECT example.com:443 HTTP/1.1"], b"", 404),
    "OPTIONS": (["OPTIONS /v1/me HTTP/1.1"], b"", 404),
    "OPTIONS of all": (["OPTIONS * HTTP/1.1"], b"", 404),
    "a whole address": (["DELETE http://lockstep/v1/me HTTP/1.1"], b"", 404),
    "another's address": (["DELETE http://169.254.169.254/latest/meta-data HTTP/1.1"], b"", 404),
    "no path": (["DELETE ? HTTP/1.1"], b"", 404),
    "a blank in the path": (["DELETE /v1/me /v1/me HTTP/1.1"], b"", 400),
    "a version that is none": (["DELETE /v1/me HTTP/x"], b"", 400),
    "a version to come": (["DELETE /v1/me HTTP/2.0"], b"", 505),
    "no version": (["DELETE /v1/me"], b"", 400),
    "a path too long": (["DELETE /" + "a" * 70_000 + " HTTP/1.1"], b"", 414),
    "a header too long": ([EVES_REPORT, "x-long: " + "a" * 70_000], b"", 431),
    "too many headers": ([EVES_REPORT, *(f"x-{i}: a" for i in range(150))], b"", 431),
    "a length that is none": ([EVES_REPORT, "content-length: many"], VALID, 411),
    "a negative length": ([EVES_REPORT, "content-length: -1"], VALID, 411),
    "a length with a sign": ([EVES_REPORT, f"content-length: +{len(VALID)}"], VALID, 411),
    "a length in other digits": ([EVES_REPORT, "content-length: \xb2"], VALID, 411),
    "a length of many digits": ([EVES_REPORT, "content-length: " + "9" * 5000], VALID, 411),
    "two lengths": ([EVES_REPORT, f"content-length: {len(VALID)}", "content-length: 0"], VALID, 411),
    "two lengths in one": ([EVES_REPORT, f"content-length: {len(VALID)}, 0"], VALID, 411),
    "chunks": ([EVES_REPORT, "transfer-encoding: chunked"], b"0\r\n\r\n" + ANAS_SIGN_OUT.encode(), 411),
    "chunks and a length": ([EVES_REPORT, "content-length: 5", "transfer-encoding: chunked"], b"0\r\n\r\n", 411),
    "a body cut short": ([EVES_REPORT, f"content-length: {len(VALID) + 1}"], VALID, 400),
    "a huge length and no body": ([EVES_REPORT, "content-length: 999999999999999999"], VALID, 413),
    "no length": ([EVES_REPORT], VALID, 400),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_what_is_hardly_a_request_is_answered_like_one(
    users: TwoUsers, frame: tuple[Sequence[str], bytes, int]
) -> None:
    (first, *lines), body, status = frame

    answer = users.wire(framed(users, first, *lines, body=body))

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) in ({"message"}, {"field", "message"})
    assert users.rows_of(EVE) == []


def test_what_follows_a_request_that_is_none_is_none_either(users: TwoUsers) -> None:
    """A server that reads on after a body whose end it could not tell reads requests that nobody sent."""
    smuggled = framed(users, "PUT /v1/devices/smuggled HTTP/1.1", f"content-length: {len(VALID)}", body=VALID)

    for lines in (["transfer-encoding: chunked"], ["content-length: 0", "content-length: 7"], ["content-length: x"]):
        assert users.wire(framed(users, EVES_REPORT, *lines, body=smuggled)).status == 411
    assert users.rows_of(EVE) == []


# --- what schemathesis makes up

# Per route, beside the cases at the limits of each schema; `make hostile` asks for more, of another seed each time, and
# lets eve name what is ana's in all of them.
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "4"))
SEED = os.environ.get("HOSTILE_SEED")
NAMED_EVERY = 5 if SEED is None else 1

DOCUMENT = document()
API = schemathesis.openapi.from_dict(
    # Who asks is eve, and no business of schemathesis.
    {**DOCUMENT, "security": []},
    config=schemathesis.Config.from_dict(
        {
            "seed": int(SEED or 1),
            "suppress-health-check": ["all"],
            "generation": {"max-examples": EXAMPLES, "deterministic": SEED is None},
            # What it learns from answers is of their time.
            "phases": {"fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}}},
            "checks": {
                # API Gateway answers 404, whatever the method.
                "unsupported_method": {"enabled": False},
            },
        }
    ),
)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.fixture
def turn() -> Iterator[int]:
    return count()


def whatever_eve_asks(operation_id: str) -> Callable[..., None]:
    """Make the test of one operation."""

    @API.include(operation_id=operation_id).parametrize()
    def is_answered_as_the_document_says(
        case: schemathesis.Case[Any], users: TwoUsers, session: Session, turn: Iterator[int]
    ) -> None:
        road: dict[str, Any] = {
            "base_url": users.stack.api.url,
            "session": session,
            "headers": {"Authorization": f"Bearer {users.token(EVE)}"},
        }
        of_values: list[CheckFunction] = [negative_data_rejection, positive_data_acceptance]

        case.call_and_validate(excluded_checks=of_values if is_beyond_schemas(case) else None, **road)
        if next(turn) % NAMED_EVERY == 0:
            name_what_is_anas(case)
            # Nothing is made up any more, so nothing need be wrong with it.
            named = case.call_and_validate(excluded_checks=of_values, **road)
            assert users.told(named.content) == []

        assert users.anas() == users.kept

    made: Callable[..., None] = is_answered_as_the_document_says
    return made


# A name each: schemathesis puts what it parametrizes under one node id, and of those pytest-xdist runs the first alone.
for _operation in OPERATIONS.values():
    _name = f"test_whatever_eve_asks_by_{_operation.id}_is_answered_as_the_document_says_and_leaves_ana_alone"
    globals()[_name] = whatever_eve_asks(_operation.id)


def name_what_is_anas(case: schemathesis.Case[Any]) -> None:
    """Let eve ask the same of what is ana's: of her phone, unless that took it over, and of her card and activity."""
    known = {"device": EVES_PHONE if case.method == "PUT" else PHONE, "card": CARD, "activity": ORDER}
    case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
    if isinstance(case.body, dict):
        told: dict[str, Any] = {name: value for name, value in known.items() if name in case.body}
        cards = case.body.get("cards")
        if isinstance(cards, list):
            told["cards"] = [{**card, "activity": ORDER} if isinstance(card, dict) else card for card in cards]
        case.body = {**case.body, **told}


def is_beyond_schemas(case: schemathesis.Case[Any]) -> bool:
    """
    Say whether it holds what Lockstep and the document's schemas take differently, on purpose.

    Lockstep takes null for absent, passes over what a query says beside what is asked, and takes no 2.0 for whole.
    """
    operation = DOCUMENT["paths"][case.operation.path][case.operation.method.lower()]
    asked = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    return bool(set(case.query or {}) - asked) or _holds_null_or_whole_float(case.body)


def _holds_null_or_whole_float(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_null_or_whole_float, value.values() if isinstance(value, dict) else value))
    return value is None or (isinstance(value, float) and value.is_integer())
