"""What Lockstep claims of its cost, held against what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Figure

# Times bench/bare.py; times the engine, at 100,000 phones; times what it is at 1,000 phones.
BARE_MOST = 1.15
WHOLE_MOST = 2.5
GROWTH_MOST = 1.1

# Half of what the function has (template.yaml, Globals).
RSS_MOST_MB = 256


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of a claim.

    Attributes:
        line: The claim, with the row and the column that it is about.
        found: A multiple, or what the line says; None where it was not measured.
        limit: The most that it may be.
        below: Whether it must stay below the limit, rather than at it.
    """

    line: str
    found: float | None
    limit: float
    below: bool = False

    @property
    def failed(self) -> bool:
        if self.found is None:
            return False
        return self.found >= self.limit if self.below else self.found > self.limit

    @property
    def word(self) -> str:
        if self.found is None:
            return "not measured"
        return "fails" if self.failed else "holds"

    def cells(self) -> list[str]:
        """Write a row of the table."""
        most = f"{'below' if self.below else 'at most'} {self.limit:.2f}"
        return [self.line, "–" if self.found is None else f"{self.found:.2f}", most, self.word]


def against_clients(column: str, engine: Figure | None, clients: Mapping[str, Figure | None]) -> list[Verdict]:
    """Our engine needs less CPU for a push than each client."""
    return [
        Verdict(f"engine / {name}, {column}", _ratio(engine, figure), 1, below=True) for name, figure in clients.items()
    ]


def against_bare(column: str, engine: Figure | None, bare: Figure | None) -> Verdict:
    """Our engine needs little more than the least that pycurl takes."""
    return Verdict(f"engine / bench/bare.py, {column}", _ratio(engine, bare), BARE_MOST)


def against_engine(phones: int, whole: Figure | None, engine: Figure | None) -> Verdict:
    """The whole function needs little more than its engine."""
    return Verdict(f"whole function at {phones:,} phones / engine", _ratio(whole, engine), WHOLE_MOST)


def steady(what: str, of: Sequence[tuple[int, float]]) -> list[Verdict]:
    """
    A count for each push does not grow with the audience.

    Args:
        of: Phones and the count for each push, the smallest audience first.
    """
    (fewest, least), *more = of
    return [
        Verdict(f"{what} per push at {phones:,} phones / at {fewest:,}", count / least, GROWTH_MOST)
        for phones, count in more
    ]


def flat(of: Sequence[tuple[int, float]]) -> list[Verdict]:
    """
    The function's memory does not grow with the audience, and is well within what it has.

    Args:
        of: Phones and peak memory in MB, the smallest audience first.
    """
    fewest, least = of[0]
    phones, most = of[-1]
    name = f"peak RSS at {phones:,} phones"
    return [Verdict(f"{name}, MB", most, RSS_MOST_MB), Verdict(f"{name} / at {fewest:,}", most / least, GROWTH_MOST)]


def _ratio(one: Figure | None, other: Figure | None) -> float | None:
    return None if one is None or other is None else one.times(other).median
