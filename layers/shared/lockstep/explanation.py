"""Why an activity shows, or doesn't: the verdict, and the facts behind it, as JSON. Pure; never a token."""

from collections import Counter
from collections.abc import Iterable

from lockstep.apns import Environment
from lockstep.closing import ACTIVE_S
from lockstep.evidence import Evidence
from lockstep.findings import Finding, Judge, Why
from lockstep.json_values import JsonObject
from lockstep.outcomes import Outcomes
from lockstep.pace import Pace, is_due
from lockstep.phones import Card
from lockstep.row import Row
from lockstep.verdict import heard_by_cards, heard_of_starts, is_served, verdict

# So many phones are listed; those that don't show it come first.
LISTED_MAX = 100

_HOUR_MS = 3_600_000


def explain(
    evidence: Evidence,
    pace: Pace,
    *,
    default_environment: Environment,
    guests_required: bool,
    now_ms: int,
    with_state: bool,
) -> JsonObject:
    """
    Explain what was read.

    Args:
        with_state: Whether the content-state itself is asked for.
    """
    row = evidence.row
    judge = Judge(evidence, default_environment=default_environment, guests_required=guests_required, now_ms=now_ms)
    findings = judge.findings()
    return {
        "activity": row.activity,
        "at_ms": now_ms,
        "verdict": [*verdict(evidence, findings, pace, now_ms=now_ms)],
        "run": row.run,
        "life": _life(row),
        "state": _state(row, now_ms, with_state=with_state),
        "stamp": {"timestamp_s": row.timestamp_s, "revision": row.stamped_revision},
        "alert": _alert(row, now_ms),
        "delivery": _delivery(row, now_ms),
        "pace": _pace(row, pace, now_ms),
        "budget": _budget(row, pace, now_ms),
        "audience": _audience(row),
        "cut": evidence.cut,
        "environments": _environments(evidence, findings),
        "starts_without_card": sum(one.why in (Why.NO_CARD, Why.UNCONFIRMED, Why.JUST_STARTED) for one in findings),
        "phones": [_phone(one) for one in findings[:LISTED_MAX]],
        "outcomes": {"cards": _outcomes(heard_by_cards(evidence)), "starts": _outcomes(heard_of_starts(evidence))},
        "channels": [
            {"environment": one.environment.value, "id": one.id, "run": one.run, "storage": one.storage.value}
            for one in row.channels
        ],
        "slices": _slices(evidence, now_ms),
        "writes": row.writes,
        "expires_at_s": row.expires_at_s,
    }


def _life(row: Row) -> JsonObject:
    registers = row.registers
    life: JsonObject = {"running": registers.running, "ended": registers.ended}
    if registers.start is not None:
        life["started_at_ms"] = registers.start.version.published_at_ms
        life["closes_at_ms"] = registers.start.version.published_at_ms + ACTIVE_S * 1000
    if registers.end is not None and registers.ended:
        life["ended_at_ms"] = registers.end.version.published_at_ms
        life["end_said_again"] = row.repeats
    return life


def _state(row: Row, now_ms: int, *, with_state: bool) -> JsonObject | None:
    register = row.registers.state
    if register is None:
        return None
    published_at_ms = register.version.published_at_ms
    state: JsonObject = {"published_at_ms": published_at_ms, "age_s": max(0, now_ms - published_at_ms) // 1000}
    if "stale-date" in register.value:
        state["stale_date"] = register.value["stale-date"]
    if with_state:
        state["content_state"] = register.value.get("content-state")
    return state


def _alert(row: Row, now_ms: int) -> JsonObject | None:
    register = row.registers.alert
    if register is None:
        return None
    return {
        "published_at_ms": register.version.published_at_ms,
        "revision": row.alert_revision,
        "gone_out": row.sent_revision >= row.alert_revision,
        "rings_yet": row.rings(row.sent_revision, now_ms),
    }


def _delivery(row: Row, now_ms: int) -> JsonObject:
    return {
        "revision": row.revision,
        "sent_revision": row.sent_revision,
        "owes": row.owes,
        "owes_starts": row.owes_starts,
        "set_out_at_ms": row.delivered_at_ms or None,
        "due_at_ms": row.due_at_ms if is_due(row, now_ms) else None,
    }


def _pace(row: Row, pace: Pace, now_ms: int) -> JsonObject:
    next_ms = max(now_ms, row.delivered_at_ms + pace.min_interval_ms)
    return {"min_interval_ms": pace.min_interval_ms, "next_silent_update_in_ms": next_ms - now_ms}


def _budget(row: Row, pace: Pace, now_ms: int) -> JsonObject:
    hour = now_ms // _HOUR_MS
    spent = row.spent if row.hour == hour else 0
    return {
        "spent": spent,
        "of": pace.priority_budget,
        "lowered": spent > pace.priority_budget,
        "hour_ends_in_s": ((hour + 1) * _HOUR_MS - now_ms) // 1000,
    }


def _audience(row: Row) -> JsonObject:
    guests = row.registers.guests.value.get("users") if row.registers.guests else None
    return {
        "users": len(row.users),
        "name": row.audience,
        "guests": len(guests) if isinstance(guests, list) else None,
        "attributes_type": row.attributes_type,
    }


def _environments(evidence: Evidence, findings: Iterable[Finding]) -> JsonObject:
    """Count by environment; of phones that didn't say it and got no push yet, as `unsaid`."""
    phones: Counter[str] = Counter()
    shows: Counter[str] = Counter()
    cards: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for finding in findings:
        if finding.phone is not None:
            phones[_name(finding.environment)] += 1
            shows[_name(finding.environment)] += finding.why.shows
    for trace in evidence.traces:
        phone = evidence.phones.get(trace.row.phone)
        if phone is not None and isinstance(trace.row, Card) and evidence.row.is_of_run(trace.row.run):
            cards[_name(phone.environment)] += 1
            tokens[_name(phone.environment)] += trace.row.token is not None
    return {
        name: {
            "phones": phones[name],
            "should_show": shows[name],
            "cards": cards[name],
            "cards_with_token": tokens[name],
        }
        for name in sorted({*phones, *cards})
    }


def _name(environment: Environment | None) -> str:
    return environment.value if environment else "unsaid"


def _phone(finding: Finding) -> JsonObject:
    return {
        "user": finding.user,
        "phone": finding.phone,
        "environment": finding.environment.value if finding.environment else None,
        "shows": finding.why.shows,
        "why": finding.why.value,
        "at_ms": finding.at_ms or None,
    }


def _outcomes(heard: Outcomes | None) -> JsonObject | None:
    if heard is None:
        return None
    return {"at_ms": heard.at_ms, "revision": heard.revision, "counts": dict(heard.counts)}


def _slices(evidence: Evidence, now_ms: int) -> JsonObject | None:
    if not evidence.row.sliced:
        return None
    return {
        "slices": len(evidence.slices),
        "have_the_newest": sum(is_served(evidence, one) for one in evidence.slices),
        "worked_on": sum(one.until_ms > now_ms for one in evidence.slices),
        "split_further": sum(one.split for one in evidence.slices),
    }
