"""What became of the pushes of a delivery, in a few numbers that a row can hold: pure."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lockstep.apns import Accepted, Outcome, Rejected

# Beside Apple's own reasons.
ACCEPTED, UNANSWERED, OTHERS = "Accepted", "Unanswered", "others"

# What is said of a broadcast, which many phones hear.
BROADCAST = "broadcast: "

# Apple has some forty reasons and may find more: what is seldom is counted together, so that a row stays small.
KINDS_MAX = 8
_KIND_MAX_CHARACTERS = 48

_TEXT = re.compile(r"(?P<revision>\d+) (?P<at_ms>\d+) (?P<counts>(?:[^,]*:\d+(?:,[^,]*:\d+)*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """
    How many pushes came to what.

    Attributes:
        revision: Of the row that they brought.
        at_ms: When the last of them was answered, or about then.
        counts: By Apple's reason, or one of ours; the most frequent first.
    """

    revision: int
    at_ms: int
    counts: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of(counted: Mapping[str, int], *, revision: int, at_ms: int) -> "Outcomes":
        """Sum up what was counted; of many kinds, the most frequent by name."""
        sums: Counter[str] = Counter()
        for kind, count in counted.items():
            sums[kind[:_KIND_MAX_CHARACTERS].replace(",", ";")] += count
        others = sums.pop(OTHERS, 0)
        listed = sorted(sums.items(), key=lambda each: (-each[1], each[0]))
        others += sum(count for _, count in listed[KINDS_MAX:])
        counts = [*listed[:KINDS_MAX], *([(OTHERS, others)] if others else [])]
        return Outcomes(revision, at_ms, tuple(counts))

    def and_then(self, later: "Outcomes") -> "Outcomes":
        """Add what came later, of the same revision; what came of another is forgotten."""
        if self.revision != later.revision:
            return later
        return Outcomes.of(
            Counter(dict(self.counts)) + Counter(dict(later.counts)), revision=later.revision, at_ms=later.at_ms
        )

    def to_text(self) -> str:
        """Write them as a row holds them: short, for DynamoDB counts each kilobyte of a row that is written."""
        counts = ",".join(f"{kind}:{count}" for kind, count in self.counts)
        return f"{self.revision} {self.at_ms} {counts}"

    @staticmethod
    def from_text(text: str | None) -> "Outcomes | None":
        """Read what `to_text` wrote; None where the row has none, as those of an earlier release have."""
        found = _TEXT.fullmatch(text or "")
        if found is None:
            return None
        kinds = (one.rpartition(":") for one in found["counts"].split(",") if one)
        return Outcomes(int(found["revision"]), int(found["at_ms"]), tuple((kind, int(n)) for kind, _, n in kinds))


class Heard(NamedTuple):
    """What became of a delivery's pushes to cards, broadcasts among them, and of its starts."""

    cards: Outcomes
    starts: Outcomes


class ByKind:
    """
    Counts what becomes of a delivery's pushes, one by one.

    Attributes:
        cards: By kind: of those to cards, and of broadcasts.
        starts: The same of starts.
    """

    def __init__(self) -> None:
        self.cards: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()

    def heard(self, revision: int, *, at_ms: int) -> Heard:
        """Sum up what was counted so far."""
        cards, starts = (Outcomes.of(one, revision=revision, at_ms=at_ms) for one in (self.cards, self.starts))
        return Heard(cards, starts)


def kind_of(outcome: Outcome) -> str:
    """Say in a word what became of a push."""
    match outcome:
        case Accepted():
            return ACCEPTED
        case Rejected():
            return outcome.reason
    return UNANSWERED
