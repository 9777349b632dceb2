"""
`python -m bench`: what a push costs Lockstep, and every client that one would otherwise pick, in one run.

Exits 1 where a claim fails, and names it.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench.clients import CLIENTS, COLD, ENGINE, Client
from bench.installing import ROOT
from bench.nghttpd import Missing, version
from bench.race import Race, track
from bench.report import PLOT, WHOLE, Report
from bench.whole import AUDIENCES, SINGLES, Whole
from bench.worker import MeasurementFailed

_IN_FLIGHT = (100, 500)
_ROUNDS = 5


def chosen(only: Sequence[str]) -> list[Client]:
    """Return the clients whose names have one of these words in them; all where there is no word."""
    return [client for client in CLIENTS if not only or any(word in client.name for word in only)]


def measure(race: Race, rounds: int, scale: float, *, whole: bool) -> Report:
    """
    Measure in rounds, each of which has everything once.

    Raises:
        MeasurementFailed: Something of ours did not do its work.
        Missing: nghttpd is not installed.
    """
    date = datetime.now(UTC).date().isoformat()
    race.prepare()
    echo = any(client.echoed and (client.name, race.in_flight[0]) not in race.dropped for client in race.clients)
    with ExitStack() as stack:
        servers = stack.enter_context(track(echo=echo))
        function = None
        if whole:
            shapes = [shape.scaled(scale) for shape in (*AUDIENCES, *SINGLES)]
            function = Whole(shapes, max(1, int(COLD * scale)), stack)
            function.prepare()
        for number in range(rounds):
            began_s = time.monotonic()
            race.round(servers)
            if function:
                function.round()
            print(f"round {number + 1} of {rounds}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
        if function is None:
            return Report(race, rounds, date, scale)
        return Report(race, rounds, date, scale, function.measured, function.per_push(), function.cold)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=_ROUNDS, help="rounds")
    parser.add_argument("--only", nargs="*", default=[], help=f"words of the rows' names, `{WHOLE}` among them")
    parser.add_argument("--scale", type=float, default=1, help="by which all sizes are multiplied")
    parser.add_argument("--in-flight", type=int, nargs="+", default=_IN_FLIGHT)
    parser.add_argument("--out", type=Path, help="folder for RESULTS.md and the plot (bench/ where all was measured)")
    said = parser.parse_args(arguments)
    race = Race(chosen(said.only), said.in_flight, said.scale)
    whole = not said.only or any(word in WHOLE for word in said.only)
    all_of_it = not said.only and said.scale == 1 and said.runs >= _ROUNDS and tuple(said.in_flight) == _IN_FLIGHT
    try:
        # Nothing is to be installed for a bench that can't be.
        version()
        report = measure(race, said.runs, said.scale, whole=whole)
    except (Missing, MeasurementFailed, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    print(report.text())
    out = said.out or (ROOT / "bench" if all_of_it else None)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "RESULTS.md").write_text(report.text())
        if race.warm(ENGINE, race.in_flight[0]):
            (out / PLOT).write_text(report.picture())
    failed = [verdict for verdict in report.verdicts() if verdict.failed]
    for verdict in failed:
        print(f"fails: {verdict.line}: {verdict.found:.2f}, limit {verdict.limit:.2f}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
