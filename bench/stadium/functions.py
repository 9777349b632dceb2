"""Push functions side by side, and the hand that kills them now and then."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cloud import Cloud
from bench.spent import Spent
from bench.worker import environment_of
from onebox.function_log import FunctionLog
from onebox.lambda_runtime import FunctionError

# How long an idle one waits for a message, and whoever serves two queues before looking at the other.
_WAIT_S = 1
_LOOK_AGAIN_S = 0.05


@dataclass(slots=True)
class Toll:
    """
    What all functions did so far.

    Attributes:
        spent: Of the invocations that ended; `wall_s` adds up over functions.
        failed: Invocations that ended with an error of the function.
        crashed_ms: When one died, in Unix milliseconds, and where.
    """

    spent: Spent = field(default_factory=lambda: Spent(0, 0.0, 0.0))
    calls: Counter[str] = field(default_factory=Counter)
    invocations: int = 0
    failed: int = 0
    crashed_ms: list[tuple[int, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, spent: Spent, calls: Mapping[str, int], *, failed: bool = False) -> None:
        """Add an invocation."""
        with self._lock:
            self.spent += spent
            self.calls.update(calls)
            self.invocations += 1
            self.failed += failed


class DyingFunction:
    """
    One push function; where it died, the next event finds a new one.

    Args:
        deaths: How it is to die next, if at all; taken off as it happens.
        timeout_s: It is killed at, as Lambda would.
        died: Called when one died, before that is noted.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        toll: Toll,
        deaths: list[Any],
        *,
        timeout_s: float,
        died: Callable[[], None],
    ) -> None:
        self.log = FunctionLog("stadium")
        self._command = list(command)
        self._environment = environment
        self._toll = toll
        self._deaths = deaths
        self._timeout_s = timeout_s
        self._died = died
        self._process: subprocess.Popen[str] | None = None

    def invoke(self, event: Any) -> Any:
        """Handle an event; raises FunctionError where the function dies or fails."""
        process = self._process or self._begin()
        die = self._deaths[0] if self._deaths else None
        line = ""
        killer = threading.Timer(self._timeout_s, process.kill)
        if process.stdin is not None and process.stdout is not None:
            killer.start()
            with suppress(BrokenPipeError):
                print(json.dumps({"event": event, "die": die}), file=process.stdin, flush=True)
            line = process.stdout.readline()
            killer.cancel()
        if not line:
            self._bury(process, die)
        answer = json.loads(line)
        failed = answer.get("failed")
        self._toll.add(Spent(**answer.pop("spent")), answer.pop("calls"), failed=failed is not None)
        if failed is not None:
            raise FunctionError(failed)
        return answer

    @property
    def pid(self) -> int | None:
        """Of its process; None where there is none."""
        process = self._process
        return None if process is None else process.pid

    def end(self) -> None:
        """End its process."""
        if self._process is not None:
            self._process.communicate()

    def _begin(self) -> "subprocess.Popen[str]":
        self._process = subprocess.Popen(  # noqa: S603 our own module
            self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._process.stdout is None or not self._process.stdout.readline():
            raise OSError("the function did not begin")
        return self._process

    def _bury(self, process: "subprocess.Popen[str]", die: Any) -> None:
        process.communicate()
        self._process = None
        if process.returncode == 9 and die is not None:
            self._deaths.remove(die)
            how = f"{die['moment']} {die['of']} call {die['call']}"
        elif process.returncode == -signal.SIGKILL:
            how = f"at its timeout of {self._timeout_s:g} s"
        else:
            raise OSError(f"the function died of itself: {process.returncode}")
        self._died()
        self._toll.crashed_ms.append((int(time.time() * 1000), how))
        raise FunctionError("died")


def command_of(function: str, *, timeout_s: float, page: int, log: Path) -> list[str]:
    """Say how a function's process is begun."""
    return [sys.executable, "-m", "bench.stadium.function", function, str(timeout_s), str(page), str(log)]


class Functions:
    """
    Functions, each fed from queues of its own, the first from that of publishes.

    Args:
        queues: Of each function.
        environment: Of their processes.
        died: Called when one died, before that is noted.
    """

    def __init__(
        self,
        cloud: Cloud,
        environment: dict[str, str | None],
        folder: Path,
        *,
        queues: Sequence[Sequence[str]],
        timeout_s: float,
        page: int,
        died: Callable[[], None],
    ) -> None:
        self.toll = Toll()
        self.logs = [folder / f"function-{i}.log" for i in range(len(queues))]
        self.errors: list[BaseException] = []
        self._cloud = cloud
        self._queues = queues
        self._over = threading.Event()
        self._deaths: list[list[Any]] = [[] for _ in self.logs]
        self._functions = [
            DyingFunction(
                command_of("push", timeout_s=timeout_s, page=page, log=log),
                environment_of(environment),
                self.toll,
                deaths,
                timeout_s=timeout_s,
                died=died,
            )
            for log, deaths in zip(self.logs, self._deaths, strict=True)
        ]

    @property
    def pids(self) -> list[int | None]:
        """Of their processes."""
        return [function.pid for function in self._functions]

    def doom(self, dice: random.Random, *, slices: bool, pushes: int) -> None:
        """Let a function die at a call to come: one of its first pushes, or calls to AWS."""
        of = dice.choice(["aws", "apns"]) if slices else "aws"
        call = dice.randint(1, max(1, pushes) if of == "apns" else 12 if slices else 6)
        deaths = dice.choice(self._deaths[1:]) if slices else self._deaths[0]
        deaths.append({"of": of, "moment": dice.choice(["before", "after"]), "call": call})

    def doom_on_channels(self, dice: random.Random) -> None:
        """Let the function for publishes die at one of its next requests about channels, or broadcasts."""
        self._deaths[0].append(
            {"of": "channels", "moment": dice.choice(["before", "after"]), "call": dice.randint(1, 2)}
        )

    def pardon(self) -> None:
        """Let all live from now on."""
        for deaths in self._deaths:
            deaths.clear()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Feed them in the background."""
        threads = [
            threading.Thread(target=self._feed, args=(function, fed), daemon=True)
            for function, fed in zip(self._functions, self._queues, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
            for function in self._functions:
                function.end()

    def _feed(self, function: DyingFunction, queues: Sequence[str]) -> None:
        sources = [self._cloud.source(queue, function) for queue in queues]
        wait_s = _WAIT_S if len(sources) == 1 else 0
        try:
            while not self._over.is_set():
                if not sum(source.poll(wait_s=wait_s) for source in sources) and not wait_s:
                    self._over.wait(_LOOK_AGAIN_S)
        except BaseException as error:  # another thread is to hear of it
            self.errors.append(error)
