"""The stadium's judge sees what doesn't go well, by tokens."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bench.stadium.causes import CAUGHT_UP, CRASHED, LAPSED, LATE_ALERT, LOST, RETRIED, UNEXPLAINED
from bench.stadium.judge import unanswered
from bench.stadium.ledger import Entry, Ledger, Reader
from onebox.queues import QueuedMessage
from tests.stadium_side import GOOD, GOOD_ON_CHANNEL, LAST, REFUSED, Few, causes, fan, found, took


def test_a_match_in_which_all_goes_well_breaks_nothing() -> None:
    assert found(GOOD) == {}


@pytest.mark.parametrize(
    ("entries", "broken"),
    [
        (GOOD[:2], "1"),
        ([*GOOD, took(4, "card-0", 1, stamp_s=9), took(5, "card-0", LAST, stamp_s=10)], "2"),
        ([GOOD[0], *GOOD], "2"),
        ([*GOOD, took(4, "card-1", LAST)], "2"),
        ([*GOOD, took(4, "card-2", 1, status=410), took(5, "card-2", LAST, status=410)], "4"),
        ([*GOOD, took(4, "card-0", LAST)], "e"),
    ],
    ids=["behind", "backwards", "a second card", "a stranger", "dead again", "twice"],
)
def test_what_breaks_a_promise_is_found(entries: Sequence[Entry], broken: str) -> None:
    removed = fan(2)
    removed.gone_ms = 4

    assert broken in found(entries, Few([fan(), fan(1, follows=False), removed]))


def test_an_old_stamp_is_passed_over_by_the_phone_and_breaks_nothing() -> None:
    assert found(
        [*GOOD, took(4, "card-0", 1, stamp_s=1, fault="rst_stream"), took(5, "card-0", 1, stamp_s=1)]
    ).keys() <= {"e"}


def test_a_publish_that_is_dead_lettered_for_no_good_reason_is_lost() -> None:
    assert list(found(GOOD, letters=[QueuedMessage("m", "{}", {"reason": "failed 4 times"}, 1)])) == ["3"]
    assert list(found(GOOD, letters=[REFUSED, REFUSED])) == ["3"]
    assert list(found(GOOD, letters=[])) == ["3"], "it can't have worked"
    assert found(GOOD, letters=[REFUSED, REFUSED], crashed_ms=[5]) == {}, "who puts it aside may die before saying so"


def test_a_live_card_without_its_token_was_forgotten() -> None:
    crowd = Few([fan()])
    crowd.lost.add("card-0")

    assert list(found(GOOD, crowd)) == ["4"]


@pytest.mark.parametrize("line", ["a1" * 40, "eyJhbGciOi.x", "BEGIN PRIVATE KEY", "the-goalkeeper-is-hurt"])
def test_a_secret_in_a_log_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{'ab' * 16} and\nthen {line}\n")

    assert list(found(GOOD, logs=[tmp_path / "log"])) == ["5"]


# --- why a state comes again


def test_a_repeat_is_put_down_to_what_explains_it() -> None:
    again = took(9, "card-0", LAST)

    assert causes([*GOOD, again]) == {UNEXPLAINED: 1}
    assert causes([*GOOD[:2], took(3, "card-0", LAST, fault="rst_stream"), again]) == {LOST: 1}
    assert causes([*GOOD, took(4, "other", 0, fault="reset"), again]) == {LOST: 1}
    assert causes([*GOOD, took(9, "card-0", LAST, connection=2)], crashed_ms=[5]) == {CRASHED: 1}
    assert causes([*GOOD, took(6, "other", 0), took(9, "card-0", LAST, connection=2)], crashed_ms=[5]) == {
        UNEXPLAINED: 1
    }
    assert causes([*GOOD[:2], took(2, "card-0", 1, status=429), GOOD[2], again]) == {RETRIED: 1}


def test_what_was_sent_just_before_a_call_to_aws_failed_may_come_again() -> None:
    again = took(90_000, "card-0", LAST)

    assert causes([*GOOD, again], lapsed_ms=[15_003, 7]) == {LAPSED: 1}
    assert causes([*GOOD, again], lapsed_ms=[15_004, 2]) == {UNEXPLAINED: 1}, "long after it, and before it"
    assert causes([*GOOD, took(6, "card-0", LAST)], lapsed_ms=[7]) == {UNEXPLAINED: 1}, "it came before that"


def test_what_nothing_explains_is_told_with_its_connections_and_times() -> None:
    [said] = found([*GOOD, took(4003, "card-0", LAST, connection=2)])["e"]

    assert said.endswith("(1 update with state 2 by connection 1 and 4 s later by 2)")


def test_an_alert_that_came_late_rings_with_a_state_that_was_there_and_never_twice() -> None:
    late = took(9, "card-0", LAST, alert=1)

    assert causes([*GOOD, late]) == {LATE_ALERT: 1}
    assert causes([*GOOD, late, took(10, "card-0", LAST, alert=1)]) == {
        LATE_ALERT: 1,
        f"{UNEXPLAINED}, and it rang again": 1,
    }


def test_a_retry_of_what_never_reached_apple_is_told_by_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f'{{"outcome":"unanswered","reason":"reset","phone":"{fan().phone}"}}\n{{"phone":"ab"}}\n')

    assert unanswered([log]) == {fan().phone}
    assert causes([*GOOD, took(9, "card-0", LAST)], unheard=unanswered([log])) == {RETRIED: 1}


def test_a_repeat_after_a_token_was_told_late_is_a_catch_up_s() -> None:
    late = fan()
    late.late = True

    assert causes([*GOOD, took(9, "card-0", LAST)], Few([late])) == {CAUGHT_UP: 1}


def test_more_repeats_than_a_page_after_a_death_are_too_many() -> None:
    again = [took(9, f"card-{i}", LAST, connection=2) for i in range(2)]
    once = [entry for i in range(2) for entry in (took(1, f"start-{i}", 0), took(3, f"card-{i}", LAST))]

    assert "e" in found([*once, *again], Few([fan(0), fan(1)]), crashed_ms=[5])


# --- the ledger


def test_a_ledger_is_read_on_from_where_it_was_read_last(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger", seed=1)) as ledger, closing(Reader(tmp_path / "ledger")) as reader:
        for entry in (GOOD[0], took(2, "card-0", 1, status=None, fault="goaway"), *GOOD_ON_CHANNEL[:2]):
            ledger._file.write(entry.to_line())
            ledger.flush()
            assert list(reader.new()) == [entry]

        assert list(reader.new()) == []
