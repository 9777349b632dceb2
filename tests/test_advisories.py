"""`make check` asks for advisories against the pins: here, a source that knows one, one that knows none, and none at all."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops import advisories

ADVISORY = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "details": "It breaks.",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "httpx", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.29.0"}]}],
        }
    ],
}


@contextmanager
def source(known: dict[str, Any], *, status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Be OSV, and know these advisories by package; lends the address, and what was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((query["package"]["name"], query["version"]))
            vulns = known.get(query["package"]["name"])
            body = json.dumps({"vulns": [vulns]} if vulns else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("certifi==2026.10.18       # via httpx\nhttpx==0.28.1             # via -r layer.in\n")
    return file


def check(pins: Path, url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = advisories.main(["--pins", str(pins), "--osv-url", url])
    return status, capsys.readouterr().out


def test_an_advisory_against_a_pin_fails_and_says_what_mends_it(pins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with source({"httpx": ADVISORY}) as (url, asked):
        status, said = check(pins, url, capsys)

    assert status == 1
    assert said == "httpx 0.28.1: PYSEC-2026-1 (CVE-2026-1), fixed in 0.29.0\n"
    assert sorted(asked) == [("certifi", "2026.10.18"), ("httpx", "0.28.1")]


def test_no_advisory_passes_and_says_who_was_asked(pins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with source({}) as (url, asked):
        status, said = check(pins, url, capsys)

    assert (status, said) == (0, "advisories: OSV knows of none against requirements.txt\n")
    assert len(asked) == 2


def test_a_source_that_is_out_of_order_or_not_there_is_no_failure_but_said(
    pins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with source({}, status=503) as (url, _):
        broken = check(pins, url, capsys)
        untrusted = check(pins, url.replace("http:", "https:"), capsys)
    gone = check(pins, url, capsys)

    assert [status for status, _ in (broken, untrusted, gone)] == [0, 0, 0]
    assert all("OSV can't be asked" in said and "NOT CHECKED" in said for _, said in (broken, untrusted, gone))


def test_what_pip_audit_asks_with_may_fail_in_any_way_and_that_is_no_answer() -> None:
    """As where the machine in between has a certificate of its own, and PyPI is asked."""
    last = "requests.exceptions.SSLError: HTTPSConnectionPool(host='pypi.example', port=443): certificate verify failed"

    assert advisories._NO_ANSWER.search(f"Traceback (most recent call last):\n{last}\n")


def test_pins_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("httpx>=0.28\n")

    with pytest.raises(ValueError, match="httpx"):
        advisories.main(["--pins", str(pins), "--osv-url", "http://127.0.0.1:1/"])


def test_a_mirror_that_knows_no_pin_is_no_source_and_a_pin_that_is_not_known_is_told() -> None:
    known = {"name": "certifi", "version": "2026.10.18", "vulns": []}
    unknown = {"name": "httpx", "skip_reason": "not found"}

    assert advisories.told(json.dumps({"dependencies": [known]})) == []
    assert advisories.told(json.dumps({"dependencies": [known, unknown]})) == ["httpx: not found"]
    with pytest.raises(advisories.Unreachable, match="none of the pins"):
        advisories.told(json.dumps({"dependencies": [unknown, unknown]}))
