"""Every fault that the engine is held against, by the name that it has in docs/engine-faults.md."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import certifi

from lockstep.connection import IDLE_S
from lockstep.engine import FAILED_PRIMES_MAX, Engine
from lockstep.provider_token import ProviderToken
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import KEY, TOPIC, Clock, engine_to, kinds, pushes, send
from tests.fault_roads import OldServer, Road, serving, url_of

HOURS_S = 3 * 60 * 60

# Timeouts of cases that must wait for one; long enough for a busy machine to answer in.
_SHORT = {"request_timeout_s": 1.5, "alone_timeout_s": 1.0}

# Answers so slow that the whole flight after the first push is on the wire when the fault strikes one of its last.
_SLOW = Fault("latency", count=100, skip=1, latency_s=0.4)
_LATE = 80


@dataclass(frozen=True, slots=True)
class Scene:
    """APNs with a clock of its own, and the clock that the engine looks at."""

    apple: ApnsSimulator
    apples_clock: Clock
    clock: Clock


@dataclass(frozen=True, slots=True)
class Way:
    """
    An engine whose way to APNs is about to be rough.

    Attributes:
        connections: How many connections were made so far.
        struck: Whether the fault was met.
        at_200: Called when the 201st push is read.
        mends: Whether the engine can work again once the fault is over.
    """

    engine: Engine
    connections: Callable[[], int]
    struck: Callable[[], bool]
    at_200: Callable[[], None] = lambda: None
    mends: bool = True


type Case = Callable[[Scene], AbstractContextManager[Way]]


@contextmanager
def _way(scene: Scene, **options: Any) -> Iterator[Way]:
    """Yield the plain way, on which faults of the simulator strike."""
    apple = scene.apple

    def struck() -> bool:
        return all(fault.kind == "latency" for fault in apple.faults.pending())

    with closing(engine_to(apple, clock=scene.clock, **options)) as engine:
        yield Way(engine, lambda: apple.connections_made, struck)


def _faults(*faults: Fault, **options: Any) -> Case:
    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        for fault in faults:
            scene.apple.faults.add(fault)
        with _way(scene, **options) as way:
            yield way

    return case


def _warm_up(scene: Scene, way: Way) -> None:
    """Bring a connection up, which then is idle."""
    assert kinds(send(way.engine, pushes(scene.apple, 5))) == {"Accepted": 5}
    scene.apple.clear()


def _idle(happens: Callable[[Scene], None]) -> Case:
    """Let something happen to a connection that is idle."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        with _way(scene) as way:
            _warm_up(scene, way)
            happens(scene)
            yield way

    return case


def _idle_and_dead(idle_s: float) -> Case:
    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        with serving(Road(scene.apple.production_url)) as road:
            with _way(scene, url=url_of(road), **_SHORT) as way:
                _warm_up(scene, way)
                road.vanish()
                scene.clock.ahead_s = scene.apples_clock.ahead_s = idle_s
                # One that is known to be too old gets no push, only libcurl's goodbye.
                struck = (lambda: road.swallowed > 0) if idle_s < IDLE_S else (lambda: road.accepted == 2)
                yield replace(way, connections=lambda: road.accepted, struck=struck)

    return case


def _addresses(*hosts: str) -> Case:
    """Let the name of APNs stand for these."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        port = int(scene.apple.production_url.rpartition(":")[2])
        with _way(scene, resolve=[f"localhost:{port}:{','.join(hosts)}"]) as way:
            yield replace(way, struck=lambda: _refuses(hosts[0], port), mends=len(hosts) > 1)

    return case


def _refuses(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return True
    return False


def _certificate(*, name: str = "localhost", roots: str = "") -> Case:
    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        with serving(Road(scene.apple.production_url)) as road:
            port = road.server_address[1]
            engine = Engine(
                f"https://{name}:{port}",
                TOPIC,
                ProviderToken(KEY, scene.clock),
                ca_file=roots or str(scene.apple.ca_file),
                resolve=[f"{name}:{port}:127.0.0.1"],
            )
            with closing(engine):
                # A handshake that the client ends never comes to be a connection of the simulator's.
                made = scene.apple.connections_made
                yield Way(
                    engine, lambda: road.accepted, lambda: scene.apple.connections_made == made, mends=False
                )

    return case


@contextmanager
def _without_h2(scene: Scene) -> Iterator[Way]:
    with serving(OldServer(scene.apple.ca_file.parent / "apns-server.pem")) as server:
        with _way(scene, url=url_of(server), **_SHORT) as way:

            def struck() -> bool:
                return server.accepted > 0 and b"HTTP/1.1" not in server.heard

            yield replace(way, connections=lambda: server.accepted, struck=struck, mends=False)


def _hours_pass(scene: Scene) -> None:
    scene.clock.ahead_s = scene.apples_clock.ahead_s = HOURS_S


def _clock(before_s: float, after_s: float, *, midway: bool, slow: bool = False) -> Case:
    """Let our clock jump, and not Apple's."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        def jump() -> None:
            scene.clock.ahead_s = after_s

        def struck() -> bool:
            return scene.clock.ahead_s == after_s

        scene.clock.ahead_s = before_s
        with _way(scene) as way:
            _warm_up(scene, way)
            if slow:
                scene.apple.faults.add(Fault("latency", count=None, skip=100, latency_s=30))
            if not midway:
                jump()
            yield replace(way, struck=struck, at_200=jump if midway else way.at_200)

    return case


CASES: Mapping[str, Case] = {
    "none": _faults(),
}
