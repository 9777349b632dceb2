"""The ways on which a text reaches what reads it, and what a fuzzer begins with."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from onebox import ROOT
from tests.hostile import KEYS, SECRET, read_delivery, read_publish

ROADS: list[Callable[[str], object]] = [
    read_publish,
    read_delivery,
    lambda text: read_publish(json.dumps({"Type": "Notification", "Message": text, "Timestamp": text[:30]})),
    lambda text: read_publish(f'{{"detail-type": "Order", "detail": {text}, "time": "2027-01-15T07:59:58Z"}}'),
    lambda text: read_publish(
        '{"activity": "hostile-1", "aps": {"event": "end"}}',
        {"published_at_ms": {"dataType": "Number", "stringValue": text}},
    ),
]

_ODD: list[Any] = [
    *(None, True, 0, -1, 5, 5.0, 10**10, 2**63, 10**400, 1e308, float("nan"), float("inf")),
    *("", SECRET, "order-42", "a\0b", "\ud800", "🍕" * 256, "f0" * 16, "start", "update", "end", "all", "production"),
    *([], {}, [[]], {"users": [SECRET]}, {"audience": "team-42"}, {"title": SECRET}, ["x"] * 101),
]


def take(data: bytes) -> None:
    """Send a text, after a byte that says which, down a road. Raises what no road may raise."""
    ROADS[data[0] % len(ROADS) if data else 0](data[1:].decode(errors="replace"))


def seeds() -> Iterator[bytes]:
    """Yield the bodies of events/ that push takes, each for the road that it comes by."""
    for path in sorted((ROOT / "events").glob("*.json")):
        for record in json.loads(path.read_text()).get("Records", []):
            road = 0 if record["eventSourceARN"].endswith("PublishQueue") else 1
            yield bytes([road]) + record["body"].encode()
            message = json.loads(record["body"])
            if isinstance(message.get("Message"), str):
                yield b"\2" + message["Message"].encode()
            if "detail" in message:
                yield b"\3" + json.dumps(message["detail"]).encode()
    yield b'\1{"v": 1, "forget": {"owner": "ana", "phone": null, "up_to_ms": 1800000000000}}'
    yield b"\4" + b"1800000000000"


def words() -> Iterator[str]:
    """Yield what texts are made of, for libFuzzer's dictionary: each in JSON's quotes, and some bare."""
    yield from (json.dumps(key) for key in KEYS)
    yield from ("NaN", "1e999", "-0.0", "\\ud800", "[[[[[[[[", '{"a":', "7" * 100, "null", "true")


def mutated(data: bytes, seed: int) -> bytes | None:
    """Change one value of a JSON text for another, or add one; None where it is no JSON object."""
    random = Random(seed)  # noqa: S311  # libFuzzer's seed, so that a finding can be repeated
    try:
        value = json.loads(data[1:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    _change(value, random)
    try:
        return data[:1] + json.dumps(value).encode()
    except (ValueError, RecursionError):
        return None


def _change(value: dict[str, Any], random: Random) -> None:
    key = random.choice([*value, *value, random.choice(KEYS)])
    inside = value.get(key)
    if isinstance(inside, dict) and random.random() < 0.7:
        _change(inside, random)
    elif isinstance(inside, list) and random.random() < 0.7:
        inside.append(random.choice(_ODD))
    elif random.random() < 0.2:
        value.pop(key, None)
    else:
        value[key] = random.choice(_ODD)
