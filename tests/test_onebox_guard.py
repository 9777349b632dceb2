"""Whom the servers on this machine answer, by what browsers say of themselves."""

import pytest

from onebox.guard import foreign
from onebox.http_event import Request


def asked(**headers: str) -> Request:
    return Request("POST", "/phones", [(name.replace("_", "-"), value) for name, value in headers.items()], b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:80"])
def test_the_port_that_browsers_leave_out_is_known_without_being_said(host: str) -> None:
    assert foreign(asked(host=host, origin=f"http://{host}"), 80) is None


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 8080), ("127.0.0.1:80", 8080), ("evil.example", 80), ("", 80)]
)
def test_another_port_is_another_site(host: str, port: int) -> None:
    assert foreign(asked(host=host), port) is not None


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "", "https://127.0.0.1:8080", "http://127.0.0.1:8080@evil.example"]
)
def test_an_origin_that_is_not_this_one_is_another_site_s_whatever_it_looks_like(origin: str) -> None:
    assert foreign(asked(host="127.0.0.1:8080", origin=origin), 8080) == "another site's pages are not answered"
