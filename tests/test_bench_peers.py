"""Peers: who can't be installed, and who stands still, is skipped by name; what is ours must do its work."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import installing
from bench.clients import BARE, CLIENTS, ENGINE, PEER_CLIENTS, Client
from bench.installing import PEERS, ROOT, needs, of_npm, of_pypi
from bench.nghttpd import Missing
from bench.peers.work import body, payload
from bench.race import Race, Track
from bench.report import Report
from bench.worker import MeasurementFailed

TRACK = Track({"BENCH_URL": "https://127.0.0.1:1"}, None)


type Command = Callable[[Mapping[str, str]], Sequence[str]]


def prints(words: str) -> Command:
    return lambda _: (sys.executable, "-c", f"print({words!r})")


def peer(command: Command, **more: Any) -> Client:
    return Client("a peer", command, **more)


def race(client: Client) -> Race:
    return Race([client], [100])


# --- who is skipped


def test_a_peer_that_cannot_be_installed_is_skipped_by_name_with_the_reason() -> None:
    def refuse() -> None:
        needs("no-such-program", "apt-get install it")

    one = race(peer(prints("never run"), install=refuse))

    one.prepare()
    one.round(TRACK)

    assert one.warm(one.clients[0], 100) is None
    notes = Report(one, 1, "2026-11-25").text()
    assert "- a peer: skipped at 100 in flight: no-such-program is not installed: apt-get install it" in notes


def test_what_an_installer_said_is_the_reason() -> None:
    words = "print('trying', file=sys.stderr); print('ERROR: no such package', file=sys.stderr); sys.exit(1)"

    with pytest.raises(Missing, match=r"^can't be installed: ERROR: no such package$"):
        installing.run(sys.executable, "-c", f"import sys; {words}")


def test_no_reason_names_an_address_or_a_folder_of_this_machine() -> None:
    npm = (
        "npm error code E404\nnpm error 404 GET https://packages.example/apns2\nnpm error A log is in: /home/me/x.log\n"
    )
    node = "/home/me/bench/peers/apns2.mjs:3\n  at x (file:///home/me/y.mjs:1)\nError: no route\n\nNode.js v20.20.2\n"

    assert installing.reason(npm) == "npm error code E404"
    assert installing.reason(node) == "Error: no route"
    assert installing.reason("") == "no reason given"
    assert installing.reason("x and/or y") == "x and/or y"


def test_a_peer_that_stands_still_is_skipped_by_name() -> None:
    one = race(peer(lambda _: ("tail", "-f", "/dev/null"), stalls_s=0.1))

    one.round(TRACK)
    one.round(TRACK)

    assert one.dropped == {("a peer", 100): "5,000 pushes were not through after 0.1 s"}
    assert "a peer: skipped at 100 in flight: 5,000 pushes were not through" in Report(one, 2, "2026-11-25").text()


def test_a_peer_whose_pushes_were_not_all_answered_200_has_no_figure() -> None:
    one = race(peer(prints("4999")))

    one.round(TRACK)

    assert one.dropped == {("a peer", 100): "4,999 of 5,000 pushes were answered 200: 4999"}


def test_a_peer_gets_a_second_try(tmp_path: Path) -> None:
    """It answers 4,999 the first time, and does its work from then on; the larger run takes some CPU."""
    script = f"""
import os, pathlib
been, count = pathlib.Path({str(tmp_path / "been")!r}), int(os.environ["BENCH_COUNT"])
sum(range(count * 1000))
print(count if been.exists() else count - 1)
been.touch()
"""
    one = race(peer(lambda _: (sys.executable, "-c", script)))

    one.round(TRACK)

    assert one.dropped == {}
    assert one.warm(one.clients[0], 100) is not None


def test_a_peer_that_fails_in_a_later_round_loses_what_it_had() -> None:
    """Rounds are compared one by one: a figure of fewer rounds could not be."""
    one = race(peer(prints("4999")))
    one.runs["a peer", 100].append(([], []))  # type: ignore[arg-type]  # whatever it was

    one.round(TRACK)

    assert one.warm(one.clients[0], 100) is None


def test_a_peer_without_its_server_is_skipped() -> None:
    one = race(peer(prints("5000"), echoed=True))

    one.round(TRACK)

    assert one.dropped == {("a peer", 100): "there is no server for it"}


def test_where_our_own_fails_there_is_no_bench() -> None:
    one = race(peer(prints("4999"), is_peer=False))

    with pytest.raises(MeasurementFailed, match="a peer, 100 in flight: 4,999 of 5,000"):
        one.round(TRACK)


def test_h2load_says_in_its_own_words_how_many_were_answered() -> None:
    words = "finished in 1s\nstatus codes: 5000 2xx, 0 3xx, 0 4xx, 0 5xx\ntraffic: 1"

    assert peer(prints(words)).run({}, 5000, 100).pushes == 5000


# --- what each of them is


def test_the_bare_loop_has_at_most_sixty_lines() -> None:
    assert len((ROOT / "bench" / "bare.py").read_text().splitlines()) <= 60


def test_the_bare_loop_and_the_engine_set_the_same_options_of_libcurl() -> None:
    """But for callbacks, and options that are not set for pushes like these."""
    ours = (ROOT / "layers/shared/lockstep/curl_handle.py").read_text() + (
        ROOT / "layers/shared/lockstep/connection.py"
    ).read_text()
    bare = (ROOT / "bench" / "bare.py").read_text()
    options = r"pycurl\.((?:M_)?[A-Z0-9_]+)"

    missing = set(re.findall(rf"setopt\({options}", ours)) - set(re.findall(options, bare))

    assert {name for name in missing if not name.endswith("FUNCTION")} <= {"RESOLVE", "VERBOSE"}


def test_a_body_has_about_three_hundred_bytes_and_each_its_own() -> None:
    assert 280 <= len(body(12)) <= 320
    assert body(12) != body(13)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_peers_of_node_send_the_same() -> None:
    script = "import { payload } from './work.mjs'; console.log(JSON.stringify(payload(12)))"
    environment = {
        **os.environ,
        "BENCH_URL": "https://localhost:1",
        "BENCH_TOKENS_FILE": "/dev/null",
    }

    ran = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        cwd=PEERS,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    theirs, ours = json.loads(ran.stdout), payload(12)["aps"]
    assert isinstance(ours, dict)
    assert list(theirs) == list(ours)
    assert theirs["content-state"] == ours["content-state"]


def test_peers_have_exact_versions_and_no_addresses() -> None:
    asked = json.loads((PEERS / "package.json").read_text())["dependencies"]
    lock = (PEERS / "package-lock.json").read_text()

    assert all(re.fullmatch(r"[\d.]+", version) for version in asked.values())
    assert '"resolved"' not in lock
    assert {name: json.loads(lock)["packages"][f"node_modules/{name}"]["version"] for name in asked} == asked
    assert of_npm("apns2") == asked["apns2"]
    assert re.fullmatch(r"[\d.]+", of_pypi("aioapns"))


def test_every_client_is_there_and_only_clients_are_peers() -> None:
    assert {client.name for client in CLIENTS} >= {
        "h2load",
        BARE.name,
        ENGINE.name,
        "@parse/node-apn",
        "aioapns",
        "httpx",
    }
    assert [client.name for client in CLIENTS if client.is_peer] == [client.name for client in PEER_CLIENTS]
