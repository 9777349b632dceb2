"""Every fault that the engine is held against, by the name that it has in docs/engine-faults.md."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import certifi

from lockstep.connection import IDLE_S
from lockstep.engine import FAILED_PRIMES_MAX, Engine
from lockstep.provider_token import ProviderToken
from onebox.apns.simulator import ApnsSimulator, Fault
from tests.engine_side import KEY, TOPIC, Clock, engine_to, kinds, pushes, send
from tests.fault_roads import OldServer, Road, serving, url_of


@dataclass(frozen=True, slots=True)
class Scene:
    """APNs with a clock of its own, and the clock that the engine looks at."""

    apple: ApnsSimulator
    apples_clock: Clock
    clock: Clock

    def elapse(self, passed_s: float) -> None:
        """Let time pass, for everyone."""
        self.clock.ahead_s += passed_s
        self.apples_clock.ahead_s += passed_s


@dataclass(frozen=True, slots=True)
class Way:
    """
    An engine whose way to APNs is about to be rough.

    Attributes:
        connections: How many connections were made so far.
        struck: Whether the fault was met.
        midway: Called when the 201st push is read: 101 have landed then, and 99 are on the wire.
        mends: Whether the engine can work again once the fault is over.
    """

    engine: Engine
    connections: Callable[[], int]
    struck: Callable[[], bool]
    midway: Callable[[], None] = lambda: None
    mends: bool = True


type Case = Callable[[Scene], AbstractContextManager[Way]]


@contextmanager
def _way(scene: Scene, **options: Any) -> Iterator[Way]:
    """Yield the plain way, on which the simulator's faults strike."""
    apple = scene.apple

    def struck() -> bool:
        return all(fault.kind == "latency" for fault in apple.faults.pending())

    with closing(engine_to(apple, clock=scene.clock, **options)) as engine:
        yield Way(engine, lambda: apple.connections_made, struck)


def _faults(*faults: Fault, **options: Any) -> Case:
    """Let the simulator do something."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        for fault in faults:
            scene.apple.faults.add(fault)
        with _way(scene, **options) as way:
            yield way

    return case


def _bring_up(scene: Scene, way: Way) -> int:
    """Have a connection that is idle; return how many were made so far."""
    assert kinds(send(way.engine, pushes(scene.apple, 5))) == {"Accepted": 5}
    scene.apple.clear()
    return way.connections()


def _idle(happens: Callable[[Scene], None]) -> Case:
    """Let something happen to a connection that is idle, after which it can't be used."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        with _way(scene) as way:
            made = _bring_up(scene, way)
            happens(scene)
            yield replace(way, struck=lambda: way.connections() > made)

    return case


def _dead_for(idle_s: float) -> Case:
    """Let a connection die silently, and be idle for so long."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        with serving(Road(scene.apple.production_url)) as road:
            with _way(scene, url=url_of(road), **_SHORT) as way:
                _bring_up(scene, way)
                road.dead.extend(road.accepted)
                scene.elapse(idle_s)

                def struck() -> bool:
                    return len(road.accepted) == 2 and (idle_s > IDLE_S or road.swallowed > 0)

                yield replace(way, connections=lambda: len(road.accepted), struck=struck)

    return case


def _clock(jump_s: float, *faults: Fault, fast_s: float = 0, midway: bool = False) -> Case:
    """Let our clock jump, which was so fast, and not Apple's."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        scene.clock.ahead_s += fast_s
        jumped_s = scene.clock.ahead_s + jump_s

        def jump() -> None:
            scene.clock.ahead_s = jumped_s

        with _way(scene) as way:
            _bring_up(scene, way)
            for fault in faults:
                scene.apple.faults.add(fault)
            if not midway:
                jump()
            yield replace(way, struck=lambda: scene.clock.ahead_s == jumped_s, midway=jump if midway else way.midway)

    return case


def _addresses(*hosts: str) -> Case:
    """Let the name of APNs stand for these."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        port = int(scene.apple.production_url.rpartition(":")[2])
        with _way(scene, resolve=[f"localhost:{port}:{','.join(hosts)}"]) as way:
            yield replace(way, struck=lambda: _refuses(hosts[0], port), mends="127.0.0.1" in hosts)

    return case


def _refuses(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return True
    return False


def _certificate(*, name: str = "localhost", roots: str = "") -> Case:
    """Let APNs show a certificate of another name, or of a root that isn't one of these."""

    @contextmanager
    def case(scene: Scene) -> Iterator[Way]:
        apple, token = scene.apple, ProviderToken(KEY, scene.clock)
        with serving(Road(apple.production_url)) as road:
            port = road.server_address[1]
            url, resolve = f"https://{name}:{port}", [f"{name}:{port}:127.0.0.1"]
            with closing(Engine(url, TOPIC, token, ca_file=roots or str(apple.ca_file), resolve=resolve)) as engine:
                yield Way(engine, lambda: len(road.accepted), lambda: not apple.pushes, mends=False)

    return case


@contextmanager
def _without_h2(scene: Scene) -> Iterator[Way]:
    with serving(OldServer(scene.apple.ca_file.parent / "apns-server.pem")) as server:
        with _way(scene, url=url_of(server), **_SHORT) as way:

            def struck() -> bool:
                return server.accepted > 0 and b"HTTP/1.1" not in server.heard

            yield replace(way, connections=lambda: server.accepted, struck=struck, mends=False)


_MINUTE_S, _HOUR_S = 60, 60 * 60

# For cases that must wait for a timeout; long enough for a busy machine to answer in.
_SHORT: Mapping[str, float] = {"request_timeout_s": 1.2, "alone_timeout_s": 0.8}

# The first push goes alone, the next hundred together. Answers are so slow that all of these are on the wire when the
# fault strikes, late among them: of the last third libcurl is handed all at once.
_LATE = 80
_SLOW = Fault("latency", count=_LATE - 1, skip=1, latency_s=0.4)
_NEVER = Fault("latency", count=None, skip=101, latency_s=30)

# Streams are numbered 1, 3, 5.
_TEN_LATER = 2 * (_LATE + 10) + 1

CASES: Mapping[str, Case] = {
    "nothing goes wrong": _faults(),
    "GOAWAY, ten streams above its last id": _faults(_SLOW, Fault("goaway", skip=_LATE, last_stream=_TEN_LATER)),
    "GOAWAY, no stream above its last id": _faults(_SLOW, Fault("goaway", skip=_LATE, last_stream=2**31 - 1)),
    "GOAWAY in place of the first answer": _faults(Fault("goaway", last_stream=0)),
    "GOAWAY to an idle connection": _idle(lambda scene: scene.apple.go_away("IdleTimeout")),
    "REFUSED_STREAM, twenty in a burst": _faults(_SLOW, Fault("refused_stream", count=20, skip=_LATE)),
    "REFUSED_STREAM in place of the first answer": _faults(Fault("refused_stream")),
    "RST of three streams, not looked at": _faults(_SLOW, Fault("rst_stream", count=3, skip=_LATE)),
    "RST of three streams, accepted": _faults(_SLOW, Fault("rst_stream", count=3, skip=_LATE, taken=True)),
    "TCP reset midway": _faults(_SLOW, Fault("reset", skip=_LATE)),
    "TCP reset midway, just after an acceptance": _faults(_SLOW, Fault("reset", skip=_LATE, taken=True)),
    "TCP reset in place of the first answer": _faults(Fault("reset", taken=True)),
    "TCP reset of an idle connection": _idle(lambda scene: scene.apple.reset_connections()),
    "a connection that never answers": _faults(Fault("silence"), **_SHORT),
    "no connection ever answers": _faults(Fault("silence", count=FAILED_PRIMES_MAX), **_SHORT),
    "a connection that falls silent midway": _faults(_SLOW, Fault("stall", skip=_LATE), **_SHORT),
    "the first answer lost after acceptance": _faults(Fault("lost_answer"), **_SHORT),
    "five answers lost after acceptance": _faults(Fault("lost_answer", count=5, skip=_LATE), **_SHORT),
    "a limit lowered to one midway": _faults(Fault("stream_limit", count=150, skip=100, limit=1)),
    "a limit lowered to one, twenty streams too late": _faults(_SLOW, Fault("stream_limit", skip=_LATE, limit=1)),
    "a first address that refuses": _addresses("127.0.0.2", "127.0.0.1"),
    "every address refuses": _addresses("127.0.0.2", "127.0.0.3"),
    "a certificate of an unknown root": _certificate(roots=certifi.where()),
    "a certificate for another name": _certificate(name="apns.example"),
    "TLS without h2": _without_h2,
    "an idle connection died silently, last used 4 s ago": _dead_for(4),
    "an idle connection died silently, last used 50 s ago": _dead_for(50),
    "an idle connection died silently, last used 70 s ago": _dead_for(70),
    "hours pass between two calls": _idle(lambda scene: scene.elapse(3 * _HOUR_S)),
    "our clock, 50 minutes fast, is set right between two calls": _clock(-50 * _MINUTE_S, fast_s=50 * _MINUTE_S),
    "our clock, 50 minutes fast, is set right midway": _clock(-50 * _MINUTE_S, fast_s=50 * _MINUTE_S, midway=True),
    "our clock jumps ahead by hours midway": _clock(3 * _HOUR_S, _NEVER, midway=True),
    "our clock is now hours ahead of Apple's": _clock(3 * _HOUR_S),
    "our clock is now hours behind Apple's": _clock(-3 * _HOUR_S),
}
