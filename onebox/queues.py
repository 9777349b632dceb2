"""The stack's queues as people and producers use them: publish, look into a dead-letter queue, redrive."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

# Longer than looking takes.
_LOOK_S = 30


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that lies in a queue."""

    message_id: str
    body: str = field(repr=False)
    attributes: Mapping[str, str]
    receive_count: int


class Queues:
    """Queues, by their logical ids in the template."""

    def __init__(self, sqs: "SQSClient", urls: Mapping[str, str]) -> None:
        self._sqs = sqs
        self.urls = urls

    def send(
        self,
        queue: str,
        message: Mapping[str, Any] | str,
        *,
        attributes: Mapping[str, str] | None = None,
        delay_s: int = 0,
    ) -> str:
        """Send a message as a producer does: an object as JSON, attributes as strings. Returns its id."""
        typed: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
        }
        sent = self._sqs.send_message(
            QueueUrl=self.urls[queue],
            MessageBody=message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
            MessageAttributes=typed,
            DelaySeconds=delay_s,
        )
        return sent["MessageId"]

    def count(self, queue: str) -> int:
        """Return how many messages a queue holds: waiting, delayed and in flight."""
        found = self._sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=["All"])["Attributes"]
        return (
            int(found["ApproximateNumberOfMessages"])
            + int(found["ApproximateNumberOfMessagesNotVisible"])
            + int(found["ApproximateNumberOfMessagesDelayed"])
        )

    def look(self, queue: str) -> list[QueuedMessage]:
        """Return what can be received from a queue now, and leave it there. A look counts as a receive."""
        messages = list(self._receive(queue))
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return [
            QueuedMessage(
                message["MessageId"],
                message["Body"],
                {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()},
                int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in messages
        ]

    def take(self, queue: str) -> Iterator[str]:
        """Yield the bodies of what can be received from a queue now, and delete it there."""
        for messages in batched(self._receive(queue), 10, strict=False):
            self._sqs.delete_message_batch(
                QueueUrl=self.urls[queue],
                Entries=[{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in enumerate(messages)],
            )
            yield from (one["Body"] for one in messages)

    def redrive(self, dead_letters: str, destination: str) -> int:
        """Move messages as SQS' own redrive does: the same body and attributes, a new id and a new time."""
        moved = 0
        for message in self._receive(dead_letters):
            self._sqs.send_message(
                QueueUrl=self.urls[destination],
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
            )
            self._sqs.delete_message(QueueUrl=self.urls[dead_letters], ReceiptHandle=message["ReceiptHandle"])
            moved += 1
        return moved

    def _receive(self, queue: str) -> Iterator["MessageTypeDef"]:
        while messages := self._sqs.receive_message(
            QueueUrl=self.urls[queue],
            MaxNumberOfMessages=10,
            VisibilityTimeout=_LOOK_S,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            yield from messages
