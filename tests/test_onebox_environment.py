import ctypes
import os
import threading

import pytest

from onebox.environment import variables

NAME = "LOCKSTEP_OF_A_TEST"


def test_variables_are_there_for_a_while() -> None:
    with variables({NAME: "outer"}):
        with variables({NAME: "inner"}):
            assert os.environ[NAME] == os.getenv(NAME) == dict(os.environ)[NAME] == "inner"

        assert os.environ[NAME] == "outer"

    assert NAME not in os.environ


def test_a_variable_can_be_missing_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "the process's")

    with variables({NAME: None}):
        assert NAME not in os.environ
        assert NAME not in dict(os.environ)
        assert os.environ.get(NAME) is None

    assert os.environ[NAME] == "the process's"


def test_other_threads_see_nothing_of_them() -> None:
    seen: list[str | None] = []

    with variables({NAME: "mine"}):
        thread = threading.Thread(target=lambda: seen.append(os.environ.get(NAME)))
        thread.start()
        thread.join()

    assert seen == [None]


def test_the_c_library_is_told_nothing_for_libcurl_asks_it_in_other_threads() -> None:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p

    with variables({NAME: "mine"}):
        assert getenv(NAME.encode()) is None


def test_what_is_set_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with variables({"LOCKSTEP_OF_ANOTHER": "x"}):
        monkeypatch.setenv(NAME, "set")
        assert os.environ[NAME] == "set"

    assert os.environ[NAME] == "set"
