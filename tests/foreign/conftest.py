"""An APNs whose clock can jump, and what other people's clients need to know of it and of us."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from bench.nghttpd import Missing
from bench.peers.work import Work
from lockstep.provider_token import ProviderToken
from onebox.apns.simulator import ApnsSimulator
from tests.engine_side import KEY, TOPIC, Clock, simulator_in
from tests.foreign.clients import CLIENTS, Foreign, Talk


def ready[T](install: Callable[[], T], what: str = "") -> T:
    """Install something. Who can't have it skips its tests by name; in CI they fail, for there all can be had."""
    try:
        return install()
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{what} {missing}".lstrip())


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda foreign: foreign.name)
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """Return each client in turn."""
    assert isinstance(request.param, Foreign)
    ready(request.param.install)
    return request.param


@pytest.fixture(scope="module")
def clock() -> Clock:
    """Return Apple's clock."""
    return Clock()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[ApnsSimulator]:
    """Start an APNs of a module's own, which goes by that clock."""
    with simulator_in(tmp_path_factory.mktemp("apns"), clock=clock) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def work(simulator: ApnsSimulator, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Return what a client must know."""
    key_file = tmp_path_factory.mktemp("key") / "key.pem"
    key_file.write_text(KEY.private_key)
    return Work(
        url=simulator.production_url.replace("localhost", "127.0.0.1"),
        ca_file=str(simulator.ca_file),
        jwt=ProviderToken(KEY, time.time).current(),
        key_file=str(key_file),
        key_id=KEY.key_id,
        team_id=KEY.team_id,
        topic=TOPIC,
        tokens=(),
        count=0,
        in_flight=0,
    )


@pytest.fixture(scope="module")
def client(foreign: Foreign, work: Work) -> Iterator[Talk]:
    """Let a client run for all tests of a module: nothing that Apple answers to one push harms the next."""
    with foreign.talk(work) as client:
        yield client
