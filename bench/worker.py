"""
A process that measures itself, and both ends of the line to it: a request a line, what it took a line back.

The measured end imports nothing of this project but its own work, so that its CPU is that work's alone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from bench.spent import Spent

_ROOT = Path(__file__).resolve().parent.parent

# What Lambda has on the path of a function: its own folder and the layers; and the worker itself.
_PATH = (_ROOT / "functions", _ROOT / "layers" / "shared", _ROOT)

_STOP_S = 10


class MeasurementFailed(Exception):
    """What was measured did not do what it should have done: there is no figure."""


def serve(requests: Iterable[str], answers: TextIO, work: Callable[[Any], Spent]) -> None:
    """Do the work of each request; to be called in the measured process."""
    for line in requests:
        print(json.dumps(asdict(work(json.loads(line)))), file=answers, flush=True)


def environment_of(changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment of a measured process: ours, changed; what is None is taken away."""
    changed = {**os.environ, **changes, "PYTHONPATH": os.pathsep.join(map(str, _PATH))}
    return {name: value for name, value in changed.items() if value is not None}


class Worker:
    """The measured process, as seen by who asks: running while entered."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str | None]) -> None:
        self._module = module
        self._process = subprocess.Popen(  # noqa: S603 our own module
            [sys.executable, "-m", module, *arguments],
            env=environment_of(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end, or end it."""
        with self._process as process:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, request: object, *, pushes: int | None) -> Spent:
        """
        Have one piece of work done; so many pushes of it must be answered 200, or (None) as many as there are.

        Raises:
            MeasurementFailed: They were not, or the process died; its own words are on stderr.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise MeasurementFailed(f"{self._module} has no line")
        try:
            print(json.dumps(request), file=stdin, flush=True)
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise MeasurementFailed(f"{self._module} died")
        spent = Spent(**json.loads(answer))
        if pushes is not None and spent.pushes != pushes:
            raise MeasurementFailed(f"{self._module}: {spent.pushes} of {pushes} pushes were answered 200")
        return spent
