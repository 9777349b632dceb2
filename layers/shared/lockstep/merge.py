"""What a row becomes when publishes reach it: pure, and the same in whatever order they come."""

from collections.abc import Iterable
from dataclasses import fields, replace
from enum import Enum

from lockstep.publishes import Publish
from lockstep.row import ALERT_LIFE_MS, ROW_LIFE_S, Register, Registers, Row


class Effect(Enum):
    """What became of one publish in a row."""

    TOOK = "took"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"


def merge(one: Registers, other: Registers) -> Registers:
    """Take the newer version of each register. Commutative, associative, idempotent."""
    return Registers(**{f.name: _newest((getattr(one, f.name), getattr(other, f.name))) for f in fields(Registers)})


def advance(stored: Row | None, activity: str, said: Registers, *, now_s: int) -> Row:
    """
    Merge what publishes said into the stored row and count what that changed.

    The answer equals `stored` (same `writes`) where nothing changed; otherwise `writes` is one more.
    """
    before = stored or Row(activity, Registers())
    merged = merge(before.registers, said)
    if merged == before.registers:
        return before
    shown = not (_only_a_late_state(before.registers, merged) or _only_an_old_alert(before.registers, merged, now_s))
    revision = before.revision + shown
    run = _run(stored, merged)
    return replace(
        before,
        registers=merged,
        run=run,
        first_run=before.first_run if stored else run,
        run_revision=before.run_revision if run == before.run else revision,
        writes=before.writes + 1,
        revision=revision,
        urgent_revision=revision if shown and _is_urgent(before, merged, run) else before.urgent_revision,
        alert_revision=revision if shown and merged.alert != before.registers.alert else before.alert_revision,
        repeats=before.repeats if merged.end == before.registers.end else 0,
        expires_at_s=now_s + ROW_LIFE_S,
    )


def effect_of(publish: Publish, before: Row | None, after: Row) -> Effect:
    """Say what became of a publish that was merged between these two rows."""
    registers = publish.registers
    end = after.registers.end
    late = registers.end is None and after.registers.ended and end is not None and publish.version > end.version
    stands = any(after.registers.given().get(name) == register for name, register in registers.given().items())
    if late or not stands:
        return Effect.SUPERSEDED
    held = before.registers.given() if before else {}
    known = any(held.get(name) == register for name, register in registers.given().items())
    return Effect.REPEATED if known else Effect.TOOK


def _run(stored: Row | None, merged: Registers) -> int:
    """
    Number the life of the activity that the merged registers describe.

    `run` is no register: a new one begins where the row runs and did not, or where an end lies between the last
    start and the new one, even if both came in one batch.
    """
    before = stored.run if stored else 0
    if stored is not None:
        reopened = merged.running and not stored.registers.running
        if not reopened and not _end_between(stored.registers, merged):
            return before
    opening = _newest((merged.start,)) or _newest((merged.state, merged.end))
    return max(before + 1, opening.version.published_at_ms if opening else 0)


def _is_urgent(before: Row, merged: Registers, run: int) -> bool:
    """What is more than a silent update must not wait for its turn."""
    had = before.registers
    return run != before.run or (merged.start, merged.alert, merged.end) != (had.start, had.alert, had.end)


def _end_between(before: Registers, after: Registers) -> bool:
    if not (before.running and after.running) or after.start is None or after.end is None or after.end == before.end:
        return False
    return before.start is None or before.start.version < after.end.version


def _only_a_late_state(before: Registers, after: Registers) -> bool:
    """An update after the end changes nothing that a phone could show: Apple ignores pushes after the end."""
    return before.ended and replace(after, state=before.state, alert=before.alert, guests=before.guests) == before


def _only_an_old_alert(before: Registers, after: Registers, now_s: int) -> bool:
    """An alert that comes too late to ring, and behind a newer state, is nothing that phones would hear; a start carries it."""
    alert = after.alert
    if alert is None or before == after or replace(after, alert=before.alert) != before:
        return False
    return now_s * 1000 - alert.version.published_at_ms > ALERT_LIFE_MS


def _newest(registers: Iterable[Register | None]) -> Register | None:
    """Pick the register of the highest version."""
    return max((r for r in registers if r is not None), key=lambda r: r.version, default=None)
