"""What a delivery takes: DynamoDB's rules, the counts, and the arithmetic that goes on from them."""

import pytest

from bench import cost
from bench.capacity import HEADS, Capacity, size
from onebox.stack import Stack


def test_an_item_is_as_big_as_dynamodb_says() -> None:
    assert size({"ab": {"S": "né"}}) == 2 + 3
    assert size({"n": {"N": "1234567"}}) == 1 + 5
    assert size({"n": {"N": "100"}, "t": {"BOOL": True}}) == 1 + 2 + 2


def test_the_arithmetic_goes_on_from_what_is_counted(stack: Stack) -> None:
    rows = [dict(zip(HEADS, row, strict=True)) for row in Capacity(stack).rows(10)]

    started, updated = rows
    assert (started["what"], updated["what"], updated["pushes"]) == ("start", "update", "10")
    for row, taken in ((started, cost.start(10)), (updated, cost.update(10))):
        assert int(row["read units"]) == pytest.approx(taken.reads, rel=0.1)
        writes = int(row["write units"]) + int(row["write units of indexes"])
        assert writes == pytest.approx(taken.writes, rel=0.05)
        # Who publishes sends one more.
        assert int(row["SQS requests"]) + 1 == taken.sqs


def test_the_pollers_ramp_holds_up_the_first_push_and_enough_slices_make_up_for_it() -> None:
    assert cost.last_push_s(1_000, 1000) == 1
    # Two rounds of ten functions, ten seconds a slice less than a page each.
    assert cost.last_push_s(160_000, 10) == pytest.approx(20, abs=3)
    assert cost.last_push_s(10_000_000, 10) == pytest.approx(1000, rel=0.01)
    # A thousand pushes a second from each of 5 + 5 t functions.
    assert cost.last_push_s(10_000_000, 1000) == pytest.approx(62, abs=3)
