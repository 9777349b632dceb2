"""The schemas of the ActivityAttributes that Swift files declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from lockstep.ids import is_id
from lockstep.json_values import Json, JsonObject
from onebox.swift.checks import RAW
from onebox.swift.findings import Findings
from onebox.swift.program import Nominal, Program
from onebox.swift.syntax import parse
from onebox.swift.translation import Translator

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What push adds to the attributes of every start. A run counts milliseconds: 32 bits are too few. A card that the app makes
# by itself knows of none.
_RUN_MAX = 2**53
_OURS = {"activity": "String", "run": "Int?"}


@dataclass(frozen=True, slots=True)
class Schemas:
    """What became of the files: a schema for each attributes type, unless something is refused."""

    by_type: Mapping[str, JsonObject]
    findings: Findings


def schemas_of(texts: Mapping[str, str]) -> Schemas:
    """
    Translate all ActivityAttributes.

    Args:
        texts: Swift, by the names of its files; they may use each other's types.
    """
    findings = Findings()
    sources = [parse(file, text, findings) for file, text in texts.items()]
    program = Program.of(sources, findings)
    by_type: dict[str, JsonObject] = {}
    for attributes in program.nominals():
        if attributes.main.kind == "protocol" or not attributes.conforms_to("ActivityAttributes"):
            continue
        if not is_id(attributes.name):
            findings.refuse(
                attributes.main.place, f"{attributes.name} can't be published: name it with A-Z, a-z, 0-9 and _"
            )
        if attributes.name in by_type:
            findings.refuse(attributes.main.place, f"there are two {attributes.name}: APNs names them by that alone")
        by_type[attributes.name] = _schema(attributes, program, findings)
    return Schemas(by_type, findings)


def _schema(attributes: Nominal, program: Program, findings: Findings) -> JsonObject:
    if attributes.main.kind != "struct":
        findings.refuse(attributes.main.place, f"{attributes.name} is {attributes.main.a_kind}: make it a struct")
        return {}
    translator = Translator(program, findings)
    own = translator.struct(attributes)
    _check_ours(attributes, own, findings)
    state = program.nominal_at((*attributes.path, "ContentState"))
    content_state: JsonObject = {}
    if state is None and program.has((*attributes.path, "ContentState")):
        findings.refuse(
            attributes.main.place,
            f"ContentState of {attributes.name} stands for a type that is not declared in these files: name its file as well",
        )
    elif state is None:
        findings.refuse(
            attributes.main.place,
            f"{attributes.name} has no ContentState in these files: declare `struct ContentState: Codable, Hashable` in it, "
            "or name the file that does as well",
        )
    elif state.main.kind != "struct":
        findings.refuse(
            state.main.place, f"ContentState is {state.main.a_kind}, and content-state an object: make it a struct"
        )
    elif state.conforms_to(*RAW):
        findings.refuse(
            state.main.place, "ContentState is RawRepresentable, and content-state an object: take that away"
        )
    else:
        content_state = translator.struct(state)
    definitions: JsonObject = {"$defs": translator.definitions} if translator.definitions else {}
    return {
        "$schema": DIALECT,
        "title": attributes.name,
        "type": "object",
        "properties": {"attributes": own, "content-state": content_state},
        "required": ["attributes", "content-state"],
        **definitions,
    }


def _check_ours(attributes: Nominal, schema: JsonObject, findings: Findings) -> None:
    """See that an app which a push starts can tell which activity the card is."""
    properties = cast("dict[str, JsonObject]", schema["properties"])
    for key, swift in _OURS.items():
        found = properties.get(key)
        if found is None:
            findings.warn(
                attributes.main.place,
                f"{attributes.name} has no `let {key}: {swift}`, which Lockstep adds to the attributes of every start: "
                "without it the app can't tell which activity a card is",
            )
        elif not (_is_text(found) if key == "activity" else _holds_runs(found)):
            findings.refuse(
                next((one.place for one in attributes.properties if one.name == key), attributes.main.place),
                f"Lockstep adds `{key}` to the attributes of every start, and it does not decode here: "
                f"write `let {key}: {swift}`",
            )


def _is_text(schema: JsonObject) -> bool:
    return _kinds(schema) <= {"string", "null"} and not {"enum", "format", "contentEncoding"} & set(schema)


def _holds_runs(schema: JsonObject) -> bool:
    maximum = schema.get("maximum", _RUN_MAX)
    holds = isinstance(maximum, int | float) and maximum >= _RUN_MAX
    return _kinds(schema) <= {"integer", "number", "null"} and "enum" not in schema and holds


def _kinds(schema: JsonObject) -> set[Json]:
    kind = schema.get("type")
    return set(cast("list[str]", kind)) if isinstance(kind, list) else {kind}
