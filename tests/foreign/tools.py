"""nghttp2's own programs: h2load, which only counts answers, and nghttp, which shows frames."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clients import LIMIT
from bench.installing import needs
from bench.peers.work import Work
from tests.foreign.clients import STALLS_S, environment
from tests.foreign.conftest import ready
from tests.foreign.phones import update


@dataclass(frozen=True, slots=True)
class Counts:
    """
    What h2load counted.

    Attributes:
        errored: Those that have no answer, whether they were sent or not.
    """

    good: int
    refused: int
    errored: int


def h2load(work: Work, folder: Path, tokens: Sequence[str], *, at_once: int) -> Counts:
    """Push once to each, so many at once, over one connection."""
    ready(LIMIT.install)
    urls, body = folder / "urls", folder / "body"
    urls.write_text("\n".join(f"{work.url}/3/device/{token}" for token in tokens))
    body.write_text(json.dumps({"aps": update()}))
    command = LIMIT.command(
        {
            **environment(work),
            "BENCH_COUNT": str(len(tokens)),
            "BENCH_IN_FLIGHT": str(at_once),
            "BENCH_URLS_FILE": str(urls),
            "BENCH_BODY_FILE": str(body),
        }
    )
    said = _run(command)
    found = re.search(r" (\d+) errored,.*\nstatus codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, 0 5xx", said)
    assert found, said
    return Counts(good=int(found[2]), refused=int(found[3]), errored=int(found[1]))


def nghttp(work: Work, folder: Path, token: str) -> str:
    """Push once, and return what nghttp says of the frames that came."""
    ready(lambda: needs("nghttp", "apt-get install nghttp2-client"))
    body = folder / "body"
    body.write_text(json.dumps({"aps": update()}))
    headers = (word for header in work.headers for word in ("--header", header))
    return _run(["nghttp", "--verbose", "--null-out", *headers, "--data", str(body), f"{work.url}/3/device/{token}"])


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=STALLS_S).stdout
