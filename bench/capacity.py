"""`python -m bench.capacity`: what a start, an update and a registration take of DynamoDB, SQS and Lambda, counted."""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.quick_moto import quick_moto
from bench.stadium.crowd import ACTIVITY, ATTRIBUTES_TYPE, TEAM, Crowd
from lockstep.apns import Environment
from onebox.aws import LocalAws
from onebox.stack import Stack

_READ_BYTES, _WRITE_BYTES = 4096, 1024

# MinUpdateInterval by default, and a little.
_PACE_S = 1.1


def size(item: Mapping[str, Any]) -> int:
    """
    Say how many bytes DynamoDB counts of an item: names and values.

    By "DynamoDB item sizes and formats": a number has a byte for each two digits and one more.
    """
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(str(content).encode())
    return 1 if kind == "BOOL" else -(-len(str(content).strip("-").strip("0")) // 2) + 1


class Meter:
    """
    Counts what clients ask of AWS, and works out the request units.

    Attributes:
        calls: By operation.
        reads, writes: Units of the tables; `index_writes` those of their indexes, which a write takes along.
    """

    def __init__(self, aws: LocalAws) -> None:
        self.calls: Counter[str] = Counter()
        self.reads = self.writes = self.index_writes = 0
        self._aws = aws
        self._indexes = {
            table: aws.dynamodb.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
            for table in aws.tables.values()
        }

    @contextmanager
    def on(self, clients: Iterable[Any]) -> Iterator[None]:
        """Count for a while."""
        every = list(clients)
        for client in every:
            client.meta.events.register("provide-client-params", self._before)
            client.meta.events.register("after-call", self._after)
        try:
            yield
        finally:
            for client in every:
                client.meta.events.unregister("provide-client-params", self._before)
                client.meta.events.unregister("after-call", self._after)

    def _before(self, params: Any, context: Any, model: Any, **_: Any) -> None:
        context["asked"] = params
        if model.name in ("UpdateItem", "DeleteItem"):
            context["had"] = self._stored(params["TableName"], params["Key"])

    def _after(self, parsed: Any, context: Any, model: Any, **_: Any) -> None:
        asked, operation = context["asked"], model.name
        self.calls[operation] += 1
        match operation:
            case "Query":
                self.reads += max(1, -(-sum(map(size, parsed["Items"])) // _READ_BYTES))
            case "BatchGetItem":
                [items], [wanted] = parsed["Responses"].values(), asked["RequestItems"].values()
                self.reads += sum(-(-size(item) // _READ_BYTES) for item in items)
                # What isn't there costs a unit all the same.
                self.reads += len(wanted["Keys"]) - len(items)
            case "UpdateItem" | "DeleteItem":
                self._write(asked["TableName"], [context["had"], self._stored(asked["TableName"], asked["Key"])])
            case "BatchWriteItem":
                [(table, requests)] = asked["RequestItems"].items()
                for request in requests:
                    self._write(table, [request.get("PutRequest", {}).get("Item", {})])

    def _write(self, table: str, versions: Sequence[Mapping[str, Any]]) -> None:
        units = max(1, -(-max(map(size, versions)) // _WRITE_BYTES))
        self.writes += units
        self.index_writes += sum(units if _touches(index, versions) else 0 for index in self._indexes[table])

    def _stored(self, table: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._aws.dynamodb.get_item(TableName=table, Key=key).get("Item", {})


def _touches(index: Any, versions: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a write changes what an index holds: of rows that are in it, all it has of them, or their keys alone."""
    keys = [key["AttributeName"] for key in index["KeySchema"]]
    if index["Projection"]["ProjectionType"] == "ALL":
        return any(all(key in version for key in keys) for version in versions)
    held = [[version.get(key) for key in keys] for version in versions]
    return any(one != held[0] for one in held[1:])


class Issuer:
    """The tokens of a stack's own simulator."""

    def __init__(self, stack: Stack) -> None:
        self._apns = stack.apns

    def issue(self, environment: Environment, count: int) -> list[str]:
        """Make live tokens."""
        return [self._apns.issue_token(environment) for _ in range(count)]

    def kill(self, token: str) -> None:
        """Answer 410 for it from now on."""
        self._apns.kill_token(token)


class Capacity:
    """A stack whose push function is metered."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._push = stack.functions["PushFunction"]

    def rows(self, phones: int) -> list[list[str]]:
        """Start so many followers, have the first register its card, and update all."""
        stack = self._stack
        stack.reset()
        crowd = Crowd(stack.aws, Issuer(stack), phones, random.Random(1), strangers=0, late=0)  # noqa: S311 luck
        crowd.enter()
        state = {"content-state": {"state": 0, "home": 2, "away": 1, "minute": 71, "note": "Corner"}}
        start = {"event": "start", "attributes-type": ATTRIBUTES_TYPE, "attributes": {"stadium": "Uno"}, **state}
        to = {"to": {"audience": TEAM}}
        rows = [self._publish("start", phones, {**start, "alert": {"title": "Kick-off"}}, to)]
        run = next(p.payload["aps"]["attributes"]["run"] for p in stack.apns.pushes if p.payload)
        if phones == 1:
            # A card with its token, the catch-up that finds nothing to do, and the whole truth at a later launch.
            rows.append(self._metered("card", 1, lambda: crowd.tell(crowd.fans[0], run), [stack.aws.dynamodb]))
            rows.append(self._metered("its catch-up", 1, self._drain, self._clients()))
            rows.append(self._metered("report", 1, lambda: crowd.open_app(crowd.fans[0]), [stack.aws.dynamodb]))
            self._drain()
        crowd.show(crowd.fans, run)
        self._drain()
        time.sleep(_PACE_S)
        rows.append(self._publish("update", phones, {"event": "update", **state}, {}))
        return rows

    def sizes(self) -> list[tuple[str, int]]:
        """Name the kinds of items that the tables hold now, with the bytes of the largest of each."""
        largest: Counter[str] = Counter()
        for table in self._stack.aws.tables.values():
            for item in self._stack.aws.items(table):
                largest[_kind(item)] = max(largest[_kind(item)], size(item))
        return sorted(largest.items())

    def _publish(self, what: str, phones: int, aps: dict[str, Any], more: dict[str, Any]) -> list[str]:
        self._stack.apns.clear()
        self._stack.publish({"activity": ACTIVITY, "aps": aps, **more})
        return self._metered(what, phones, self._drain, self._clients())

    def _metered(self, what: str, phones: int, work: Callable[[], object], clients: Sequence[Any]) -> list[str]:
        meter, pushes = Meter(self._stack.aws), len(self._stack.apns.pushes)
        with meter.on(clients), self._counted() as counted:
            work()
        invocations, calls = len(counted), meter.calls
        pushed = len(self._stack.apns.pushes) - pushes
        sent = calls["SendMessage"] + calls["SendMessageBatch"]
        dynamodb = (calls[name] for name in ("Query", "BatchGetItem", "UpdateItem", "BatchWriteItem", "DeleteItem"))
        # Lambda receives each batch, and deletes it.
        figures = (
            pushed,
            *dynamodb,
            meter.reads,
            meter.writes,
            meter.index_writes,
            sent + 2 * invocations,
            invocations,
        )
        return [what, f"{phones:,}", *(f"{figure:,}" for figure in figures)]

    def _clients(self) -> list[Any]:
        names = self._push.names
        return [names["dynamodb"], names["sqs"]]

    def _drain(self) -> None:
        self._stack.drain(within_s=300)

    @contextmanager
    def _counted(self) -> Iterator[list[None]]:
        """Count where Lambda invokes."""
        # A method is not made to be changed.
        push: Any = self._push
        invoke, counted = push.invoke, list[None]()

        def count(event: Any) -> Any:
            counted.append(None)
            return invoke(event)

        push.invoke = count
        try:
            yield counted
        finally:
            del push.invoke


HEADS = (
    "what",
    "phones",
    "pushes",
    "Query",
    "BatchGetItem",
    "UpdateItem",
    "BatchWriteItem",
    "DeleteItem",
    "read units",
    "write units",
    "write units of indexes",
    "SQS requests",
    "invocations",
)


def _kind(item: Mapping[str, Any]) -> str:
    if "part" in item:
        kind, name = item["part"]["S"], item["activity"]["S"].partition("#")[0]
        return "activities: the row" if kind == "row" else f"activities: {name}#…, {kind.partition('#')[0]}"
    return f"tokens: {item['phone']['S'].split('#')[1]}"


def main(arguments: Sequence[str]) -> int:
    """Count as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("phones", type=int, nargs="*", default=[1, 10, 1000, 3000, 10_000])
    said = parser.parse_args(arguments)
    with TemporaryDirectory() as folder, quick_moto(), Stack(Path(folder), polling=False) as stack:
        capacity, rows = Capacity(stack), []
        for phones in said.phones:
            rows += capacity.rows(phones)
            sizes = capacity.sizes()
    lines = [HEADS, ("---", *["---:"] * (len(HEADS) - 1)), *rows]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    print("\n| item | bytes |\n| --- | ---: |")
    print("\n".join(f"| {kind} | {count:,} |" for kind, count in sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
