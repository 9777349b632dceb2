"""A stack whose clock stands still, in which something happens, is kept, and goes on another day."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from itertools import batched
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import time_machine
from botocore.exceptions import ClientError

from lockstep.apns import Environment
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.play.world import DEAD_LETTERS, QUEUES, due_ms, messages_in
from tests.previous.release import Release, Releases, page_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

TABLES = ("ActivitiesTable", "TokensTable")

# So few that a handful of phones is a crowd.
_PAGE_PHONES = 3

# What DynamoDB takes in one BatchWriteItem.
_WRITE_MAX = 25

# So many messages and waits are ample; more is a loop.
_ROUNDS_MAX = 300

# What is kept of a stage, as JSON.
type Kept = dict[str, Any]


class Killed(BaseException):
    """The function is dead; nothing of ours catches that."""


class Stage:
    """
    A stack, its clock and Apple's memory; functions work when they are told to.

    Attributes:
        release: Whose functions are deployed.
        deaths: How often a function died.
    """

    def __init__(self, stack: Stack, releases: Releases, clock: time_machine.Traveller) -> None:
        self.stack = stack
        self.release = Release.THIS
        self.deaths = 0
        self._releases = releases
        self._clock = clock
        # What Apple knows: tokens live or dead, each with its environment.
        self._tokens: dict[str, tuple[Environment, int | None]] = {}

    # --- what is deployed

    def deploy(self, release: Release) -> None:
        """Let all functions be of a release; one that the previous has not stays as it is."""
        self.release = release
        more = {
            "PushFunction": page_of(release, _PAGE_PHONES) | {"SLICE_PHONES": "10000"},
            "SweepFunction": {"SOLE_CHANNEL_OWNER": "true"},
            "RegisterFunction": {},
        }
        for name, variables in more.items():
            self._releases.deploy(self.stack.functions[name], release, variables)

    @contextmanager
    def dying(self, operation: str, at: Callable[[Mapping[str, Any]], bool], *, function: str) -> Iterator[None]:
        """Let a function die at the first call of DynamoDB to which this applies, and call nobody any more."""
        names = self.stack.functions[function].names
        died: list[str] = []

        def die(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            if died or (model.name == operation and at(params)):
                died.append(model.name)
                # An API has to answer even then.
                raise Killed if function == "PushFunction" else RuntimeError("killed")

        with _met(names["dynamodb"], names["sqs"], act=die):
            yield
        assert died

    @contextmanager
    def failing(self, operation: str) -> Iterator[None]:
        """Let DynamoDB fail each call of push."""

        def fail(model: Any, **_: Any) -> None:
            if model.name == operation:
                raise ClientError({"Error": {"Code": "InternalServerError", "Message": "a bad day"}}, operation)

        with _met(self.stack.functions["PushFunction"].names["dynamodb"], act=fail):
            yield

    @contextmanager
    def short_of_time(self) -> Iterator[None]:
        """Let push have no time for anything but handing on."""
        push = self.stack.functions["PushFunction"]
        spec, environment = push.spec, push.environment
        push.deploy(replace(spec, timeout_s=10), environment)
        try:
            yield
        finally:
            push.deploy(spec, environment)

    # --- time and messages

    @property
    def now_ms(self) -> int:
        """The time, for everybody here."""
        return int(time.time() * 1000)

    def begin(self, at_ms: int) -> None:
        """Forget everything, and begin at a moment."""
        if at_ms < self.now_ms:
            # Who has seen the future remembers it.
            for function in self.stack.functions.values():
                function.restart()
        self.stack.reset()
        self._tokens.clear()
        self._clock.move_to(at_ms / 1000)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.shift(seconds)

    def turn(self) -> int:
        """Let each queue feed its function one batch; returns how many messages that were."""
        handled = 0
        for source in self.stack._sources._sources:
            try:
                handled += source.poll()
            except Killed:
                handled += 1
                self.deaths += 1
                push = self.stack.functions["PushFunction"]
                push.names["sender"].close()
                push.restart()
        return handled

    def rest(self, within_s: float = 3600) -> None:
        """Work until there is nothing left to do, nothing so soon, or somebody dies."""
        deaths = self.deaths
        for _ in range(_ROUNDS_MAX):
            if self.turn():
                if self.deaths > deaths:
                    return
                continue
            due_s = min((due_ms(message) / 1000 for _, message in messages_in(*QUEUES)), default=None)
            if due_s is None or due_s - time.time() > within_s:
                return
            within_s -= max(0.0, due_s - time.time())
            self.move(max(0.0, due_s - time.time()) + 0.001)
        raise AssertionError("there is no end to it")

    def sweep(self) -> None:
        """Let the clock invoke the sweep."""
        self.stack.functions["SweepFunction"].invoke({})

    # --- producers, apps and Apple

    def publish(self, body: Mapping[str, Any]) -> None:
        """Publish what is true now, a moment that no other publish has."""
        self.move(0.002)
        self.stack.publish({"published_at_ms": self.now_ms, **body})

    def token(self, name: str, environment: Environment = Environment.PRODUCTION) -> str:
        """Return a phone's token of this name; the same each time, and on another day."""
        token = hashlib.sha256(name.encode()).hexdigest()
        if token not in self._tokens:
            self._remember(token, environment, None)
        return token

    def kill(self, token: str) -> None:
        """Let Apple call a token dead from now on."""
        self._remember(token, self._tokens[token][0], self.now_ms)

    def revive(self, token: str) -> None:
        """Let a dead token live again."""
        self._remember(token, self._tokens[token][0], None)

    def apple(self, fault: Fault) -> None:
        """Let Apple do wrong."""
        self.stack.apns.faults.add(fault)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, user: str) -> tuple[int, Any]:
        """Ask the API as an app would; returns the status, and the answer if there is one."""
        connection = HTTPConnection(urlsplit(self.stack.api.url).netloc, timeout=10)
        headers = {"Authorization": f"Bearer {self.stack.identity.token(user)}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def report(self, user: str, *, os_version: str = "17.5", follows: tuple[str, ...] = (), **more: Any) -> Any:
        """Open a user's app on their one phone, which has a start token; returns what the API answers."""
        self.move(0.002)
        truth = {
            "observed_at_ms": self.now_ms,
            "environment": "production",
            "os_version": os_version,
            "frequent_updates": True,
            "follows": list(follows),
            "start_tokens": [{"attributes_type": "OrderAttributes", "token": self.token(f"{user} start")}],
            **more,
        }
        status, answer = self.ask("PUT", f"devices/{device(user)}", truth, user=user)
        assert status == 200, answer
        return answer["activities"]

    def card(self, user: str, activity: str, *, card: str = "card-1", token: str | None = "", **more: Any) -> int:
        """Register a user's card, with its update token unless that is None; returns the status."""
        self.move(0.002)
        token = self.token(f"{user} {card}") if token == "" else token
        body = {"activity": activity, "observed_at_ms": self.now_ms, **({"token": token} if token else {}), **more}
        status, _ = self.ask("PUT", f"devices/{device(user)}/cards/{card}", body, user=user)
        return status

    # --- what came of it

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return what a table holds, in an order of its own."""
        found = self.stack.aws.items(self.stack.aws.tables[table])
        return sorted(found, key=lambda item: json.dumps(item, sort_keys=True))

    def pushed(self, event: str | None = None) -> list[ReceivedPush]:
        """Return what Apple took."""
        taken = [push for push in self.stack.apns.pushes if push.status == 200]
        return [push for push in taken if event in (None, push.payload["aps"]["event"])]

    # --- keeping it

    def keep(self) -> Kept:
        """Keep what is there now."""
        queues: dict[str, list[Kept]] = {}
        for queue, message in messages_in(*QUEUES, *DEAD_LETTERS):
            attributes = {name: one["StringValue"] for name, one in message.message_attributes.items()}
            due_in_s = max(0, -int(-(due_ms(message) - self.now_ms) // 1000))
            queues.setdefault(queue, []).append({"body": message.body, "attributes": attributes, "due_in_s": due_in_s})
        return {
            "now_ms": self.now_ms,
            **{table: self.items(table) for table in TABLES},
            "queues": queues,
            "tokens": {token: [environment, died_at_ms] for token, (environment, died_at_ms) in self._tokens.items()},
            "channels": [
                [one.environment, one.id, one.storage_policy]
                for environment in Environment
                for one in self.stack.apns.channels.every(environment)
            ],
            "pushed": [
                [push.payload["aps"]["event"], push.token or push.channel, "alert" in push.payload["aps"]]
                for push in self.pushed()
            ],
        }

    def bring_back(self, kept: Kept) -> None:
        """Go on from what was kept, with whatever is deployed now. What Apple took before is forgotten."""
        self.begin(kept["now_ms"])
        for table in TABLES:
            name = self.stack.aws.tables[table]
            for items in batched(kept[table], _WRITE_MAX, strict=False):
                puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": item}} for item in items]
                self.stack.aws.dynamodb.batch_write_item(RequestItems={name: puts})
        for token, (environment, died_at_ms) in kept["tokens"].items():
            self._remember(token, Environment(environment), died_at_ms)
        for environment, channel, storage_policy in kept["channels"]:
            self.stack.apns.channels.create(Environment(environment), storage_policy, channel)
        for queue, messages in kept["queues"].items():
            for one in messages:
                self.stack.queues.send(queue, one["body"], attributes=one["attributes"], delay_s=one["due_in_s"])

    def _remember(self, token: str, environment: Environment, died_at_ms: int | None) -> None:
        self._tokens[token] = (environment, died_at_ms)
        self.stack.apns.issue_token(environment, token=token)
        if died_at_ms is not None:
            self.stack.apns.kill_token(token, at_ms=died_at_ms)


@contextmanager
def _met(*clients: Any, act: Callable[..., None]) -> Iterator[None]:
    """Meet the calls to AWS where botocore lets one."""
    for client in clients:
        client.meta.events.register("provide-client-params", act)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("provide-client-params", act)


def device(user: str) -> str:
    """Name a user's one phone."""
    return f"phone-of-{user}"
