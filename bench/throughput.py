"""`python -m bench.throughput`: what a push costs the whole push function, with tokens in moto, against nghttpd."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from operator import add

from bench.cloud import cards_of, deployed
from bench.machine import machine
from bench.nghttpd import Missing, Nghttpd, version
from bench.spent import Spent
from bench.table import Row, table
from bench.worker import MeasurementFailed, Worker

# What one invocation gets of the queue at most (BatchSize in template.yaml).
MESSAGES = 10

# MinUpdateInterval by default, and a little.
_PACE_S = 1.1

# It takes a fraction of a second where the function takes many: so often in a run, for a steadier figure.
_ENGINE_ROUNDS = 5

_NOTE = """\
CPU is that of the function's process alone; calls to AWS go over connections that stay open, without TLS. Waiting for AWS
is waiting for moto, which is slower than AWS and gets slower with each item in a table: pushes per second say what this
machine does, not what Lambda will."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    How much to measure.

    Attributes:
        few, many: Cards of two activities; what a push costs is the difference, without what an invocation costs.
        batches: Invocations with ten messages each, for ten activities of one card each.
    """

    runs: int
    few: int
    many: int
    batches: int


class Throughput:
    """The two processes under measurement, and the cards that their pushes go to."""

    def __init__(self, sizes: Sizes, stack: ExitStack) -> None:
        self._sizes = sizes
        self._minutes = 0
        self._next_s: dict[str, float] = {}
        self._cards = {name: cards_of(name, count) for name, count in (("few", sizes.few), ("many", sizes.many))}
        singles = [f"single-{i}" for i in range(MESSAGES * sizes.batches)]
        self._batches = [singles[i : i + MESSAGES] for i in range(0, len(singles), MESSAGES)]
        every = [*self._cards["few"], *self._cards["many"], *(card for name in singles for card in cards_of(name, 1))]
        apns = stack.enter_context(Nghttpd(card.token or "" for card in every))
        self._cloud = stack.enter_context(deployed())
        self._cloud.register(every)
        environment = self._cloud.environment(apns_url=apns.url, ca_file=str(apns.ca_file))
        timeout_s = str(self._cloud.push.timeout_s)
        self._function = stack.enter_context(Worker("bench.push_function", timeout_s, environment=environment))
        key = {"SIGNING_KEY": self._cloud.key.secret()}
        self._engine = stack.enter_context(Worker("bench.engine_alone", environment={**environment, **key}))

    def rows(self) -> list[Row]:
        """
        Measure everything in turns, so that the machine's moods hit all rows alike.

        Raises:
            MeasurementFailed: A push was not answered 200.
        """
        sizes = self._sizes
        # Connections, the rows' first writes, the code's first run: none of it is to be measured.
        for activity in self._cards:
            self.update(activity)
            self.send(activity)
        self.update_singles()
        few: list[Spent] = []
        many: list[Spent] = []
        singles: list[Spent] = []
        engine: list[Spent] = []
        for _ in range(sizes.runs):
            engine.append(reduce(add, (self.send("many") - self.send("few") for _ in range(_ENGINE_ROUNDS))))
            few.append(self.update("few"))
            many.append(self.update("many"))
            singles.append(self.update_singles())
        more = [large - small for large, small in zip(many, few, strict=True)]
        return [
            Row("engine alone", engine),
            Row(f"push: one activity of {sizes.many:,} cards", more, many[0].aws_calls),
            Row(
                f"push: {MESSAGES} activities of one card at a time",
                singles,
                singles[0].aws_calls / (MESSAGES * sizes.batches),
            ),
        ]

    def update(self, activity: str) -> Spent:
        """Publish a new state of one activity."""
        return self._publish([activity], pushes=len(self._cards[activity]))

    def update_singles(self) -> Spent:
        """Publish a new state of each activity that has one card."""
        return reduce(add, (self._publish(batch, pushes=len(batch)) for batch in self._batches))

    def send(self, activity: str) -> Spent:
        """Let the engine send what push sends to these cards."""
        cards = self._cards[activity]
        push = self._cloud.push_to(cards[0])
        request = {"body": push.body.decode(), "priority": push.priority, "expiration_s": push.expiration_s}
        return self._engine.ask({**request, "tokens": [card.token for card in cards]}, pushes=len(cards))

    def _publish(self, activities: Sequence[str], *, pushes: int) -> Spent:
        self._minutes += 1
        # The next state of an activity goes out at once only a while after the last one.
        due_s = max(self._next_s.get(activity, 0) for activity in activities)
        time.sleep(max(0, due_s - time.monotonic()))
        spent = self._function.ask(self._cloud.publish(activities, self._minutes), pushes=pushes)
        self._next_s |= dict.fromkeys(activities, time.monotonic() + _PACE_S)
        return spent


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--few", type=int, default=100, help="cards of the smaller activity")
    parser.add_argument(
        "--many", type=int, default=900, help="cards of the larger activity: a page at most, or slices would serve it"
    )
    parser.add_argument("--batches", type=int, default=3, help="batches of ten messages, a card each, in a run")
    sizes = Sizes(**vars(parser.parse_args(arguments)))
    try:
        with ExitStack() as stack:
            server = version()
            rows = Throughput(sizes, stack).rows()
    except (Missing, MeasurementFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{machine()}; {server}. Medians of {sizes.runs} runs (least to greatest).\n\n{table(rows)}\n\n{_NOTE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
