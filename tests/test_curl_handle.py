"""What is read from APNs' answers, whatever they hold."""

import pytest

from lockstep.apns import Rejected
from lockstep.curl_handle import rejected


def test_a_reason_is_read_with_its_timestamp_in_milliseconds() -> None:
    body = b'{"reason":"Unregistered","timestamp":1700000000123}'

    assert rejected(410, body) == Rejected(410, "Unregistered", 1_700_000_000_123)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"\xff",
        b"[]",
        b"null",
        b'"Shutdown"',
        b"{}",
        b'{"reason":7}',
        b'{"reason":null}',
    ],
)
def test_an_answer_without_a_reason_is_called_by_its_status(body: bytes) -> None:
    assert rejected(502, body) == Rejected(502, "HTTP 502")


@pytest.mark.parametrize("timestamp", [b"true", b"1.5", b'"1700000000123"', b"null"])
def test_a_timestamp_that_is_no_whole_number_is_none(timestamp: bytes) -> None:
    body = b'{"reason":"Unregistered","timestamp":' + timestamp + b"}"

    assert rejected(410, body) == Rejected(410, "Unregistered")
