"""Debian's nghttpd as an APNs that takes everything: a fast HTTP/2 server that is nobody's here."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from onebox.apns.certificates import server_context

MISSING = "nghttpd is not installed: apt-get install nghttp2-server"

# Where Debian puts it, which is not on everybody's path.
_MORE_PATH = "/usr/sbin"
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), _MORE_PATH])

_TRIES = 5
_START_S = 10
_LOOK_AGAIN_S = 0.02

# What a connection may send ahead: 16 MB. By default it is 64 KB, which two hundred pushes under way fill: a few of
# @parse/node-apn's 500 then wait in vain, and time out.
_WINDOW_BITS = "24"

# Names of one file; file systems have a limit (ext4: 65,000).
_LINKS = 10_000


class Missing(Exception):
    """Something that the bench needs is not installed; says how to get it."""


def program() -> str | None:
    """Where nghttpd is, None if it isn't."""
    return shutil.which("nghttpd", path=SEARCHED)


def version() -> str:
    """Its own words, such as `nghttpd nghttp2/1.52.0`."""
    return subprocess.run([_found(), "--version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 found above


class Nghttpd:
    """
    nghttpd over TLS, running while entered.

    It answers a request, whatever its method, with the file of that path: an empty file per token is Apple's empty 200,
    any other token gets 404.

    Args:
        streams: How many it allows at once.
    """

    def __init__(self, tokens: Iterable[str], *, streams: int = 100) -> None:
        self._program = _found()
        self._streams = streams
        self._folder = TemporaryDirectory(prefix="lockstep-bench-")
        folder = Path(self._folder.name)
        self.ca_file = folder / "ca.pem"
        self.url = ""
        # It writes the server's certificate and key into one file beside it.
        server_context(folder, self.ca_file)
        self.pem = folder / "apns-server.pem"
        self._htdocs = folder / "htdocs"
        device = self._htdocs / "3" / "device"
        device.mkdir(parents=True)
        for i, token in enumerate(tokens):
            if i % _LINKS == 0:
                first = device / token
                first.touch()
            else:
                # Far quicker than to make files, on some file systems.
                (device / token).hardlink_to(first)

    def __enter__(self) -> Self:
        """Start it, and wait until it listens."""
        for _ in range(_TRIES):
            port = free_port()
            command = [
                self._program,
                "-a",
                "127.0.0.1",
                "-m",
                str(self._streams),
                "-W",
                _WINDOW_BITS,
                "-d",
                str(self._htdocs),
                str(port),
                str(self.pem),
                str(self.pem),
            ]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 found above
            if listens(self._process, port):
                self.url = f"https://127.0.0.1:{port}"
                return self
        self._folder.cleanup()
        raise OSError("nghttpd does not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Say whether a server listens before long; it ends where the port was taken meanwhile, or is ended."""
    until_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(_LOOK_AGAIN_S)
    process.kill()
    process.wait()
    return False


def _found() -> str:
    found = program()
    if found is None:
        raise Missing(MISSING)
    return found


def free_port() -> int:
    """Find a port for a program that tells no one which it chose, so that 0 won't do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
