"""How long a publish took until Apple had accepted it: as the functions say it, and as Apple's record has it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stadium.fan import Fan
from bench.stadium.ledger import Entry


@dataclass(frozen=True, slots=True)
class Took:
    """A time from a publish to an acceptance, and when that was, in Unix milliseconds."""

    at_ms: int
    took_ms: int


def of_orders(entries: Iterable[Entry], timed: Collection[int]) -> list[Took]:
    """Time each state of one order, by its first acceptance: such a state is its moment."""
    seen: set[int] = set()
    found = []
    for one in entries:
        if one.status == 200 and one.state in timed and one.state not in seen:
            seen.add(one.state)
            found.append(Took(one.at_ms, one.at_ms - one.state))
    return found


def of_audience(entries: Iterable[Entry], of: Mapping[str, Fan], published_ms: Sequence[int]) -> list[Took]:
    """Time each state of the audience's activity on each phone, by its first acceptance there."""
    seen: set[tuple[int, int]] = set()
    found = []
    for one in entries:
        fan = of.get(one.token)
        if fan is not None and one.status == 200 and one.state >= 0 and (fan.index, one.state) not in seen:
            seen.add((fan.index, one.state))
            found.append(Took(one.at_ms, one.at_ms - published_ms[one.state]))
    return found


def of_metric(logs: Iterable[Path]) -> list[Took]:
    """Read the functions' own metric, PublishToAcceptance, out of what they handed to CloudWatch."""
    found = []
    for log in logs:
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                if '"PublishToAcceptance"' in line and '"_aws"' in line:
                    said = json.loads(line)
                    at_ms = said["_aws"]["Timestamp"]
                    found += [Took(at_ms, int(value)) for value in said["PublishToAcceptance"]]
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the least value that so many percent of the values do not exceed; of one value at least."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
