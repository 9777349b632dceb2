"""What tests share: the whole stack, in this process."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from onebox.proxies import lead_past
from onebox.stack import Stack

# moto, which the stack brings, comes before everything that may make a boto3 client.
from bench.quick_moto import quick_moto  # isort: skip
from lockstep.engine import Engine  # isort: skip
from onebox.apns.simulator import ApnsSimulator  # isort: skip
from tests.engine_side import as_new, engine_to, simulator_in  # isort: skip

# As `python -m onebox` does, before there are threads.
lead_past(os.environ)

# What functions call, and whether they print anything secret, is told of all tests together.
pytest_plugins = ["tests.recording"]

# Each of these takes both cores for minutes: they come first, and one after the other.
BOTH_CORES = ("test_bench_stadium.py", "test_play.py")


class TwoAtATime(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each of `make test`'s two processes a file at a time, or all that take both cores."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "both cores" if file.endswith(BOTH_CORES) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoAtATime:
    return TwoAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in BOTH_CORES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "no Chromium" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"no Chromium: {len(skipped)} tests of the page did not run (Debian's package: chromium)"
        )


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Let moto answer as it does, in a third of the time: test_bench_fanout.py holds one against the other."""
    with quick_moto():
        yield


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the stack once; nothing polls its queues but `drain`."""
    # What is not about pace need not wait for it.
    unpaced = {"MinUpdateInterval": "0"}
    with Stack(tmp_path_factory.mktemp("local"), polling=False, parameters=unpaced) as stack:
        yield stack


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """Return the stack as if nothing had happened yet."""
    running_stack.reset()
    return running_stack


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApnsSimulator]:
    """Start an APNs of a module's own, without the rest of the stack."""
    with simulator_in(tmp_path_factory.mktemp("apns")) as simulator:
        yield simulator


@pytest.fixture
def apple(simulator: ApnsSimulator) -> Iterator[ApnsSimulator]:
    """Return that APNs as if nothing had happened yet."""
    with as_new(simulator) as apple:
        yield apple


@pytest.fixture
def engine(apple: ApnsSimulator) -> Iterator[Engine]:
    """Return an engine that pushes to it."""
    engine = engine_to(apple)
    yield engine
    engine.close()
