"""One environment of APNs: what it makes of each whole request, however that came."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lockstep.apns import Environment
from onebox.apns import broadcasts, checks
from onebox.apns.channels import Channels
from onebox.apns.device_tokens import DeviceToken, DeviceTokens
from onebox.apns.faults import Fault, Faults, Phase
from onebox.apns.provider_tokens import ProviderKeys, Sender
from onebox.apns.received import ReceivedPush, RequestLog
from onebox.apns.requests import Refusal, Request

type Headers = list[tuple[str, str]]


@dataclass(slots=True)
class StreamLimits:
    """
    How many streams a connection may have open at once. May be changed while the simulator runs.

    Attributes:
        initial: Until the first accepted push of a connection.
        full: From then on.
        one_after_error: Whether a 4xx other than 410 lowers it to 1 until the next accepted push.
    """

    initial: int = 1
    full: int = 1000
    one_after_error: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """
    What becomes of a request.

    Attributes:
        number: What the log calls it by.
        loss: A fault that keeps the answer of a taken push from leaving.
        streams: The limit of streams from now on; None: as it was.
    """

    number: int
    headers: Headers
    body: bytes
    loss: Fault | None
    latency_s: float
    streams: int | None


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the connections of one environment share."""

    environment: Environment
    bundle_id: str
    keys: ProviderKeys
    tokens: DeviceTokens
    channels: Channels
    faults: Faults
    log: RequestLog[ReceivedPush]
    limits: StreamLimits
    now: Callable[[], float]

    def fault(self, phase: Phase, request: Request | None = None) -> Fault | None:
        """Use up a fault that is due, of a request or of a new connection."""
        on = "broadcast" if request is not None and _is_broadcast(request) else "push"
        return self.faults.take(phase, self.environment, request.token.lower() if request else None, on=on)

    def rule(self, request: Request, sender: Sender, *, struck: Fault | None = None) -> Ruling:
        """Decide, hand the phone what was taken, and record it; `struck` is a GOAWAY that let the request through."""
        refusal = self._refusal(request, sender)
        fault: Fault | None = None
        if refusal is None:
            fault = self.fault(Phase.TAKEN, request)
            if fault is not None and fault.kind == "answer":
                refusal = injected(fault, self.now)
        push = self.to_push(request, refusal, fault or struck)
        if refusal is None:
            sender.bind()
            push = self._deliver(push)
        number = self.log.add(push)
        latency = self.fault(Phase.LATENCY, request)
        headers, body = self._answer(request, refusal)
        loss = fault if refusal is None else None
        streams = self._streams(request, refusal)
        return Ruling(number, headers, body, loss, (latency and latency.latency_s) or 0, streams)

    def to_push(self, request: Request, refusal: Refusal | None, fault: Fault | None) -> ReceivedPush:
        """Make the record of a request that was looked at."""
        return ReceivedPush(
            environment=self.environment,
            token=request.token,
            headers=request.headers,
            payload=_payload(request.body),
            body=request.body,
            at_ms=int(self.now() * 1000),
            status=200 if refusal is None else refusal.status,
            reason=None if refusal is None else refusal.reason,
            verdict=None,
            connection=request.connection,
            stream=request.stream,
            fault=None if fault is None else fault.kind,
            channel=request.headers.get("apns-channel-id") if _is_broadcast(request) else None,
        )

    def record_unprocessed(self, request: Request, fault: str) -> None:
        """Record a request that was never looked at."""
        self.log.add(replace(self.to_push(request, None, None), status=None, fault=fault))

    def _refusal(self, request: Request, sender: Sender) -> Refusal | None:
        if _is_broadcast(request):
            app = request.path.removeprefix(broadcasts.BROADCASTS_PATH)
            return (
                broadcasts.route_refusal(request)
                or sender.refusal(request.headers.get("authorization"))
                or broadcasts.app_refusal(app, self.bundle_id)
                or broadcasts.refusal(request, self.channels, self.environment)
            )
        return (
            checks.route_refusal(request)
            or sender.refusal(request.headers.get("authorization"))
            or checks.topic_refusal(request, self.bundle_id)
            or checks.header_refusal(request)
            or checks.body_refusal(request)
            or self._token_refusal(request)
        )

    def _token_refusal(self, request: Request) -> Refusal | None:
        if not request.token:
            return Refusal(400, "MissingDeviceToken")
        device = self.tokens.find(request.token, self.environment)
        if device is None:
            return Refusal(400, "BadDeviceToken")
        if request.headers["apns-topic"] != self._topic(device):
            return Refusal(400, "DeviceTokenNotForTopic")
        if device.died_at_ms is not None:
            return Refusal(410, device.death, device.died_at_ms)
        return None

    def _topic(self, device: DeviceToken) -> str:
        return self.bundle_id + (checks.LIVE_ACTIVITY_SUFFIX if device.kind == "liveactivity" else "")

    def _deliver(self, push: ReceivedPush) -> ReceivedPush:
        if push.channel is not None:
            return replace(push, verdicts=self.channels.say(push.channel, push))
        device = self.tokens.find(push.token, push.environment)
        if device is None or device.receive is None:
            return push
        return replace(push, verdict=device.receive(push))

    def _streams(self, request: Request, refusal: Refusal | None) -> int | None:
        fault = self.fault(Phase.LIMIT, request)
        if fault is not None:
            return fault.limit
        if refusal is None:
            return self.limits.full
        # Apple: 4xx answers slow a sender down, and 410 does not count as an error.
        is_error = 400 <= refusal.status < 500 and refusal.status != 410
        return 1 if is_error and self.limits.one_after_error else None

    def _answer(self, request: Request, refusal: Refusal | None) -> tuple[Headers, bytes]:
        broadcast = _is_broadcast(request)
        name, has_good = ("apns-id", checks.has_good_id) if not broadcast else _REQUEST_ID
        given = request.headers.get(name) if has_good(request) else None
        headers = [(":status", str(refusal.status if refusal else 200)), (name, given or new_id())]
        if refusal is None:
            if broadcast or self.environment is Environment.SANDBOX:
                headers.append(("apns-unique-id", new_id().lower()))
            return headers, b""
        if refusal.retry_after_s is not None:
            headers.append(("retry-after", str(refusal.retry_after_s)))
        if refusal.reason is None:
            return headers, b""
        headers.append(("content-type", "application/json"))
        answer: dict[str, Any] = {"reason": refusal.reason}
        if refusal.timestamp_ms is not None:
            answer["timestamp"] = refusal.timestamp_ms
        return headers, json.dumps(answer).encode()


_REQUEST_ID = ("apns-request-id", checks.has_good_request_id)


def injected(fault: Fault, now: Callable[[], float]) -> Refusal:
    """Make the refusal that a fault puts in the place of an answer."""
    assert fault.status is not None
    timestamp_ms = fault.timestamp_ms
    if timestamp_ms is None and fault.status == 410:
        timestamp_ms = int(now() * 1000)
    return Refusal(fault.status, fault.reason, timestamp_ms, fault.retry_after_s)


def _is_broadcast(request: Request) -> bool:
    return request.path.startswith(broadcasts.BROADCASTS_PATH)


def new_id() -> str:
    """Make an id in place of one that the request didn't have."""
    # Apple documents lower case, and is seen to send upper case.
    return str(uuid.uuid4()).upper()


def _payload(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
