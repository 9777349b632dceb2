"""A stack, a few phones, and a clock that moves only when it is told to."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

import time_machine
from moto.sqs.models import sqs_backends

from lockstep.apns import Environment
from onebox.apns.faults import Fault, Place
from onebox.lambda_runtime import ACCOUNT, Function, FunctionError, Handler, import_handler
from onebox.phone import Phone
from onebox.signing_key import LocalSigningKey
from onebox.stack import Stack
from onebox.template import FunctionSpec
from tests.play.model import Activity, Said, behind, wrong_in_the_end, wrong_now
from tests.play.outside import Crash, Outside, stand_between
from tests.previous.release import Release, Releases, page_of

USERS = ("ana", "ben")
STRANGER = "eve"

# Whose phones follow it.
TEAM = "team-42"
FOLLOWERS = ("ana", STRANGER)

# How many phones a page may have: as deployed, and so few that three phones are a crowd, in slices of one phone each.
PAGES = (1000, 1)
ACTIVITIES = ("order-1", "order-2")

# What is deployed one after the other.
CONTAINERS = ("push", "another push", "register", "sweep")

# Monday, 3 January 2028, 12:00 UTC.
_BEGIN_S = 1_830_513_600

# So many messages and waits are ample; more is a loop.
_ROUNDS_MAX = 600

# So long, by the machine's own clock, may the apps take for what they do at once: others may be at work on it, too.
_PATIENCE_S = 60

QUEUES = ("PublishQueue", "DeliveryQueue", "SliceQueue")
DEAD_LETTERS = {
    "PublishDeadLetterQueue": "PublishQueue",
    "DeliveryDeadLetterQueue": "DeliveryQueue",
    "SliceDeadLetterQueue": "SliceQueue",
}


class Broken(AssertionError):
    """A promise was."""


class World:
    """
    One play. Everything is still until something is done with it.

    Attributes:
        containers: The functions at work, each of one release or the other.
    """

    def __init__(self, stack: Stack, releases: Releases, outside: Outside, clock: time_machine.Traveller) -> None:
        self.stack = stack
        self.outside = outside
        self.events: Counter[str] = Counter()
        self._clock = clock
        self._releases = releases
        self._spare = stack.container("PushFunction")
        functions = stack.functions["RegisterFunction"], stack.functions["SweepFunction"]
        found = stack.functions["PushFunction"], self._spare, *functions
        self.containers = dict(zip(CONTAINERS, found, strict=True))
        self._of = dict.fromkeys(self.containers, Release.THIS)
        for name in self.containers:
            self.deploy(name, Release.THIS, PAGES[0])
        self._keys = 0
        self._key_id = stack.signing_key.key_id
        stack.apns.keys.add(self._key_id, stack.signing_key.public_pem)
        [arn] = stack.aws.secret_arns.values()
        stack.aws.secrets.put_secret_value(SecretId=arn, SecretString=stack.signing_key.secret())
        self.activities = {name: Activity(name) for name in ACTIVITIES}
        self.phones = [
            stack.phones.make(
                user,
                self_start=True,
                follows=[TEAM] if user in FOLLOWERS else (),
                os_version="17.5" if user == USERS[1] else "18.2",
                environment=Environment.SANDBOX if user == STRANGER else Environment.PRODUCTION,
            )
            for user in (*USERS, STRANGER)
        ]
        self._said: list[dict[str, Any]] = []
        # Whether Apple may have refused a push for good, or called a token dead.
        self.lossy = False
        self._faults: list[tuple[str, Fault]] = []
        # Phones that missed pushes, or whose app didn't say everything.
        self.disturbed: set[str] = set()
        # How much each phone had seen each time that it changed hands.
        self.handed: dict[str, list[int]] = {}
        for phone in self.phones:
            phone.launch(phone.name)
        self.rest()

    # --- producers

    def publish(
        self,
        activity: str,
        event: str,
        *,
        late_s: int,
        to: tuple[str, ...] | str = (),
        channel: str | None = None,
        alert: bool = False,
    ) -> None:
        """Publish what was true so many seconds ago, a moment that no other publish has; `to` users, or an audience."""
        # Two milliseconds, so that none of it is lost to fractions.
        self._move(0.002)
        at_ms = self.now_ms - 1 - late_s * 1000
        while any(one.at_ms == at_ms for one in self.activities[activity].said):
            at_ms -= 1
        aps: dict[str, Any] = {"event": event}
        if event != "end":
            aps["content-state"] = {"at": at_ms}
        if event == "start":
            aps |= {"attributes-type": "OrderAttributes", "attributes": {}}
        if event == "start" or alert:
            aps["alert"] = {"title": "News", "body": str(at_ms)}
        body: dict[str, Any] = {"activity": activity, "aps": aps, "published_at_ms": at_ms}
        said = Said(event, at_ms)
        if isinstance(to, str):
            body["to"], said = {"audience": to}, Said(event, at_ms, audience=to, channel=channel)
        elif to:
            body["to"], said = {"users": list(to)}, Said(event, at_ms, users=to, channel=channel)
        if channel:
            body["channel"] = channel
        self.activities[activity].said.append(said)
        self._said.append(body)
        self.stack.publish(body)

    def repeat(self, index: int) -> None:
        """Publish once more what was published before."""
        if self._said:
            self.stack.publish(self._said[index % len(self._said)])
            self.events["a publish again"] += 1

    def deploy(self, container: str, release: Release, page_phones: int) -> None:
        """Let a container be of a release, a push function with so many phones for a page; one at work finishes first."""
        self._of[container] = release
        variables: dict[str, str] = {}
        if "push" in container:
            slice_phones = "10000" if page_phones > 1 else "1"
            variables = page_of(release, page_phones) | {"SLICE_PHONES": slice_phones}
        counting = self._counting(container) if release is Release.PREVIOUS else None
        self._releases.deploy(self.containers[container], release, variables, counting)

    def roll(self, container: str, release: Release, page_phones: int) -> None:
        """Let the deploy, or the way back, come to a container."""
        if self._of[container] is not release:
            self.events["a deploy" if release is Release.THIS else "a roll-back"] += 1
        self.deploy(container, release, page_phones)

    def _counting(self, container: str) -> Callable[[FunctionSpec], Handler]:
        def make_handler(spec: FunctionSpec) -> Handler:
            handler = import_handler(spec)

            @wraps(handler)
            def counted(event: Any, context: Any) -> Any:
                self.events[f"{container} of the previous release"] += 1
                return handler(event, context)

            return counted

        return make_handler

    # --- time and messages

    @property
    def now_ms(self) -> int:
        """The time, for everybody here."""
        return int(time.time() * 1000)

    def turn(self) -> int:
        """Let each queue feed its function one batch; returns how many messages that were."""
        handled = 0
        for source in self.stack._sources._sources:
            try:
                handled += source.poll()
            except Crash:
                handled += 1
                self._bury(self.stack.functions["PushFunction"])
            self.stack.phones.wait(_PATIENCE_S)
        return handled

    def sweep(self) -> None:
        """Let the clock invoke the sweep."""
        function, throttled = self.stack.functions["SweepFunction"], self.outside.met["throttling"]
        try:
            function.invoke({})
        except Crash:
            self._bury(function)
        except FunctionError:
            # It may fail where it can't read; the clock comes again.
            if self.outside.met["throttling"] == throttled:
                raise
        self.events["a sweep"] += 1

    def advance(self, seconds: float) -> None:
        """Let time pass, and what is due meanwhile happen, as far as one batch of each queue."""
        self._move(seconds)
        self.turn()

    def rest(self) -> None:
        """Work until there is nothing left to do, waiting for what is due later."""
        for _ in range(_ROUNDS_MAX):
            self.stack.phones.wait(_PATIENCE_S)
            if self.turn():
                continue
            due_s = self._next_due_s()
            if due_s is None:
                return
            self._move(max(0.0, due_s - time.time()) + 0.001)
        raise Broken(f"there is no end to it: {[message.body for message in self.stack.queues.look('DeliveryQueue')]}")

    def meanwhile(self, call: int) -> None:
        """Let a second push function take a batch while the first is at work."""

        def take() -> None:
            for queue in QUEUES:
                source = self.stack._sources.of(self.stack.aws.queues[queue])
                messages = source._receive(0)
                if messages:
                    if self._of["push"] is not self._of["another push"]:
                        self.events["two releases at once"] += 1
                    first, source._function = source._function, self._spare
                    try:
                        source._handle(messages)
                    except Crash:
                        # The first one lives on.
                        self._bury(self._spare)
                    finally:
                        source._function = first

        # What brings the batch is not the first one's doing.
        self.outside.meanwhile_at(call, partial(Context().run, take))

    def redrive(self) -> None:
        """Send dead letters through once more."""
        for dead_letters, queue in DEAD_LETTERS.items():
            self.stack.queues.redrive(dead_letters, queue)
        self.events["a redrive"] += 1

    def apple(self, kind: str, count: int, skip: int, on: Place = "push") -> None:
        """Let Apple do wrong a few times."""
        self.lossy |= kind.startswith(("400", "410", "413")) and on != "channels"
        fault = replace(apns_fault(kind, count, skip), on=on)
        self._faults.append((kind, fault))
        self.stack.apns.faults.add(fault)

    def rotate_key(self) -> None:
        """Put a new signing key into the secret, and let Apple know the old one no longer."""
        self._keys += 1
        key = LocalSigningKey.fresh(key_id=f"KEY{self._keys:07}")
        [arn] = self.stack.aws.secret_arns.values()
        self.stack.aws.secrets.put_secret_value(SecretId=arn, SecretString=key.secret())
        self.stack.apns.keys.add(key.key_id, key.public_pem)
        self.stack.apns.keys.revoke(self._key_id)
        self._key_id = key.key_id
        self.events["a rotated key"] += 1

    # --- the end

    def finish(self) -> None:
        """
        Let everything go well, every app be opened, and everything come to rest; then look at the lock screens.

        Raises:
            Broken: A promise was broken.
        """
        # What was to go wrong may still do so.
        self.rest()
        self.check()
        self.outside.calm()
        left = {id(armed.fault): armed.count for armed in self.stack.apns.faults._armed}
        self.events.update(kind for kind, fault in self._faults if left.get(id(fault)) != fault.count)
        self.stack.apns.faults.clear()
        for phone in self.phones:
            phone.go_online()
        self.rest()
        self.redrive()
        self.rest()
        self.sweep()
        self.rest()
        self.check()
        if not self.lossy:
            self._fail(behind(list(self.activities.values()), self._undisturbed(), time.time()))
        for phone in self.phones:
            if phone.app.user is not None:
                phone.launch()
        self.rest()
        self.check()
        self._fail(wrong_in_the_end(list(self.activities.values()), self.phones, time.time()))
        for dead_letters in DEAD_LETTERS:
            letters = self.stack.queues.look(dead_letters)
            self._fail(iter([f"dead-lettered for good: {one.attributes}" for one in letters]))
        # What is alive is known, and nothing else: one more update reaches every card, and each is taken.
        self.stack.apns.clear()
        running = [activity for activity in self.activities.values() if activity.running]
        self._move(2)
        for activity in running:
            self.publish(activity.name, "update", late_s=0)
        self.rest()
        self.check()
        self._fail(wrong_in_the_end(running, self.phones, time.time()))
        allowed = {
            card.token
            for activity in running
            for phone in self.phones
            for card in phone.cards
            if card.activity == activity.name and activity.allows(phone.app.user)
        }
        for push in self.stack.apns.pushes:
            if push.status in (400, 410):
                self._fail(iter([f"a token that was known dead was pushed: {push.status} {push.reason}"]))
            if push.payload["aps"]["event"] == "update" and push.channel is None and push.token not in allowed:
                self._fail(iter(["a stranger's token was pushed"]))

    def check(self) -> None:
        """
        See what must hold at any time.

        Raises:
            Broken: It doesn't.
        """
        pushes = (
            (f"{push.payload['aps']['event']} to {push.token[:6]}", push.payload["aps"]["timestamp"], push.at_ms / 1000)
            for push in self.stack.apns.pushes
            if push.payload
        )
        self._fail(wrong_now(self.phones, pushes, handed=self.handed))

    def _fail(self, wrong: Iterator[str]) -> None:
        found = list(wrong)
        if found:
            raise Broken("; ".join(found))

    # --- phones

    def phone(self, index: int) -> Phone:
        """Pick a phone."""
        return self.phones[index % len(self.phones)]

    def _undisturbed(self) -> list[Phone]:
        return [phone for phone in self.phones if phone.name not in self.disturbed]

    # --- inside

    def _move(self, seconds: float) -> None:
        self._clock.shift(seconds)

    def _next_due_s(self) -> float | None:
        return min((due_ms(message) / 1000 for _, message in messages_in(*QUEUES)), default=None)

    def _bury(self, function: Function) -> None:
        self.outside.bury(function.log)
        with suppress(KeyError):
            function.names["sender"].close()
        function.restart()


def messages_in(*queues: str) -> Iterator[tuple[str, Any]]:
    """Yield what is in queues, each with its queue, whether or not it can be received yet."""
    for name in queues:
        for backend in sqs_backends[ACCOUNT].values():
            if (queue := backend.queues.get(name)) is not None:
                yield from ((name, message) for message in queue._messages)


def due_ms(message: Any) -> float:
    """Say from when on a message can be received, in Unix milliseconds."""
    return float(max(message.delayed_until, message.visible_at))


@contextmanager
def playing(stack: Stack, outside: Outside, folder: Path) -> Iterator[Callable[[], World]]:
    """Let plays happen one after the other on a stack; yields what begins the next one. The folder is for code."""
    answer = stack.api._integration
    releases = Releases(stack, folder)

    def integration(*request: Any) -> Any:
        try:
            return answer(*request)
        except Crash:
            outside.bury(stack.functions["RegisterFunction"].log)
            stack.functions["RegisterFunction"].restart()
            raise FunctionError("RegisterFunction died") from None

    stack.api._integration = integration
    # One phone after the other, so that a play goes the same way each time.
    stack.phones._errands._pool = ThreadPoolExecutor(1)
    with stand_between(outside), time_machine.travel(_BEGIN_S, tick=False) as clock:
        for function in stack.functions.values():
            function.restart()

        last: list[World] = []

        def begin() -> World:
            outside.calm()
            if last and last[-1].events["a rotated key"]:
                # What it signs with is known no longer.
                stack.functions["PushFunction"].restart()
                stack.functions["SweepFunction"].restart()
            stack.reset()
            clock.shift(3600)
            last[:] = [World(stack, releases, outside, clock)]
            return last[-1]

        try:
            yield begin
        finally:
            stack.api._integration = answer


def apns_fault(kind: str, count: int, skip: int) -> Fault:
    """Name what Apple does wrong."""
    if kind in ("goaway", "refused_stream", "reset", "rst_stream"):
        return Fault(kind, count=count, skip=skip)  # type: ignore[arg-type]  # one of the four
    if kind.startswith("taken "):
        return Fault(kind.removeprefix("taken "), count=count, skip=skip, taken=True)  # type: ignore[arg-type]  # the same
    status, _, reason = kind.partition(" ")
    return Fault("answer", count=count, skip=skip, status=int(status), reason=reason)
