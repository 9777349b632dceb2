"""Who can't have a client skips its tests by name; in CI, which has all, they fail."""

import pytest

from bench.installing import needs
from bench.nghttpd import Missing
from tests.foreign.conftest import ready


def install() -> None:
    needs("no-such-program", "apt-get install it")


def test_a_client_that_is_missing_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"^no-such-program is not installed: apt-get install it$"):
        ready(install)


def test_a_client_that_is_missing_fails_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(Missing, match="no-such-program"):
        ready(install)
