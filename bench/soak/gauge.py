"""Memory, sockets and files of processes over time, as Linux tells them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.processes import cpu_s, open_files, rss_mb


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One look at a process.

    Attributes:
        at_s: From the beginning of the soak.
        files: Open ones that are no sockets.
    """

    at_s: float
    pid: int
    rss_mb: float
    sockets: int
    files: int
    cpu_s: float


class Gauge:
    """
    Looks at processes now and then.

    Args:
        pids: Says which process is whose now; None where there is none.
    """

    def __init__(self, pids: Callable[[], Mapping[str, int | None]]) -> None:
        self.readings: dict[str, list[Reading]] = {}
        self._pids = pids
        self._began_s = time.monotonic()

    def begin(self) -> None:
        """Count seconds from now."""
        self._began_s = time.monotonic()

    def read(self) -> None:
        """Look once."""
        for name, pid in self._pids().items():
            if pid is not None:
                try:
                    found = Reading(time.monotonic() - self._began_s, pid, rss_mb(pid), *open_files(pid), cpu_s(pid))
                except FileNotFoundError:
                    # It has just died.
                    continue
                self.readings.setdefault(name, []).append(found)
