"""`python -m bench.stadium.apple`: Apple's simulator in a process of its own, and the line to it."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.stadium.ledger import Ledger
from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator
from onebox.signing_key import LocalSigningKey


class Apple:
    """
    Apple, as seen by whoever has phones.

    Attributes:
        ledger: The file with a line of each request.
    """

    def __init__(self, folder: Path, key: LocalSigningKey, bundle_id: str, *, seed: int) -> None:
        self.ledger = folder / "ledger"
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.stadium.apple"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        said = self._ask(
            folder=str(folder),
            bundle_id=bundle_id,
            team_id=key.team_id,
            keys={key.key_id: key.public_pem},
            seed=seed,
        )
        self.production_url, self.sandbox_url, self.ca_file = said["production"], said["sandbox"], said["ca_file"]
        self.channels_urls = {environment: said[f"{environment.value} channels"] for environment in Environment}

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end."""
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def issue(self, environment: Environment, count: int) -> list[str]:
        """Make live tokens."""
        return list(self._ask(do="issue", environment=environment.value, count=count))

    def kill(self, token: str) -> None:
        """Answer 410 for it from now on."""
        self._ask(do="kill", token=token)

    def channels(self) -> dict[str, Environment]:
        """List the channels that there are, and of which environment each is."""
        return {channel: Environment(environment) for channel, environment in self._ask(do="channels").items()}

    def flush(self) -> None:
        """Let the ledger have all that came so far, also what those had sent who are gone by now."""
        self._ask(do="flush")

    def _ask(self, **request: Any) -> Any:
        with self._asking:
            stdin, stdout = self._process.stdin, self._process.stdout
            if stdin is None or stdout is None:
                raise OSError("no line to Apple")
            print(json.dumps(request), file=stdin, flush=True)
            return json.loads(stdout.readline())


def main() -> None:
    """Serve until stdin ends."""
    said = json.loads(sys.stdin.readline())
    folder = Path(said["folder"])
    ledger = Ledger(folder / "ledger", seed=said["seed"])
    simulator = ApnsSimulator(
        bundle_id=said["bundle_id"], team_id=said["team_id"], keys=said["keys"], directory=folder, log=ledger
    )
    with simulator:
        ledger.strike(simulator.faults)
        urls = {"production": simulator.production_url, "sandbox": simulator.sandbox_url}
        urls |= {f"{environment.value} channels": simulator.channels_url(environment) for environment in Environment}
        _answer({**urls, "ca_file": str(simulator.ca_file)})
        for line in sys.stdin:
            match json.loads(line):
                case {"do": "issue", "environment": environment, "count": count}:
                    _answer([simulator.issue_token(Environment(environment)) for _ in range(count)])
                case {"do": "kill", "token": token}:
                    simulator.kill_token(token)
                    _answer(None)
                case {"do": "channels"}:
                    _answer(
                        {
                            one.id: environment
                            for environment in Environment
                            for one in simulator.channels.every(environment)
                        }
                    )
                case {"do": "flush"}:
                    simulator.catch_up()
                    ledger.flush()
                    _answer(None)


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
