"""Messages in whatever envelope they come, and when they were true."""

import json

import pytest

from lockstep.envelope import SqsRecord
from tests.messages import NOW_MS, opened, sqs, update


def sns(body: object, **more: object) -> dict[str, object]:
    return {
        "Type": "Notification",
        "MessageId": "9f0d",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders",
        "Message": json.dumps(body),
        "Timestamp": "2027-01-15T07:59:58.250Z",
        **more,
    }


def eventbridge(body: object) -> dict[str, object]:
    return {
        "version": "0",
        "id": "1",
        "detail-type": "Order",
        "source": "shop",
        "time": "2027-01-15T07:59:58Z",
        "detail": body,
    }


def test_a_bare_message_was_true_when_it_was_sent() -> None:
    message = opened(update(), sent_at_ms=NOW_MS - 5)

    assert message.body == update()
    assert message.published_at_ms == NOW_MS - 5


def test_the_body_says_best_when_it_was_true() -> None:
    body = update(published_at_ms=NOW_MS - 3000)

    assert opened(body).published_at_ms == NOW_MS - 3000
    assert opened(sns(body)).published_at_ms == NOW_MS - 3000
    assert opened(eventbridge(body)).published_at_ms == NOW_MS - 3000


def test_a_message_attribute_says_when_it_was_true() -> None:
    assert opened(update(), attributes={"published_at_ms": str(NOW_MS - 9)}).published_at_ms == NOW_MS - 9


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e9", "९", "9" * 40])
def test_an_attribute_that_is_no_number_says_nothing(text: str) -> None:
    assert opened(update(), attributes={"published_at_ms": text}).published_at_ms == NOW_MS


def test_snss_timestamp_has_milliseconds() -> None:
    message = opened(sns(update()))

    assert message.body == update()
    assert message.published_at_ms == NOW_MS - 1750


def test_snss_own_message_attribute_counts_before_its_timestamp() -> None:
    attributes = {"published_at_ms": {"Type": "Number", "Value": str(NOW_MS - 4000)}}

    assert opened(sns(update(), MessageAttributes=attributes)).published_at_ms == NOW_MS - 4000


def test_eventbridges_time_has_seconds() -> None:
    message = opened(eventbridge(update()))

    assert message.body == update()
    assert message.published_at_ms == NOW_MS - 2000


def test_a_producer_whose_clock_is_ahead_cannot_shadow_later_states() -> None:
    for ahead_ms, from_the_future in ((60_000, True), (1, True), (0, False)):
        message = opened(update(published_at_ms=NOW_MS + ahead_ms))

        assert message.published_at_ms == NOW_MS
        assert message.from_the_future is from_the_future


def test_a_lambda_clock_behind_sqs_does_not_make_a_state_of_the_future() -> None:
    assert opened(update(), sent_at_ms=NOW_MS + 5).published_at_ms == NOW_MS


def test_a_copy_sent_again_later_keeps_its_place_in_time() -> None:
    first = opened(update(published_at_ms=NOW_MS + 60_000))
    copy = opened(
        update(published_at_ms=NOW_MS + 60_000),
        now_ms=NOW_MS + 90_000,
        sent_at_ms=NOW_MS + 90_000,
        attributes={"published_at_ms": str(NOW_MS)},
    )

    assert (copy.body, copy.published_at_ms) == (first.body, first.published_at_ms)
    assert first.from_the_future
    assert not copy.from_the_future, "by then it was past"


def test_a_record_never_prints_its_body() -> None:
    assert "Ana" not in repr(SqsRecord.of(sqs(update())))
