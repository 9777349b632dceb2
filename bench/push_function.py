"""
`python -m bench.push_function TIMEOUT_S`: the push function, warm, in a process that holds nothing else.

A request is an event of Lambda's. The pushes counted are those that the function's own metrics call accepted.
"""

import json
import sys
import uuid
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.spent import Spent
from bench.stopwatch import Stopwatch
from bench.worker import serve


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


def main(timeout_s: int) -> None:
    """Serve until stdin ends."""
    answers = sys.stdout
    with TemporaryDirectory() as folder:
        path = Path(folder, "log")
        with path.open("w", encoding="utf-8") as log, path.open(encoding="utf-8") as read, redirect_stdout(log):
            # Only now, for its logger keeps the stdout that it meets.
            import push

            stopwatch = Stopwatch([push.dynamodb, push.sqs])

            def invoke(event: dict[str, Any]) -> Spent:
                answer: dict[str, Any] = {}
                context: Any = Context(timeout_s)
                spent = stopwatch.spent(lambda: answer.update(push.handler(event, context)))
                log.flush()
                logged = read.readlines()
                if answer["batchItemFailures"]:
                    raise RuntimeError(f"messages failed: {''.join(logged)}")
                return replace(spent, pushes=accepted(logged))

            serve(sys.stdin, answers, invoke)


if __name__ == "__main__":
    main(int(sys.argv[1]))
