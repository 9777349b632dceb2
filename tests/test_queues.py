"""What we send over SQS, against moto."""

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


def test_a_message_that_sqs_does_not_take_is_an_error(delivery_queue: DeliveryQueue) -> None:
    too_long = Delivery("order-42", phones=tuple("f" * 32 for _ in range(40_000)))

    with pytest.raises(Exception, match=r"BatchRequestTooLong|did not take|InvalidParameterValue|longer"):
        delivery_queue.send([(too_long, 0)])
