"""What the previous release left behind in each scene, recorded once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import time_machine

from onebox.stack import Stack
from tests.previous.release import Releases
from tests.previous.scenes import BEGIN_MS, SCENES, record
from tests.previous.stage import Kept, Stage

RECORDED = Path(__file__).with_name("recorded.json")


def recorded() -> tuple[str, dict[str, Kept]]:
    """Return the commit, and what it left behind in each scene."""
    found = json.loads(RECORDED.read_text())
    return found["commit"], found["scenes"]


def keep(commit: str, scenes: dict[str, Kept]) -> None:
    """Write them, an item or a message a line."""
    texts = [f" {json.dumps(name)}: {{\n{',\n'.join(_lines(kept))}\n }}" for name, kept in scenes.items()]
    RECORDED.write_text(f'{{"commit": {json.dumps(commit)},\n "scenes": {{\n{",\n".join(texts)}\n }}}}\n')


def _lines(kept: Kept) -> Iterator[str]:
    for name, value in kept.items():
        many = isinstance(value, list) and value
        each = ",\n".join(f"   {json.dumps(one)}" for one in value) if many else ""
        yield f"  {json.dumps(name)}: " + (f"[\n{each}\n  ]" if many else json.dumps(value))


def record_all(stage: Stage) -> dict[str, Kept]:
    """Play each scene with what is deployed."""
    return {name: record(stage, name) for name in SCENES}


@contextmanager
def on_stage(stack: Stack, folder: Path) -> Iterator[Stage]:
    """Let a stack's clock stand still, and both releases be at hand; the folder is for code."""
    releases = Releases(stack, folder)
    with time_machine.travel(BEGIN_MS / 1000, tick=False) as clock:
        # Whoever was loaded at another time knows that time.
        for function in stack.functions.values():
            function.restart()
        yield Stage(stack, releases, clock)
