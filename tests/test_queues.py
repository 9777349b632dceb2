"""What we send over SQS, against moto."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lockstep.delivery import Audience, Delivery, Forgetting, read_body
from lockstep.envelope import SqsRecord
from lockstep.queues import DeliveryQueue, SourceQueue
from onebox.stack import Stack
from tests.messages import NOW_MS, sqs, update


@pytest.fixture
def publish_queue(stack: Stack) -> SourceQueue:
    urls = stack.aws.queues
    return SourceQueue(stack.aws.sqs, urls["PublishQueue"], urls["PublishDeadLetterQueue"])


@pytest.fixture
def delivery_queue(stack: Stack) -> DeliveryQueue:
    return DeliveryQueue(stack.aws.sqs, stack.aws.queues["DeliveryQueue"])


def test_a_dead_letter_has_the_same_body_a_reason_and_its_place_in_time(
    stack: Stack, publish_queue: SourceQueue
) -> None:
    record = SqsRecord.of(sqs(update(), attributes={"published_at_ms": str(NOW_MS - 7)}))

    publish_queue.dead_letter(record, "aps: is missing")

    [letter] = stack.queues.look("PublishDeadLetterQueue")
    assert letter.body == record.body
    assert letter.attributes == {"reason": "aps: is missing", "published_at_ms": str(NOW_MS - 7)}


def test_a_reason_is_kept_short(stack: Stack, publish_queue: SourceQueue) -> None:
    publish_queue.dead_letter(SqsRecord.of(sqs(update())), "x" * 300_000)

    [letter] = stack.queues.look("PublishDeadLetterQueue")
    assert len(letter.attributes["reason"]) == 1000


def test_a_reason_holds_only_what_sqs_takes(stack: Stack, publish_queue: SourceQueue) -> None:
    publish_queue.dead_letter(
        SqsRecord.of(sqs(update())), "a\x01\x00\ufffe\uffff\ud800b\tä🍕\ud7ff\ue000\ufffd: is odd\n"
    )

    [letter] = stack.queues.look("PublishDeadLetterQueue")
    assert letter.attributes["reason"] == "a" + 5 * "\ufffd" + "b\tä🍕\ud7ff\ue000\ufffd: is odd\n"


def test_a_message_put_back_is_a_copy_that_waits_and_keeps_its_place(stack: Stack, publish_queue: SourceQueue) -> None:
    publish_queue.put_back(SqsRecord.of(sqs(update())), delay_s=60)

    assert stack.queues.look("PublishQueue") == []
    stack.aws.hasten_messages()
    [copy] = stack.queues.look("PublishQueue")
    assert copy.attributes == {"published_at_ms": str(NOW_MS)}


def test_the_name_of_a_queue_is_that_in_its_records(publish_queue: SourceQueue) -> None:
    assert publish_queue.name == SqsRecord.of(sqs(update(), queue="PublishQueue")).queue == "PublishQueue"


def test_any_number_of_deliveries_is_sent_in_tens(stack: Stack, delivery_queue: DeliveryQueue) -> None:
    wanted = [Delivery("order-42", Audience.CARDS, attempt=i) for i in range(23)]

    delivery_queue.send([*((delivery, 0) for delivery in wanted), (Forgetting("ana", None, NOW_MS), 900)])
    delivery_queue.send([])

    got = [read_body(message.body) for message in stack.queues.look("DeliveryQueue")]
    assert sorted(one.attempt for one in got if isinstance(one, Delivery)) == list(range(23))
    assert stack.queues.count("DeliveryQueue") == 24, "one of them waits"


@pytest.mark.parametrize(("delay_s", "waits_s"), [(0, 0), (1, 1), (899, 899), (900, 900), (901, 900), (7200, 900)])
def test_no_delivery_waits_longer_than_sqs_lets_it(
    stack: Stack, delivery_queue: DeliveryQueue, delay_s: int, waits_s: int
) -> None:
    asked: list[int] = []

    with heard(stack, "provide-client-params.sqs.SendMessageBatch") as calls:
        delivery_queue.send([(Delivery("order-42"), delay_s)])

    for call in calls:
        asked += [entry["DelaySeconds"] for entry in call["params"]["Entries"]]
    assert asked == [waits_s]


def test_a_message_that_sqs_does_not_take_is_an_error(stack: Stack, delivery_queue: DeliveryQueue) -> None:
    def fail_one(parsed: dict[str, Any], **_: Any) -> None:
        failed = {"Id": parsed["Successful"].pop()["Id"], "SenderFault": False, "Code": "InternalError"}
        parsed["Failed"] = [failed]

    with heard(stack, "after-call.sqs.SendMessageBatch", fail_one):
        with pytest.raises(OSError, match=r"^SQS did not take a delivery: InternalError$"):
            delivery_queue.send([(Delivery("order-42", attempt=i), 0) for i in range(3)])


def test_a_message_returned_soon_is_received_again_before_its_visibility_ends(
    stack: Stack, publish_queue: SourceQueue
) -> None:
    stack.publish(update())
    [record] = stack.take("PublishQueue")["Records"]
    assert stack.queues.look("PublishQueue") == [], "it is invisible"

    publish_queue.return_soon(SqsRecord.of(record), delay_s=0)

    [letter] = stack.queues.look("PublishQueue")
    assert letter.body == record["body"]


@contextmanager
def heard(stack: Stack, event: str, also: Callable[..., None] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Hear an event of the SQS client, and have something done about it."""
    calls: list[dict[str, Any]] = []

    def hear(**call: Any) -> None:
        calls.append(call)
        if also is not None:
            also(**call)

    stack.aws.sqs.meta.events.register(event, hear)
    try:
        yield calls
    finally:
        stack.aws.sqs.meta.events.unregister(event, hear)
