"""
In which partitions of the tokens table an audience's rows are: pure.

DynamoDB takes about 1,000 writes and 3,000 reads a second under one partition key ("Best practices for designing
partition keys"), and a crowd registers at once. So a big audience has several, each for a range of phones' hashes.

How many only grows, from one: what was written before that, or by somebody who did not know it yet, is in shard 0. So
whoever reads a range of phones reads it there too, and of two rows of the same phone takes the newer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# An activity that is served in slices: its phones start, and so register their cards, within minutes. (A choice: 64,000
# writes a second are more than a new table takes; each shard costs those who read all of them one query.)
ACTIVITY_SHARDS = 64

# A name has them from the beginning, however few follow it. (A choice: one write for each report, of which API Gateway
# lets 10,000 a second through unless its quota is raised; a start reads them all.)
NAME_SHARDS = 16

# A shard is told from two hex digits of the phone's hash.
_DIGITS = 2


def shard_of(phone: str, shards: int) -> int:
    """Number the shard, of so many, that a phone's rows are written to. `shards` is a power of two, 256 at most."""
    return int(phone[:_DIGITS], 16) * shards >> 4 * _DIGITS


@dataclass(frozen=True, slots=True)
class Sharded:
    """
    An audience and its partitions.

    Attributes:
        audience: `activity#order-42`, `name#team-42`.
        shards: How many it has by what the reader knows.
    """

    audience: str
    shards: int

    @staticmethod
    def of_activity(activity: str, shards: int) -> "Sharded":
        """Where an activity's cards and markers are; `shards` as its row says."""
        return Sharded(f"activity#{activity}", shards)

    @staticmethod
    def of_name(name: str) -> "Sharded":
        """Where those are who follow a name."""
        return Sharded(f"name#{name}", NAME_SHARDS)

    def key(self, shard: int) -> str:
        """Name a partition."""
        return f"{self.audience}#{shard}"

    def beyond_first(self, first: str, last: str) -> Iterator[int]:
        """
        Number the shards, but shard 0, with phones of a range, in the order of their hashes.

        Args:
            first: The least hash, or what it begins with; empty for all.
            last: The last hash, or what it begins with; empty for all.
        """
        lowest = shard_of(first[:_DIGITS].ljust(_DIGITS, "0"), self.shards)
        highest = shard_of(last[:_DIGITS].ljust(_DIGITS, "f"), self.shards)
        yield from range(max(lowest, 1), highest + 1)
