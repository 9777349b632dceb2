"""`python -m bench.cost`: from one phone to ten million by arithmetic, from what bench.capacity counts and AWS's list prices."""

import heapq
from dataclasses import dataclass
from math import ceil

from lockstep.shards import ACTIVITY_SHARDS, NAME_SHARDS

# us-east-1, list prices as known in November 2026, in USD.
_READ_UNIT, _WRITE_UNIT = 0.125e-6, 0.625e-6
SQS_REQUEST, INVOCATION, _GB_S, _HTTP_REQUEST = 0.40e-6, 0.20e-6, 0.0000166667, 1.00e-6
_GB_OUT = 0.09

# A push on the wire, with its headers and TLS: a body of some 300 bytes.
_PUSH_BYTES = 600

_MEMORY_GB = 0.5
# Pushes a second that one function makes: an estimate, see docs/scale.md.
RATE = 1000
# Of an invocation that has nothing much to push, and of register.
_SHORT_S = 0.05

# Lambda's pollers of a queue: at first, and more each second (300 a minute).
_POLLERS, _MORE_POLLERS = 5, 5
CONCURRENCY = (10, 1000)

_PAGE = 1000
# More phones than this make more slices (SLICE_PHONES times the slices of one digit less).
_SPLITS = ((1_000, 0), (160_000, 16), (2_560_000, 256))
_MOST_SLICES = 4096

AUDIENCES = (1, 10, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a delivery takes of AWS.

    Attributes:
        writes: Those of indexes too.
        busy_s: Of all functions together.
    """

    pushes: int
    reads: float
    writes: float
    sqs: int
    invocations: int
    busy_s: float

    @property
    def parts_usd(self) -> dict[str, float]:
        """Its cost, part by part."""
        return {
            "Lambda": self.invocations * INVOCATION + self.busy_s * _MEMORY_GB * _GB_S,
            "DynamoDB": self.reads * _READ_UNIT + self.writes * _WRITE_UNIT,
            "SQS": self.sqs * SQS_REQUEST,
            "data out": self.pushes * _PUSH_BYTES / 1e9 * _GB_OUT,
        }

    @property
    def usd(self) -> float:
        return sum(self.parts_usd.values())


def slices_of(phones: int) -> int:
    """Say how many slices an audience is served in; 0 where it is served whole."""
    return next((slices for most, slices in _SPLITS if phones <= most), _MOST_SLICES)


def update(phones: int) -> Taken:
    """What bringing a state to all cards takes, once the slices are split."""
    slices = slices_of(phones)
    pages = max(1, slices, ceil(phones / _PAGE)) if slices else 1
    # Cards by the page, eight or so to a unit; phones one by one; the row and the lease before and between.
    reads = phones * (1 + 0.12) + (4 + slices * 6 + _shard_reads(slices) + pages if slices else 2)
    writes = 3 + slices + pages if slices else 2
    return _taken(phones, reads, writes, slices)


def start(phones: int) -> Taken:
    """What starting everybody who follows a name takes."""
    slices = slices_of(phones)
    pages = max(1, slices, ceil(phones / _PAGE)) if slices else 1
    reads = phones * (2 + 0.06) + (5 + slices * 2 + _shard_reads(slices) + pages if slices else 3 + NAME_SHARDS)
    writes = 6 * phones + (6 + slices + pages if slices else 5)
    return _taken(phones, reads, writes, slices)


def _shard_reads(slices: int) -> int:
    """What rounding adds where each slice looks into its shards, several of them or a part of one."""
    return 2 * max(ACTIVITY_SHARDS, slices)


def registration(phones: int) -> Taken:
    """What it takes that each started phone registers its card: the request, and a catch-up that finds nothing to do."""
    return Taken(0, phones * 7, phones * 10, phones * 3, phones * 2, phones * 2 * _SHORT_S)


def last_push_s(phones: int, concurrency: int) -> float:
    """Say when the last push is out, if nothing but the number of functions holds it up."""
    slices = slices_of(phones)
    if not slices:
        return phones / RATE
    each_s = phones / slices / RATE
    most = min(concurrency, slices)
    free = [max(0.0, (n - _POLLERS + 1) / _MORE_POLLERS) for n in range(most)]
    heapq.heapify(free)
    end_s = 0.0
    for _ in range(slices):
        done_s = heapq.heappop(free) + each_s
        end_s = max(end_s, done_s)
        heapq.heappush(free, done_s)
    return end_s


def _taken(phones: int, reads: float, writes: float, slices: int) -> Taken:
    # The publish, a message a slice: each sent (ten at a time), received and deleted.
    invocations = 1 + slices
    return Taken(
        phones, reads, writes, 3 + ceil(slices / 10) + 2 * slices, invocations, phones / RATE + invocations * _SHORT_S
    )


def audiences() -> str:
    """Write what each size takes."""
    heads = (
        "phones",
        "slices",
        "update: read units",
        "write units",
        "SQS requests",
        "invocations",
        "GB-seconds",
        "USD",
        *(f"last push out, MaxConcurrency {most:,}, s" for most in CONCURRENCY),
        "start: read units",
        "write units",
        "USD",
        "all register: USD",
    )
    rows = []
    for phones in AUDIENCES:
        new, first = update(phones), start(phones)
        cells = [f"{phones:,}", f"{slices_of(phones):,}", f"{new.reads:,.0f}", f"{new.writes:,.0f}", f"{new.sqs:,}"]
        cells += [
            f"{new.invocations:,}",
            f"{new.busy_s * _MEMORY_GB:,.1f}",
            f"{new.usd:,.5f}" if new.usd < 1 else f"{new.usd:,.2f}",
        ]
        cells += [f"{last_push_s(phones, most):,.1f}" for most in CONCURRENCY]
        cells += [f"{first.reads:,.0f}", f"{first.writes:,.0f}"]
        cells += [_usd(first.usd), _usd(registration(phones).usd + phones * _HTTP_REQUEST)]
        rows.append(cells)
    return _table(heads, rows)


def costs() -> str:
    """Write what a million of each cost."""
    million = 1_000_000
    of = {"updates": update(million), "starts": start(million), "registrations of a card": registration(million)}
    rows = []
    for what, taken in of.items():
        parts = {**taken.parts_usd, "HTTP API": million * _HTTP_REQUEST if what.startswith("reg") else 0.0}
        rows.append([what, *(f"{usd:.2f}" for usd in parts.values()), f"{sum(parts.values()):.2f}"])
    return _table(("a million", "Lambda", "DynamoDB", "SQS", "data out", "HTTP API", "together, USD"), rows)


def _usd(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= 1 else f"{usd:,.5f}"


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [list(heads), ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(f"{audiences()}\n\n{costs()}")
