"""`python -m onebox`, from a shell."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onebox import ROOT
from onebox.__main__ import main, to_try
from onebox.command_line import will_start
from onebox.control import Control
from onebox.folder import Unusable, held
from onebox.identity import AUDIENCE, ISSUER, Identity, JwtCheck
from onebox.ports import Ports, PortTaken
from onebox.proxies import lead_past
from onebox.stack import Stack, running
from tests.signals import heard

START = {
    "activity": "order-42",
    "aps": {
        "event": "start",
        "attributes-type": "OrderAttributes",
        "attributes": {"order": 42},
        "content-state": {"stage": "taken", "minutes": 40},
        "alert": {"title": "Order taken"},
    },
}


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
            "ExplainFunction",
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


def test_up_works_where_a_proxy_is_set_and_ends_with_its_terminal(tmp_path: Path) -> None:
    """Nobody listens at the proxy: what goes there fails."""
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    with heard(signal.SIGHUP):
        process = subprocess.Popen(
            onebox("up", local=tmp_path), cwd=ROOT, env=own | proxy, stdout=subprocess.PIPE, text=True
        )
    try:
        endpoints = wait_for(tmp_path / "endpoints.json", process)
        phones = f"{endpoints['control']}/phones"
        ask("POST", phones, {"user": "ana"})
        wait_until(lambda: bool(ask("GET", phones)[0]["start_tokens"]), process)
        ask("POST", f"{endpoints['control']}/publishes", {**START, "to": {"users": ["ana"]}})
        wait_until(lambda: bool(ask("GET", phones)[0]["cards"]), process)
    finally:
        process.send_signal(signal.SIGHUP)
        printed, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "There is a proxy: say `export NO_PROXY=127.0.0.1,localhost` before them." in printed
    assert not (tmp_path / "endpoints.json").exists()
    assert not (tmp_path / "env.json").exists()


def test_who_said_nohup_keeps_it_when_the_terminal_is_closed() -> None:
    """As `nohup` starts it: with the signal ignored."""
    code = (
        "import signal, onebox.__main__ as main\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "main._on_stops(signal.default_int_handler)\n"
        "print(signal.getsignal(signal.SIGHUP).name, signal.getsignal(signal.SIGTERM) is signal.default_int_handler)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout == "SIG_IGN True\n"


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "corp.example", "no_proxy": "127.0.0.1"}, "127.0.0.1,localhost"),
        ({"no_proxy": "", "NO_PROXY": "localhost"}, "localhost,127.0.0.1"),
    ],
    ids=str,
)
def test_what_goes_past_a_proxy_still_does_and_this_machine_too(said: dict[str, str], after: str) -> None:
    lead_past(said)

    assert said == {"no_proxy": after, "NO_PROXY": after}


def test_where_nothing_goes_to_a_proxy_nothing_is_changed() -> None:
    said = {"NO_PROXY": "*"}

    lead_past(said)

    assert said == {"NO_PROXY": "*"}


@pytest.mark.parametrize(
    ("arguments", "starts"),
    [
        ("up", True),
        ("--sam x --local up demo --functions sam", True),
        ("--local=x up --api-port 80", True),
        ("up --help", False),
        ("-h", False),
        ("schema demo", False),
        ("--local up token demo", False),
        ("", False),
        ("--local", False),
    ],
)
def test_that_it_starts_is_said_where_it_does(arguments: str, starts: bool) -> None:
    assert will_start(arguments.split()) is starts


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + 30
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.05)


def wait_for(path: Path, process: subprocess.Popen[str]) -> dict[str, str]:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        assert process.poll() is None
        if path.exists() and (found := json.loads(path.read_text())):
            return dict(found)
        time.sleep(0.05)
    raise TimeoutError("it does not say where it is")


@pytest.fixture
def taken() -> Iterator[int]:
    """Listen on a port, and return it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        yield port


def test_a_port_that_is_taken_is_said_with_who_has_it_and_how_to_choose_another(
    taken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--local", str(tmp_path), "up", "--control-port", str(taken)]) == 1

    said = capsys.readouterr().err
    assert f"Port {taken} is taken" in said
    assert f"process {os.getpid()}" in said or "lsof" in said
    assert 'make up ARGS="--control-port 0"' in said


def test_who_has_a_port_is_left_to_the_person_where_nothing_can_tell(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(PortTaken, match=f"lsof -nP -iTCP:{taken}"):
        Ports(api=taken).see_that_they_are_free()


def test_one_that_has_no_answer_is_not_waited_for(taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lsof where a disk on the network hangs."""
    (tmp_path / "lsof").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tmp_path / "lsof").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PortTaken, match=f"Port {taken} is taken"):
        Ports(api=taken).see_that_they_are_free()


def test_ports_that_are_free_are_left_free(taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert free != taken

    for _ in range(2):
        Ports(api=free, aws=0, control=0).see_that_they_are_free()
    with pytest.raises(PortTaken, match="--aws-port and --api-port are both"):
        Ports(api=free, aws=free).see_that_they_are_free()


def test_a_second_stack_does_not_disturb_the_first_ones_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(tmp_path, "make up"):
        assert main(["--local", str(tmp_path), "up"]) == 1

    assert f"is in use by `make up`, process {os.getpid()}" in capsys.readouterr().err
    with held(tmp_path, "make up"):
        pass  # it was let go


def test_a_folder_that_cannot_be_written_to_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a-file").touch()

    assert main(["--local", str(tmp_path / "a-file"), "up"]) == 1
    assert "a-file can't be written to (File exists): remove it" in capsys.readouterr().err


def test_a_folder_is_let_go_by_a_process_that_is_killed(tmp_path: Path) -> None:
    hold = (
        "import sys, time, pathlib, onebox.folder\n"
        "with onebox.folder.held(pathlib.Path(sys.argv[1]), 'up'): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Unusable, match=f"`up`, process {process.pid}"), held(tmp_path, "make up"):
            pass
        process.kill()

    with held(tmp_path, "make up"):
        pass


def test_ctrl_c_ends_the_demo_in_order(tmp_path: Path) -> None:
    process = subprocess.Popen(
        onebox("demo", local=tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "runs on this machine" in line:
            break
    # As often as an impatient person presses it.
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert said.strip() == "Stopped, and nothing of it is left running."


def test_where_nobody_reads_what_is_printed_there_is_no_complaint(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ran = subprocess.run(onebox("token", "ana", local=tmp_path), cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)

    os.close(writer)
    assert ran.returncode == 1
    assert ran.stderr == b""


def test_a_python_that_lacks_what_onebox_needs_is_told_which_does_not() -> None:
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys, runpy; sys.path.append({str(ROOT)!r}); {_AS_MAIN}"],
        capture_output=True,
        text=True,
    )

    assert bare.returncode == 1
    assert ".venv/bin/python -m onebox" in bare.stderr
    assert "Traceback" not in bare.stderr


_AS_MAIN = "runpy.run_module('onebox', run_name='__main__', alter_sys=True)"


def test_what_up_says_to_try_works_as_it_is_printed(stack: Stack) -> None:
    """Run here by boto3 and http.client, with what the AWS CLI and curl would send."""
    control = Control(stack.phones, stack.apns, publish=stack.publish)
    with running(control):
        phone, publish, look = (shlex.split(line) for line in to_try({**stack.endpoints(), "control": control.url}))
        assert phone[:2] == ["curl", "-d"]
        ask("POST", phone[3], json.loads(phone[2]))
        stack.drain()
        assert publish[2:5] == ["aws", "sqs", "send-message"]
        options = dict(zip(publish[5::2], publish[6::2], strict=True))
        assert options["--endpoint-url"] == stack.aws.url
        stack.aws.sqs.send_message(QueueUrl=options["--queue-url"], MessageBody=options["--message-body"])
        stack.drain()

        [shown] = ask("GET", look[1], None)

    assert [card["state"] for card in shown["cards"]] == [{"driver": "Dora", "minutes": 40}]


@pytest.mark.parametrize(
    "arguments",
    [[], ["down"], ["token"], ["up", "--api-port", "x"], ["up", "--api-port", "-1"], ["up", "--api-port", "65536"]],
)
def test_a_command_that_there_is_not_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err
