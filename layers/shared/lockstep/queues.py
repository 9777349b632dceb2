"""What we send over SQS: deliveries, copies of messages that must wait, and dead letters."""

import re
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from lockstep.delivery import Delivery, Forgetting
from lockstep.envelope import PUBLISHED_AT, SqsRecord
from lockstep.json_values import JsonObject, compact

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, SendMessageBatchRequestEntryTypeDef

# What SQS takes in one SendMessageBatch, and the longest DelaySeconds.
_BATCH_MAX = 10
DELAY_MAX_S = 900

# In a message, SQS takes these characters and refuses one that has any other ("SendMessage", SQS API reference).
_UNSENDABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REASON_MAX = 1000


class DeliveryQueue:
    """Small messages that want a delivery soon."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Iterable[tuple[Delivery | Forgetting, int]]) -> None:
        """
        Queue messages, each after a delay in seconds (0 to 900).

        Raises:
            OSError: SQS did not take one of them.
        """
        for group in batched(messages, _BATCH_MAX, strict=False):
            entries: Sequence[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(i), "MessageBody": message.to_body(), "DelaySeconds": min(delay_s, DELAY_MAX_S)}
                for i, (message, delay_s) in enumerate(group)
            ]
            failed = self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed")
            if failed:
                raise OSError(f"SQS did not take a delivery: {failed[0].get('Code')}")


class PublishQueue:
    """The queue that services publish to."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, publish: JsonObject) -> None:
        """Publish something as a service would."""
        self._client.send_message(QueueUrl=self._url, MessageBody=compact(publish))


class SourceQueue:
    """A queue that feeds push, with its dead-letter queue."""

    def __init__(self, client: "SQSClient", url: str, dead_letter_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url

    @property
    def name(self) -> str:
        """The queue's name, as in a record's eventSourceARN."""
        return self._url.rpartition("/")[2]

    def dead_letter(self, record: SqsRecord, reason: str) -> None:
        """Put a message aside for a person, its body unchanged, with the reason and its place in time."""
        self._client.send_message(
            QueueUrl=self._dead_letter_url,
            MessageBody=record.body,
            MessageAttributes={**_place(record), "reason": {"DataType": "String", "StringValue": _sendable(reason)}},
        )

    def put_back(self, record: SqsRecord, *, delay_s: int) -> None:
        """Send a copy of a message that must wait for a person, so that no receive count runs out meanwhile."""
        self._client.send_message(
            QueueUrl=self._url, MessageBody=record.body, MessageAttributes=_place(record), DelaySeconds=delay_s
        )

    def return_soon(self, record: SqsRecord, *, delay_s: int) -> None:
        """Let a failing message be received again in a few seconds, not after the whole visibility timeout."""
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=delay_s
        )


def _sendable(reason: str) -> str:
    """A reason may name a key of the producer's, which may hold anything."""
    return _UNSENDABLE.sub("\ufffd", reason[:_REASON_MAX])


def _place(record: SqsRecord) -> dict[str, "MessageAttributeValueTypeDef"]:
    return {PUBLISHED_AT: {"DataType": "Number", "StringValue": str(record.first_sent_at_ms)}}
