"""
What a push may cost the whole function, in counts: calls to AWS, bytes encoded, Python functions entered.

Counts don't depend on the machine. Where one grows beyond its limit something was added to the road of each push; where that
is worth it the limit moves, in the same commit. `make bench` says what it comes to in CPU.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.nghttpd import MISSING, program
from bench.spent import Spent
from bench.whole import Shape, Whole

pytestmark = pytest.mark.skipif(program() is None, reason=MISSING)

# Measured, and a tenth: a newer botocore or Powertools may take a few functions more.
SLACK = 1.1

PAGE, SMALL, SINGLES, SLICED = Shape(1_000), Shape(500), Shape(1, 20, 10), Shape(2_400)


@pytest.fixture(scope="module")
def counted() -> Iterator[dict[Shape, Spent]]:
    shapes = (SMALL, PAGE, SINGLES, SLICED)
    with ExitStack() as stack:
        whole = Whole(shapes, 1, stack)
        whole.prepare()
        yield {each.shape: each.counted for each in whole.measured}


def test_a_page_of_phones_takes_ten_reads_of_phones_and_four_calls_more(counted: dict[Shape, Spent]) -> None:
    # The row, its commit, the page of cards, what was sent.
    assert counted[PAGE].aws_calls == 10 + 4
    assert counted[SMALL].aws_calls == 5 + 4


def test_a_slice_of_one_page_takes_ten_calls_and_its_reads_of_phones(counted: dict[Shape, Spent]) -> None:
    # The lease, who works on the whole, the row, five partitions of cards (one is from before it was served in slices), what
    # was sent and the lease back, the row once more; two reads of some 150 phones. The rest is the publish that is handed to
    # slices.
    # Where the machine is slow a stamp grows old on the way, and is set anew.
    assert counted[SLICED].aws_calls <= 16 * (10 + 2) + 5 + 8


def test_a_batch_of_messages_to_a_phone_each_reads_rows_and_phones_together(counted: dict[Shape, Spent]) -> None:
    # All rows, all phones; and for each message its commit, its page of cards, what was sent.
    batches = SINGLES.activities // SINGLES.batch
    assert counted[SINGLES].aws_calls == 2 * batches + 3 * SINGLES.activities


@pytest.mark.parametrize(("shape", "calls"), [(PAGE, 39.2), (SINGLES, 3_926)], ids=["a page", "one phone"])
def test_python_does_little_for_a_push(counted: dict[Shape, Spent], shape: Shape, calls: float) -> None:
    assert counted[shape].python_calls / shape.pushes <= calls * SLACK


def test_what_one_phone_more_takes_of_python(counted: dict[Shape, Spent]) -> None:
    more = counted[PAGE].python_calls - counted[SMALL].python_calls

    assert more / (PAGE.pushes - SMALL.pushes) <= 34.1 * SLACK


@pytest.mark.parametrize(("shape", "encoded"), [(PAGE, 377), (SINGLES, 4_498)], ids=["a page", "one phone"])
def test_a_push_is_its_body_and_its_phones_key(counted: dict[Shape, Spent], shape: Shape, encoded: float) -> None:
    assert counted[shape].encoded_bytes / shape.pushes <= encoded * SLACK
