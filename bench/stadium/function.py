"""
`python -m bench.stadium.function FUNCTION TIMEOUT_S PAGE LOG`: a function in a process that can die at any call.

It says `{}` when it is ready. A request is `{"event", "die"}`; the answer is the function's, or says how it `failed`, and
tells what it took and how often it called what.
"""

import json
import os
import sys
import traceback
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pycurl
from botocore.client import BaseClient

from bench.push_function import Context
from bench.spent import Spent
from bench.stopwatch import Stopwatch

_READY = json.dumps({})


class Fate:
    """
    Counts the calls that leave the function, and ends it at one.

    Attributes:
        die: `{"of": "aws", "apns" or "channels", "moment": "before" or "after", "call": n}`; None to live.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.die: dict[str, Any] | None = None
        self._seen: Counter[str] = Counter()

    def begin(self, die: dict[str, Any] | None) -> None:
        """Begin an invocation."""
        self.die = die
        self.calls.clear()
        self._seen.clear()

    def meet(self, moment: str, of: str, call: str) -> None:
        """Come to a call, before or after it takes effect."""
        if moment == "before":
            self.calls[call] += 1
        self._seen[f"{moment} {of}"] += 1
        die = self.die
        if die and (die["moment"], die["of"]) == (moment, of) and self._seen[f"{moment} {of}"] == die["call"]:
            os._exit(9)


def stand_between(fate: Fate) -> None:
    """Let all calls to AWS and APNs pass through."""
    # Their types don't tell of it.
    client: Any = BaseClient
    single: Any = httpx.Client
    call, multi, request = client._make_api_call, pycurl.CurlMulti, single.request

    def make_api_call(self: Any, operation: str, request: Any) -> Any:
        name = f"{self.meta.service_model.service_name} {operation}"
        fate.meet("before", "aws", name)
        answer = call(self, operation, request)
        fate.meet("after", "aws", name)
        return answer

    class Multi(multi):  # type: ignore[misc, valid-type]  # pycurl has no types
        def add_handle(self, handle: Any) -> Any:
            fate.meet("before", "apns", "push")
            return super().add_handle(handle)

        def info_read(self) -> Any:
            answered = super().info_read()
            for _ in answered[1]:
                fate.meet("after", "apns", "push")
            return answered

    def ask(self: Any, method: str, url: str, **how: Any) -> Any:
        name = "broadcast" if "/broadcasts/" in url else f"channel {method}"
        fate.meet("before", "channels", name)
        answer = request(self, method, url, **how)
        fate.meet("after", "channels", name)
        return answer

    client._make_api_call = make_api_call
    pycurl.CurlMulti = Multi
    single.request = ask


def main(function: str, timeout_s: float, page: int, path: str) -> None:
    """Serve until stdin ends."""
    answers, fate = sys.stdout, Fate()
    stand_between(fate)
    with Path(path).open("a", encoding="utf-8") as log, redirect_stdout(log):
        os.environ["PAGE_PHONES"] = str(page)
        # Only now, for its logger keeps the stdout that it meets.
        module: Any = import_module(function)
        if function == "push":
            _shrink(module, timeout_s)
        stopwatch = Stopwatch([module.dynamodb, module.sqs])

        def invoke(event: dict[str, Any]) -> tuple[dict[str, Any], Spent]:
            answer: dict[str, Any] = {}
            context: Any = Context(timeout_s, function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"])

            def handle() -> None:
                try:
                    answer.update(module.handler(event, context) or {})
                except Exception as error:
                    # Lambda says so to whoever invoked it, and keeps the process.
                    print(traceback.format_exc())
                    answer["failed"] = f"{type(error).__name__}: {error}"

            return answer, stopwatch.spent(handle)

        print(_READY, file=answers, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            fate.begin(request["die"])
            answer, spent = invoke(request["event"])
            log.flush()
            print(json.dumps({**answer, "spent": asdict(spent), "calls": fate.calls}), file=answers, flush=True)


def _shrink(push: Any, timeout_s: float) -> None:
    """Make a smaller world, its proportions kept: with the template's 60 s all is as deployed."""
    world: list[tuple[Any, str, float]] = [
        (push, "RESERVE_S", timeout_s / 6),
        (push, "LEASE_MARGIN_S", timeout_s / 12),
        (import_module("lockstep.returns"), "PUT_BACK_S", int(timeout_s)),
        (import_module("lockstep.retries"), "STOPPED_DELAY_S", int(timeout_s)),
    ]
    for module, name, size in world:
        setattr(module, name, size)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
