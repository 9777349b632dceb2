"""
`make redrive`: send a stack's dead letters through once more, each in its own place in time.

SQS's own redrive gives a message a new id and a new time, so the oldest state would become the newest; and it returns
messages that push dead-lettered itself only to a queue named explicitly. Here each message goes back with the moment at
which it was first sent, so that a state that was superseded meanwhile stays superseded.

What is refused again comes back while the queue is still being emptied. So each letter goes once: what came after the
run began stays.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import batched
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

# Without a wait SQS asks some of its servers alone, and calls a queue empty that is not.
_WAIT_S = 1

QUEUES = {
    "PublishDeadLetterQueueUrl": "PublishQueueUrl",
    "DeliveryDeadLetterQueueUrl": "DeliveryQueueUrl",
    "SliceDeadLetterQueueUrl": "SliceQueueUrl",
}


@dataclass(frozen=True, slots=True)
class Redriven:
    """
    What became of a queue's dead letters.

    Attributes:
        sent: How many were sent on.
        left: How many came meanwhile, most of them back, and stay.
    """

    sent: int
    left: int


def redrive(sqs: "SQSClient", dead_letters: str, destination: str, *, wait_s: int = _WAIT_S) -> Redriven:
    """Move the messages of a dead-letter queue to a queue. One may arrive twice, never not at all."""
    sent = 0
    later: dict[str, str] = {}
    for message in _letters(sqs, dead_letters, later, wait_s):
        sqs.send_message(
            QueueUrl=destination,
            MessageBody=message["Body"],
            MessageAttributes={PUBLISHED_AT: {"DataType": "Number", "StringValue": _first_sent_at_ms(message)}},
        )
        sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
        sent += 1
    # Whoever looks finds them at once. Of those whose hold is over SQS says so, and that is as well.
    for handles in batched(later.values(), 10, strict=False):
        sqs.change_message_visibility_batch(
            QueueUrl=dead_letters,
            Entries=[{"Id": str(i), "ReceiptHandle": one, "VisibilityTimeout": 0} for i, one in enumerate(handles)],
        )
    return Redriven(sent, len(later))


def _letters(sqs: "SQSClient", dead_letters: str, later: dict[str, str], wait_s: int) -> Iterator["MessageTypeDef"]:
    """
    Yield what lay in the queue when the first was received; note what came later, by its id, with its newest handle.

    In a long run those are seen again, each time that their hold is over: once one is with no older letter in between,
    there is none any more.
    """
    began_ms: int | None = None
    since: set[str] = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=dead_letters,
            MaxNumberOfMessages=10,
            VisibilityTimeout=_HOLD_S,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=[PUBLISHED_AT],
        )
        if began_ms is None:
            date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
            began_ms = clock_ms(date, here_ms=int(time.time() * 1000))
        messages = answer.get("Messages", [])
        old = [message for message in messages if int(message["Attributes"]["SentTimestamp"]) <= began_ms]
        new = {message["MessageId"]: message["ReceiptHandle"] for message in messages if message not in old}
        later |= new
        yield from old
        if old:
            since.clear()
        if not messages or since & new.keys():
            return
        since |= new.keys()


def clock_ms(date: str, *, here_ms: int) -> int:
    """
    Tell the time by SQS's clock, which says whole seconds.

    Args:
        here_ms: By this machine's clock, which may be wrong: it is believed in what the other leaves open.
    """
    second_ms = int(parsedate_to_datetime(date).timestamp()) * 1000
    return max(second_ms, min(here_ms, second_ms + 999))


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
            done = redrive(sqs, output(stacks, given.stack, source), output(stacks, given.stack, destination))
            print(f"{done.sent} messages of {source.removesuffix('Url')} sent to {destination.removesuffix('Url')}")
            if done.left:
                print(
                    f"  {done.left} came meanwhile, most of them back, and stay there: their attribute `reason` says why"
                )
    except LockstepError as error:
        print(f"make redrive: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"make redrive: {told(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
