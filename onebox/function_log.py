"""
What functions print, kept apart from what this process prints: their CloudWatch.

A logger keeps the `sys.stdout` it met when its module was imported, and one process runs all functions. So
`sys.stdout` is replaced once by a stream that asks, at each write, whose turn it is in this thread.
"""

import io
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

_KEPT_LINES = 20_000

# Who else hears each line of each function, with the function's name.
LISTENERS: list[Callable[[str, str], None]] = []


class FunctionLog:
    """The latest lines of one function, and a file of all of them if a folder is given."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = name
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = ""
        # Who hears each line of this log alone.
        self.listeners: list[Callable[[str], None]] = []
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / f"{name}.log").open("w", buffering=1, encoding="utf-8")

    @property
    def lines(self) -> list[str]:
        """Return what is kept."""
        with self._lock:
            return list(self._lines)

    def write(self, text: str) -> None:
        """Take what a function prints."""
        with self._lock:
            if self._file is not None:
                self._file.write(text)
            *whole, self._rest = (self._rest + text).split("\n")
            lines = [line for line in whole if line]
            self._lines.extend(lines)
        for line in lines:
            for listen in LISTENERS:
                listen(self.name, line)
            for hear in self.listeners:
                hear(line)

    def clear(self) -> None:
        """Forget what is kept; the file stays."""
        with self._lock:
            self._lines.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Take what this thread prints, for a while."""
        _install()
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[FunctionLog | None] = ContextVar("function_log", default=None)


def speaking() -> str | None:
    """Return the name of the function whose turn it is in this thread."""
    log = _current.get()
    return None if log is None else log.name


class _Switch(io.TextIOBase):
    def __init__(self, others: TextIO) -> None:
        self._others = others

    def write(self, text: str, /) -> int:
        log = _current.get()
        if log is None:
            return self._others.write(text)
        log.write(text)
        return len(text)

    def flush(self) -> None:
        if _current.get() is None and not self._others.closed:
            self._others.flush()

    def isatty(self) -> bool:
        return self._others.isatty()


def _install() -> None:
    if not isinstance(sys.stdout, _Switch):
        sys.stdout = _Switch(sys.stdout)
