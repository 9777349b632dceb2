"""Signals for processes that tests start, whoever started the tests."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard(*signals: signal.Signals) -> Iterator[None]:
    """Let a process that is started meanwhile hear these, though nohup, or a shell's background, has them ignored."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
