"""What EventBridge does with a schedule: it invokes a function again and again."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from onebox.lambda_runtime import FunctionError, Invocable
from onebox.template import Schedule


class Schedules:
    """All schedules of a stack, each in a thread of its own."""

    def __init__(self, schedules: Sequence[Schedule], functions: Mapping[str, Invocable]) -> None:
        self._schedules = schedules
        self._functions = functions
        self._stopping = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Invoke in the background for a while; at the end, what is under way is finished."""
        self._stopping.clear()
        threads = [
            threading.Thread(target=self._run, args=(one,), name=f"schedule of {one.function}", daemon=True)
            for one in self._schedules
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def _run(self, schedule: Schedule) -> None:
        while not self._stopping.wait(schedule.every_s):
            try:
                self._functions[schedule.function].invoke({"source": "aws.events", "detail-type": "Scheduled Event"})
            except FunctionError:
                # It is in the function's log, and the next time comes.
                continue
