"""
How far a slice of an activity's audience has been brought: pure.

A slice is the phones whose hash begins with a prefix in hex; the empty prefix is the whole audience. One that is too big
is split, for good, into the sixteen slices of one digit more.

A pass goes through its phones in the order of their hashes and, where the row moves meanwhile, goes on from where it is
and round again to there: nobody waits for a pass to begin anew, and no phone hears a state twice.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from lockstep.outcomes import Heard, Outcomes
from lockstep.row import Row

_DIGITS = "0123456789abcdef"

# 16 to the power of this many slices: more than anybody has phones for.
PREFIX_MAX = 6


@dataclass(frozen=True, slots=True)
class Slice:
    """
    A slice and its progress.

    Attributes:
        born: The row's `first_run`: another row of the same name is another audience.
        served: The revision that every phone from the cursor on has at least, as far as pushes were taken up.
        carried: The oldest revision that this round brought to the phones before the cursor; None at its beginning.
        revision: The revision that is being brought out; 0 before the first.
        cursor: The last phone that was served; empty at the beginning of a round.
        begun: Where the cursor was when this revision set out.
        wrapped: Whether the round has reached the end of the range since.
        done: Whether this revision has come all the way round.
        started: Version of the start register whose phones have all been started, as `Row.start_version` says it.
        cards: What became of the pushes to cards that brought this revision; None where there were none, or before that.
        starts: The same of its starts.
    """

    prefix: str
    born: int = 0
    served: int = 0
    carried: int | None = None
    revision: int = 0
    cursor: str = ""
    begun: str = ""
    wrapped: bool = False
    done: bool = False
    started: str = ""
    cards: Outcomes | None = None
    starts: Outcomes | None = None

    def aims_at(self, row: Row, *, served: int) -> "Slice":
        """
        Turn to the row as it is now.

        Args:
            served: What all of its phones have at least, if nothing is known of the slice itself.
        """
        if self.born != row.first_run or self.revision > row.revision:
            return Slice(self.prefix, row.first_run, served=served, revision=row.revision)
        if self.revision == row.revision:
            return self
        if self.done:
            return Slice(self.prefix, self.born, served=self.revision, revision=row.revision, started=self.started)
        return replace(self, revision=row.revision, begun=self.cursor, wrapped=False)

    @property
    def until(self) -> str:
        """The last phone of the part that is left of this round; the prefix where that is its end."""
        return self.begun if self.wrapped and self.begun else self.prefix

    @property
    def may_split(self) -> bool:
        """Whether nothing of it has heard this revision yet."""
        return not (self.cursor or self.begun or self.wrapped) and len(self.prefix) < PREFIX_MAX

    def after(self, last: str, row: Row) -> "Slice":
        """
        Note that the phones up to this one were served; with the empty hash, all that were left of the range.

        The row is the one that was brought to them.
        """
        carried = row.revision if self.carried is None else min(self.carried, row.revision)
        moved = replace(self, cursor=last, carried=carried)
        if not last:
            moved = replace(moved, served=carried, carried=None, wrapped=True)
        if moved.wrapped and moved.cursor >= moved.begun:
            return replace(moved, done=True, started=row.start_version)
        return moved

    def hears(self, heard: Heard) -> "Slice":
        """Note what became of a page's pushes."""
        cards, starts = (_and_then(*each) for each in ((self.cards, heard.cards), (self.starts, heard.starts)))
        return replace(self, cards=cards, starts=starts)


class Known(NamedTuple):
    """
    What there is of a slice, for who only looks.

    Attributes:
        until_ms: Until when somebody may work on it, in Unix milliseconds; 0 if nobody does.
        split: Whether it has parts that were not looked at.
    """

    slice: Slice
    until_ms: int
    split: bool


def _and_then(so_far: Outcomes | None, later: Outcomes) -> Outcomes | None:
    if not later.counts:
        return so_far
    return later if so_far is None else so_far.and_then(later)


def children(prefix: str) -> list[str]:
    """Name the slices that a slice splits into."""
    return [prefix + digit for digit in _DIGITS]


def ancestors(prefix: str) -> list[str]:
    """Name the slices that a slice came out of, the whole audience first."""
    return [prefix[:length] for length in range(len(prefix))]


def share(prefix: str) -> float:
    """Say what part of all phones a slice has: hashes are spread evenly."""
    return 16.0 ** -len(prefix)


def estimate(prefix: str, phones: int, last: str) -> int:
    """Say how many phones a slice has, if it has so many up to the hash `last`: hashes are spread evenly."""
    digits = 8
    reached = int(last[len(prefix) : len(prefix) + digits].ljust(digits, "0"), 16) + 1
    return phones * (1 << 4 * digits) // reached
