"""The bench: that its figures are of what they say, not how high they are."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.nghttpd import MISSING, Nghttpd, program
from bench.push_function import accepted
from bench.spent import Spent
from bench.table import Row, table
from bench.worker import MeasurementFailed, Worker
from onebox.signing_key import LocalSigningKey

ROOT = Path(__file__).parent.parent
TOKEN, STRANGE_TOKEN = "a1" * 80, "b2" * 80

needs_nghttpd = pytest.mark.skipif(program() is None, reason=MISSING)


def throughput(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the Makefile does."""
    command = [sys.executable, "-m", "bench.throughput", *arguments]
    environment = {**os.environ, "PYTHONPATH": "layers/shared"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def cells(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# --- the whole command


@needs_nghttpd
def test_throughput_tells_of_the_engine_and_of_push_in_both_shapes() -> None:
    ran = throughput("--runs", "2", "--few", "3", "--many", "120", "--batches", "1")

    # Its status is 0 only if every push was answered 200.
    assert (ran.stderr, ran.returncode) == ("", 0)
    heads, _, *rows = cells(ran.stdout)
    assert [row[0] for row in rows] == [
        "engine alone",
        "push: one activity of 120 cards",
        "push: 10 activities of one card at a time",
    ]
    # The row read and claimed, a page of cards, their phones (100 at most in a call), and what was sent noted.
    assert [row[heads.index("AWS calls per message")] for row in rows] == ["–", "6.0", "3.2"]
    assert all(part in ran.stdout for part in ("Python 3.13", "libcurl/", "nghttpd", "Medians of 2 runs"))


@pytest.mark.skipif(program() is not None, reason="nghttpd is installed")
def test_without_nghttpd_one_sentence_says_how_to_get_it() -> None:
    ran = throughput()

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", f"{MISSING}\n", 1)


# --- what counts as a push


@pytest.fixture
def engine() -> Iterator[Worker]:
    with Nghttpd([TOKEN]) as apns:
        environment = {
            "APNS_PRODUCTION_URL": apns.url,
            "APNS_CA_FILE": str(apns.ca_file),
            "BUNDLE_ID": "com.example.app",
            "SIGNING_KEY": LocalSigningKey.fresh().secret(),
        }
        with Worker("bench.engine_alone", environment=environment) as worker:
            yield worker


def request(*tokens: str) -> dict[str, object]:
    return {"tokens": tokens, "body": "{}", "priority": 10, "expiration_s": int(time.time()) + 60}


@needs_nghttpd
def test_pushes_that_are_answered_200_make_a_figure(engine: Worker) -> None:
    spent = engine.ask(request(TOKEN, TOKEN), pushes=2)

    assert spent.pushes == 2
    assert spent.aws_calls == 0


@needs_nghttpd
def test_there_is_no_figure_where_a_push_was_answered_otherwise(engine: Worker) -> None:
    with pytest.raises(MeasurementFailed, match="1 of 2 pushes were answered 200"):
        engine.ask(request(TOKEN, STRANGE_TOKEN), pushes=2)


def test_there_is_no_figure_of_a_process_that_died(capfd: pytest.CaptureFixture[str]) -> None:
    with Worker("bench.engine_alone", environment={"APNS_PRODUCTION_URL": None}) as worker:
        with pytest.raises(MeasurementFailed, match=r"bench\.engine_alone died"):
            worker.ask(request(TOKEN), pushes=1)

    assert "APNS_PRODUCTION_URL" in capfd.readouterr().err


def test_what_push_calls_accepted_is_summed_up() -> None:
    metrics = [{"_aws": {}, "Accepted": [2.0], "Sent": [3.0]}, {"_aws": {}, "Rejected": [1.0]}]
    log = ['{"message": "published", "Accepted": [7]}\n', *(json.dumps(line) for line in metrics)]

    assert accepted(log) == 2


# --- figures


def test_the_difference_of_two_sizes_leaves_out_what_each_invocation_costs() -> None:
    few = Spent(100, cpu_s=0.015, wall_s=0.5, aws_calls=6, aws_cpu_s=0.003, aws_wall_s=0.303)
    many = Spent(300, cpu_s=0.025, wall_s=0.9, aws_calls=8, aws_cpu_s=0.007, aws_wall_s=0.507)

    more = many - few

    assert more.pushes == 200
    assert more.cpu_us_per_push == pytest.approx(50)
    assert more.aws_cpu_us_per_push == pytest.approx(20)
    assert more.pushes_per_s == pytest.approx(500)
    assert more.aws_wait_share == pytest.approx(0.5)


def test_pieces_of_work_add_up() -> None:
    assert Spent(1, 0.25, 0.5, 5, 0.125, 0.25) + Spent(2, 0.25, 0.5, 5, 0.125, 0.25) == Spent(3, 0.5, 1, 10, 0.25, 0.5)


def test_a_row_shows_the_median_and_how_far_the_runs_lie_apart() -> None:
    engine = Row("engine alone", [Spent(1000, cpu_s, 0.1) for cpu_s in (0.04, 0.05, 0.09)])
    push = Row("push", [Spent(1000, cpu_s, 2, 10, 0.1, 1.1) for cpu_s in (0.3, 0.2, 0.25)], aws_calls_per_message=10)

    _, _, *rows = cells(table([engine, push]))

    assert rows == [
        ["engine alone", "50 (40 to 90)", "1.0", "–", "10,000 (10,000 to 10,000)", "–", "–"],
        ["push", "250 (200 to 300)", "5.0", "100", "500 (500 to 500)", "50%", "10.0"],
    ]
