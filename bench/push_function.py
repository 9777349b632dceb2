"""
`python -m bench.push_function TIMEOUT_S [--counted]`: the push function, warm, in a process that holds nothing else.

A request is an event of Lambda's. The pushes counted are those that the function's own metrics call accepted.
Counted, it tells calls and bytes; to count costs time, so no time is told.
"""

import json
import sys
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.counting import Counter, counting
from bench.spent import Spent
from bench.stopwatch import Stopwatch
from bench.worker import serve

COUNTED = "--counted"


# onebox has a Context too, which would bring SAM's translator along.
@dataclass(frozen=True, slots=True)
class Context:
    """The context object of an invocation, as far as the function asks."""

    timeout_s: float
    function_name: str = "PushFunction"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:PushFunction"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """The whole timeout, for it is asked at once."""
        return int(self.timeout_s * 1000)


def accepted(log: Iterable[str]) -> int:
    """Sum up the metric Accepted of EMF lines."""
    lines = [json.loads(line) for line in log if '"_aws"' in line]
    return sum(int(value) for line in lines for value in line.get("Accepted", []))


def main(timeout_s: int, *, counted: bool) -> None:
    """Serve until stdin ends."""
    answers = sys.stdout
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory()), "log")
        log = stack.enter_context(path.open("w", encoding="utf-8"))
        read = stack.enter_context(path.open(encoding="utf-8"))
        stack.enter_context(redirect_stdout(log))
        counter = stack.enter_context(counting()) if counted else Counter()
        # Only now: its logger keeps the stdout that it meets, and whoever counts stands in its way.
        import push

        def counted_work(work: Callable[[], object]) -> Spent:
            return Spent(0, 0, 0, **asdict(counter.watched(work)))

        measured = counted_work if counted else Stopwatch([push.dynamodb, push.sqs]).spent

        def invoke(event: dict[str, Any]) -> Spent:
            answer: dict[str, Any] = {}
            context: Any = Context(timeout_s)
            spent = measured(lambda: answer.update(push.handler(event, context)))
            log.flush()
            logged = read.readlines()
            if answer["batchItemFailures"]:
                raise RuntimeError(f"messages failed: {''.join(logged)}")
            return replace(spent, pushes=accepted(logged), invocations=1, messages=len(event["Records"]))

        serve(sys.stdin, answers, invoke)


if __name__ == "__main__":
    main(int(sys.argv[1]), counted=COUNTED in sys.argv)
