"""The clients that are measured against each other: how each is run, and what a run took."""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.installing import H2LOAD, PEERS, ROOT, needs, npm, of_npm, of_ours, of_pypi, peers_python, pypi, reason
from bench.spent import Spent
from bench.worker import MeasurementFailed, environment_of

# Who needs longer than this for one run stands still.
_STALLS_S = 60

# What `bench.peers` print: how many pushes were answered 200; and h2load, of a run.
_GOOD = re.compile(r"^(\d+)$|^status codes: (\d+) 2xx", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pushes of a small and of a large run: what a push costs is the difference, without what a process costs."""

    few: int
    many: int


# One of both is what a cold process sends, COLD.
COLD = 5_000
FAST, SLOW = Sizes(COLD, 20_000), Sizes(1_000, COLD)


@dataclass(frozen=True, slots=True)
class Client:
    """
    A program that does the work of `bench.peers.work`.

    Attributes:
        name: As its users know it.
        command: The program and its arguments, given its environment.
        install: What is to be done before; raises Missing.
        version: Empty where it is this repository's.
        echoed: Whether it needs a server that answers with the `apns-id`, which nghttpd does not.
        is_peer: Whether somebody would pick it in place of Lockstep.
        note: What it does otherwise than the rest.
        stalls_s: How long a run may take.
    """

    name: str
    command: Callable[[Mapping[str, str]], Sequence[str]]
    sizes: Sizes = FAST
    install: Callable[[], None] = lambda: None
    version: Callable[[], str] = lambda: ""
    echoed: bool = False
    is_peer: bool = True
    note: str = ""
    stalls_s: float = _STALLS_S

    def run(self, environment: Mapping[str, str], count: int, in_flight: int) -> Spent:
        """
        Send so many pushes in a process of its own.

        Raises:
            MeasurementFailed: They were not all answered 200, or it stood still.
        """
        said = {**environment, "BENCH_COUNT": str(count), "BENCH_IN_FLIGHT": str(in_flight)}
        began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            ran = subprocess.run(  # noqa: S603 the bench's own
                self.command(said),
                env=environment_of(said),
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=self.stalls_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MeasurementFailed(f"{count:,} pushes were not through after {self.stalls_s:g} s") from error
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = _GOOD.search(ran.stdout)
        good = int(found[1] or found[2]) if found else 0
        if ran.returncode or good != count:
            words = reason(ran.stderr.strip() or ran.stdout)
            raise MeasurementFailed(f"{good:,} of {count:,} pushes were answered 200: {words}")
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Spent(count, cpu_s, time.perf_counter() - began_s)


def _python(*words: str) -> Callable[[Mapping[str, str]], Sequence[str]]:
    return lambda _: (sys.executable, "-m", *words)


def _node(script: str) -> Callable[[Mapping[str, str]], Sequence[str]]:
    return lambda _: ("node", str(PEERS / script))


def _h2load(said: Mapping[str, str]) -> Sequence[str]:
    headers = {
        "authorization": f"bearer {said['BENCH_JWT']}",
        "apns-topic": said["BENCH_TOPIC"],
        "apns-push-type": "liveactivity",
        "apns-priority": "10",
        "apns-expiration": "1900000000",
        "content-type": "application/json",
    }
    return (
        "h2load",
        *("-n", said["BENCH_COUNT"], "-c", "1", "-t", "1", "-m", said["BENCH_IN_FLIGHT"]),
        *("-d", said["BENCH_BODY_FILE"], "-i", said["BENCH_URLS_FILE"]),
        *(word for name, value in headers.items() for word in ("-H", f"{name}: {value}")),
    )


LIMIT = Client(
    "h2load",
    _h2load,
    install=lambda: needs("h2load", H2LOAD),
    is_peer=False,
    note="no client but the limit: C, one body for all, nothing kept of an answer",
)
BARE = Client("bench/bare.py", _python("bench.bare"), is_peer=False)
ENGINE = Client("Lockstep's engine", _python("bench.peers.engine"), is_peer=False)
# Not the same work as the other rows: what the whole function asks of the engine, which has one body for all.
READY = Client("Lockstep's engine, one body for all", _python("bench.peers.engine", "--one-body"), is_peer=False)

PEER_CLIENTS = (
    Client("@parse/node-apn", _node("node-apn.mjs"), install=npm, version=lambda: of_npm("@parse/node-apn")),
    Client(
        "apns2 (npm)",
        _node("apns2.mjs"),
        install=npm,
        version=lambda: of_npm("apns2"),
        note="opens as many as 32 connections; leaves out apns-priority where it is 10",
    ),
    Client(
        "aioapns",
        lambda _: (str(peers_python()), "-m", "bench.peers.by_aioapns"),
        SLOW,
        install=pypi,
        version=lambda: of_pypi("aioapns"),
        echoed=True,
        note="against a server of Node.js, for it waits for the apns-id in each answer, which nghttpd does not send",
    ),
    Client(
        "httpx",
        _python("bench.peers.by_httpx"),
        SLOW,
        version=lambda: of_ours("httpx"),
        note="has never more than 100 streams at once, whatever is asked of it",
    ),
)
CLIENTS = (LIMIT, BARE, ENGINE, READY, *PEER_CLIENTS)
