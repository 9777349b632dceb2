"""Measures work in the process that it runs in."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bench.spent import Spent

if TYPE_CHECKING:
    from botocore.client import BaseClient


class Stopwatch:
    """
    Tells what a piece of work takes.

    Args:
        clients: boto3 clients whose calls are told apart.
    """

    def __init__(self, clients: Iterable["BaseClient"] = ()) -> None:
        self._calls = 0
        self._cpu_s = self._wall_s = 0.0
        self._began_cpu_s = self._began_s = 0.0
        for client in clients:
            # The first event of a call and its last, one way or the other.
            client.meta.events.register("provide-client-params", self._begin)
            client.meta.events.register("after-call", self._end)
            client.meta.events.register("after-call-error", self._end)

    def spent(self, work: Callable[[], object]) -> Spent:
        """Do the work; the pushes are still to be counted."""
        self._calls, self._cpu_s, self._wall_s = 0, 0.0, 0.0
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        work()
        cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
        return Spent(0, cpu_s, wall_s, self._calls, self._cpu_s, self._wall_s)

    def _begin(self, **_: object) -> None:
        self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()

    def _end(self, **_: object) -> None:
        self._calls += 1
        self._cpu_s += time.process_time() - self._began_cpu_s
        self._wall_s += time.perf_counter() - self._began_s
