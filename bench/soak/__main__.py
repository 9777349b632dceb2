"""`python -m bench.soak`: everything at once for ten minutes, and whether all promises held."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.machine import machine
from bench.soak.report import Report
from bench.soak.soak import FULL_S, Sizes, Soak
from bench.stadium.match import StillBusy

PLOT = "soak.svg"

# Between these lines of docs/reliability.md stands what the last soak came to.
BEGIN, END = "<!-- What follows, `make soak` writes. -->", "<!-- That was it. -->"


def main(arguments: Sequence[str]) -> int:
    """Soak; the exit status is 1 where a promise was broken, or where there was no end."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--duration-s", type=float, default=FULL_S)
    parser.add_argument("--phones", type=int, default=1200, help="of the audience")
    parser.add_argument("--people", type=int, default=40, help="with a phone and orders of their own")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--docs", type=Path, help="the folder whose reliability.md is to tell of it")
    parser.add_argument(
        "--keep", type=Path, help="an empty folder for what Apple was sent, the functions' logs and the iPhones"
    )
    said = parser.parse_args(arguments)
    sizes = Sizes(said.duration_s, said.phones, said.people)
    with ExitStack() as stack:
        folder = said.keep or Path(stack.enter_context(TemporaryDirectory(prefix="lockstep-soak-")))
        try:
            soaked = Soak(sizes, said.seed, folder, stack).run()
        except StillBusy as error:
            print(f"no end: {error}", file=sys.stderr)
            return 1
        verdicts = soaked.record.verdicts()
        report = Report(soaked, verdicts)
        text = f"{_head(sizes, said.seed, soaked.drained_s)}\n\n{report.text()}"
        picture = report.picture()
    print(text)
    if said.docs:
        write(said.docs, text, picture)
    return 0 if all(verdict.held for verdict in verdicts) else 1


def write(docs: Path, text: str, picture: str) -> None:
    """Put the tables between the marks in reliability.md, and the plot beside it."""
    page = docs / "reliability.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    (docs / PLOT).write_text(picture, encoding="utf-8")


def _head(sizes: Sizes, seed: int, drained_s: float) -> str:
    return (
        f"{machine()}, {time.strftime('%-d %B %Y')}. {sizes.duration_s:,.0f} s; an audience of {sizes.phones:,} phones"
        f" that is updated every {sizes.update_gap_s:g} s, {sizes.people} people with orders; pages of {sizes.page:,}"
        f" phones, timeouts of {sizes.timeout_s:g} s; seed {seed}. All was at rest {drained_s:.0f} s after the load."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
