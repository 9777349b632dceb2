"""Schedules: a function is invoked again and again, whatever becomes of it, until the stack stops."""

import threading
from typing import Any

from onebox.lambda_runtime import FunctionError
from onebox.schedule import Schedules
from onebox.template import Schedule


class Failing:
    """A function that fails, and counts."""

    def __init__(self) -> None:
        self.invoked = 0
        self.twice = threading.Event()

    def invoke(self, event: Any, /) -> Any:
        assert event["source"] == "aws.events"
        self.invoked += 1
        if self.invoked == 2:
            self.twice.set()
        raise FunctionError("SweepFunction failed")


def test_a_function_is_invoked_again_though_it_failed_and_never_after_the_end() -> None:
    function: Any = Failing()

    with Schedules([Schedule("SweepFunction", 0)], {"SweepFunction": function}).running():
        assert function.twice.wait(5)

    at_the_end = function.invoked
    assert not [thread for thread in threading.enumerate() if "SweepFunction" in thread.name]
    assert function.invoked == at_the_end
