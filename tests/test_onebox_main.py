"""`python -m onebox`, from a shell."""

import json
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onebox import ROOT
from onebox.__main__ import main
from onebox.identity import AUDIENCE, ISSUER, Identity, JwtCheck


def onebox(*arguments: str, local: Path) -> list[str]:
    return [sys.executable, "-m", "onebox", "--local", str(local), *arguments]


def ask(method: str, url: str, body: Any = None, **headers: str) -> Any:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    sent = None if body is None else json.dumps(body)
    connection.request(method, parts.path, sent, {"content-type": "application/json", **headers})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_token_is_one_that_the_api_accepts(tmp_path: Path) -> None:
    printed = subprocess.run(onebox("token", "ana", local=tmp_path), cwd=ROOT, capture_output=True, check=True)

    check = JwtCheck(Identity(tmp_path).keys, issuer=ISSUER, audience=[AUDIENCE])
    claims = check.claims(f"Bearer {printed.stdout.decode().strip()}")
    assert claims is not None
    assert claims["sub"] == "ana"


def test_up_says_where_it_is_and_works_until_it_is_told_to_stop(tmp_path: Path) -> None:
    stale = tmp_path / "endpoints.json"
    stale.write_text("{}")
    process = subprocess.Popen(onebox("up", local=tmp_path), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        endpoints = wait_for(tmp_path / "endpoints.json", process)
        assert set(json.loads((tmp_path / "env.json").read_text())) == {
            "PushFunction",
            "RegisterFunction",
            "SweepFunction",
        }

        token = Identity(tmp_path).token("ben")
        answer = ask(
            "PUT", f"{endpoints['api']}/v1/devices/bens", {"observed_at_ms": 1}, authorization=f"Bearer {token}"
        )
        assert answer == {"activities": []}
        ask("POST", f"{endpoints['control']}/phones", {"user": "ana"})
        assert [phone["user"] for phone in ask("GET", f"{endpoints['control']}/phones")] == ["ana"]
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert endpoints["api"] in printed
    assert not (tmp_path / "endpoints.json").exists()


def wait_for(path: Path, process: subprocess.Popen[str]) -> dict[str, str]:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        assert process.poll() is None
        if path.exists() and (found := json.loads(path.read_text())):
            return dict(found)
        time.sleep(0.05)
    raise TimeoutError("it does not say where it is")


@pytest.mark.parametrize("arguments", [[], ["down"], ["token"], ["up", "--api-port", "x"]])
def test_a_command_that_there_is_not_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err
