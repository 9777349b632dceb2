"""
`python -m tests.fuzz --duration-s N`: look for messages that what reads SQS can't bear, for so long.

Under atheris, guided by coverage. Where that isn't installed (it has wheels for Linux), Hypothesis draws the messages, as in
test_hostile_sqs.py but new ones. The exit status is 0 if nothing was found.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from onebox import ROOT
from tests.hostile import delivery_bodies, message_attributes, publish_bodies, read_delivery, read_publish

FOLDER = ROOT / ".local" / "fuzz"

# A seed is good for so many messages.
_MESSAGES = 50

_NEW_ONES = settings(
    max_examples=_MESSAGES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)


def drawn(duration_s: float) -> int:
    """Let Hypothesis draw messages for so long; returns how many. Raises what one of them made the reading raise."""
    until_s, number = time.monotonic() + duration_s, time.time_ns()
    read = 0
    while time.monotonic() < until_s:

        @seed(number + read)
        @_NEW_ONES
        @given(publish_bodies, message_attributes, delivery_bodies)
        def each(publish: str, attributes: dict[str, Any] | None, delivery: str) -> None:
            nonlocal read
            read += 2
            read_publish(publish, attributes)
            read_delivery(delivery)

        each()
    return read


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Look for messages that can't be borne.")
    parser.add_argument("--duration-s", type=int, default=60, help="for how long")
    duration_s: int = parser.parse_args(arguments).duration_s
    if find_spec("atheris") is not None:
        guided = [sys.executable, "-m", "tests.fuzz.guided", str(duration_s), str(FOLDER)]
        status = subprocess.run(guided, cwd=ROOT, check=False).returncode
        print(f"What was found is in {FOLDER}." if status else "Nothing was found.")
        return status
    print("atheris is not installed here: Hypothesis draws the messages, and nothing guides it by coverage")
    print(f"{drawn(duration_s)} messages were taken, or refused with a reason")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
