"""What the bench writes: tables, a plot, and whether it failed; and one small run of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.__main__ import chosen
from bench.clients import BARE, COLD, ENGINE, PEER_CLIENTS, READY
from bench.figures import Figure
from bench.nghttpd import MISSING, program
from bench.plot import Bar, plot
from bench.race import Race
from bench.report import WHOLE, Report
from bench.spent import Spent
from bench.whole import Measured, Shape

ROOT = Path(__file__).parent.parent
NODE_APN, APNS2, AIOAPNS, HTTPX = PEER_CLIENTS
SVG = "{http://www.w3.org/2000/svg}"


def runs(us: float) -> list[tuple[Spent, Spent]]:
    """Say of three rounds that a push took so much, and a process 0.1 s."""
    return [tuple(Spent(count, 0.1 + count * us / 1e6, 1) for count in (COLD, 4 * COLD))] * 3  # type: ignore[list-item]  # two


def measured(phones: int, us: float, calls: int) -> Measured:
    counted = Spent(
        phones, 0, 0, calls, encoded_bytes=400 * phones, python_calls=80 * phones, invocations=2, messages=2
    )
    return Measured(Shape(phones), "some", counted, [Spent(phones, phones * us / 1e6, 1)] * 3, 99.6)


def report() -> Report:
    race = Race([BARE, ENGINE, READY, NODE_APN, APNS2], [100, 500])
    for client, us in ((BARE, 40), (ENGINE, 44), (READY, 40), (NODE_APN, 70)):
        race.runs[client.name, 100] = runs(us)
        race.runs[client.name, 500] = runs(us * 1.5)
    race.dropped = {("apns2 (npm)", 100): "npm is not installed", ("apns2 (npm)", 500): "npm is not installed"}
    whole = [measured(1_000, 100, 14), measured(100_000, 88, 1_600)]
    cold = [Spent(COLD, 1.0, 2)] * 3
    return Report(race, 3, "2026-11-25", 1, whole, Figure((88.0, 88.0, 88.0)), cold)


def rows(text: str, section: str) -> dict[str, list[str]]:
    """Return the cells of a section's table by their row's name."""
    part = next(part for part in text.split("\n## ") if part.startswith(section))
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines}


# --- tables


def test_the_first_table_has_every_client_in_every_column_with_multiples_of_the_engine() -> None:
    table = rows(report().text(), "CPU of the client")

    assert table["client"] == ["100 in flight", "× engine", "500 in flight", "× engine"]
    assert table["Lockstep's engine"] == ["44 (44 to 44)", "1.00", "66 (66 to 66)", "1.00"]
    assert table["bench/bare.py"] == ["40 (40 to 40)", "0.91", "60 (60 to 60)", "0.91"]
    assert table[f"@parse/node-apn {NODE_APN.version()}"] == ["70 (70 to 70)", "1.59", "105 (105 to 105)", "1.59"]
    assert table[f"apns2 (npm) {APNS2.version()}"] == ["–"] * 4
    assert table[WHOLE] == ["88 (88 to 88)", "2.00", "–", "–"]
    assert READY.name not in table, "it is not the same work"


def test_a_skipped_client_is_named_once_with_its_columns() -> None:
    assert "- apns2 (npm): skipped at 100 and 500 in flight: npm is not installed\n" in report().text()


def test_the_second_table_has_what_a_process_costs_too() -> None:
    table = rows(report().text(), "The same in a process that sends 5,000 and ends")

    assert table["Lockstep's engine"] == ["64 (64 to 64)", "1.00"]
    assert table[WHOLE] == ["200 (200 to 200)", "3.12"]


def test_the_third_table_has_what_the_whole_function_takes_and_counts() -> None:
    table = rows(report().text(), "The whole push function")

    assert table["one activity of 1,000 phones"] == [
        *("100 (100 to 100)", "2.27", "2.50", "0.0140", "7.0", "400", "80", "100")
    ]
    assert table["one activity of 100,000 phones"][:4] == ["88 (88 to 88)", "2.00", "2.20", "0.0160"]


def test_every_claim_is_judged_and_one_that_fails_is_said_to() -> None:
    table = rows(report().text(), "Claims")

    assert table["engine / @parse/node-apn, 100 in flight"] == ["0.63", "below 1.00", "holds"]
    assert table["engine / apns2 (npm), cold"] == ["–", "below 1.00", "not measured"]
    assert table["engine / bench/bare.py, 500 in flight"] == ["1.10", "at most 1.15", "holds"]
    assert table["whole function at 100,000 phones / engine"] == ["2.00", "at most 2.50", "holds"]
    assert table["AWS calls per push at 100,000 phones / at 1,000"] == ["1.14", "at most 1.10", "fails"]
    assert table["Python function calls per push at 100,000 phones / at 1,000"] == ["1.00", "at most 1.10", "holds"]
    assert table["peak RSS at 100,000 phones, MB"][1:] == ["at most 256.00", "holds"]
    assert [verdict.line for verdict in report().verdicts() if verdict.failed] == [
        "AWS calls per push at 100,000 phones / at 1,000"
    ]


def test_the_text_says_when_where_and_how_often() -> None:
    text = report().text()

    assert "`make bench` wrote this on 2026-11-25. Medians of 3 rounds" in text
    assert all(part in text for part in ("Python 3.13", "libcurl/", "Lambda arm64, us-east-1, list prices of"))
    assert str(ROOT) not in text


# --- the plot


def test_bars_are_in_their_order_and_as_long_as_their_figures_say() -> None:
    bars = [Bar("ten", Figure((10.0,))), Bar("a hundred & more", Figure((90.0, 100.0, 1000.0)), ours=True)]

    drawn = ElementTree.fromstring(plot("CPU <per push>", "µs", bars))  # noqa: S314 our own

    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts[0] == "CPU <per push>"
    assert [text for text in texts if text in ("ten", "a hundred & more")] == ["ten", "a hundred & more"]
    assert "µs; the scale is logarithmic" in texts
    # From 10 to 1,000 are two powers of ten: the first bar begins the scale, the second ends in the middle of it.
    _, short, long = drawn.iter(f"{SVG}rect")
    assert float(short.attrib["width"]) == 0
    [whisker] = [line for line in drawn.iter(f"{SVG}line") if line.attrib["stroke"] == "black"][1:]
    whole_scale = float(whisker.attrib["x2"]) - float(long.attrib["x"])
    assert float(long.attrib["width"]) == pytest.approx(whole_scale / 2)
    assert short.attrib["fill"] != long.attrib["fill"]


def test_the_picture_has_the_measured_clients_cheapest_first() -> None:
    drawn = ElementTree.fromstring(report().picture())  # noqa: S314 our own

    names = [text.text for text in drawn.iter(f"{SVG}text") if text.attrib["text-anchor"] == "end"]
    assert names == ["bench/bare.py", "Lockstep's engine", f"@parse/node-apn {NODE_APN.version()}", WHOLE]


# --- the command


def test_rows_are_chosen_by_words_of_their_names() -> None:
    assert chosen(["bare", "aioapns"]) == [BARE, AIOAPNS]
    assert HTTPX in chosen([])


def bench(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as the Makefile does."""
    command = [sys.executable, "-m", "bench", *arguments]
    environment = {**os.environ, "PYTHONPATH": "layers/shared", **({"PATH": path} if path else {})}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(program() is None, reason=MISSING)
def test_a_small_bench_measures_writes_and_judges(tmp_path: Path) -> None:
    ran = bench(
        *("--runs", "2", "--scale", "0.2", "--only", "Lockstep's engine", "bare", "--in-flight", "20"),
        *("--out", str(tmp_path)),
    )

    # What its claims come to depends on the machine's mood; that a failed one is told, and fails the bench, does not.
    text = (tmp_path / "RESULTS.md").read_text()
    claims = rows(text, "Claims")
    failed = [name for name, cells in claims.items() if cells[-1] == "fails"]
    assert ran.stdout.strip() == text.strip()
    assert re.findall(r"^fails: (.*?): ", ran.stderr, re.MULTILINE) == failed
    assert ran.returncode == bool(failed), ran.stderr
    assert list(claims) == ["claim", "---", "engine / bench/bare.py, 20 in flight"]
    assert "All sizes are 0.2 times" in text
    for name in ("Lockstep's engine", "bench/bare.py"):
        assert re.fullmatch(r"[\d,]+ \([\d,]+ to [\d,]+\)", rows(text, "CPU of the client")[name][0])
    assert ElementTree.parse(tmp_path / "cpu_per_push.svg").getroot().tag == f"{SVG}svg"  # noqa: S314 our own


@pytest.mark.skipif(program() is not None, reason="nghttpd is installed")
def test_without_nghttpd_one_sentence_says_how_to_get_it() -> None:
    ran = bench()

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", f"{MISSING}\n", 1)


def test_the_results_that_are_kept_are_of_a_whole_bench() -> None:
    """They say so themselves; docs/performance.md shows their plot."""
    text = (ROOT / "bench" / "RESULTS.md").read_text()

    assert "times those of the full bench" not in text
    assert len(rows(text, "Claims")) > 20
    assert (ROOT / "bench" / "cpu_per_push.svg").exists()
    assert json.dumps(str(ROOT)) not in text
