"""
Environment variables for a while, for the thread that sets them.

They are laid over the process's, which stay as they are: libcurl asks the C library for variables (a proxy's) in whatever
thread it works, and the C library of most systems moves them under its feet when another is added meanwhile.
"""

import os
import threading
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def variables(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """
    Let this thread read variables, and miss those that are None, until the end.

    Only Python's `os.environ` tells of them: other threads, and processes that are started, get the process's own.
    """
    environ = _by_thread()
    before = environ.laid
    environ.laid = before.new_child(dict(wanted))
    try:
        yield
    finally:
        environ.laid = before


class _Environ(os._Environ[str]):
    """The process's variables, with those of each thread laid over them."""

    def __init__(self, process: "os._Environ[str]") -> None:
        vars(self).update(vars(process))
        self._of_thread = threading.local()

    @property
    def laid(self) -> ChainMap[str, str | None]:
        """What this thread has laid over."""
        laid: ChainMap[str, str | None] = getattr(self._of_thread, "laid", _NOTHING)
        return laid

    @laid.setter
    def laid(self, laid: ChainMap[str, str | None]) -> None:
        self._of_thread.laid = laid

    def __getitem__(self, name: str) -> str:
        if name not in self.laid:
            return super().__getitem__(name)
        if (value := self.laid[name]) is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        laid = self.laid
        yield from (name for name in super().__iter__() if name not in laid)
        yield from (name for name, value in laid.items() if value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_NOTHING: ChainMap[str, str | None] = ChainMap()
_taking_over = threading.Lock()


def _by_thread() -> _Environ:
    with _taking_over:
        if not isinstance(os.environ, _Environ):
            os.environ = _Environ(os.environ)  # noqa: B003 the same variables, and a place for a thread's own
        return os.environ
