"""The server of Node.js for a client that wants its `apns-id` back."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.installing import PEERS
from bench.nghttpd import free_port, listens


class Echo:
    """An APNs that takes everything and says which push it answers, running while entered."""

    def __init__(self, pem: Path) -> None:
        self._pem = pem
        self.url = ""

    def __enter__(self) -> Self:
        """Start it, and wait until it listens."""
        port = free_port()
        self._process = subprocess.Popen(["node", str(PEERS / "server.mjs"), str(self._pem), str(port)])  # noqa: S603, S607 node is where the person has it
        if not listens(self._process, port):
            raise OSError("the server of Node.js does not start")
        self.url = f"https://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()
