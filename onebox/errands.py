"""Work that phones do after a push: each phone's in its order, all of them on a few threads."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_THREADS = 4


class Errands:
    """The threads that all phones share."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="phone")
        self._idle = threading.Condition()
        self._open = 0

    @property
    def are_done(self) -> bool:
        """Whether no phone has anything to do, offline ones aside."""
        return self._open == 0

    def wait(self, timeout_s: float) -> None:
        """
        Wait until all is done.

        Raises:
            TimeoutError: It was not done in time.
        """
        with self._idle:
            if not self._idle.wait_for(lambda: self._open == 0, timeout_s):
                raise TimeoutError(f"phones are busy after {timeout_s} s: {self._open} errands")

    def stop(self) -> None:
        """Finish what is under way; what waits is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def run(self, errand: Callable[[], None]) -> None:
        """Run an errand on one of the threads."""
        with self._idle:
            self._open += 1
        try:
            self._pool.submit(self._run, errand)
        except RuntimeError:
            # Stopped: nobody will ask for it any more.
            self._finished()

    def _run(self, errand: Callable[[], None]) -> None:
        try:
            errand()
        finally:
            self._finished()

    def _finished(self) -> None:
        with self._idle:
            self._open -= 1
            self._idle.notify_all()


class Line:
    """One phone's errands: one after another, none while it is held."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = False
        self._held = False

    def add(self, errand: Callable[[], None]) -> None:
        """Run an errand after those before it."""
        with self._lock:
            self._waiting.append(errand)
        self._next()

    @property
    def is_idle(self) -> bool:
        """Whether all is done."""
        with self._lock:
            return not self._running and not self._waiting

    def hold(self) -> None:
        """Begin nothing more until released: the phone is offline."""
        with self._lock:
            self._held = True

    def release(self) -> None:
        """Go on."""
        with self._lock:
            self._held = False
        self._next()

    def drop(self) -> None:
        """Forget what has not begun."""
        with self._lock:
            self._waiting.clear()

    def _next(self) -> None:
        with self._lock:
            if self._running or self._held or not self._waiting:
                return
            self._running = True
            errand = self._waiting.popleft()
        self._errands.run(lambda: self._do(errand))

    def _do(self, errand: Callable[[], None]) -> None:
        try:
            errand()
        finally:
            with self._lock:
                self._running = False
            self._next()
