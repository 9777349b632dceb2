"""What a match comes to, as tables in Markdown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.stadium.fan import Fan
from bench.stadium.functions import Toll
from bench.stadium.hearing import Heard
from bench.stadium.judge import Verdict
from bench.stadium.ledger import Entry
from bench.stadium.match import Match
from bench.stadium.repeats import Repeats


def states(match: Match, heard: Mapping[Fan, Sequence[Heard]]) -> str:
    """When each state reached phones, by a push of their own or by a broadcast."""
    took: dict[int, list[float]] = {state: [] for state in range(len(match.published_ms))}
    on_channels: Counter[int] = Counter()
    begin_ms = match.published_ms[0]
    for one in (each.entry for all_heard in heard.values() for each in all_heard if not each.kept):
        if one.status == 200 and one.state in took:
            took[one.state].append((one.at_ms - match.published_ms[one.state]) / 1000)
            on_channels[one.state] += one.is_broadcast
    broadcasts = Counter(one.state for one in match.entries if one.is_broadcast and one.status == 200)
    rows = [
        (
            "start" if state == 0 else f"update {state}",
            f"{(match.published_ms[state] - begin_ms) / 1000:.0f}",
            f"{len(found) - on_channels[state]:,}",
            f"{broadcasts[state]:,}",
            f"{on_channels[state]:,}",
            *((f"{median(found):.1f}", f"{max(found):.1f}") if found else ("–", "–")),
        )
        for state, found in took.items()
    ]
    heads = ("state", "published at, s", "pushes taken", "broadcasts taken", "phones that heard them")
    return _table((*heads, "publish to acceptance: median, s", "last, s"), rows)


def pushes(entries: Sequence[Entry], repeats: Repeats) -> str:
    """What Apple made of the requests, what went wrong on the way, and what came again."""
    rows: list[tuple[str, ...]] = []
    for what, of in (("", False), ("broadcasts ", True)):
        requests = [one for one in entries if one.is_broadcast is of]
        statuses = Counter(f"{one.status} {one.reason}".strip() for one in requests if one.status is not None)
        rows += [(f"{what}answered {status}", f"{count:,}") for status, count in sorted(statuses.items())]
        lost = Counter(one.fault for one in requests if one.fault and one.fault != "answer")
        rows += [(f"{what}struck by {fault}", f"{count:,}") for fault, count in sorted(lost.items())]
    rows += [(f"a state again: {why}", f"{count:,}") for why, count in sorted(repeats.pushes.items())]
    rows += [
        (f"broadcasts that said it again: {why}", f"{count:,}") for why, count in sorted(repeats.broadcasts.items())
    ]
    rows += [(f"heard again by phones: {why}", f"{count:,}") for why, count in sorted(repeats.hearings.items())]
    return _table(("requests at Apple", f"{len(entries):,}"), rows)


def toll(toll: Toll, moto_cpu_s: float, apple_cpu_s: float, wall_s: float) -> str:
    """What the functions called, and whom they waited for."""
    spent = toll.spent
    waiting_s = spent.aws_wall_s - spent.aws_cpu_s
    rows = [(f"calls: {call}", f"{count:,}") for call, count in sorted(toll.calls.items())]
    rows += [
        ("invocations that ended", f"{toll.invocations:,}"),
        ("functions that died", f"{len(toll.crashed_ms):,}"),
        ("the functions' time, s", f"{spent.wall_s:,.0f}"),
        ("of it waiting for AWS (moto)", f"{waiting_s / spent.wall_s:.0%}"),
        ("the functions' CPU, s", f"{spent.cpu_s:,.0f}"),
        ("moto's CPU (and the crowd's), s", f"{moto_cpu_s:,.0f}"),
        ("moto, of one core", f"{moto_cpu_s / wall_s:.0%}"),
        ("Apple's CPU, s", f"{apple_cpu_s:,.0f}"),
        ("Apple, of one core", f"{apple_cpu_s / wall_s:.0%}"),
    ]
    return _table(("functions", "count"), rows)


def verdicts(found: Iterable[Verdict]) -> str:
    """What became of each promise."""
    rows = [(one.promise, "held" if one.held else f"BROKEN: {'; '.join(one.found)}", one.how) for one in found]
    return _table(("promise", "verdict", "how it was looked at"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
