"""What other processes took of the machine, as Linux tells it."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

# Of the words after the program's name in /proc/PID/stat: user and system time, in ticks (proc_pid_stat(5)).
_TIMES = slice(11, 13)


def cpu_s(pid: int) -> float:
    """CPU that a process has taken so far, user and system."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    ticks = stat.rpartition(")")[2].split()[_TIMES]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def peak_rss_mb(pid: int) -> float:
    """Memory that a process held at most so far, MB of a million bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    # Of what it is now: what getrusage tells is of the process that it was forked from, too.
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) * 1024 / 1e6


def rss_mb(pid: int) -> float:
    """Memory that a process holds, MB of a million bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files(pid: int) -> tuple[int, int]:
    """How many sockets a process has open, and how many files of any other kind."""
    targets = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        # It may be closed by now.
        with suppress(FileNotFoundError):
            targets.append(str(one.readlink()))
    sockets = sum(target.startswith("socket:") for target in targets)
    return sockets, len(targets) - sockets


def cpu_of(pids: Mapping[str, list[int]], work: Callable[[], object]) -> dict[str, float]:
    """Do some work; returns the CPU seconds that processes took meanwhile, under their names."""
    before = {name: sum(map(cpu_s, each)) for name, each in pids.items()}
    work()
    return {name: sum(map(cpu_s, each)) - before[name] for name, each in pids.items()}
