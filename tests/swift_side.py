"""Swift as a test writes it: attributes around what it is about."""

from typing import cast

from lockstep.json_values import JsonObject
from onebox.swift.attributes import Schemas, schemas_of

# Where the lines of `attributes` begin in the file.
FIRST_LINE = 6


def attributes(state: str, *, beside: str = "", own: str = "let activity: String; let run: Int") -> str:
    """Write attributes whose content-state is this, from FIRST_LINE on; with declarations beside them."""
    return f"""import ActivityKit
struct OrderAttributes: ActivityAttributes {{
    {own}

    struct ContentState: Codable, Hashable {{
{state}
    }}
}}
{beside}
"""


def made(text: str, **others: str) -> Schemas:
    """Translate Order.swift, and others by their names."""
    return schemas_of({"Order.swift": text, **{f"{name}.swift": other for name, other in others.items()}})


def told(text: str, **others: str) -> list[str]:
    """Return what is said of a source, without the file's name."""
    return [line.removeprefix("Order.swift:") for line in made(text, **others).findings.lines()]


def schema_of(text: str, **others: str) -> JsonObject:
    """Return the one schema of a source of which nothing is refused."""
    schemas = made(text, **others)
    assert not schemas.findings.refused, schemas.findings.lines()
    [one] = schemas.by_type.values()
    return one


def state_of(text: str, **others: str) -> JsonObject:
    return part(schema_of(text, **others), "content-state")


def part(schema: JsonObject, name: str) -> JsonObject:
    properties = cast("dict[str, JsonObject]", schema["properties"])
    return properties[name]


def field(written: str, *, beside: str = "") -> JsonObject:
    """Return the schema of the only property of a content-state."""
    [one] = cast("dict[str, JsonObject]", state_of(attributes(written, beside=beside))["properties"]).values()
    return one


def required(state: JsonObject) -> list[str]:
    return cast("list[str]", state["required"])
