"""The management of channels, on a port of its own: "Sending channel management requests to APNs"."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.apns import Environment
from onebox.apns import broadcasts
from onebox.apns.channels import Channels
from onebox.apns.checks import has_good_request_id
from onebox.apns.faults import Fault, Faults, Phase
from onebox.apns.gateway import Headers, Ruling, StreamLimits, injected, new_id
from onebox.apns.provider_tokens import ProviderKeys, Sender
from onebox.apns.received import RequestLog
from onebox.apns.requests import Refusal, Request

_PATH = re.compile(r"/1/apps/(?P<bundle_id>[A-Za-z0-9.-]+)/(?P<of>channels|all-channels)")

_OPERATIONS = {
    ("POST", "channels"): "create",
    ("GET", "channels"): "read",
    ("DELETE", "channels"): "delete",
    ("GET", "all-channels"): "list",
}


@dataclass(frozen=True, slots=True)
class ManagementRequest:
    """
    One request, whatever became of it.

    Attributes:
        operation: "create", "read", "delete" or "list"; empty for what is none of them.
        channel: The id that it named or was given.
        status: What the simulator decided; None for a request that it never looked at.
    """

    environment: Environment
    operation: str
    channel: str | None
    status: int | None
    reason: str | None
    at_ms: int
    connection: int
    stream: int
    answered: bool = False
    answered_at_ms: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Management:
    """What the connections of one environment's management share."""

    environment: Environment
    bundle_id: str
    keys: ProviderKeys
    channels: Channels
    faults: Faults
    log: RequestLog[ManagementRequest]
    now: Callable[[], float]
    limits: StreamLimits = field(default_factory=lambda: StreamLimits(initial=100))

    def fault(self, phase: Phase, request: Request | None = None) -> Fault | None:  # noqa: ARG002  # as a Gateway's
        """Use up a fault that is due."""
        return self.faults.take(phase, self.environment, on="channels")

    def rule(self, request: Request, sender: Sender, *, struck: Fault | None = None) -> Ruling:
        """Decide, do it, and record it; `struck` as a Gateway's."""
        fault: Fault | None = None
        refusal = self._refusal(request, sender)
        if refusal is None:
            fault = self.fault(Phase.TAKEN)
            if fault is not None and fault.kind == "answer":
                refusal = injected(fault, self.now)
        made: str | None = None
        body: Any = None
        status = 200
        if refusal is None:
            sender.bind()
            status, made, body, refusal = self._do(request)
        record = self._record(request, refusal.status if refusal else status, refusal, fault or struck)
        number = self.log.add(replace(record, channel=made or record.channel))
        latency = self.fault(Phase.LATENCY)
        given = request.headers.get("apns-request-id") if has_good_request_id(request) else None
        headers: Headers = [
            (":status", str(refusal.status if refusal else status)),
            ("apns-request-id", given or new_id()),
        ]
        if made is not None:
            headers.append(("apns-channel-id", made))
        if refusal is not None:
            body = {"reason": refusal.reason}
        if body is not None:
            headers.append(("content-type", "application/json"))
        loss = fault if refusal is None else None
        content = b"" if body is None else json.dumps(body).encode()
        return Ruling(number, headers, content, loss, (latency and latency.latency_s) or 0, None)

    def record_unprocessed(self, request: Request, fault: str) -> None:
        """Record a request that was never looked at."""
        self.log.add(replace(self._record(request, None, None, None), fault=fault))

    def _record(
        self, request: Request, status: int | None, refusal: Refusal | None, fault: Fault | None
    ) -> ManagementRequest:
        return ManagementRequest(
            self.environment,
            _operation(request) or "",
            request.headers.get("apns-channel-id"),
            status,
            refusal.reason if refusal else None,
            int(self.now() * 1000),
            request.connection,
            request.stream,
            fault=fault.kind if fault else None,
        )

    def _refusal(self, request: Request, sender: Sender) -> Refusal | None:
        path = _PATH.fullmatch(request.path)
        if path is None:
            return Refusal(404, "BadPath")
        operation = _operation(request)
        if operation is None:
            return Refusal(405, "MethodNotAllowed")
        refusal = sender.refusal(request.headers.get("authorization")) or broadcasts.app_refusal(
            path["bundle_id"], self.bundle_id
        )
        if refusal is not None:
            return refusal
        if not has_good_request_id(request):
            return Refusal(400, "BadMessageId")
        if not self.channels.enabled:
            return Refusal(400, "FeatureNotEnabled")
        if operation in ("read", "delete"):
            return broadcasts.channel_refusal(request, self.channels, self.environment)
        return _create_refusal(request.body) if operation == "create" else None

    def _do(self, request: Request) -> tuple[int, str | None, Any, Refusal | None]:
        """Return status, the channel that was made, the body, and a refusal after all."""
        channel = request.headers.get("apns-channel-id", "")
        match _operation(request):
            case "create":
                made = self.channels.create(self.environment, json.loads(request.body)["message-storage-policy"])
                return 201, made, None, None if made else Refusal(400, "CannotCreateChannelConfig")
            case "read":
                found = self.channels.find(self.environment, channel)
                policy = found.storage_policy if found else None
                return 200, None, {"message-storage-policy": policy, "push-type": "LiveActivity"}, None
            case "delete":
                self.channels.delete(self.environment, channel)
                return 204, None, None, None
            case _:
                return 200, None, {"channels": [one.id for one in self.channels.every(self.environment)]}, None


def _operation(request: Request) -> str | None:
    path = _PATH.fullmatch(request.path)
    return _OPERATIONS.get((request.method, path["of"])) if path else None


def _create_refusal(body: bytes) -> Refusal | None:
    try:
        said = json.loads(body)
    except ValueError:
        return Refusal(400, "BadRequestPayload")
    if not isinstance(said, dict):
        return Refusal(400, "BadRequestPayload")
    if set(said) - {"message-storage-policy", "push-type"}:
        return Refusal(400, "BadRequestParams")
    if "push-type" not in said:
        return Refusal(400, "MissingPushType")
    if said["push-type"] != "LiveActivity":
        return Refusal(400, "InvalidPushType")
    policy = said.get("message-storage-policy")
    # Not in Apple's table; reported from the field.
    return None if type(policy) is int and policy in (0, 1) else Refusal(400, "MissingChannelQueueSize")
