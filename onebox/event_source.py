"""What Lambda does between a queue and a function: polling, batches, partial failures."""

import base64
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from onebox.lambda_runtime import FunctionError, Invocable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Long enough that an idle machine stays idle, short enough that stopping is prompt.
_POLL_S = 1

# What SQS gives in one receive, whatever the batch size.
_RECEIVE_MAX = 10


class EventSource:
    """
    One event source mapping: takes batches from a queue to a function.

    Deleting what was handled is its only answer to the queue. What failed becomes visible when its time comes, and
    goes to the dead-letter queue when its receives are used up; both are the queue's affair.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        function: Invocable,
        *,
        queue_arn: str,
        batch_size: int,
        reports_failures: bool,
        region: str,
    ) -> None:
        self._sqs = sqs
        self.queue_url = queue_url
        self._function = function
        self._queue_arn = queue_arn
        self._batch_size = batch_size
        self._reports_failures = reports_failures
        self._region = region

    def poll(self, *, wait_s: int = 0) -> int:
        """Handle one batch, waiting for it this long at most; return how many messages it had."""
        messages = self._receive(wait_s)
        if messages:
            self._handle(messages)
        return len(messages)

    def take(self) -> dict[str, Any]:
        """Receive one batch and return the event that Lambda would make of it, without handling it."""
        return self.event(self._receive(0))

    def _receive(self, wait_s: int) -> Sequence["MessageTypeDef"]:
        return self._sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=min(self._batch_size, _RECEIVE_MAX),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=wait_s,
        ).get("Messages", [])

    def _handle(self, messages: Sequence["MessageTypeDef"]) -> None:
        try:
            answer = self._function.invoke(self.event(messages))
            failed = failures(answer, {m["MessageId"] for m in messages}) if self._reports_failures else set()
        except FunctionError:
            return
        except MalformedAnswer as error:
            self._function.log.write(f"malformed answer, the whole batch fails: {error}\n")
            return
        done = [m for m in messages if m["MessageId"] not in failed]
        if done:
            self._sqs.delete_message_batch(
                QueueUrl=self.queue_url,
                Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(done)],
            )

    def event(self, messages: Iterable["MessageTypeDef"]) -> dict[str, Any]:
        """Return the event that Lambda makes of messages."""
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": {name: str(value) for name, value in message.get("Attributes", {}).items()},
                    "messageAttributes": {
                        name: {
                            **{part[0].lower() + part[1:]: _as_json(value) for part, value in attribute.items()},
                            "stringListValues": [],
                            "binaryListValues": [],
                        }
                        for name, attribute in message.get("MessageAttributes", {}).items()
                    },
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._queue_arn,
                    "awsRegion": self._region,
                }
                for message in messages
            ]
        }


def _as_json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


class MalformedAnswer(Exception):
    """The function's answer doesn't say which messages failed; Lambda then counts all of them as failed."""


def failures(answer: Any, batch: set[str]) -> set[str]:
    """
    Return the ids that an answer calls failed; no answer, or one without a list of them, calls none.

    Raises:
        MalformedAnswer: It names an id badly, or one that isn't in the batch.
    """
    if not isinstance(answer, Mapping):
        if answer is None:
            return set()
        raise MalformedAnswer(f"not an object: {answer!r}")
    found = set()
    for item in answer.get("batchItemFailures") or []:
        match item:
            case {"itemIdentifier": str(message_id)} if message_id in batch:
                found.add(message_id)
            case _:
                raise MalformedAnswer(f"not an item of this batch: {item!r}")
    return found


class EventSources:
    """All mappings of a stack, polled in threads of their own or, by tests, in the caller's."""

    def __init__(self, sources: Sequence[EventSource]) -> None:
        self._sources = sources
        self._stopping = threading.Event()

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Poll in the background for a while; at the end, what is under way is finished."""
        self._stopping.clear()
        threads = [
            threading.Thread(target=self._run, args=(source,), name=f"poll {source.queue_url}", daemon=True)
            for source in self._sources
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def of(self, queue_url: str) -> EventSource:
        """Return what takes from this queue."""
        [source] = [source for source in self._sources if source.queue_url == queue_url]
        return source

    def poll_all(self) -> int:
        """Handle what can be received now; return how many messages that were."""
        handled = 0
        while more := sum(source.poll() for source in self._sources):
            handled += more
        return handled

    def _run(self, source: EventSource) -> None:
        while not self._stopping.is_set():
            try:
                source.poll(wait_s=_POLL_S)
            except (ClientError, BotoCoreError):
                # The queue can't be reached: not this thread's end, nor a reason to spin.
                self._stopping.wait(_POLL_S)
