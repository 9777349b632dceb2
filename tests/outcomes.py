"""What the stack told on its event bus, for tests that listen; and the contract that each event keeps."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema_rs

from onebox import ROOT
from onebox.aws import EVENT_BUS
from onebox.stack import Stack

DOCUMENT = (ROOT / "docs" / "events.md").read_text()
SCHEMAS: dict[str, dict[str, Any]] = {
    schema["properties"]["detail-type"]["enum"][0]: schema
    for schema in (json.loads(path.read_text()) for path in sorted((ROOT / "docs" / "events").glob("*.json")))
}

_CHECKS = {kind: jsonschema_rs.validator_for(schema) for kind, schema in SCHEMAS.items()}


@contextmanager
def telling(stack: Stack, **more: str) -> Iterator[None]:
    """Let push and register be deployed with a bus, and push with more variables."""
    functions = stack.functions["PushFunction"], stack.functions["RegisterFunction"]
    before = [dict(function.environment) for function in functions]
    functions[0].restart(EVENT_BUS_NAME=EVENT_BUS, **more)
    functions[1].restart(EVENT_BUS_NAME=EVENT_BUS)
    try:
        yield
    finally:
        for function, environment in zip(functions, before, strict=True):
            function.restart(**environment)


def check(event: dict[str, Any]) -> None:
    """Hold an event against its schema. Consumers pass over what they don't know; of ours, the schema names all."""
    schema = SCHEMAS[event["detail-type"]]
    _CHECKS[event["detail-type"]].validate(event)
    _all_named(event["detail"], schema["properties"]["detail"])


def _all_named(value: dict[str, Any], schema: dict[str, Any]) -> None:
    assert value.keys() <= schema["properties"].keys()
    for name, inner in value.items():
        if isinstance(inner, dict):
            _all_named(inner, schema["properties"][name])


def told(stack: Stack, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the details of what was told since the last time, each checked; of one kind, or of all."""
    events = stack.take_events()
    for event in events:
        check(event)
    return [event["detail"] for event in events if kind in (None, event["detail-type"])]


def blocks() -> list[dict[str, Any]]:
    """Return the JSON of docs/events.md."""
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)]
