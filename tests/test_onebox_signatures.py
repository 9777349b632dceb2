"""AWS's signature of a request, as API Gateway checks it for a route behind IAM."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from onebox.aws import REGION, SECRETS
from onebox.http_event import Request
from onebox.signatures import LIFETIME_S, SignatureCheck
from tests.signers import OPERATOR

AT_S = 1_800_000_000
HOST = "127.0.0.1:4711"
TARGET = "/v1/activities/order%3A42%40x?state=true"


def request(headers: Mapping[str, str], *, body: bytes = b"", target: str = TARGET) -> Request:
    return Request("GET", target, [("Host", HOST), *headers.items()], body)


def signed_at(at_s: float) -> Request:
    return request(replace(OPERATOR, at_s=at_s).sign(f"http://{HOST}{TARGET}"))


@pytest.fixture
def check() -> SignatureCheck:
    return SignatureCheck(SECRETS, region=REGION, now=lambda: AT_S)


def test_who_signed_is_told_the_function_as_iam_names_them(check: SignatureCheck) -> None:
    caller = check.caller(signed_at(AT_S))

    assert caller is not None
    assert caller["userArn"] == "arn:aws:iam::123456789012:user/local"
    # "Working with AWS Lambda proxy integrations for HTTP APIs", payload 2.0.
    assert caller.keys() == {
        *("accessKey", "accountId", "callerId", "cognitoIdentity", "principalOrgId", "userArn", "userId")
    }


@pytest.mark.parametrize(
    ("off_s", "good"),
    [(-LIFETIME_S - 1, False), (-LIFETIME_S, True), (0, True), (LIFETIME_S, True), (LIFETIME_S + 1, False)],
)
def test_a_signature_is_good_for_five_minutes(check: SignatureCheck, off_s: int, good: bool) -> None:
    assert (check.caller(signed_at(AT_S + off_s)) is not None) is good


def test_a_body_is_signed_too_and_its_hash_where_it_is_said(check: SignatureCheck) -> None:
    signer = replace(OPERATOR, at_s=AT_S)
    headers = signer.sign(f"http://{HOST}{TARGET}", body=b"{}")

    assert check.caller(request(headers, body=b"{}")) is not None
    assert check.caller(request(headers, body=b"[]")) is None
    assert check.caller(request(headers)) is None


def test_what_travels_with_a_session_is_signed_with_the_rest(check: SignatureCheck) -> None:
    headers = replace(OPERATOR, at_s=AT_S).sign(f"http://{HOST}{TARGET}", more={"X-Amz-Security-Token": "session"})

    assert check.caller(request(headers)) is not None
    assert check.caller(request({**headers, "X-Amz-Security-Token": "another"})) is None


@pytest.mark.parametrize(
    "target", ["/v1/activities/order%3A43", "/v1/activities/order%3A42%40x", TARGET + "&state=false"]
)
def test_another_target_needs_another_signature(check: SignatureCheck, target: str) -> None:
    headers = replace(OPERATOR, at_s=AT_S).sign(f"http://{HOST}{TARGET}")

    assert check.caller(request(headers)) is not None
    assert check.caller(request(headers, target=target)) is None


def to(host: str, *, signed_to: str) -> Request:
    headers = replace(OPERATOR, at_s=AT_S).sign(f"http://{signed_to}{TARGET}")
    return Request("GET", TARGET, [("Host", host), *headers.items()], b"")


@pytest.mark.parametrize("host", ["127.0.0.1:4711", "localhost:4711", "localhost"])
def test_this_machine_has_two_names(check: SignatureCheck, host: str) -> None:
    assert check.caller(to(host, signed_to=host)) is not None


@pytest.mark.parametrize("host", ["site.example:4711", "127.0.0.1.site.example", "10.0.0.1"])
def test_what_is_well_signed_to_another_host_is_refused(check: SignatureCheck, host: str) -> None:
    assert check.caller(to(host, signed_to=host)) is None


@pytest.mark.parametrize("host", ["[", "[:]:1", "127.0.0.1:x", "127.0.0.1@site.example", ""])
def test_what_is_to_no_host_is_refused(check: SignatureCheck, host: str) -> None:
    assert check.caller(to(host, signed_to=HOST)) is None
