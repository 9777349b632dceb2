"""What a soak comes to: tables in Markdown, and a plot."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.lines import Band, Line, Panel, plot
from bench.markdown import table
from bench.soak.gauge import Reading
from bench.soak.latency import Took, of_audience, of_metric, of_orders, percentile
from bench.soak.soak import ONEBOX, Soaked
from bench.stadium.judge import Verdict
from bench.stadium.report import verdicts

_PERCENTS = (50, 95, 99)

# How many parts of a soak the table tells apart, and the plot.
_ROWS, _POINTS = 10, 60
# By so much a trouble may end late, and still not be one of the next row.
_OVER_S = 1.0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Times from publish to acceptance, and of what."""

    name: str
    took: Sequence[Took]

    def between(self, begin_ms: float, end_ms: float) -> list[int]:
        """Return those whose acceptance fell there."""
        return [one.took_ms for one in self.took if begin_ms <= one.at_ms < end_ms]


class Report:
    """The tables and the plot of one soak."""

    def __init__(self, soaked: Soaked, found: Sequence[Verdict]) -> None:
        self._soaked = soaked
        self._verdicts = found
        record, began_ms = soaked.record, soaked.began_ms
        entries = [one for one in record.entries if one.at_ms >= began_ms]
        self._entries = entries
        self._latencies = [
            Latencies("orders", of_orders(entries, soaked.timed)),
            Latencies("audience", of_audience(entries, record.crowd.of, soaked.published_ms)),
            Latencies("the metric", [one for one in of_metric(soaked.push_logs) if one.at_ms >= began_ms]),
        ]

    def text(self) -> str:
        """Write the tables."""
        return "\n\n".join([self._times(), self._processes(), self._counts(), verdicts(self._verdicts)])

    def picture(self) -> str:
        """Draw what changed over time."""
        soaked = self._soaked
        unit_s = 60 if soaked.sizes.duration_s >= 120 else 1
        length = soaked.sizes.duration_s / unit_s
        bands = [Band(one.name, one.begin_s / unit_s, one.end_s / unit_s) for one in soaked.troubles]
        panels = [
            *(
                Panel(f"publish to acceptance, {one.name}, s", self._curves(one, length), logarithmic=True)
                for one in self._latencies[:2]
            ),
            Panel(
                "memory of the functions, MB",
                [
                    Line(name, [(each.at_s / unit_s, each.rss_mb) for each in readings])
                    for name, readings in self._functions()
                ],
            ),
            Panel(
                "their open sockets",
                [
                    Line(name, [(each.at_s / unit_s, float(each.sockets)) for each in readings])
                    for name, readings in self._functions()
                ],
            ),
        ]
        unit = "minutes" if unit_s == 60 else "seconds"
        return plot(f"A soak of {length:g} {unit}", panels, bands, length=length, unit=unit)

    # --- over time

    def _curves(self, of: Latencies, length: float) -> list[Line]:
        lines: list[list[tuple[float, float | None]]] = [[] for _ in _PERCENTS]
        for number, (begin_ms, end_ms) in enumerate(self._parts(_POINTS)):
            found = of.between(begin_ms, end_ms)
            at = (number + 0.5) * length / _POINTS
            for percent, points in zip(_PERCENTS, lines, strict=True):
                points.append((at, max(percentile(found, percent), 1) / 1000 if found else None))
        return [Line(f"p{percent}", points) for percent, points in zip(_PERCENTS, lines, strict=True)]

    def _functions(self) -> list[tuple[str, Sequence[Reading]]]:
        return [(name, found) for name, found in self._soaked.readings.items() if name != ONEBOX]

    def _parts(self, count: int) -> Iterator[tuple[float, float]]:
        step_ms = self._soaked.sizes.duration_s * 1000 / count
        for number in range(count):
            yield self._soaked.began_ms + number * step_ms, self._soaked.began_ms + (number + 1) * step_ms

    def _times(self) -> str:
        heads = ["seconds", "what went wrong beside 5 % of pushes", "pushes taken"]
        for one in self._latencies:
            heads += [f"{one.name}: p50, s", "p95", "p99"]
        rows = []
        parts = [*self._parts(_ROWS), (self._soaked.began_ms + self._soaked.sizes.duration_s * 1000, float("inf"))]
        for begin_ms, end_ms in parts:
            begin_s, end_s = ((at - self._soaked.began_ms) / 1000 for at in (begin_ms, end_ms))
            met = [
                one.name
                for one in self._soaked.troubles
                if one.begin_s < end_s and (one.begin_s >= begin_s or one.end_s > begin_s + _OVER_S)
            ]
            when = f"{begin_s:.0f} to {end_s:.0f}" if end_ms < float("inf") else "after the load"
            rows.append([when, ", ".join(met) or "–", *self._row(begin_ms, end_ms)])
        rows.append(["all", "", *self._row(0, float("inf"))])
        return table(heads, rows)

    def _row(self, begin_ms: float, end_ms: float) -> list[str]:
        taken = sum(one.status == 200 and begin_ms <= one.at_ms < end_ms for one in self._entries)
        cells = [f"{taken:,}"]
        for one in self._latencies:
            found = one.between(begin_ms, end_ms)
            cells += [f"{percentile(found, percent) / 1000:.2f}" if found else "–" for percent in _PERCENTS]
        return cells

    # --- processes

    def _processes(self) -> str:
        heads = ("process", "MB at the beginning", "after a third", "at the end", "most")
        more = ("sockets: least", "median", "most", "at rest", "other files: most", "CPU, s")
        rows = []
        for name, found in self._soaked.readings.items():
            sockets = [one.sockets for one in found]
            rows.append(
                [
                    name,
                    *(f"{one.rss_mb:.0f}" for one in (found[0], found[len(found) // 3], found[-1])),
                    f"{max(one.rss_mb for one in found):.0f}",
                    *(f"{count:g}" for count in (min(sockets), median(sockets), max(sockets), sockets[-1])),
                    str(max(one.files for one in found)),
                    f"{found[-1].cpu_s - found[0].cpu_s:.0f}" if found[0].pid == found[-1].pid else "–",
                ]
            )
        return table((*heads, *more), rows)

    # --- counts

    def _counts(self) -> str:
        soaked, record = self._soaked, self._soaked.record
        rows = [(f"{what}", count) for what, count in sorted(soaked.did.items())]
        rows.append(("published: states of the audience", len(soaked.published_ms)))
        rows += self._requests()
        rows += [(f"a state again: {why}", count) for why, count in sorted(record.judge.repeats.pushes.items())]
        rows += [(f"calls: {call}", count) for call, count in sorted(soaked.calls.items())]
        rows += [(f"throttled: {call}", count) for call, count in sorted(soaked.throttled.items())]
        rows += [
            ("invocations of functions", soaked.invocations),
            ("of them failed", soaked.failed),
            ("functions killed at their timeouts", len(soaked.deaths)),
            ("API requests of phones that came to nothing", sum(len(phone.refusals) for phone in record.phones)),
        ]
        rows += [
            (f"dead letters, {queue}: {reason}", count)
            for queue, letters in record.letters.items()
            for reason, count in Counter(one.attributes.get("reason", "no reason") for one in letters).items()
        ]
        rows += [
            (f"left of them after a redrive, {queue}", len(found)) for queue, found in record.letters_later.items()
        ]
        return table(("what", "count"), [(what, f"{count:,}") for what, count in rows])

    def _requests(self) -> Iterator[tuple[str, int]]:
        entries = self._entries
        # A connection's end strikes those under way on it, too.
        struck = sum(1 for one in entries if one.fault)
        yield "requests at Apple", len(entries)
        yield "of them struck by a fault", struck
        for what, of in (("", False), ("broadcasts ", True)):
            requests = [one for one in entries if one.is_broadcast is of]
            statuses = Counter(f"{one.status} {one.reason}".strip() for one in requests if one.status is not None)
            faults = Counter(one.fault for one in requests if one.fault and one.fault != "answer")
            yield from ((f"{what}answered {status}", count) for status, count in sorted(statuses.items()))
            yield from ((f"{what}struck by {fault}", count) for fault, count in sorted(faults.items()))
