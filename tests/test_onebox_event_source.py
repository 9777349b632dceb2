"""Between queues and functions."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from onebox.event_source import EventSource, EventSources, MalformedAnswer, failures
from onebox.function_log import FunctionLog
from onebox.lambda_runtime import Function
from onebox.queues import Queues
from onebox.stack import Stack
from onebox.template import FunctionSpec

type Answer = Callable[[list[dict[str, Any]]], Any]


class Bench:
    """A queue with a dead-letter queue, and a function that answers as a test says."""

    def __init__(self, stack: Stack) -> None:
        self.sqs = stack.aws.sqs
        names = {"Dead": f"dead-{uuid4()}", "Source": f"source-{uuid4()}"}
        urls = {"Dead": self.sqs.create_queue(QueueName=names["Dead"])["QueueUrl"]}
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{names['Dead']}", "maxReceiveCount": 2}
        urls["Source"] = self.sqs.create_queue(
            QueueName=names["Source"], Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "75"}
        )["QueueUrl"]
        self.queues = Queues(self.sqs, urls)
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{names['Source']}"
        self.events: list[dict[str, Any]] = []
        self.answer: Answer = lambda _: {"batchItemFailures": []}
        spec = FunctionSpec("TestFunction", Path(), "test.handler", 60, 128, {})
        self.log = FunctionLog("test")
        self.function = Function(spec, {}, self.log, region="us-east-1", make_handler=lambda _: self._handle)
        self.source = self.make_source()

    def make_source(self, *, batch_size: int = 10, reports_failures: bool = True) -> EventSource:
        return EventSource(
            self.sqs,
            self.queues.urls["Source"],
            self.function,
            queue_arn=self.arn,
            batch_size=batch_size,
            reports_failures=reports_failures,
            region="us-east-1",
        )

    def _handle(self, event: dict[str, Any], context: Any) -> Any:
        self.events.append(event)
        return self.answer(event["Records"])


@pytest.fixture
def bench(stack: Stack) -> Iterator[Bench]:
    bench = Bench(stack)
    yield bench
    for url in bench.queues.urls.values():
        bench.sqs.delete_queue(QueueUrl=url)


def test_a_record_looks_as_lambda_makes_it(bench: Bench) -> None:
    message_id = bench.queues.send("Source", "ä", attributes={"published_at_ms": "5"})

    bench.source.poll()

    [record] = bench.events[0]["Records"]
    assert (record["messageId"], record["body"]) == (message_id, "ä")
    assert record["messageAttributes"]["published_at_ms"]["stringValue"] == "5"
    assert record["messageAttributes"]["published_at_ms"]["dataType"] == "String"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:sqs", bench.arn)
    assert record["receiptHandle"]
    assert record["md5OfBody"]


def test_what_was_handled_is_gone(bench: Bench) -> None:
    bench.queues.send("Source", "a")

    assert bench.source.poll() == 1
    assert bench.queues.count("Source") == 0


def test_batches_are_no_longer_than_they_may_be(bench: Bench) -> None:
    for number in range(3):
        bench.queues.send("Source", str(number))

    source = bench.make_source(batch_size=2)

    assert [source.poll(), source.poll(), source.poll()] == [2, 1, 0]


def test_only_what_failed_comes_again(bench: Bench, stack: Stack) -> None:
    for body in ("good", "bad"):
        bench.queues.send("Source", body)
    bench.answer = lambda records: {
        "batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in records if one["body"] == "bad"]
    }

    bench.source.poll()

    assert bench.queues.count("Source") == 1
    assert bench.source.poll() == 0, "it is invisible for a while"
    stack.aws.hasten_messages()
    assert bench.source.poll() == 1
    [record] = bench.events[-1]["Records"]
    assert (record["body"], record["attributes"]["ApproximateReceiveCount"]) == ("bad", "2")


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "another"}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"id": "x"}]},
        "done",
    ],
)
def test_an_answer_that_makes_no_sense_fails_the_whole_batch(bench: Bench, answer: Any) -> None:
    for body in ("a", "b"):
        bench.queues.send("Source", body)
    bench.answer = lambda _: answer

    bench.source.poll()

    assert bench.queues.count("Source") == 2
    assert any("malformed answer" in line for line in bench.log.lines)


def test_an_exception_fails_the_whole_batch(bench: Bench) -> None:
    for body in ("a", "b"):
        bench.queues.send("Source", body)

    def fail(_: Any) -> Any:
        raise RuntimeError("no")

    bench.answer = fail
    bench.source.poll()

    assert bench.queues.count("Source") == 2


def test_a_mapping_without_partial_failures_looks_at_no_answer(bench: Bench) -> None:
    bench.queues.send("Source", "a")
    bench.answer = lambda records: {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}]}

    bench.make_source(reports_failures=False).poll()

    assert bench.queues.count("Source") == 0


def test_what_fails_too_often_goes_to_the_dead_letter_queue(bench: Bench, stack: Stack) -> None:
    message_id = bench.queues.send("Source", "bad", attributes={"published_at_ms": "5"})
    bench.answer = lambda records: {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in records]}

    for _ in range(3):
        bench.source.poll()
        stack.aws.hasten_messages()

    assert len(bench.events) == 2
    assert bench.queues.count("Source") == 0
    [dead] = bench.queues.look("Dead")
    assert (dead.message_id, dead.body, dead.attributes) == (message_id, "bad", {"published_at_ms": "5"})


def test_a_look_leaves_messages_where_they_are(bench: Bench) -> None:
    bench.queues.send("Source", "a")

    bench.queues.look("Source")

    assert [message.body for message in bench.queues.look("Source")] == ["a"]


def test_a_redriven_message_is_the_same_with_another_id(bench: Bench) -> None:
    before = bench.queues.send("Dead", "late", attributes={"reason": "why"})

    moved = bench.queues.redrive("Dead", "Source")

    assert (moved, bench.queues.count("Dead")) == (1, 0)
    [message] = bench.queues.look("Source")
    assert (message.body, message.attributes) == ("late", {"reason": "why"})
    assert message.message_id != before


def test_polling_in_the_background_handles_what_comes(bench: Bench) -> None:
    handled = threading.Event()
    bench.answer = lambda _: handled.set()

    with EventSources([bench.source]).polling():
        bench.queues.send("Source", "a")
        assert handled.wait(10)

    assert bench.queues.count("Source") == 0
    assert [record["body"] for event in bench.events for record in event["Records"]] == ["a"]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_answer_that_names_no_failure_means_none(answer: Any) -> None:
    assert failures(answer, {"a"}) == set()


def test_an_answer_names_failures_of_its_batch_alone() -> None:
    assert failures({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a", "b"}) == {"a"}
    with pytest.raises(MalformedAnswer):
        failures({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"b"})
