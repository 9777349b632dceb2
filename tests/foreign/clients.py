"""Other people's clients of APNs, each in a process of its own: told what to push, and asked what became of it."""

import json
import select
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, Protocol

from bench.installing import ROOT, needs, npm, peers_python, pypi
from bench.peers.work import Work
from bench.worker import environment_of

# Who needs longer than this for a handful of pushes stands still.
STALLS_S = 30

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Told:
    """
    What a client says of a push.

    Attributes:
        timestamp: As Apple wrote it: ms.
        error: Its own words, where it has none of Apple's.
    """

    status: int | None = None
    reason: str | None = None
    timestamp: int | None = None
    error: str | None = None


TAKEN = Told(200)


class Talk(Protocol):
    """A client that runs."""

    def tell(self, tokens: Sequence[str], aps: Mapping[str, Any], topic: str | None = None) -> None:
        """Let it push this to all of these at once; without a topic, to its own."""

    def hear(self) -> list[Told]:
        """Wait for what became of each, in their order."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """
    A client.

    Attributes:
        install: What is to be done before; raises Missing.
        talk: Lets it run while entered, with what there is to know of the server and of us.
    """

    name: str
    install: Callable[[], None]
    talk: Callable[[Work], AbstractContextManager[Talk]]


def environment(work: Work) -> dict[str, str]:
    """Say to a program of `bench.peers` what there is to know; which pushes to send it is told later."""
    return {
        "BENCH_URL": work.url,
        "BENCH_CA_FILE": work.ca_file,
        "BENCH_JWT": work.jwt,
        "BENCH_KEY_FILE": work.key_file,
        "BENCH_KEY_ID": work.key_id,
        "BENCH_TEAM_ID": work.team_id,
        "BENCH_TOPIC": work.topic,
        "BENCH_TOKENS_FILE": "/dev/null",
        "BENCH_COUNT": "0",
        "BENCH_IN_FLIGHT": "0",
    }


class Lines:
    """A client that stays, and takes pushes line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, tokens: Sequence[str], aps: Mapping[str, Any], topic: str | None = None) -> None:
        self.write([{"token": token, "aps": aps, "topic": topic} for token in tokens])

    def hear(self) -> list[Told]:
        return [Told(**told) for told in self.read()]

    def write(self, line: list[dict[str, Any]]) -> None:
        """Let it do all of this at once."""
        assert self._process.stdin is not None
        print(json.dumps(line), file=self._process.stdin, flush=True)

    def read(self) -> list[dict[str, Any]]:
        """Wait for what became of each."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], STALLS_S)
        assert ready, f"no answer after {STALLS_S} s"
        told: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return told


@contextmanager
def lines(*command: str, work: Work) -> Iterator[Lines]:
    """Run a program that takes lines. What it says beside them is printed, so that pytest shows it where a test fails."""
    with (
        TemporaryFile("w+") as beside,
        subprocess.Popen(
            command,
            env=environment_of(environment(work)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=beside,
            text=True,
        ) as process,
    ):
        try:
            yield Lines(process)
            process.communicate(timeout=STALLS_S)
        finally:
            process.kill()
            beside.seek(0)
            print(beside.read())
        assert process.returncode == 0


class _Curl:
    """curl, which is called anew each time."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._count = 0

    def tell(self, tokens: Sequence[str], aps: Mapping[str, Any], topic: str | None = None) -> None:
        work = replace(self._work, topic=topic or self._work.topic)
        body = self._folder / "body"
        body.write_text(json.dumps({"aps": aps}))
        self._count = len(tokens)
        self._process = subprocess.Popen(
            [
                *("curl", "--silent", "--no-progress-meter", "--http2", "--parallel", "--max-time", str(STALLS_S)),
                *("--cacert", work.ca_file, "--data-binary", f"@{body}"),
                *("--write-out", "%{urlnum} %{http_code} %{errormsg}\n"),
                *(word for header in work.headers for word in ("--header", header)),
                *(f"{work.url}/3/device/{token}" for token in tokens),
                *(word for number in range(self._count) for word in ("--output", str(self._answer(number)))),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> list[Told]:
        assert self._process is not None
        said, _ = self._process.communicate(timeout=2 * STALLS_S)
        told = [Told()] * self._count
        for line in said.splitlines():
            number, status, error = line.split(" ", 2)
            told[int(number)] = self._told(int(number), int(status), error)
        return told

    def _told(self, number: int, status: int, error: str) -> Told:
        if status == 0:
            return Told(error=error)
        body = self._answer(number).read_text() if self._answer(number).exists() else ""
        return Told(status, **json.loads(body or "{}"))

    def _answer(self, number: int) -> Path:
        return self._folder / str(number)


@contextmanager
def _curl(work: Work) -> Iterator[Talk]:
    with TemporaryDirectory() as folder:
        yield _Curl(work, Path(folder))


def aioapns(work: Work, *more: str) -> AbstractContextManager[Talk]:
    """Run aioapns."""
    return lines(str(peers_python()), "-m", "tests.foreign.by_aioapns", *more, work=work)


def node(script: str, *more: str, work: Work) -> AbstractContextManager[Lines]:
    """Run a program of this folder that uses a client of npm."""
    return lines("node", str(_HERE / script), *more, work=work)


NODE_APN = Foreign("@parse/node-apn", npm, lambda work: node("node-apn.mjs", work=work))
APNS2 = Foreign("apns2", npm, lambda work: node("apns2.mjs", work=work))
AIOAPNS = Foreign("aioapns", pypi, aioapns)
CURL = Foreign("curl", lambda: needs("curl", "apt-get install curl"), _curl)

CLIENTS = (NODE_APN, APNS2, AIOAPNS, CURL)
