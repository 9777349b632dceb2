"""The stadium's functions end as Lambda's do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.stadium.functions import DyingFunction, Toll
from onebox.lambda_runtime import FunctionError

SLOW = """
import sys, time
print("{}", flush=True)
for line in sys.stdin:
    time.sleep(60)
"""
BROKEN = "raise SystemExit(3)"


@contextmanager
def function(code: str, toll: Toll, died: list[int]) -> Iterator[DyingFunction]:
    def note() -> None:
        died.append(len(toll.crashed_ms))

    made = DyingFunction([sys.executable, "-c", code], {}, toll, [], timeout_s=0.2, died=note)
    try:
        yield made
    finally:
        made.end()


def test_who_outruns_its_timeout_is_killed_and_the_next_event_finds_a_new_one() -> None:
    toll, died = Toll(), list[int]()

    with function(SLOW, toll, died) as slow:
        for _ in range(2):
            with pytest.raises(FunctionError):
                slow.invoke({})

    assert [how for _, how in toll.crashed_ms] == ["at its timeout of 0.2 s"] * 2
    assert died == [0, 1], "before it is noted"


def test_who_ends_for_another_reason_is_an_error() -> None:
    toll = Toll()

    with function(BROKEN, toll, []) as broken, pytest.raises(OSError, match="did not begin"):
        broken.invoke({})

    assert toll.crashed_ms == []
