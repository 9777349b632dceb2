"""How containers reach this machine: docker is simulated by an executable of this name, found first."""

import socket
import ssl
import stat
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from onebox.apns.simulator import ApnsSimulator
from onebox.bridge import CONTAINER_HOST, addresses, as_containers_say
from onebox.moto_server import MotoServer


def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let this be docker."""
    path = tmp_path / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_an_address_of_dockers_that_is_ours_is_listened_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, '[ "$*" = "${*#*bridge}" ] || echo 127.0.0.5')

    assert addresses() == ["127.0.0.5"]


def test_a_bridge_without_a_gateway_has_the_first_address_of_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, monkeypatch, "echo 127.0.0.4/30")

    assert addresses() == ["127.0.0.5"]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo 203.0.113.1", id="Docker Desktop's bridge is in a machine of its own"),
        pytest.param("echo", id="a bridge without an address"),
        pytest.param("echo fe80::1", id="an address of IPv6"),
        pytest.param("echo no daemon >&2; exit 1", id="no daemon"),
    ],
)
def test_nothing_else_is_listened_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    docker(tmp_path, monkeypatch, script)

    assert addresses() == []


def test_without_docker_there_is_no_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert addresses() == []


def test_moto_answers_on_the_bridge_too() -> None:
    moto = MotoServer(also_on=["127.0.0.5"])
    moto.start()
    try:
        for host in ("127.0.0.1", "127.0.0.5"):
            connection = HTTPConnection(host, urlsplit(moto.url).port or 0, timeout=5)
            connection.request("GET", "/moto-api/")
            assert connection.getresponse().status == 200
            connection.close()
    finally:
        moto.stop()


def test_apns_answers_on_the_bridge_too_by_the_name_that_containers_use(tmp_path: Path) -> None:
    with ApnsSimulator(
        bundle_id="com.example.app", team_id="TEAM123456", keys={}, directory=tmp_path, also_on=["127.0.0.5"]
    ) as apple:
        context = ssl.create_default_context(cafile=str(apple.ca_file))
        context.set_alpn_protocols(["h2"])
        for url in (apple.production_url, apple.sandbox_url):
            with socket.create_connection(("127.0.0.5", urlsplit(url).port or 0), timeout=5) as plain:
                with context.wrap_socket(plain, server_hostname=CONTAINER_HOST) as secured:
                    assert secured.selected_alpn_protocol() == "h2"


def test_addresses_of_this_machine_are_named_as_containers_name_it() -> None:
    assert as_containers_say(
        {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
            "QUEUE_URL": "http://127.0.0.1:5000/123456789012/Queue",
            "APNS_PRODUCTION_URL": "https://localhost:2197",
            "BUNDLE_ID": "com.example.localhost",
            "ELSEWHERE_URL": "https://localhost.example.com:443",
            "NONE": None,
            "EMPTY": "",
        }
    ) == {
        "AWS_ENDPOINT_URL": "http://host.docker.internal:5000",
        "QUEUE_URL": "http://host.docker.internal:5000/123456789012/Queue",
        "APNS_PRODUCTION_URL": "https://host.docker.internal:2197",
        "BUNDLE_ID": "com.example.localhost",
        "ELSEWHERE_URL": "https://localhost.example.com:443",
        "NONE": None,
        "EMPTY": "",
    }
