"""How the containers of `sam local` reach what listens on this machine."""

import re
import socket
import subprocess
from collections.abc import Mapping
from ipaddress import ip_network

# What containers call this machine: Docker Desktop by itself, other engines because samconfig.toml says so.
CONTAINER_HOST = "host.docker.internal"

_ASK = (
    *("docker", "network", "inspect", "bridge", "--format"),
    "{{range .IPAM.Config}}{{if .Gateway}}{{.Gateway}}{{else}}{{.Subnet}}{{end}} {{end}}",
)
_ANSWER_S = 5

_HERE = re.compile(r"^(https?://)(127\.0\.0\.1|localhost)(?=:)")


def addresses() -> list[str]:
    """
    Return on which addresses, beside the loopback, servers must listen for containers to reach them.

    That is Docker's bridge. There is none where there is no Docker, nor with Docker Desktop, which lets containers reach
    the loopback.
    """
    try:
        found = subprocess.run(_ASK, capture_output=True, text=True, timeout=_ANSWER_S, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return []
    return [address for address in map(_gateway, found) if _is_ours(address)]


def as_containers_say(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return variables whose addresses lead from a container to this machine."""
    return {
        name: value and _HERE.sub(lambda found: found.group(1) + CONTAINER_HOST, value)
        for name, value in variables.items()
    }


def _gateway(found: str) -> str:
    """Some engines name no gateway of their bridge: Docker takes the first address of its network, unless it is told."""
    return str(next(ip_network(found).hosts())) if "/" in found else found


def _is_ours(address: str) -> bool:
    """Say whether this machine can listen on it; Docker Desktop's bridge is in a machine of its own."""
    with socket.socket(socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
