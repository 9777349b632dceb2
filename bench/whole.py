"""The whole push function at several sizes: an SQS event in; DynamoDB, payload, push, outcomes and metrics out."""

import resource
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bench.cloud import Cloud, cards_of, deployed
from bench.figures import Figure
from bench.nghttpd import Nghttpd
from bench.peers.work import content_state
from bench.processes import peak_rss_mb
from bench.push_function import COUNTED
from bench.quick_moto import empty, quick_moto
from bench.race import STREAMS
from bench.side_by_side import serve_slices
from bench.spent import Spent
from bench.worker import MeasurementFailed, Worker

# MinUpdateInterval by default, and a little.
_PACE_S = 1.1
# Of one update to all.
_WITHIN_S = 600

_QUEUES = ("SliceQueue", "DeliveryQueue")


@dataclass(frozen=True, slots=True)
class Shape:
    """
    An audience.

    Attributes:
        phones: Of each activity.
        batch: Messages in an invocation.
    """

    phones: int
    activities: int = 1
    batch: int = 1

    def __str__(self) -> str:
        """Name it."""
        if self.activities == 1:
            return f"one activity of {self.phones:,} phones"
        many = "one at a time" if self.batch == 1 else f"in batches of {self.batch}"
        return f"{self.activities:,} activities of {self.phones:,} phone{'s' * (self.phones > 1)}, {many}"

    @property
    def pushes(self) -> int:
        return self.phones * self.activities

    def scaled(self, scale: float) -> "Shape":
        """Return that of a smaller bench."""
        if self.activities == 1:
            return replace(self, phones=max(1, int(self.phones * scale)))
        return replace(self, activities=max(self.batch, int(self.activities * scale)))


AUDIENCES = (Shape(1_000), Shape(10_000), Shape(100_000))
SINGLES = (Shape(1, 1_000, 10), Shape(1, 100, 5), Shape(1, 100, 2), Shape(1, 100))


@dataclass(slots=True)
class Measured:
    """
    What updates of one shape took.

    Attributes:
        name: Of its activities, but for their numbers.
        counted: In a run of its own; calls and bytes, no time.
        runs: Round by round; time, no counts but the messages.
    """

    shape: Shape
    name: str
    counted: Spent
    runs: list[Spent]
    peak_rss_mb: float = 0

    @property
    def cpu_us(self) -> Figure:
        return Figure(tuple(spent.cpu_us_per_push for spent in self.runs))


class Whole:
    """Cards in moto, and a push function for each shape, each in a process of its own."""

    def __init__(self, shapes: Sequence[Shape], cold: int, stack: ExitStack) -> None:
        self.measured = [Measured(shape, f"shape-{i}", Spent(0, 0, 0), []) for i, shape in enumerate(shapes)]
        self.cold: list[Spent] = []
        self._cold = Measured(Shape(cold), "cold", Spent(0, 0, 0), [])
        self._minutes = 0
        self._next_s: dict[str, float] = {}
        cards = {
            each.name: [card for name in _names(each) for card in cards_of(name, each.shape.phones)]
            for each in (*self.measured, self._cold)
        }
        # A function's first pushes, which are not to be measured, go to phones of their own.
        every = [card for of_one in cards.values() for card in of_one] + cards_of("warm", 1)
        self._apns = stack.enter_context(Nghttpd((card.token or "" for card in every), streams=STREAMS))
        stack.enter_context(quick_moto())
        self._cloud: Cloud = stack.enter_context(deployed())
        self._cloud.register(every)
        self._workers = {each.name: stack.enter_context(self._worker()) for each in self.measured}

    def prepare(self) -> None:
        """Have everything done once, so that slices are split; then once more, counted. Raises MeasurementFailed."""
        for each in self.measured:
            self._warm(self._workers[each.name])
            self._update(each, self._workers[each.name])
            with self._worker(COUNTED) as counting:
                self._warm(counting)
                each.counted = self._update(each, counting)
                if not (each.counted.encoded_bytes and each.counted.python_calls and each.counted.aws_calls):
                    raise MeasurementFailed(f"{each.shape}: what was to be counted went another way")
            _tell(f"counted: {each.shape}")
        with self._worker() as worker:
            self._update(self._cold, worker)

    def round(self) -> None:
        """Update each audience once, and one from a process that begins with it; raises MeasurementFailed."""
        for each in self.measured:
            each.runs.append(self._update(each, self._workers[each.name]))
            each.peak_rss_mb = peak_rss_mb(self._workers[each.name].pid)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with self._worker() as worker:
            spent = self._update(self._cold, worker)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.cold.append(replace(spent, cpu_s=cpu_s))

    def per_push(self) -> Figure | None:
        """CPU µs of one push more to an audience, from the two largest of those measured."""
        *_, few, many = [None, None, *(each for each in self.measured if each.shape.activities == 1)]
        if few is None or many is None:
            return None
        more = [large - small for large, small in zip(many.runs, few.runs, strict=True)]
        return Figure(tuple(spent.cpu_us_per_push for spent in more))

    def _worker(self, *options: str) -> Worker:
        environment = self._cloud.environment(apns_url=self._apns.url, ca_file=str(self._apns.ca_file))
        return Worker("bench.push_function", str(self._cloud.push.timeout_s), *options, environment=environment)

    def _warm(self, worker: Worker) -> None:
        self._pace("warm")
        self._publish(worker, ["warm"], pushes=1)
        self._next_s["warm"] = time.monotonic() + _PACE_S

    def _update(self, each: Measured, worker: Worker) -> Spent:
        self._pace(each.name)
        for queue in _QUEUES:
            # What others left there, to be looked at later.
            empty(self._cloud.aws.queues[queue])
        names, spent = _names(each), Spent(0, 0, 0)
        for i in range(0, len(names), each.shape.batch):
            spent += self._publish(worker, names[i : i + each.shape.batch], pushes=None)
        left = each.shape.pushes - spent.pushes
        if left:
            spent += serve_slices(self._cloud, [worker], pushes=left, within_s=_WITHIN_S)
        if spent.pushes != each.shape.pushes:
            raise MeasurementFailed(f"{each.shape}: {spent.pushes} of {each.shape.pushes} pushes were answered 200")
        self._next_s[each.name] = time.monotonic() + _PACE_S
        return spent

    def _publish(self, worker: Worker, names: Sequence[str], *, pushes: int | None) -> Spent:
        self._minutes += 1
        return worker.ask(self._cloud.publish(names, self._minutes, content_state(self._minutes)), pushes=pushes)

    def _pace(self, name: str) -> None:
        """The next state of an activity goes out at once only a while after the last one."""
        time.sleep(max(0, self._next_s.get(name, 0) - time.monotonic()))


def _names(each: Measured) -> list[str]:
    return [f"{each.name}-{i}" for i in range(each.shape.activities)]


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
