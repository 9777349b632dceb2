"""Functions side by side, each a process, fed from one queue as Lambda feeds them."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import add
from typing import Any

from bench.cloud import Cloud
from bench.spent import Spent
from bench.worker import Worker
from onebox.function_log import FunctionLog

# How soon an idle function looks again.
_LOOK_AGAIN_S = 0.05


class MeasuredFunction:
    """A push function that keeps what its invocations took."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.log = FunctionLog("measured")
        self.spent: list[Spent] = []

    def invoke(self, event: Any) -> None:
        """Handle an event; where a message of it fails, the process dies."""
        self.spent.append(self._worker.ask(event, pushes=None))


def serve_slices(cloud: Cloud, workers: Sequence[Worker], *, pushes: int, within_s: float) -> Spent:
    """
    Let functions take slices, one at a time each, until so many pushes were answered 200.

    Returns:
        What all invocations took together; `wall_s` adds up too.

    Raises:
        TimeoutError: They were not, in this time.
    """
    functions = [MeasuredFunction(worker) for worker in workers]
    over = threading.Event()
    until_s = time.monotonic() + within_s

    def feed(function: MeasuredFunction) -> None:
        source = cloud.source("SliceQueue", function)
        try:
            while not over.is_set():
                if source.poll():
                    done = sum(spent.pushes for each in functions for spent in each.spent)
                    if done >= pushes:
                        over.set()
                elif time.monotonic() > until_s:
                    raise TimeoutError(f"not {pushes} pushes within {within_s} s")
                else:
                    over.wait(_LOOK_AGAIN_S)
        finally:
            over.set()

    with ThreadPoolExecutor(len(functions)) as pool:
        list(pool.map(feed, functions))
    return reduce(add, (spent for function in functions for spent in function.spent))
