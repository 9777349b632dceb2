"""A figure that was measured round by round."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One figure, in each round.

    Attributes:
        values: In the order of the rounds, so that figures of one bench can be compared round by round.
    """

    values: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.values)

    def times(self, other: Self) -> "Figure":
        """
        Say how many times another this one is, round by round.

        What lay close together is compared: a machine that is slow for a minute is slow for both.
        """
        return Figure(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def __str__(self) -> str:
        """Write the median, the least and the greatest: `47 (45 to 52)`."""
        return self.told(",.0f")

    def told(self, form: str) -> str:
        """Write the same, each number in this form."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:{form}} ({low:{form}} to {high:{form}})"
