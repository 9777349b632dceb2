"""The bench of big audiences: that a page costs the functions what it should, and that moto answers as it always does."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.cloud import cards_of, deployed
from bench.distance import distance
from bench.nghttpd import MISSING, program
from bench.processes import cpu_s
from bench.quick_moto import plain_moto
from lockstep.dynamodb import get_batch, projection
from lockstep.phones import Card
from lockstep.shards import Sharded
from lockstep.token_items import range_of
from onebox.stack import Stack
from tests.pushing import ORDER, now_ms, tokens

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(program() is None, reason=MISSING)
def test_an_update_reaches_every_card_by_one_function_and_by_more_near_and_far() -> None:
    command = [sys.executable, "-m", "bench.fanout", "--tokens", "1200", "--functions", "2", "--rtt-ms", "6"]
    environment = {**os.environ, "PYTHONPATH": "layers/shared"}

    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)

    # Its status is 0 only if every push was answered 200.
    assert ran.returncode == 0, ran.stderr
    rows = re.findall(r"^\| (near|6 ms away) \| (\d) \|", ran.stdout, re.MULTILINE)
    assert rows == [("near", "1"), ("near", "2"), ("6 ms away", "1"), ("6 ms away", "2")]
    assert "moto's share of all CPU" in ran.stdout


# --- moto


def test_quick_moto_answers_queries_as_moto_does(stack: Stack) -> None:
    at_ms = now_ms()
    for i in range(12):
        card = Card(ORDER, f"{i % 6:x}" * 32, f"card-{i}", f"user-{i % 3}", 0, f"{i:02x}" * 32, at_ms, at_ms)
        assert tokens(stack).put_card(card, now_s=at_ms // 1000)
    client, table = stack.aws.dynamodb, stack.aws.tables["TokensTable"]
    of_range = range_of(table, Sharded.of_activity(ORDER, 1).key(0), "1", "4")
    of_owner = {
        "TableName": table,
        "IndexName": "ByOwner",
        "KeyConditionExpression": "#o = :o",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "user-1"}},
    }

    def answers() -> list[object]:
        first = client.query(**of_range, Limit=3)  # type: ignore[misc]  # a query's own keys
        rest = client.query(**of_range, Limit=30, ExclusiveStartKey=first["LastEvaluatedKey"])  # type: ignore[misc]  # the same
        every = [first, rest, client.query(**of_range), client.query(**of_owner)]  # type: ignore[misc, arg-type]  # the same
        read = client.batch_get_item(RequestItems={table: {"Keys": [first["LastEvaluatedKey"]]}})
        part = list(get_batch(client, table, [first["LastEvaluatedKey"]], only=("owner", "run", "nowhere")))
        parts = client.query(**of_range, **projection(("phone", "token", "nowhere")))  # type: ignore[misc]  # the same
        return [
            *((one["Items"], one["Count"], one.get("LastEvaluatedKey")) for one in (*every, parts)),
            *(read["Responses"], part),
        ]

    key = {"audience": {"S": Sharded.of_activity(ORDER, 1).key(0)}, "phone": {"S": "2#added"}}

    def slow_answers() -> list[object]:
        with plain_moto():
            return answers()

    slow = slow_answers()
    assert answers() == slow
    # What comes and goes meanwhile is seen too.
    client.put_item(TableName=table, Item=key)
    with_more = answers()
    assert slow_answers() == with_more != slow
    client.put_item(TableName=table, Item=key)
    assert answers() == with_more
    # And who changes hands.
    for owner in ("user-1", "user-2"):
        client.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET #o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": owner}},
        )
        handed_on = answers()
        assert handed_on == slow_answers()
        assert handed_on not in (slow, with_more)
    client.delete_item(TableName=table, Key=key)
    assert answers() == slow == slow_answers()


def test_cards_are_in_the_table_as_register_writes_them() -> None:
    cards = cards_of("order", 3)

    with deployed() as cloud:
        cloud.register(cards)
        items = cloud.aws.items(cloud.aws.tables["TokensTable"])

    of_cards = [{name: value for name, value in item.items() if "S" not in value} for item in items if "card" in item]
    assert len(of_cards) == 3
    assert of_cards[0] == of_cards[1] == of_cards[2]
    assert {item["token"]["S"] for item in items if "card" in item} == {card.token for card in cards}


# --- the far server


def echo(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        while data := connection.recv(100):
            connection.sendall(data)


def test_a_far_server_answers_a_round_trip_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        with distance(f"https://127.0.0.1:{server.getsockname()[1]}", 40) as far:
            with socket.create_connection(("127.0.0.1", int(far.url.rpartition(":")[2]))) as client:
                began_s = time.monotonic()
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
                took_s = time.monotonic() - began_s
            assert cpu_s(far.pid) < 5

    assert took_s >= 0.04
