"""Rows of a table: medians, and how far the runs lay apart."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.spent import Spent

NONE = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One kind of work.

    Attributes:
        runs: What it took, run by run.
        aws_calls_per_message: None where no message is part of it.
    """

    name: str
    runs: Sequence[Spent]
    aws_calls_per_message: float | None = None

    def median(self, figure: Callable[[Spent], float]) -> float:
        """Return the median of a figure over the runs."""
        return median(map(figure, self.runs))


def spread(values: Iterable[float]) -> str:
    """Write a median with the least and the greatest: `47 (45 to 52)`."""
    known = sorted(values)
    return f"{median(known):,.0f} ({known[0]:,.0f} to {known[-1]:,.0f})"


def table(rows: Sequence[Row]) -> str:
    """Write rows in Markdown; CPU is also told as a multiple of the first row's."""
    heads = (
        "work",
        "CPU per push, µs",
        "× engine",
        "of it AWS calls, µs",
        "pushes per second",
        "of the time waiting for AWS",
        "AWS calls per message",
    )
    lines = [heads, ("---", *["---:"] * (len(heads) - 1)), *(_cells(row, rows[0]) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row, first: Row) -> tuple[str, ...]:
    cpu_us = row.median(lambda spent: spent.cpu_us_per_push)
    calls = row.aws_calls_per_message
    return (
        row.name,
        spread(spent.cpu_us_per_push for spent in row.runs),
        f"{cpu_us / first.median(lambda spent: spent.cpu_us_per_push):.1f}",
        NONE if calls is None else f"{row.median(lambda spent: spent.aws_cpu_us_per_push):,.0f}",
        spread(spent.pushes_per_s for spent in row.runs),
        NONE if calls is None else f"{row.median(lambda spent: spent.aws_wait_share):.0%}",
        NONE if calls is None else f"{calls:,.1f}",
    )
