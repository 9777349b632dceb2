"""What the activities table's rows look like."""

from lockstep.channels import from_text
from lockstep.dynamodb import Item, flag, number, text
from lockstep.json_values import compact, parse
from lockstep.outcomes import Outcomes
from lockstep.row import Register, Registers, Row, Version

NUMBERS = (
    "run",
    "first_run",
    "run_revision",
    "writes",
    "revision",
    "sent_revision",
    "alert_revision",
    "urgent_revision",
    "timestamp_s",
    "stamped_revision",
    "claimed_revision",
    "delivered_at_ms",
    "due_at_ms",
    "hour",
    "spent",
    "broadcast_at_ms",
    "repeats",
    "expires_at_s",
)
REGISTERS = ("start", "guests", "state", "alert", "end")
OUTCOMES = ("card_outcomes", "start_outcomes")


def from_register(register: Register) -> str:
    """A register as a row holds it."""
    version = register.version
    return compact({"at": version.published_at_ms, "by": version.digest, "value": register.value})


def _to_register(stored: str) -> Register:
    value = parse(stored)
    if not (isinstance(value, dict) and isinstance(value["at"], int) and isinstance(value["value"], dict)):
        raise ValueError("not a register")
    return Register(Version(value["at"], str(value["by"])), value["value"])


def to_outcomes(item: Item) -> tuple[Outcomes | None, Outcomes | None]:
    """Read what became of the last delivery's pushes to cards, and of the last starts; push itself never asks."""
    cards, starts = (Outcomes.from_text(text(item, name)) for name in OUTCOMES)
    return cards, starts


def to_row(item: Item) -> Row:
    """Read a row."""
    registers = {name: _to_register(stored) for name in REGISTERS if (stored := text(item, name)) is not None}
    numbers = {name: number(item, name) or 0 for name in NUMBERS}
    return Row(
        text(item, "activity") or "",
        Registers(**registers),
        lowered=flag(item, "lowered") or False,
        shards=number(item, "shards") or 1,
        channels=from_text(text(item, "channels")),
        started=text(item, "started") or "",
        **numbers,
    )
