"""Where each part of the stack listens."""

import errno
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass, fields

HIGHEST = 65535

# Who listens on a port, and how a program says so; the first that is there and knows is believed.
_WHO = (
    (("lsof", "-nP", "-iTCP:{}", "-sTCP:LISTEN", "-Fpc"), re.compile(r"p(?P<process>\d+)\nc(?P<name>.+)")),
    (("ss", "-Hltnp", "sport = :{}"), re.compile(r'"(?P<name>[^"]+)",pid=(?P<process>\d+)')),
)
_ANSWER_S = 2


class PortTaken(Exception):
    """A part can't listen where it was told to; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens; 0 lets the system choose."""

    api: int = 0
    aws: int = 0
    apns_production: int = 0
    apns_sandbox: int = 0
    control: int = 0
    page: int = 0

    def see_that_they_are_free(self) -> None:
        """
        Try each that was chosen.

        Raises:
            PortTaken: Somebody else listens there, or may not be disturbed.
        """
        given: dict[int, str] = {}
        for part in fields(self):
            port: int = getattr(self, part.name)
            option = f"--{part.name.replace('_', '-')}-port"
            if port in given:
                raise PortTaken(f"{option} and {given[port]} are both {port}: each part needs a port of its own.")
            if port:
                given[port] = option
                _try(port, option)


def _try(port: int, option: str) -> None:
    with socket.socket() as probe:
        # As the servers do: what a former one left behind for a minute is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            why = f"is taken{_by(port)}" if error.errno == errno.EADDRINUSE else f"can't be had: {error.strerror}"
            raise PortTaken(
                f'Port {port} {why}.\nName another, or 0 for any that is free: make up ARGS="{option} 0"'
            ) from error


def _by(port: int) -> str:
    for command, answer in _WHO:
        if shutil.which(command[0]):
            said = _said([word.format(port) for word in command])
            if found := answer.search(said):
                return f" by {found['name']}, process {found['process']}"
    return f" (lsof -nP -iTCP:{port} -sTCP:LISTEN says by whom)"


def _said(command: list[str]) -> str:
    """Ask a program; one that can't be run, or has no answer in good time, as lsof has none where a disk hangs, says nothing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
