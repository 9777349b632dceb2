"""Clients that public generators make of docs/openapi.json: they can be made, they fit their types, and they work."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.installing import environment, npm
from docs.openapi import FILE
from onebox.stack import Stack
from tests.foreign.conftest import ready
from tests.messages import start
from tests.pushing import say, settle

HERE = Path(__file__).parent
TYPESCRIPT = HERE / "typescript"
MADE = TYPESCRIPT / "node_modules" / ".made"


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command, which must succeed; return what it prints."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def python_client(folder: Path, env: Mapping[str, str]) -> str:
    """Make a client by openapi-python-client, and run our program over it."""
    python = ready(lambda: environment("clients"), "openapi-python-client")
    (folder / "run").mkdir()
    # It tidies what it has made with the ruff beside it.
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    generate = (
        python.parent / "openapi-python-client",
        "generate",
        "--path",
        FILE,
        "--meta",
        "none",
        "--fail-on-warning",
    )
    run(*generate, "--output-path", folder / "lockstep_client", cwd=folder, env={"PATH": path})
    return run(python, HERE / "by_python.py", cwd=folder / "run", env={**env, "PYTHONPATH": str(folder)})


def typescript_client(_: Path, env: Mapping[str, str]) -> str:
    """Make types by openapi-typescript, compile our program with them, and run that over openapi-fetch."""
    ready(lambda: npm(TYPESCRIPT), "openapi-typescript")
    tools = TYPESCRIPT / "node_modules" / ".bin"
    run(tools / "openapi-typescript", FILE, "--output", MADE / "lockstep.d.ts", cwd=TYPESCRIPT)
    run(tools / "tsc", cwd=TYPESCRIPT)
    return run("node", MADE / "app.js", cwd=TYPESCRIPT, env=env)


@pytest.mark.parametrize("client", [python_client, typescript_client])
def test_a_generated_client_tells_an_apps_day(
    stack: Stack, tmp_path: Path, client: Callable[[Path, Mapping[str, str]], str]
) -> None:
    assert say(stack, start("order-42", "ana"), start("match-7", channel="latest")) == []
    log = stack.functions["RegisterFunction"].log
    log.clear()

    printed = client(
        tmp_path,
        {
            "LOCKSTEP_API": stack.api.url,
            "LOCKSTEP_JWT": stack.identity.token("ana"),
            "LOCKSTEP_NOW_MS": str(int(time.time() * 1000)),
        },
    )

    told = {what: (status, answer) for what, status, answer in json.loads(printed)}
    _, channel = told["channel"]
    assert len(base64.b64decode(channel)) == 16
    assert told == {
        "report": (200, ["order-42", {"driver": "Anacleta", "minutes": 30}, False]),
        "start token": (204, None),
        "card": (204, None),
        "channel": (200, channel),
        "no channel": (404, ["activity", "has no channel in sandbox"]),
        "short token": (422, ["token", "String should have at least 64 characters"]),
        "card gone": (204, None),
        "signed out": (204, None),
        "nobody": (401, {"message": "Unauthorized"}),
    }
    lines = [json.loads(line) for line in log.lines if '"answered"' in line]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("PUT /v1/devices/{device}", 200),
        ("PUT /v1/devices/{device}/start-tokens/{attributes_type}", 204),
        ("PUT /v1/devices/{device}/cards/{card}", 204),
        ("GET /v1/activities/{activity}/channel", 200),
        ("GET /v1/activities/{activity}/channel", 404),
        ("PUT /v1/devices/{device}/start-tokens/{attributes_type}", 422),
        ("DELETE /v1/devices/{device}/cards/{card}", 204),
        ("DELETE /v1/devices/{device}", 204),
    ]
    settle(stack)
    left = stack.aws.items(stack.aws.tables["TokensTable"])
    assert [item for item in left if "token" in item or "owner" in item] == [], "the sign-out took it all"
