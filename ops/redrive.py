"""
`make redrive`: send a stack's dead letters through once more, each in its own place in time.

SQS's own redrive gives a message a new id and a new time, so the oldest state would become the newest; and it returns
messages that push dead-lettered itself only to a queue named explicitly. Here each message goes back with the moment at
which it was first sent, so that a state that was superseded meanwhile stays superseded.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lockstep.envelope import PUBLISHED_AT
from lockstep.errors import LockstepError
from ops.account import told
from ops.stack import output

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Longer than a message takes to be sent on; what is left over from a run that died is visible again after it.
_HOLD_S = 60

QUEUES = {
    "PublishDeadLetterQueueUrl": "PublishQueueUrl",
    "DeliveryDeadLetterQueueUrl": "DeliveryQueueUrl",
    "SliceDeadLetterQueueUrl": "SliceQueueUrl",
}


def redrive(sqs: "SQSClient", dead_letters: str, destination: str) -> int:
    """Move all messages of a dead-letter queue to a queue; returns how many. A message may arrive twice, never not at all."""
    moved = 0
    while messages := sqs.receive_message(
        QueueUrl=dead_letters,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_HOLD_S,
        MessageSystemAttributeNames=["SentTimestamp"],
        MessageAttributeNames=[PUBLISHED_AT],
    ).get("Messages"):
        for message in messages:
            sqs.send_message(
                QueueUrl=destination,
                MessageBody=message["Body"],
                MessageAttributes={PUBLISHED_AT: {"DataType": "Number", "StringValue": _first_sent_at_ms(message)}},
            )
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _first_sent_at_ms(message: "MessageTypeDef") -> str:
    """
    Push's own dead letters carry it; one that SQS moved after a crash kept its SentTimestamp.

    That one may carry a producer's word too, which counts only if it is earlier: later, it would count as the moment of
    the redrive.
    """
    attributes = message.get("MessageAttributes") or {}
    carried = (attributes[PUBLISHED_AT].get("StringValue") if PUBLISHED_AT in attributes else None) or ""
    sent_at_ms = message["Attributes"]["SentTimestamp"]
    return min(carried, sent_at_ms, key=int) if carried.isascii() and carried.isdigit() else sent_at_ms


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make redrive", description="Send a stack's dead letters through once more.")
    parser.add_argument("--stack", required=True, help="the stack's name")
    given = parser.parse_args(arguments)
    if not given.stack:
        print("make redrive: STACK missing. For example: make redrive STACK=lockstep", file=sys.stderr)
        return 2
    try:
        session = boto3.Session()
        sqs, stacks = session.client("sqs"), session.client("cloudformation")
        for source, destination in QUEUES.items():
            moved = redrive(sqs, output(stacks, given.stack, source), output(stacks, given.stack, destination))
            print(f"{moved} messages of {source.removesuffix('Url')} sent to {destination.removesuffix('Url')}")
    except LockstepError as error:
        print(f"make redrive: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"make redrive: {told(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
