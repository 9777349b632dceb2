"""What a million pushes cost on Lambda: arithmetic from what a push was measured to take, and from AWS's list prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from bench import cost
from bench.markdown import table
from bench.spent import Spent

MILLION = 1_000_000

# us-east-1, list prices as known then, USD ("AWS Lambda Pricing"): those of x86_64 and the rest are in bench.cost.
DATE = "November 2026"
GB_S_ARM64 = 0.0000133334

# A function has a share of a core in proportion to its memory, a whole one at 1,769 MB ("Configure Lambda function memory").
_CORE_MB = 1769
MEMORY_MB = 512

# Guesses, round and on the high side: a call to DynamoDB or SQS, and a push's way to Apple and back.
AWS_CALL_S = 0.005
APPLE_S = 0.050
# Streams at once, as the engine has by default.
_IN_FLIGHT = 100

HEADS = (
    "what",
    "CPU per push, µs",
    "pushes per invocation",
    "AWS calls per invocation",
    "Lambda: by CPU alone, USD",
    "with its waiting, USD",
    "DynamoDB, USD",
    "SQS, USD",
    "data out, USD",
    "together, USD",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What updates took.

    Attributes:
        cpu_us: A push.
        counted: All of them together: pushes, invocations, messages, calls to AWS.
        phones: Of each activity.
    """

    name: str
    cpu_us: float
    counted: Spent
    phones: int


def cpu_usd(cpu_us: float) -> float:
    """
    Price a million pushes that take so much CPU each and wait for nothing.

    With half the core the same work takes twice the time at half the price: memory makes no difference.
    """
    return cpu_us * _CORE_MB / 1024 * GB_S_ARM64


def lambda_usd(taken: Taken) -> float:
    """Price a million pushes with what an invocation waits for, at MEMORY_MB: its calls one by one, pushes by the window."""
    counted = taken.counted
    pushes = counted.pushes / counted.invocations
    busy_s = pushes * taken.cpu_us / 1e6 * _CORE_MB / MEMORY_MB
    # While one window of pushes is under way the next is made ready.
    wait_s = max(0.0, ceil(pushes / _IN_FLIGHT) * APPLE_S - busy_s) if pushes > _IN_FLIGHT else APPLE_S
    lasts_s = busy_s + wait_s + counted.aws_calls / counted.invocations * AWS_CALL_S
    each = lasts_s * MEMORY_MB / 1024 * GB_S_ARM64 + cost.INVOCATION
    return each * MILLION / pushes


def cells(taken: Taken) -> list[str]:
    """Write a row: a million pushes of this kind."""
    counted = taken.counted
    each = counted.pushes / counted.messages
    of_activity = cost.update(taken.phones).parts_usd
    times = MILLION / taken.phones
    # A publish or a slice: sent, and with its batch received and deleted.
    sqs = (1 + 2 * counted.invocations / counted.messages) * MILLION / each * cost.SQS_REQUEST
    parts = [lambda_usd(taken), of_activity["DynamoDB"] * times, sqs, of_activity["data out"] * times]
    return [
        taken.name,
        f"{taken.cpu_us:,.0f}",
        f"{counted.pushes / counted.invocations:,.0f}",
        f"{counted.aws_calls / counted.invocations:,.0f}",
        f"{cpu_usd(taken.cpu_us):.4f}",
        *(f"{usd:.4f}" for usd in parts),
        f"{sum(parts):.3f}",
    ]


def prices(rows: Sequence[Taken]) -> str:
    """Write the table."""
    return table(HEADS, [cells(taken) for taken in rows])
