"""The soak: a short one keeps all promises, its judge sees a broken one, and its figures are of what they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.soak.__main__ import BEGIN, END, PLOT, write
from bench.soak.latency import Took, of_audience, of_metric, of_orders, percentile
from bench.soak.record import failed_ms
from onebox.apns.simulator import ApnsSimulator
from onebox.lock_screen import CardState, Verdict
from onebox.queues import QueuedMessage
from onebox.sighting import Sighting
from tests.soak_side import LETTERS, NOW_S, STARTED_MS, broken, iphone, record
from tests.stadium_side import GOOD, LAST, Few, fan, took

ROOT = Path(__file__).parent.parent
PAGE = f"# Reliability\n\nBefore.\n\n{BEGIN}\n\nOld.\n\n{END}\n\nAfter.\n"


# --- the whole command


def test_a_short_soak_keeps_every_promise_and_says_so_in_tables_and_a_plot(tmp_path: Path) -> None:
    (tmp_path / "reliability.md").write_text(PAGE)
    sizes = ["--duration-s", "16", "--phones", "90", "--people", "8", "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": "layers/shared"}

    ran = subprocess.run(
        [sys.executable, "-m", "bench.soak", *sizes, "--docs", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("| held |") == 5
    for trouble in ("DynamoDB throttles", "the key is rotated", "Apple restarts"):
        assert trouble in ran.stdout
    # Each did strike, and each function was there to be looked at.
    assert re.search(r"\| throttled: \w+ \| [1-9]", ran.stdout)
    assert re.search(r"\| answered 403 InvalidProviderToken \| [1-9]", ran.stdout)
    assert {"register", "sweep", "push 6, SliceQueue"} <= set(re.findall(r"^\| ([^|]+) \|", ran.stdout, re.MULTILINE))
    assert ran.stdout.strip() in (tmp_path / "reliability.md").read_text()
    ElementTree.parse(tmp_path / PLOT)  # noqa: S314 our own


def test_what_a_soak_came_to_replaces_what_the_last_one_did_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "reliability.md").write_text(PAGE)

    write(tmp_path, "New.", "<svg/>")

    assert (tmp_path / "reliability.md").read_text() == PAGE.replace("Old.", "New.")
    assert (tmp_path / PLOT).read_text() == "<svg/>"


# --- the judge


def test_a_record_in_which_all_went_well_breaks_nothing(apple: ApnsSimulator) -> None:
    assert broken(record(iphone(apple))) == set()


def test_an_audience_or_a_phone_that_is_behind_breaks_the_first_promise(apple: ApnsSimulator) -> None:
    assert broken(record(iphone(apple), audience=GOOD[:-1])) == {"1"}
    assert broken(record(iphone(apple, at_ms=STARTED_MS))) == {"1"}
    assert broken(record(iphone(apple), ended=True)) == {"1"}, "it was not told the end"
    assert broken(record(iphone(apple), behind=["Ana's was brought something older at rest"])) == {"1"}


def test_an_older_state_a_second_card_and_a_stranger_break_the_second_promise(apple: ApnsSimulator) -> None:
    back = [*GOOD, took(4, "card-0", 1, stamp_s=9), took(5, "card-0", LAST, stamp_s=10)]
    ahead = took((NOW_S - 3) * 1000, "card-0", LAST, stamp_s=NOW_S)

    assert "2" in broken(record(iphone(apple), audience=back))
    assert "2" in broken(record(iphone(apple), audience=[GOOD[0], *GOOD]))
    assert "2" in broken(record(iphone(apple), audience=[*GOOD, took(4, "card-1", LAST)]))
    assert broken(record(iphone(apple), last=[took(9, "b2" * 80, 5, stamp_s=0)])) == {"2"}, (
        "no phone of theirs has that token"
    )
    assert broken(record(iphone(apple), audience=[*GOOD, ahead])) == {"2"}, "its stamp is ahead of the clock"


def test_what_a_sign_out_took_off_may_be_put_up_anew_and_nothing_else(apple: ApnsSimulator) -> None:
    phone = iphone(apple)
    [card] = phone.cards
    for before_s in (8, 5):
        shown = card.content_state, card.timestamp_s
        phone.ios.history.append(Sighting.of("push", "start", Verdict.APPLIED, card, shown, NOW_S - before_s))

    assert broken(record(phone)) == {"2"}
    assert broken(record(phone, handed={phone.name: [len(phone.history) - 1]})) == set()


def test_a_stranger_s_token_is_one_whose_card_is_not_of_what_runs(apple: ApnsSimulator) -> None:
    phone = iphone(apple)
    to_ana = took(9, "a1" * 80, 5, stamp_s=0)

    assert broken(record(phone, last=[to_ana])) == set()

    phone.app.sign_in("eve")
    assert "2" in broken(record(phone, last=[to_ana])), "the order is Ana's"


def test_a_dead_letter_that_stays_or_has_no_reason_breaks_the_third_promise(apple: ApnsSimulator) -> None:
    stays = {**LETTERS, "SliceDeadLetterQueue": [QueuedMessage("m", "{}", {"reason": "failed 4 times"}, 1)]}
    unexplained = {**LETTERS, "SliceDeadLetterQueue": [QueuedMessage("m", "{}", {}, 1)]}

    assert broken(record(iphone(apple), letters=stays)) == set(), "a redrive brought it through"
    assert broken(record(iphone(apple), letters=stays, letters_later=stays)) == {"3"}
    assert broken(record(iphone(apple), letters=unexplained)) == {"3"}
    assert broken(record(iphone(apple), letters_later={**LETTERS, "PublishDeadLetterQueue": []})) == {"3"}


def test_a_push_to_a_token_known_dead_breaks_the_fourth_promise(apple: ApnsSimulator) -> None:
    assert "4" in broken(record(iphone(apple), last=[took(9, "a1" * 80, 5, status=410)]))
    twice = [*GOOD, took(4, "card-1", 1, status=410), took(5, "card-1", LAST, status=410)]
    assert "4" in broken(record(iphone(apple), audience=twice))


def test_a_410_that_could_not_be_noted_is_not_known(apple: ApnsSimulator) -> None:
    twice = [*GOOD, took(4, "card-1", 1, status=410), took(6, "card-1", LAST, status=410)]

    assert "4" not in broken(record(iphone(apple), audience=twice, cut_ms=[5]))
    assert "4" in broken(record(iphone(apple), audience=twice, cut_ms=[7])), "it was cut later"


@pytest.mark.parametrize("line", ["a1" * 40, "eyJhbGciOi.x", "the-goalkeeper-is-hurt"])
def test_a_secret_in_any_function_s_log_breaks_the_fifth_promise(
    line: str, apple: ApnsSimulator, tmp_path: Path
) -> None:
    (tmp_path / "register.log").write_text(f"then {line}\n")

    assert broken(record(iphone(apple), logs=[tmp_path / "register.log"])) == {"5"}


def test_a_phone_that_lost_its_card_is_behind(apple: ApnsSimulator) -> None:
    phone = iphone(apple)
    [card] = phone.cards
    card.gone = CardState.DISMISSED

    assert broken(record(phone)) == {"1"}


def test_what_failed_is_read_off_the_functions_logs(tmp_path: Path) -> None:
    lines = [
        {"message": "failed", "timestamp": "2026-11-25 22:05:51,123+0000"},
        {"message": "published", "timestamp": "2026-11-25 22:05:52,000+0000"},
    ]
    (tmp_path / "log").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))

    assert failed_ms([tmp_path / "log"]) == [1795644351123]


# --- figures


def test_a_state_of_an_order_is_timed_once_by_its_first_acceptance() -> None:
    entries = [
        took(1500, "a", 1000, status=503),
        took(2500, "a", 1000),
        took(9000, "a", 1000),
        took(9000, "a", 8000),
        took(9000, "card-0", 7),
    ]

    assert of_orders(entries, {1000}) == [Took(2500, 1500)], "8000 was published while its person was away"


def test_a_state_of_the_audience_is_timed_once_on_each_of_its_phones() -> None:
    crowd = Few([fan(0), fan(1)])
    entries = [took(120, "card-0", 1), took(150, "card-0", 1), took(190, "card-1", 1), took(260, "else", 2)]

    assert of_audience(entries, crowd.of, [0, 100, 200]) == [Took(120, 20), Took(190, 90)]


def test_the_functions_own_metric_is_read_from_what_they_hand_to_cloudwatch(tmp_path: Path) -> None:
    metric = {"_aws": {"Timestamp": 5000}, "PublishToAcceptance": [120.0, 80.0], "Sent": [2.0]}
    (tmp_path / "log").write_text(f'{json.dumps(metric)}\n{{"message": "PublishToAcceptance"}}\n')

    assert of_metric([tmp_path / "log"]) == [Took(5000, 120), Took(5000, 80)]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7], 50, 7), ([4, 3, 2, 1], 50, 2), (range(1, 101), 95, 95), (range(1, 101), 99, 99), (range(1, 21), 99, 20)],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[float], percent: int, expected: float
) -> None:
    assert percentile(list(values), percent) == expected
