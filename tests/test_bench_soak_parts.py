"""What the soak is made of: throttling, what Linux tells of a process, a plot of lines, functions that fail."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from onebox.stack import Stack

# moto, which the stack brings, comes before everything that may make a boto3 client.
import boto3  # isort: skip
from botocore.config import Config  # isort: skip
from botocore.exceptions import ClientError  # isort: skip

from bench.kept_alive import kept_alive
from bench.lines import Band, Line, Panel, plot
from bench.processes import open_files, rss_mb
from bench.soak.apple import BROADCASTS, PUSHES
from bench.soak.throttling import Throttling
from bench.stadium.functions import DyingFunction, Toll
from onebox.aws import ENVIRONMENT, REGION
from onebox.environment import variables
from onebox.lambda_runtime import FunctionError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SVG = "{http://www.w3.org/2000/svg}"


# --- throttling


class Always(Random):
    """Luck that always strikes."""

    def random(self) -> float:
        return 0.0


@contextmanager
def client_through(throttling: Throttling, stack: Stack) -> Iterator["DynamoDBClient"]:
    with kept_alive(stack.aws.url, throttling.between) as url, variables(ENVIRONMENT):
        config = Config(retries={"mode": "standard", "total_max_attempts": 1})
        client = boto3.client("dynamodb", endpoint_url=url, region_name=REGION, config=config)
        try:
            yield client
        finally:
            client.close()


def key(number: int) -> dict[str, Any]:
    return {"activity": {"S": f"order-{number}"}, "part": {"S": "row"}}


def test_what_is_throttled_is_refused_as_dynamodb_refuses_it(stack: Stack) -> None:
    throttling, table = Throttling(Always()), stack.aws.tables["ActivitiesTable"]

    with client_through(throttling, stack) as client:
        client.put_item(TableName=table, Item=key(1))
        throttling.on = True
        with pytest.raises(ClientError) as refused:
            client.put_item(TableName=table, Item=key(2))
        throttling.on = False

        assert refused.value.response["Error"]["Code"] == "ThrottlingException"
        assert client.scan(TableName=table)["Items"] == [key(1)]
    assert throttling.throttled == {"PutItem": 1}


def test_of_a_batch_a_part_is_done_and_the_rest_is_named(stack: Stack) -> None:
    throttling, table = Throttling(Always()), stack.aws.tables["ActivitiesTable"]
    items = [key(number) for number in range(3)]

    with client_through(throttling, stack) as client:
        throttling.on = True
        left = client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
        assert left["UnprocessedItems"] == {table: [{"PutRequest": {"Item": item}} for item in items[1:]]}

        read = client.batch_get_item(RequestItems={table: {"Keys": items[:2], "ConsistentRead": True}})
        assert read["Responses"] == {table: items[:1]}
        assert read["UnprocessedKeys"] == {table: {"Keys": items[1:2], "ConsistentRead": True}}

        with pytest.raises(ClientError, match="ThrottlingException"):
            client.batch_get_item(RequestItems={table: {"Keys": items[:1]}})


# --- Apple's faults


def test_one_request_in_twenty_is_followed_by_a_fault() -> None:
    assert sum(PUSHES.values()) == 50_000
    assert sum(BROADCASTS.values()) == 50


# --- processes


def test_a_socket_that_is_open_is_counted_and_memory_is_in_megabytes() -> None:
    sockets, files = open_files(os.getpid())

    with socket.socket():
        assert open_files(os.getpid()) == (sockets + 1, files)

    assert 10 < rss_mb(os.getpid()) < 10_000


FAILING = """
import json, sys
print("{}", flush=True)
spent = {"pushes": 0, "cpu_s": 0, "wall_s": 0}
for line in sys.stdin:
    answer = {"failed": "KeyError: 'x'"} if json.loads(line)["event"] else {"statusCode": 200}
    print(json.dumps({**answer, "spent": spent, "calls": {}}), flush=True)
"""


def test_a_function_that_fails_says_so_and_lives_on() -> None:
    toll = Toll()
    function = DyingFunction([sys.executable, "-c", FAILING], {}, toll, [], timeout_s=60, died=lambda: None)

    with pytest.raises(FunctionError, match="KeyError"):
        function.invoke({"bad": True})
    pid = function.pid

    assert function.invoke({}) == {"statusCode": 200}
    assert function.pid == pid
    assert (toll.invocations, toll.failed, toll.crashed_ms) == (2, 1, [])
    function.end()


# --- the plot


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 our own


def test_a_plot_has_a_curve_for_each_run_of_points_and_a_band_for_what_happened() -> None:
    line = Line("p50", [(0, 0.1), (1, 10.0), (2, None), (3, 1.0), (4, 1.0)])
    panel, band = Panel("s", [line], logarithmic=True), Band("it rains", 1, 2)

    root = drawn(plot("Ten minutes", [panel], [band], length=10, unit="minutes"))

    first, second = [
        [tuple(map(float, point.split(","))) for point in one.attrib["points"].split()]
        for one in root.iter(f"{SVG}polyline")
    ]
    [shade] = [one for one in root.iter(f"{SVG}rect") if one.get("class") == "band"]
    assert first[0][1] > second[0][1] > first[1][1], "more is higher"
    assert first[0][1] - second[0][1] == pytest.approx(second[0][1] - first[1][1]), "the scale is logarithmic"
    assert float(shade.attrib["x"]) == first[1][0]
    assert float(shade.attrib["width"]) == pytest.approx(first[1][0] - first[0][0])
    assert {"it rains", "p50", "minutes", "0.1", "10"} <= {one.text for one in root.iter(f"{SVG}text")}


def test_a_plot_is_readable_on_light_ground_and_on_dark() -> None:
    svg = plot("<", [Panel("MB", [Line("a", [(0, 50), (1, 80)])])], [], length=1, unit="s")

    assert "prefers-color-scheme: dark" in svg
    assert {one.get("class") for one in drawn(svg).iter(f"{SVG}text")} == {"word", "small"}
