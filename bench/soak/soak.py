"""A soak from its beginning to its end."""

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.cloud import PUSH, Cloud
from bench.kept_alive import kept_alive
from bench.quick_moto import quick_moto
from bench.soak.apple import Apple, ledger_in
from bench.soak.audience import Audience
from bench.soak.gauge import Gauge, Reading
from bench.soak.people import People
from bench.soak.record import Record
from bench.soak.throttling import Throttling
from bench.soak.troubles import Trouble, Troubles
from bench.stadium.crowd import Crowd
from bench.stadium.functions import DyingFunction, Functions, command_of
from bench.stadium.match import Sizes as MatchSizes
from bench.stadium.match import StillBusy
from bench.worker import environment_of
from onebox.lambda_runtime import FunctionError, Handler
from onebox.queues import QueuedMessage
from onebox.stack import Stack
from onebox.template import FunctionSpec
from tests.play.model import behind, wrong_in_the_end

# So long a soak's timeouts are as deployed; a shorter one is a smaller world: timeouts, waits and gaps shrink.
FULL_S = 600.0
_LEAST_TIMEOUT_S = 6.0

# Between two updates of the audience, and between two acts of one person.
_UPDATE_GAP_S, _LEAST_UPDATE_GAP_S = 15.0, 3.0
_ACT_GAP_S, _LEAST_ACT_GAP_S = 16.0, 4.0

# How often a soak updates the flight, sweeps, and looks at memory and sockets.
_FLIGHTS, _SWEEPS, _READINGS = 30, 10, 120

# After so long without an end, it has none.
_DRAIN_S = 300.0
_LOOK_S = 0.5

DEAD_LETTERS = {
    "PublishDeadLetterQueue": "PublishQueue",
    "DeliveryDeadLetterQueue": "DeliveryQueue",
    "SliceDeadLetterQueue": "SliceQueue",
}

# The process that holds moto, Apple and the phones.
ONEBOX = "onebox itself"

# Functions that push, each a process, and what each is fed from.
_EACH = ("Publish", "Publish", "Delivery", "Delivery", "Slice", "Slice")
_QUEUES = [(f"{what}Queue",) for what in _EACH]
_PUSHES = [f"push {number}, {what}Queue" for number, what in enumerate(_EACH, 1)]

# Those beside push, which has processes of its own for each queue.
_OTHERS = {"RegisterFunction": "register", "SweepFunction": "sweep"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much happens: how long, to how large an audience, and to how many people with orders."""

    duration_s: float
    phones: int
    people: int

    @property
    def share(self) -> float:
        return min(1.0, self.duration_s / FULL_S)

    @property
    def timeout_s(self) -> float:
        """Of the push function."""
        return max(_LEAST_TIMEOUT_S, 60 * self.share)

    @property
    def page(self) -> int:
        """Phones of a page: the audience is always more."""
        return min(1000, self.phones * 2 // 3)

    @property
    def update_gap_s(self) -> float:
        """Between two updates of the audience."""
        return max(_LEAST_UPDATE_GAP_S, _UPDATE_GAP_S * self.share)

    @property
    def act_gap_s(self) -> float:
        """Between two acts of one person, as the mean."""
        return max(_LEAST_ACT_GAP_S, _ACT_GAP_S * self.share)


@dataclass(frozen=True, slots=True)
class Soaked:
    """
    What a soak was.

    Attributes:
        began_ms: When its load began, Unix time.
        drained_s: How long after its end everything was at rest.
        invocations, failed, deaths: Of all functions; the first two until all was at rest, as are the calls.
        calls: To AWS and Apple, by name.
        throttled: By operation.
        did: What was done by people, and published for them.
        timed: Which states of theirs tell how long a push takes.
        push_logs: Of the functions that push.
    """

    sizes: Sizes
    record: Record
    began_ms: int
    drained_s: float
    published_ms: Sequence[int]
    readings: Mapping[str, Sequence[Reading]]
    troubles: Sequence[Trouble]
    invocations: int
    failed: int
    deaths: Sequence[str]
    calls: Mapping[str, int]
    throttled: Mapping[str, int]
    did: Mapping[str, int]
    timed: frozenset[int]
    push_logs: Sequence[Path]


class Soak:
    """Sets everything up: onebox, its functions in processes of their own, the crowd and the people."""

    def __init__(self, sizes: Sizes, seed: int, folder: Path, on: ExitStack) -> None:
        self._sizes, self._folder = sizes, folder
        self._began_s = time.monotonic()
        dice = [random.Random(f"{seed} {i}") for i in range(4)]  # noqa: S311 luck, not a secret
        self._hosted: dict[str, DyingFunction] = {}
        on.enter_context(quick_moto())
        ledger = ledger_in(folder, seed=seed)
        on.callback(ledger.close)
        self._stack = stack = on.enter_context(
            Stack(folder / "local", polling=False, make_handler=self._handler, apns_log=ledger)
        )
        self._apple = Apple(stack.apns, ledger, folder / "ledger")
        self._throttling = Throttling(dice[0])
        url = on.enter_context(kept_alive(stack.aws.url, self._throttling.between))
        cloud = self._cloud(url)
        self._functions = Functions(
            cloud,
            self._environment(PUSH, url),
            folder,
            queues=_QUEUES,
            timeout_s=sizes.timeout_s,
            page=sizes.page,
            died=self._apple.flush,
        )
        self._logs = [*self._functions.logs, *(folder / f"{module}.log" for module in _OTHERS.values())]
        for name, module in _OTHERS.items():
            self._host(name, module, url, folder, on)
        self._crowd = Crowd(
            stack.aws, self._apple, sizes.phones, dice[1], strangers=max(2, sizes.phones // 100), late=0
        )
        self._audience = Audience(
            cloud,
            self._apple,
            self._crowd,
            self._functions,
            MatchSizes(sizes.phones, sizes.update_gap_s, 0, sizes.timeout_s, sizes.page),
            dice[2],
        )
        self._people = People(stack, sizes.people, dice[3])
        self._troubles = Troubles(stack, self._apple, self._throttling, sizes.duration_s)
        self._gauge = Gauge(self._pids)
        self._over = threading.Event()
        self._errors: list[BaseException] = []

    def run(self) -> Soaked:
        """
        Soak.

        Raises:
            StillBusy: It did not come to rest within five minutes of its end.
        """
        self._crowd.enter()
        with self._functions.running():
            self._people.arrive()
            self._drain()
            self._tell("people are there, and the flight has begun")
            self._apple.err()
            self._audience.kick_off()
            self._tell("the audience is there")
            self._drain()
            began_ms, toll = int(time.time() * 1000), self._functions.toll
            calls, invocations, failed = Counter(toll.calls), toll.invocations, toll.failed
            self._load()
            self._tell("the load is over")
            ended_s = time.monotonic()
            self._people.come_back()
            self._drain()
            drained_s = time.monotonic() - ended_s
            self._tell("all is at rest")
            self._gauge.read()
            calls, invocations, failed = toll.calls - calls, toll.invocations - invocations, toll.failed - failed
            record = self._finish()
        return Soaked(
            self._sizes,
            record,
            began_ms,
            drained_s,
            self._audience.published_ms,
            self._gauge.readings,
            self._troubles.met,
            invocations,
            failed,
            [how for _, how in toll.crashed_ms],
            calls,
            self._throttling.throttled,
            self._people.did,
            frozenset(self._people.timed),
            self._functions.logs,
        )

    # --- the parts

    def _handler(self, spec: FunctionSpec) -> Handler:
        """Let the stack hand events to a function's process. Push is fed from its queues, by nobody in the stack."""
        return lambda event, _: self._hosted[spec.logical_id].invoke(event)

    def _environment(self, function: str, url: str) -> dict[str, str | None]:
        return {**self._stack.container(function).environment, "AWS_ENDPOINT_URL": url}

    def _cloud(self, url: str) -> Cloud:
        aws, template = self._stack.aws, self._stack.template
        sources = {source.queue: source for source in template.queue_sources()}
        arns = {}
        for queue in sources:
            said = aws.sqs.get_queue_attributes(QueueUrl=aws.queues[queue], AttributeNames=["QueueArn"])
            arns[queue] = said["Attributes"]["QueueArn"]
            visibility_s = str(int(self._sizes.timeout_s * 1.25))
            aws.sqs.set_queue_attributes(QueueUrl=aws.queues[queue], Attributes={"VisibilityTimeout": visibility_s})
        [push] = [spec for spec in template.functions if spec.logical_id == PUSH]
        return Cloud(aws, url, self._stack.signing_key, push, {}, sources, arns)

    def _host(self, name: str, module: str, url: str, folder: Path, on: ExitStack) -> None:
        [spec] = [spec for spec in self._stack.template.functions if spec.logical_id == name]
        log = folder / f"{module}.log"
        self._hosted[name] = function = DyingFunction(
            command_of(module, timeout_s=spec.timeout_s, page=self._sizes.page, log=log),
            environment_of(self._environment(name, url)),
            self._functions.toll,
            [],
            timeout_s=spec.timeout_s,
            died=self._apple.flush,
        )
        on.callback(function.end)

    def _pids(self) -> dict[str, int | None]:
        return {
            **dict(zip(_PUSHES, self._functions.pids, strict=True)),
            **{module: self._hosted[name].pid for name, module in _OTHERS.items()},
            ONEBOX: os.getpid(),
        }

    # --- the load

    def _load(self) -> None:
        duration_s = self._sizes.duration_s
        self._gauge.begin()
        threads = [
            self._every(self._sizes.act_gap_s / self._sizes.people, self._people.act),
            self._every(self._sizes.update_gap_s, self._audience.update),
            self._every(1.0, self._audience.look),
            self._every(max(2.0, duration_s / _FLIGHTS), self._people.fly),
            self._every(duration_s / _SWEEPS, self._sweep),
            self._every(duration_s / _READINGS, self._gauge.read),
            threading.Thread(target=self._guarded, args=(lambda: self._troubles.run(self._over),), daemon=True),
        ]
        for thread in threads:
            thread.start()
        self._over.wait(duration_s)
        self._over.set()
        for thread in threads:
            thread.join()
        self._raise()

    def _every(self, gap_s: float, act: Callable[[], object]) -> threading.Thread:
        def repeat() -> None:
            due_s = time.monotonic()
            while True:
                # What is late is made up for, but not all at once.
                due_s = max(due_s + gap_s, time.monotonic() - gap_s)
                if self._over.wait(max(0.0, due_s - time.monotonic())):
                    return
                act()

        return threading.Thread(target=self._guarded, args=(repeat,), daemon=True)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # another thread is to hear of it
            self._errors.append(error)
            self._over.set()

    def _sweep(self) -> None:
        # It is in the function's log, and the next time comes.
        with suppress(FunctionError):
            self._stack.invoke("SweepFunction", {})

    # --- the end

    def _drain(self) -> None:
        """Wait until the queues are empty and the phones have nothing to do."""
        give_up_s = time.monotonic() + _DRAIN_S
        while True:
            self._audience.look()
            left = {queue: self._stack.queues.count(queue) for queue in DEAD_LETTERS.values()}
            if not any(left.values()) and self._stack.phones.are_idle:
                return
            self._raise()
            if time.monotonic() > give_up_s:
                raise StillBusy(str(left))
            time.sleep(_LOOK_S)

    def _finish(self) -> Record:
        """Let all go well, redrive what was dead-lettered, open every app, and update all that runs once more."""
        self._apple.calm()
        letters = self._letters()
        for dead_letters, queue in DEAD_LETTERS.items():
            self._stack.queues.redrive(dead_letters, queue)
        self._drain()
        people = self._people
        phones = self._stack.phones.all()
        undisturbed = [phone for phone in phones if phone.name not in people.disturbed]
        lacked = list(behind(people.activities, undisturbed, time.time()))
        people.open_all_apps()
        self._drain()
        lacked += wrong_in_the_end(people.activities, phones, time.time())
        calm = len(self._audience.entries)
        people.update_all()
        self._drain()
        self._audience.look()
        told = [{**phone.to_json(), "handed": people.handed.get(phone.name, [])} for phone in phones]
        (self._folder / "phones.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        return Record(
            entries=self._audience.entries,
            crowd=self._crowd,
            last_state=len(self._audience.published_ms) - 1,
            page=self._sizes.page,
            crashed_ms=[at_ms for at_ms, _ in self._functions.toll.crashed_ms],
            cut_ms=self._troubles.cut_ms,
            logs=self._logs,
            letters=letters,
            letters_later=self._letters(),
            behind=lacked,
            activities=people.activities,
            phones=phones,
            handed=people.handed,
            calm=calm,
            ended_s=time.time(),
        )

    def _letters(self) -> dict[str, list[QueuedMessage]]:
        return {queue: self._stack.queues.look(queue) for queue in DEAD_LETTERS}

    def _raise(self) -> None:
        for error in (*self._functions.errors, *self._errors):
            raise error

    def _tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began_s:4.0f} s: {what}", file=sys.stderr, flush=True)
