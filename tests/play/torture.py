"""
`python -m tests.play.torture --duration-s N [--seed S [--plays P]]`: play against the promises for so long.

Prints a line per seed that found something, and in the end how often each kind of fault struck and each point saw a crash.
The exit status is 1 if a promise was broken, or if a kind or point was never met.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, seed, settings

from onebox.stack import Stack

# The stack brings moto, and puts the functions' package on the path.
from bench.quick_moto import quick_moto  # isort: skip
from tests.play.outside import Outside
from tests.play.story import APNS_FAULTS, POINTS, Act, not_deployed_yet, play, plays
from tests.play.world import CONTAINERS, PAGES, World, playing
from tests.recording import Recording

# A seed is good for so many plays.
_PLAYS = 10

KINDS = (
    "a sweep",
    "a publish again",
    "a redrive",
    "a rotated key",
    "a stale index",
    "throttling",
    "two functions at once",
    "a deploy",
    "a roll-back",
    "two releases at once",
    *(f"{container} of the previous release" for container in CONTAINERS),
    *APNS_FAULTS,
)


def settled(plays_of_seed: int) -> settings:
    """How Hypothesis plays: new stories each time, none kept, none too slow."""
    return settings(
        max_examples=plays_of_seed,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
        # Of two, the second would hide what the first one said.
        report_multiple_bugs=False,
    )


def of_seed(number: int, begin: Callable[[], World], ended: Callable[[World], None], *, count: int) -> None:
    """Play the stories of a seed; raises Broken with the story that Hypothesis found the shortest."""

    @seed(number)
    @settled(count)
    @given(not_deployed_yet, plays)
    def stories(previous: list[str], story: list[Act]) -> None:
        ended(play(begin, story, page_phones=PAGES[number % len(PAGES)], previous=previous))

    stories()


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make torture", description="Play against the promises.")
    parser.add_argument("--duration-s", type=float, default=60)
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--plays", type=int, default=_PLAYS, help="of each seed")
    parser.add_argument("--recorded", type=Path, help="a file for what functions called, and secrets that they printed")
    said = parser.parse_args(arguments)
    recording = Recording()
    recording.begin()
    outside, events, broken, count = Outside(), Counter[str](), [], 0
    began_s, number = time.monotonic(), int(time.time()) % 1_000_000 * 1_000 if said.seed is None else said.seed

    def ended(world: World) -> None:
        nonlocal count
        count += 1
        events.update(world.events)

    with (
        TemporaryDirectory() as folder,
        quick_moto(),
        Stack(Path(folder), polling=False) as stack,
        playing(stack, outside, Path(folder, "previous")) as begin,
    ):
        while True:
            try:
                of_seed(number, begin, ended, count=said.plays)
            except Exception as error:
                broken.append(number)
                print(
                    f"seed {number}: {type(error).__name__}: {error}\n{''.join(getattr(error, '__notes__', []))}",
                    flush=True,
                )
            number += 1
            if said.seed is not None or time.monotonic() - began_s > said.duration_s:
                break
    told = recording.end()
    if said.recorded is not None:
        said.recorded.write_text(told.to_text())
    print(f"{count} plays in {time.monotonic() - began_s:.0f} s, seeds up to {number - 1}; broken: {broken or 'none'}")
    met = outside.met + events
    missed = [f"never met: {name}" for name in KINDS if not met[name]]
    missed += [f"no crash {name}" for name in POINTS if not outside.crashes[name]]
    for name, times in sorted((met + outside.crashes).items()):
        print(f"{times:8} {name}")
    print("\n".join(missed) or "every kind and every point was met")
    return 1 if broken or (missed and said.seed is None) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
