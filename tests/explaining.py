"""Evidence made by hand, for tests of what is made of it."""

from dataclasses import replace
from typing import Any

from lockstep.apns import Environment
from lockstep.evidence import Evidence, Trace
from lockstep.findings import Finding, Judge
from lockstep.pace import Pace
from lockstep.phones import Card, Marker, Phone, StartToken
from lockstep.row import Register, Registers, Row, Version
from lockstep.verdict import verdict
from tests.messages import NOW_MS, START_APS

ORDER, TYPE = "order-42", "OrderAttributes"
ANAS, BENS = "a1" * 16, "b2" * 16
TOKEN = "7e" * 40

MINUTE_MS = 60_000
PUBLISHED_MS = NOW_MS - 4 * MINUTE_MS
RUN = NOW_MS - 10 * MINUTE_MS

PACE = Pace(1_000, 15)


def register(value: dict[str, Any], at_ms: int = PUBLISHED_MS) -> Register:
    return Register(Version(at_ms, "x"), value)


START = register(
    {"attributes-type": TYPE, "attributes": START_APS["attributes"], "users": ["ana", "ben"], "aps": {}}, RUN
)
STATE = register({"content-state": START_APS["content-state"], "aps": {}})
ALERT = register({"alert": START_APS["alert"]}, RUN)
REGISTERS = Registers(start=START, guests=register({"users": ["ana", "ben"]}, RUN), state=STATE, alert=ALERT)

# It runs, and all of it has gone out.
ROW = Row(
    ORDER,
    REGISTERS,
    run=RUN,
    first_run=RUN,
    run_revision=1,
    writes=9,
    revision=3,
    sent_revision=3,
    alert_revision=1,
    urgent_revision=1,
    timestamp_s=PUBLISHED_MS // 1000,
    stamped_revision=3,
    claimed_revision=3,
    delivered_at_ms=PUBLISHED_MS,
    hour=NOW_MS // 3_600_000,
    spent=2,
    started=f"{RUN}/{RUN}/x",
    expires_at_s=NOW_MS // 1000 + 36 * 3600,
)
assert not ROW.owes_starts

ANA = Phone(ANAS, "ana", Environment.PRODUCTION, "17.5", observed_at_ms=RUN)
BEN = Phone(BENS, "ben", Environment.SANDBOX, "17.5", observed_at_ms=RUN)


def with_start(**value: Any) -> Row:
    """The row, its start changed: None takes a part away."""
    changed = {name: said for name, said in {**START.value, **value}.items() if said is not None}
    return replace(ROW, registers=replace(REGISTERS, start=register(changed, RUN), guests=None))


def card(phone: str = ANAS, owner: str = "ana", *, token: str | None = TOKEN, run: int = RUN, **more: Any) -> Trace:
    seen_ms = more.pop("observed_at_ms", RUN + 1_000)
    at_ms = more.pop("at_ms", PUBLISHED_MS)
    return Trace(Card(ORDER, phone, "card-1", owner, run, token, seen_ms, at_ms), at_ms, **more)


def marker(
    phone: str = ANAS,
    owner: str = "ana",
    *,
    run: int = RUN,
    revision: int = 1,
    confirmed: bool = True,
    at_ms: int = PUBLISHED_MS,
) -> Trace:
    return Trace(Marker(ORDER, phone, owner, run, revision, confirmed), at_ms)


def start_token(phone: str = ANAS, owner: str = "ana", *, observed_at_ms: int = RUN) -> StartToken:
    return StartToken(owner, phone, TYPE, TOKEN, observed_at_ms, RUN)


def evidence(*traces: Trace, row: Row = ROW, phones: tuple[Phone, ...] = (ANA, BEN), **more: Any) -> Evidence:
    return Evidence(
        **{
            "row": row,
            "cards_heard": None,
            "starts_heard": None,
            "traces": traces,
            "phones": {phone.phone: phone for phone in phones},
            **more,
        }
    )


def findings(found: Evidence, *, guests_required: bool = False) -> list[Finding]:
    judge = Judge(found, default_environment=Environment.PRODUCTION, guests_required=guests_required, now_ms=NOW_MS)
    return judge.findings()


def said(found: Evidence) -> list[str]:
    """Say the verdict."""
    return verdict(found, findings(found), PACE, now_ms=NOW_MS)
