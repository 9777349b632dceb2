"""`python -m bench.fanout`: one update to 100,000 cards, by one push function and by several side by side."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.cloud import cards_of, deployed
from bench.distance import distance
from bench.machine import machine
from bench.nghttpd import Missing, Nghttpd, version
from bench.processes import cpu_of
from bench.quick_moto import quick_moto
from bench.side_by_side import serve_slices
from bench.spent import Spent
from bench.worker import MeasurementFailed, Worker

MANY = "many"

# MinUpdateInterval by default, and a little.
_PACE_S = 1.1
# Of one update to all.
_WITHIN_S = 600

_NOTE = """\
CPU per push is of the functions' processes alone. moto is one process for all of them, and answers one request at a time;
its CPU includes the connections that it keeps open and who takes messages off the queue. "Waiting for AWS" is the share of
the functions' time in which they stood still for it. "But for AWS" is what the same functions would push in a second if
AWS answered at once: pushes through the time that was not such waiting, times the functions. All processes share the
machine's cores, so compare rows, not machines. moto is quickened (`bench/quick_moto.py`): as it comes, it looks at
every item of a table for each page of a Query."""


@dataclass(frozen=True, slots=True)
class Measured:
    """
    One update to all.

    Attributes:
        spent: Of all invocations together.
        wall_s: From the publish to the last answer.
        cpu_s: Of the processes beside the functions, by name.
    """

    name: str
    functions: int
    spent: Spent
    wall_s: float
    cpu_s: dict[str, float]

    def cells(self) -> list[str]:
        """Write a row of the table."""
        spent, everyone_s = self.spent, self.spent.cpu_s + sum(self.cpu_s.values())
        busy_s = spent.wall_s - (spent.aws_wall_s - spent.aws_cpu_s)
        far = self.cpu_s.get("distance")
        return [
            self.name,
            str(self.functions),
            f"{self.wall_s:.1f}",
            f"{spent.pushes / self.wall_s:,.0f}",
            f"{spent.cpu_us_per_push:,.0f}",
            f"{spent.aws_cpu_us_per_push:,.0f}",
            f"{spent.aws_wait_share:.0%}",
            f"{self.cpu_s['moto'] * 1e6 / spent.pushes:,.0f}",
            f"{self.cpu_s['moto'] / everyone_s:.0%}",
            f"{self.cpu_s['moto'] / self.wall_s:.0%}",
            f"{spent.pushes * self.functions / busy_s:,.0f}",
            "–" if far is None else f"{far / self.wall_s:.0%}",
        ]


HEADS = (
    "to APNs",
    "functions",
    "wall, s",
    "pushes/s",
    "CPU per push, µs",
    "of it AWS calls, µs",
    "waiting for AWS",
    "moto's CPU per push, µs",
    "moto's share of all CPU",
    "of one core, moto",
    "pushes/s but for AWS",
    "of one core, the distance",
)


class Fanout:
    """Cards in moto, functions near an nghttpd, and functions far from it."""

    def __init__(self, tokens: int, functions: int, rtt_ms: int, stack: ExitStack) -> None:
        self._tokens = tokens
        self._minutes = 0
        self._next_s = 0.0
        # One for each function: two updates of one activity would be paced.
        singles = [card for i in range(2 * functions) for card in cards_of(f"single-{i}", 1)]
        every = [*cards_of(MANY, tokens), *singles]
        self._apns = stack.enter_context(Nghttpd(card.token or "" for card in every))
        far = stack.enter_context(distance(self._apns.url, rtt_ms))
        self._cloud = stack.enter_context(deployed())
        self._cloud.register(every)
        self._far_name = f"{rtt_ms} ms away"
        self._workers = {
            name: [
                stack.enter_context(
                    self._worker(self._cloud.environment(apns_url=url, ca_file=str(self._apns.ca_file)))
                )
                for _ in range(functions)
            ]
            for name, url in (("near", self._apns.url), (self._far_name, far.url))
        }
        self._pids = {"near": {"moto": [os.getpid()], "nghttpd": [self._apns.pid]}}
        self._pids[self._far_name] = {**self._pids["near"], "distance": [far.pid]}

    def rows(self) -> list[Measured]:
        """Measure near and far, with one function and with all; raises MeasurementFailed."""
        # Connections and the code's first run are not to be measured.
        for i, worker in enumerate(worker for workers in self._workers.values() for worker in workers):
            self._publish(worker, f"single-{i}", pushes=1)
        counts = sorted({1, len(self._workers["near"])})
        return [self._update(name, count) for name in self._workers for count in counts]

    def _worker(self, environment: dict[str, Any]) -> Worker:
        return Worker("bench.push_function", str(self._cloud.push.timeout_s), environment=environment)

    def _update(self, name: str, count: int) -> Measured:
        workers, spent = self._workers[name][:count], [Spent(0, 0, 0)]
        wall_s = 0.0

        def work() -> None:
            nonlocal wall_s
            began_s = time.perf_counter()
            spent[0] += self._publish(workers[0], MANY, pushes=None)
            left = self._tokens - spent[0].pushes
            if left:
                spent[0] += serve_slices(self._cloud, workers, pushes=left, within_s=_WITHIN_S)
            wall_s = time.perf_counter() - began_s

        time.sleep(max(0, self._next_s - time.monotonic()))
        cpu_s = cpu_of(self._pids[name], work)
        self._next_s = time.monotonic() + _PACE_S
        if spent[0].pushes != self._tokens:
            raise MeasurementFailed(f"{spent[0].pushes} pushes for {self._tokens} cards were answered 200")
        measured = Measured(name, count, spent[0], wall_s, cpu_s)
        print(f"{name}, {count}: {wall_s:.1f} s", file=sys.stderr, flush=True)
        return measured

    def _publish(self, worker: Worker, activity: str, *, pushes: int | None) -> Spent:
        self._minutes += 1
        return worker.ask(self._cloud.publish([activity], self._minutes), pushes=pushes)


def table(rows: Sequence[Measured]) -> str:
    """Write the rows in Markdown."""
    lines = [HEADS, ("---", *["---:"] * (len(HEADS) - 1)), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--functions", type=int, default=4, help="side by side, beside one alone")
    parser.add_argument("--rtt-ms", type=int, default=50, help="of the far APNs")
    said = parser.parse_args(arguments)
    try:
        with ExitStack() as stack:
            server = version()
            stack.enter_context(quick_moto())
            rows = Fanout(said.tokens, said.functions, said.rtt_ms, stack).rows()
    except (Missing, MeasurementFailed, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{machine()}; {server}. One update to {said.tokens:,} cards each.\n\n{table(rows)}\n\n{_NOTE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
