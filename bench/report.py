"""bench/RESULTS.md and the plot, from what was measured."""

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.claims import Verdict, against_bare, against_clients, against_engine, flat, steady
from bench.clients import BARE, COLD, ENGINE, READY, Client
from bench.figures import Figure
from bench.machine import machine
from bench.markdown import table
from bench.nghttpd import SEARCHED
from bench.plot import Bar, plot
from bench.price import DATE, Taken, prices
from bench.race import Race
from bench.spent import Spent
from bench.whole import Measured

WHOLE = "Lockstep's whole push function"
NONE = "–"
PLOT = "cpu_per_push.svg"


@dataclass(frozen=True, slots=True)
class Report:
    """
    One bench, done.

    Attributes:
        whole: The whole function's shapes; none where it was left out.
        whole_per_push: Of its two largest audiences, by difference.
        whole_cold: Of fresh processes, each with COLD pushes.
        scale: By which all sizes were multiplied.
    """

    race: Race
    rounds: int
    date: str
    scale: float = 1
    whole: Sequence[Measured] = ()
    whole_per_push: Figure | None = None
    whole_cold: Sequence[Spent] = field(default=())

    def text(self) -> str:
        """Write all of it in Markdown."""
        return "\n\n".join(self._parts()) + "\n"

    def picture(self) -> str:
        """Draw CPU per push of each client, at the first number of streams."""
        streams = self.race.in_flight[0]
        figures = [(_name(client), self.race.warm(client, streams), client is ENGINE) for client in self._clients()]
        figures.append((WHOLE, self.whole_per_push, True))
        bars = [
            Bar(name, figure, ours) for name, figure, ours in figures if figure is not None and min(figure.values) > 0
        ]
        bars.sort(key=lambda bar: bar.figure.median)
        return plot(f"CPU per push, {streams} in flight, {self.date}", "µs of the client's process", bars)

    def verdicts(self) -> list[Verdict]:
        """Judge every claim."""
        race, peers = self.race, [client for client in self._clients() if client.is_peer]
        found = []
        for streams in race.in_flight:
            engine = race.warm(ENGINE, streams)
            found += against_clients(
                f"{streams} in flight", engine, {client.name: race.warm(client, streams) for client in peers}
            )
            found.append(against_bare(f"{streams} in flight", engine, race.warm(BARE, streams)))
        found += against_clients("cold", race.cold(ENGINE), {client.name: race.cold(client) for client in peers})
        audiences = [each for each in self.whole if each.shape.activities == 1]
        if not audiences:
            return found
        largest = audiences[-1]
        found.append(against_engine(largest.shape.phones, largest.cpu_us, race.warm(ENGINE, race.in_flight[0])))
        for what, count in _COUNTS.items():
            found += steady(
                what, [(each.shape.phones, count(each.counted) / each.counted.pushes) for each in audiences]
            )
        return found + flat([(each.shape.phones, each.peak_rss_mb) for each in audiences])

    def _clients(self) -> list[Client]:
        return [client for client in self.race.clients if client is not READY]

    # --- the parts of the text

    def _parts(self) -> Iterator[str]:
        yield "# What a push costs"
        size = "" if self.scale == 1 else f" All sizes are {self.scale:g} times those of the full bench."
        yield (
            f"`make bench` wrote this on {self.date}. Medians of {self.rounds} rounds (least to greatest); multiples are"
            f" taken round by round.{size} How it was measured, and how to read it: docs/performance.md."
        )
        yield f"{machine()}, Linux {platform.release().split('-')[0]}; {'; '.join(_versions())}."
        yield f"## CPU of the client per push, µs\n\n{self._warm()}"
        if notes := self._notes():
            yield "\n".join(f"- {note}" for note in notes)
        cold = self._scaled(COLD)
        yield f"## The same in a process that sends {cold:,} and ends\n\n{self._cold()}"
        if self.whole:
            yield f"## The whole push function\n\n{self._whole()}"
            yield f"## A million pushes on Lambda arm64, us-east-1, list prices of {DATE}\n\n{self._prices()}"
        rows = [verdict.cells() for verdict in self.verdicts()]
        yield f"## Claims\n\n{table(('claim', 'found', 'limit', ''), rows)}"

    def _scaled(self, pushes: int) -> int:
        return max(1, int(pushes * self.scale))

    def _warm(self) -> str:
        race = self.race
        engines = [race.warm(ENGINE, streams) for streams in race.in_flight]
        heads = ["client"]
        for streams in race.in_flight:
            heads += [f"{streams} in flight", "× engine"]
        rows = []
        for client in self._clients():
            row = [_name(client)]
            for streams, engine in zip(race.in_flight, engines, strict=True):
                row += _figure(race.warm(client, streams), engine)
            rows.append(row)
        if self.whole_per_push is not None:
            # Its engine has 100 in flight.
            rest = [NONE] * 2 * (len(engines) - 1)
            rows.append([WHOLE, *_figure(self.whole_per_push, engines[0]), *rest])
        return table(heads, rows)

    def _cold(self) -> str:
        engine = self.race.cold(ENGINE)
        rows = [[_name(client), *_figure(self.race.cold(client), engine)] for client in self._clients()]
        if self.whole_cold:
            whole = Figure(tuple(spent.cpu_us_per_push for spent in self.whole_cold))
            rows.append([WHOLE, *_figure(whole, engine)])
        return table(("client", "CPU per push, µs", "× engine"), rows)

    def _whole(self) -> str:
        streams = self.race.in_flight[0]
        engine, ready = self.race.warm(ENGINE, streams), self.race.warm(READY, streams)
        heads = ("audience", "CPU per push, µs", "× engine", "× engine, one body for all", "AWS calls per push")
        more = ("AWS calls per message", "bytes encoded per push", "Python calls per push", "peak RSS, MB")
        rows = []
        for each in self.whole:
            counted = each.counted
            rows.append(
                [
                    str(each.shape),
                    *_figure(each.cpu_us, engine),
                    _figure(each.cpu_us, ready)[1],
                    f"{counted.aws_calls / counted.pushes:,.4f}",
                    f"{counted.aws_calls / counted.messages:,.1f}",
                    f"{counted.encoded_bytes / counted.pushes:,.0f}",
                    f"{counted.python_calls / counted.pushes:,.0f}",
                    f"{each.peak_rss_mb:,.0f}",
                ]
            )
        return table((*heads, *more), rows)

    def _prices(self) -> str:
        return prices(
            [Taken(str(each.shape), each.cpu_us.median, each.counted, each.shape.phones) for each in self.whole]
        )

    def _notes(self) -> list[str]:
        notes = [f"{client.name}: {client.note}." for client in self._clients() if client.note]
        if self.whole_per_push is not None:
            few, many = [each.shape.phones for each in self.whole if each.shape.activities == 1][-2:]
            notes.append(f"{WHOLE}: the difference of updates to {few:,} and to {many:,} phones.")
        reasons: dict[tuple[str, str], list[str]] = {}
        for (name, streams), why in self.race.dropped.items():
            reasons.setdefault((name, why), []).append(str(streams))
        skipped = [
            f"{name}: skipped at {' and '.join(streams)} in flight: {why}" for (name, why), streams in reasons.items()
        ]
        return notes + skipped


_COUNTS: dict[str, Callable[[Spent], int]] = {
    "AWS calls": lambda spent: spent.aws_calls,
    "bytes encoded": lambda spent: spent.encoded_bytes,
    "Python function calls": lambda spent: spent.python_calls,
}


def _name(client: Client) -> str:
    version = client.version()
    return f"{client.name} {version}" if version else client.name


def _figure(figure: Figure | None, engine: Figure | None) -> list[str]:
    if figure is None:
        return [NONE, NONE]
    return [str(figure), NONE if engine is None else f"{figure.times(engine).median:.2f}"]


def _versions() -> Iterator[str]:
    for program in ("nghttpd", "h2load", "node"):
        found = shutil.which(program, path=SEARCHED)
        if found:
            said = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 one of three
            yield said if program in said else f"{program} {said}"
