"""The arithmetic of the bench: differences, medians, spread, and claims judged from both sides of each limit."""

import pytest

from bench.claims import (
    BARE_MOST,
    GROWTH_MOST,
    RSS_MOST_MB,
    WHOLE_MOST,
    Verdict,
    against_bare,
    against_clients,
    against_engine,
    flat,
    steady,
)
from bench.clients import COLD, Client, Sizes
from bench.figures import Figure
from bench.price import Taken, cells, cpu_usd, lambda_usd
from bench.race import Race
from bench.spent import Spent
from bench.whole import Shape

ONE = Figure((10.0, 10.0, 10.0))


def at(value: float) -> Figure:
    return Figure((value, value, value))


def client(sizes: Sizes) -> Client:
    return Client("some", lambda _: (), sizes)


# --- figures


def test_a_figure_is_its_median_with_the_least_and_the_greatest() -> None:
    figure = Figure((52.0, 45.0, 47.0, 1200.0, 46.0))

    assert figure.median == 47
    assert str(figure) == "47 (45 to 1,200)"
    assert figure.told(".1f") == "47.0 (45.0 to 1200.0)"


def test_figures_are_compared_round_by_round() -> None:
    """In the last round the machine was slow for both: the medians alone would say 1.5."""
    ours, theirs = Figure((10.0, 30.0, 40.0)), Figure((10.0, 20.0, 80.0))

    assert ours.times(theirs).values == (1.0, 1.5, 0.5)
    assert ours.times(theirs).median == 1.0


def test_figures_of_different_benches_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Figure((1.0, 2.0)).times(Figure((1.0,)))


def test_what_a_process_costs_is_not_in_the_warm_figure_and_is_in_the_cold_one() -> None:
    fast = client(Sizes(COLD, 4 * COLD))
    race = Race([fast], [100])
    race.runs["some", 100] = [(Spent(COLD, 0.3, 1), Spent(4 * COLD, 0.9, 1))]

    warm, cold = race.warm(fast, 100), race.cold(fast)

    assert warm is not None
    assert warm.median == pytest.approx(0.6 / (3 * COLD) * 1e6)
    assert cold is not None
    assert cold.median == pytest.approx(0.3 / COLD * 1e6)


def test_a_slow_client_is_cold_in_its_larger_run() -> None:
    slow = client(Sizes(COLD // 5, COLD))
    race = Race([slow], [100])
    race.runs["some", 100] = [(Spent(COLD // 5, 2.0, 1), Spent(COLD, 8.0, 1))]

    cold = race.cold(slow)

    assert cold is not None
    assert cold.median == pytest.approx(8.0 / COLD * 1e6)


# --- claims


def test_a_client_that_needs_as_much_as_we_refutes_the_claim_and_one_that_needs_more_does_not() -> None:
    clients = {"as much": at(10), "more": at(10.1), "less": at(9.9), "not there": None}

    verdicts = against_clients("cold", ONE, clients)

    assert [verdict.failed for verdict in verdicts] == [True, False, True, False]
    assert [verdict.word for verdict in verdicts] == ["fails", "holds", "fails", "not measured"]
    assert verdicts[0].line == "engine / as much, cold"


@pytest.mark.parametrize(("times", "failed"), [(BARE_MOST, False), (BARE_MOST + 0.001, True)])
def test_the_engine_may_need_so_much_more_than_a_bare_loop(times: float, failed: bool) -> None:
    assert against_bare("100 in flight", at(times), at(1)).failed is failed


@pytest.mark.parametrize(("times", "failed"), [(WHOLE_MOST, False), (WHOLE_MOST + 0.001, True)])
def test_the_whole_function_may_need_so_much_more_than_its_engine(times: float, failed: bool) -> None:
    verdict = against_engine(100_000, at(times), at(1))

    assert verdict.failed is failed
    assert verdict.line == "whole function at 100,000 phones / engine"


def test_counts_may_grow_so_much_from_the_smallest_audience() -> None:
    verdicts = steady("AWS calls", [(1_000, 1.0), (10_000, GROWTH_MOST), (100_000, GROWTH_MOST + 0.001)])

    assert [verdict.failed for verdict in verdicts] == [False, True]
    assert verdicts[1].line == "AWS calls per push at 100,000 phones / at 1,000"


def test_what_was_not_measured_is_not_called_held() -> None:
    verdict = against_bare("100 in flight", ONE, None)

    assert (verdict.failed, verdict.word) == (False, "not measured")
    assert verdict.cells() == ["engine / bench/bare.py, 100 in flight", "–", "at most 1.15", "not measured"]
    assert Verdict("x", 0.5, 1, below=True).cells() == ["x", "0.50", "below 1.00", "holds"]


# --- sizes and prices


def test_a_smaller_bench_has_whole_batches_and_one_phone_at_least() -> None:
    assert Shape(1_000).scaled(0.0001) == Shape(1)
    assert Shape(1, 1_000, 10).scaled(0.001) == Shape(1, 10, 10)
    assert Race([], [100], 0.0001).scaled(Sizes(5_000, 20_000)) == Sizes(1, 2)


def test_shapes_are_named_as_one_would_say_them() -> None:
    assert str(Shape(1_000)) == "one activity of 1,000 phones"
    assert str(Shape(1, 1_000, 10)) == "1,000 activities of 1 phone, in batches of 10"
    assert str(Shape(1, 100)) == "100 activities of 1 phone, one at a time"


def test_a_second_of_a_whole_core_is_priced_alike_whatever_the_memory() -> None:
    """100 µs a push are 100 s a million, at 1,769 MB 172.75 GB-seconds."""
    assert cpu_usd(100) == pytest.approx(172.75 * 0.0000133334, rel=1e-3)


def test_a_lonely_push_is_billed_for_its_way_to_apple_and_for_its_calls() -> None:
    alone = Taken("one", 0.0, Spent(1, 0, 0, aws_calls=5, invocations=1, messages=1), 1)
    crowd = Taken("many", 0.0, Spent(1000, 0, 0, aws_calls=5, invocations=1, messages=1), 1000)

    # 50 ms and five times 5 ms of half a GB, and the request; a thousand share ten windows of 100.
    assert lambda_usd(alone) == pytest.approx((0.075 * 0.5 * 0.0000133334 + 0.20e-6) * 1e6)
    assert lambda_usd(crowd) == pytest.approx((0.525 * 0.5 * 0.0000133334 + 0.20e-6) * 1e3)


def test_pushes_that_keep_the_core_busy_are_not_billed_for_waiting_too() -> None:
    busy = Taken("busy", 10_000.0, Spent(1000, 0, 0, aws_calls=0, invocations=1, messages=1), 1000)

    assert lambda_usd(busy) - 0.20e-6 * 1e3 == pytest.approx(cpu_usd(10_000))


def test_messages_of_a_batch_share_its_receipt_and_its_deletion() -> None:
    ten = Taken("ten", 100.0, Spent(1000, 0, 0, aws_calls=500, invocations=100, messages=1000), 1)

    row = cells(ten)

    # A million sent, a hundred thousand received and as many deleted.
    assert row[7] == f"{1.2 * 0.40:.4f}"


def test_memory_that_grows_with_the_audience_fails_and_so_does_too_much_of_it() -> None:
    assert [verdict.failed for verdict in flat([(1_000, 100), (10_000, 300), (100_000, 110)])] == [False, False]
    assert [verdict.failed for verdict in flat([(1_000, 100), (100_000, 111)])] == [False, True]
    assert [verdict.failed for verdict in flat([(1_000, RSS_MOST_MB), (100_000, RSS_MOST_MB)])] == [False, False]
    assert [verdict.failed for verdict in flat([(1_000, RSS_MOST_MB), (100_000, RSS_MOST_MB + 1)])] == [True, False]
