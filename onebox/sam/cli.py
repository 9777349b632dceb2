"""The SAM CLI, run on the built template."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onebox import ROOT
from onebox.aws import ENVIRONMENT

# What `sam build` makes of template.yaml, and `sam local` runs.
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"

# A container starts in seconds; where its image is made first, and machines are slow, it takes more.
_INVOKE_S = 300
_START_S = 60
_STOP_S = 30

_LOOK_AGAIN_S = 0.05


class SamFailed(Exception):
    """The SAM CLI did not do what it should; the text says what it printed."""


@dataclass(frozen=True, slots=True)
class SamCli:
    """
    Runs what `sam build` has made; the image of the runtime must be there.

    Attributes:
        command: Where it is.
        environments: A folder of ours for files of variables.
        logs: Where what servers and their functions print goes.
    """

    command: Path
    environments: Path
    logs: Path

    def see_that_it_is_there(self) -> None:
        """
        Look for it, and for what it runs.

        Raises:
            SamFailed: One of them isn't there; the text says what to do.
        """
        if shutil.which(self.command) is None:
            raise SamFailed(
                f"No SAM CLI at {self.command}: `make demo FUNCTIONS=sam` and `make sam-local` bring their own."
            )
        if not BUILT.exists():
            raise SamFailed("Nothing is built that it could run: make build")

    def invoke(self, function: str, event: Path, variables: Mapping[str, Mapping[str, str | None]]) -> Any:
        """
        Let a new container handle an event, and return its answer; that of a handler that raised says `errorMessage`.

        Raises:
            SamFailed: There is no answer.
        """
        arguments = ["invoke", function, "-e", str(event), "-n", str(self._variables(function, variables))]
        try:
            run = subprocess.run(
                self._call(*arguments), cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=_INVOKE_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SamFailed(f"sam local invoke {function}: {error}") from error
        if run.returncode:
            raise SamFailed(f"sam local invoke {function} -e {event.name}: {run.stderr or run.stdout}")
        try:
            return json.loads(run.stdout)
        except ValueError as error:
            raise SamFailed(f"sam local invoke {function} -e {event.name}: {run.stdout}\n{run.stderr}") from error

    @contextmanager
    def serving(
        self, what: Literal["start-api", "start-lambda"], name: str, variables: Mapping[str, Mapping[str, str | None]]
    ) -> Iterator[str]:
        """
        Serve the template's routes or functions for a while; yields the address. Containers stay warm.

        Args:
            name: What its log and its variables are called.

        Raises:
            SamFailed: It did not start.
        """
        port = _free_port()
        log = self.logs / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [what, "--port", str(port), "--warm-containers", "LAZY", "--no-watch"]
        call = self._call(*arguments, "-n", str(self._variables(name, variables)))
        with (
            log.open("w") as output,
            # A session of its own: Ctrl-C is for us, and we stop it after what it serves.
            subprocess.Popen(
                call, cwd=ROOT, env=_environment(), stdout=output, stderr=output, start_new_session=True
            ) as process,
        ):
            try:
                _wait_for(process, port, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                _stop(process)

    def _call(self, *arguments: str) -> list[str]:
        return [str(self.command), "local", *arguments, "--skip-pull-image"]

    def _variables(self, name: str, variables: Mapping[str, Mapping[str, str | None]]) -> Path:
        self.environments.mkdir(parents=True, exist_ok=True)
        path = self.environments / f"env-{name}.json"
        path.write_text(json.dumps(variables))
        return path


def _environment() -> dict[str, str]:
    """Our own, but for whom AWS would take us."""
    wanted = {**os.environ, **ENVIRONMENT, "SAM_CLI_TELEMETRY": "0"}
    return {name: value for name, value in wanted.items() if value is not None}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until_s = time.monotonic() + _START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > until_s:
            raise SamFailed(f"{' '.join(map(str, process.args))} did not start: {log.read_text()}")  # type: ignore[arg-type]  # a list, as we gave it
        time.sleep(_LOOK_AGAIN_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let it stop its containers, which a killed one would leave behind."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
