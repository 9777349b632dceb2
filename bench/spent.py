"""What a piece of work took of its process."""

from dataclasses import astuple, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Spent:
    """
    CPU and time of one piece of work; pieces add up, and differ.

    Attributes:
        pushes: Those that were answered 200.
        cpu_s: Of the whole process, user and system.
        aws_calls: To DynamoDB and SQS.
        aws_cpu_s: As much of `cpu_s` as went into these calls.
        aws_wall_s: As much of `wall_s` as passed in them.
        encoded_bytes, python_calls: As `bench.counting` counts them; 0 where nobody counted.
        invocations, messages: Of the function, and of SQS in them; 0 where there is none.
    """

    pushes: int
    cpu_s: float
    wall_s: float
    aws_calls: int = 0
    aws_cpu_s: float = 0.0
    aws_wall_s: float = 0.0
    encoded_bytes: int = 0
    python_calls: int = 0
    invocations: int = 0
    messages: int = 0

    def __add__(self, other: Self) -> Self:
        """Both pieces together."""
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Self) -> Self:
        """What this one took more than the other: without what every piece costs."""
        return type(self)(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def cpu_us_per_push(self) -> float:
        return self.cpu_s * 1e6 / self.pushes

    @property
    def aws_cpu_us_per_push(self) -> float:
        return self.aws_cpu_s * 1e6 / self.pushes

    @property
    def pushes_per_s(self) -> float:
        return self.pushes / self.wall_s

    @property
    def aws_wait_share(self) -> float:
        """The share of the time in which the process stood still for an answer of AWS, 0 to 1."""
        return (self.aws_wall_s - self.aws_cpu_s) / self.wall_s
