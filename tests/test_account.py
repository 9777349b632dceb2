"""What is said where AWS lets nobody in; what answers here is no AWS, but says what AWS says."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from ops import redrive

# A person who never signed in to AWS on this machine.
NOBODY: Mapping[str, str | None] = {
    **ENVIRONMENT,
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": None,
}
SOMEBODY = {**NOBODY, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1"}


def said_to(person: Mapping[str, str | None], capsys: pytest.CaptureFixture[str]) -> str:
    with variables(person):
        assert redrive.main(["--stack", "lockstep"]) == 1
    return capsys.readouterr().err


@contextmanager
def aws_that_answers(code: str) -> Iterator[str]:
    """Answer every request as CloudFormation refuses one, and yield the address."""
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No.</Message></Error></ErrorResponse>"

    def answer(_: Request) -> Response:
        return Response(403, [("content-type", "text/xml")], body.encode())

    server = HttpServer(answer, name="aws")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_DEFAULT_REGION": None}, "AWS_DEFAULT_REGION=eu-central-1 make"),
        ({}, "aws sso login"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "no-such-profile"}, "aws configure list-profiles"),
    ],
    ids=["region", "credentials", "half", "profile"],
)
def test_whoever_is_not_signed_in_is_told_how(
    change: Mapping[str, str | None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in said_to({**NOBODY, **change}, capsys)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "have expired.\nSign in"),
        ("InvalidClientTokenId", "doesn't know these credentials"),
        ("AccessDenied", "aws sts get-caller-identity"),
        ("ValidationError", "lockstep is not in this account and us-east-1"),
        ("Something", "Something"),
    ],
)
def test_a_refusal_of_aws_is_told_by_what_to_do(code: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with aws_that_answers(code) as url:
        assert words in said_to({**SOMEBODY, "AWS_ENDPOINT_URL": url}, capsys)


def test_an_aws_that_cannot_be_reached_is_asked_after_by_region_and_network(capsys: pytest.CaptureFixture[str]) -> None:
    with aws_that_answers("") as url:
        pass  # nobody listens there any more

    assert "Is the region right" in said_to({**SOMEBODY, "AWS_ENDPOINT_URL": url}, capsys)
    assert "AWS_ENDPOINT_URL" not in os.environ
