"""Pushes and outcomes are values, and keep what is secret to themselves."""

from lockstep.apns import Accepted, Push, Rejected, Unanswered
from lockstep.reasons import Remedy


def test_an_outcome_says_what_to_do() -> None:
    assert Accepted().remedy is Remedy.NONE
    assert Rejected(410, "Unregistered", 1_700_000_000_000).remedy is Remedy.FORGET_TOKEN
    assert Rejected(418, "Teapot").remedy is Remedy.REFUSE
    assert Unanswered(maybe_taken=True, why="reset").remedy is Remedy.RETRY


def test_outcomes_are_equal_by_value() -> None:
    assert Rejected(410, "Unregistered") == Rejected(410, "Unregistered")
    assert Unanswered(True, "reset") != Unanswered(False, "reset")


def test_a_push_prints_neither_its_token_nor_its_body() -> None:
    push = Push("ab" * 40, b'{"aps":{"content-state":{"driver":"Ana"}}}', 10, 0)

    assert "abab" not in repr(push)
    assert "Ana" not in repr(push)
