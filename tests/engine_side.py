"""The engine and the APNs that it talks to, for tests of what becomes of pushes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lockstep.apns import Accepted, Environment, Outcome, Push, Rejected, Unanswered
from lockstep.engine import Engine
from lockstep.provider_token import ProviderToken, SigningKey
from onebox.apns.simulator import ApnsSimulator

TOPIC = "com.example.app.push-type.liveactivity"
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = SigningKey(
    "TEAM123456", "KEY1234567", PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Clock:
    """Wall clock that can jump."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def simulator_in(directory: Path, *, clock: Callable[[], float] = time.time) -> ApnsSimulator:
    return ApnsSimulator(
        bundle_id="com.example.app",
        team_id="TEAM123456",
        keys={"KEY1234567": PUBLIC},
        directory=directory,
        now=clock,
    )


@contextmanager
def as_new(simulator: ApnsSimulator) -> Iterator[ApnsSimulator]:
    """Lend the simulator, without the faults and pushes of others."""
    simulator.faults.clear()
    simulator.clear()
    try:
        yield simulator
    finally:
        simulator.faults.clear()
        simulator.stream_limits.full, simulator.stream_limits.one_after_error = 1000, False


def engine_to(
    apple: ApnsSimulator,
    *,
    clock: Callable[[], float] = time.time,
    url: str = "",
    request_timeout_s: float = 10,
    alone_timeout_s: float = 5,
    resolve: Sequence[str] = (),
) -> Engine:
    return Engine(
        url or apple.production_url,
        TOPIC,
        ProviderToken(KEY, clock),
        ca_file=str(apple.ca_file),
        now=clock,
        request_timeout_s=request_timeout_s,
        alone_timeout_s=alone_timeout_s,
        resolve=resolve,
    )


def pushes(apple: ApnsSimulator, count: int, *, once: bool = False) -> list[Push]:
    return [push_to(apple.issue_token(Environment.PRODUCTION), once=once, ref=i) for i in range(count)]


def push_to(token: str, *, once: bool = False, ref: object = None) -> Push:
    return Push(token, b'{"aps":{"event":"update"}}', 10, 0, "run" if once else None, once=once, ref=ref)


def send(engine: Engine, wanted: list[Push], *, deadline_s: float = 20) -> dict[object, Outcome]:
    """Send, and see that every push has exactly one outcome."""
    answered = list(engine.send(iter(wanted), deadline_s=engine.now() + deadline_s))
    assert Counter(push.ref for push, _ in answered) == Counter(push.ref for push in wanted)
    return {push.ref: outcome for push, outcome in answered}


def kinds(outcomes: dict[object, Outcome]) -> Counter[str]:
    return Counter(
        type(one).__name__ + (f"({one.maybe_taken})" if isinstance(one, Unanswered) else "")
        for one in outcomes.values()
    )


def reasons(outcomes: dict[object, Outcome]) -> set[str]:
    """Say why those that have no answer have none."""
    return {one.why for one in outcomes.values() if isinstance(one, Unanswered)}


def taken(apple: ApnsSimulator) -> Counter[str]:
    """Count how often APNs took a push, by token."""
    return Counter(push.token for push in apple.pushes if push.status == 200)


def hold(outcomes: dict[object, Outcome], wanted: list[Push], apple: ApnsSimulator) -> None:
    """See that outcomes say what APNs did: accepted was taken, untaken was not, and what went once came once."""
    times = taken(apple)
    for push in wanted:
        outcome = outcomes[push.ref]
        if isinstance(outcome, Accepted):
            assert times[push.token] >= 1
        elif isinstance(outcome, Rejected) or not outcome.maybe_taken:
            assert times[push.token] == 0, outcome
        assert times[push.token] <= 1, "sent again though it may have been taken"
