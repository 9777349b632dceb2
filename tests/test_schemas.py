"""What apps can decode, by the schemas of a folder: what fits, what doesn't, in which words, and which file is no schema."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.errors import InvalidInput, Misconfigured
from lockstep.json_values import NESTING_MAX
from lockstep.schemas import Schemas
from onebox import ROOT

DRAFT = "https://json-schema.org/draft/2020-12/schema"
INT = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
ORDER: dict[str, Any] = {
    "$schema": DRAFT,
    "title": "OrderAttributes",
    "type": "object",
    "properties": {
        "attributes": {
            "type": "object",
            "properties": {"shop": {"type": "string"}, "activity": {"type": "string"}, "run": INT},
            "required": ["shop", "activity", "run"],
        },
        "content-state": {
            "type": "object",
            "properties": {
                "minutes": INT,
                "note": {"type": ["string", "null"]},
                "stop": {"anyOf": [{"$ref": "#/$defs/Stop"}, {"type": "null"}]},
                "stops": {"type": "array", "items": {"$ref": "#/$defs/Stop"}},
                "scores": {"type": "object", "additionalProperties": INT},
                "stage": {"enum": ["baking", "on its way"]},
                "link": {"type": "string", "format": "uri"},
            },
            "required": ["minutes"],
        },
    },
    "required": ["attributes", "content-state"],
    "$defs": {"Stop": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
GIVEN: dict[str, Any] = {"shop": "Uno", "activity": "order-42", "run": 1}


def folder_of(folder: Path, **schemas: object) -> Path:
    for name, schema in schemas.items():
        (folder / f"{name}.json").write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return folder


def about(folder: Path, state: dict[str, Any]) -> Schemas:
    """Return the schema of a content-state of these properties."""
    return Schemas.from_folder(
        folder_of(folder, OrderAttributes={"properties": {"content-state": {"properties": state}}})
    )


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    return Schemas.from_folder(folder_of(tmp_path_factory.mktemp("schemas"), OrderAttributes=ORDER))


def refusal(schemas: Schemas, state: Any, attributes: Any = None) -> str:
    with pytest.raises(InvalidInput) as refused:
        schemas.check("OrderAttributes", attributes, state)
    return str(refused.value)


# --- what fits


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"minutes": 7.0},  # JSON knows one kind of number, and Swift decodes this one into an Int
        {"minutes": 2**63 - 1},
        {"minutes": -(2**63)},
        {"note": None},
        {"stop": None},
        {"stop": {"name": "Duomo"}},
        {"stops": [{"name": "Duomo", "unknown to Swift": 1}]},
        {"scores": {"ana": 1}},
        {"stage": "on its way"},
        {"link": "/orders/42?für=ana"},
        {"a key": "that Swift does not know"},
    ],
)
def test_what_swift_would_decode_fits(schemas: Schemas, more: dict[str, Any]) -> None:
    schemas.check("OrderAttributes", GIVEN, {"minutes": 7} | more)


@pytest.mark.parametrize("attributes_type", ["TripAttributes", "", None])
def test_a_type_without_a_schema_takes_anything(schemas: Schemas, attributes_type: str | None) -> None:
    schemas.check(attributes_type, {}, {"minutes": "seven"})


def test_what_is_not_given_is_not_checked(schemas: Schemas) -> None:
    schemas.check("OrderAttributes", GIVEN, None)
    schemas.check("OrderAttributes", None, {"minutes": 7})
    schemas.check("OrderAttributes", None, None)


def test_a_schema_that_says_nothing_of_attributes_takes_any(tmp_path: Path) -> None:
    about(tmp_path, {}).check("OrderAttributes", {"shop": 1}, {})


# --- what doesn't


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({}, "aps.content-state.minutes: is missing"),
        ({"minutes": None}, "aps.content-state.minutes: must be a whole number"),
        ({"minutes": "7"}, "aps.content-state.minutes: must be a whole number"),
        ({"minutes": 7.5}, "aps.content-state.minutes: must be a whole number"),
        ({"minutes": True}, "aps.content-state.minutes: must be a whole number"),
        ({"minutes": 2**63}, "aps.content-state.minutes: must be 9223372036854775807 or less"),
        ({"minutes": 10**40}, "aps.content-state.minutes: must be 9223372036854775807 or less"),
        ({"minutes": -(2**63) - 1}, "aps.content-state.minutes: must be -9223372036854775808 or more"),
        ({"minutes": 7, "note": 1}, "aps.content-state.note: must be a string or null"),
        ({"minutes": 7, "stop": "Duomo"}, "aps.content-state.stop: must be an object or null"),
        ({"minutes": 7, "stop": {}}, "aps.content-state.stop.name: is missing"),
        ({"minutes": 7, "stop": {"name": 1}}, "aps.content-state.stop.name: must be a string"),
        ({"minutes": 7, "stops": [{"name": "a"}, {"name": None}]}, "aps.content-state.stops.1.name: must be a string"),
        ({"minutes": 7, "stage": "gone"}, 'aps.content-state.stage: must be "baking" or "on its way"'),
        ({"minutes": 7, "link": ""}, "aps.content-state.link: must be a URL, not an empty text"),
        # A name that is not the schema's is the producer's, or a user's.
        ({"minutes": 7, "scores": {"ana@example.com": "x"}}, "aps.content-state.scores.*: must be a whole number"),
    ],
)
def test_the_path_of_the_wrong_field_is_told_and_what_it_must_be(
    schemas: Schemas, state: dict[str, Any], says: str
) -> None:
    assert refusal(schemas, state) == says


def test_attributes_are_checked_too_and_first(schemas: Schemas) -> None:
    assert refusal(schemas, {}, {"activity": "a", "run": 1}) == "aps.attributes.shop: is missing"


@pytest.mark.parametrize(
    ("asked", "value", "says"),
    [
        ({"const": 3}, 4, "must be 3"),
        ({"exclusiveMinimum": 0}, 0, "must be more than 0"),
        ({"exclusiveMaximum": 9}, 9, "must be less than 9"),
        ({"multipleOf": 5}, 7, "must be a multiple of 5"),
        ({"minLength": 2}, "a", "must have 2 characters or more"),
        ({"maxLength": 2}, "abc", "must have 2 characters or less"),
        ({"minItems": 1}, [], "must have 1 elements or more"),
        ({"maxItems": 1}, [1, 2], "must have 1 elements or less"),
        ({"pattern": "^[a-z]+$"}, "A1", "must match ^[a-z]+$"),
        ({"format": "uuid"}, "x", "must be text of the format uuid"),
        ({"type": ["boolean", "array"]}, "x", "must be true or false or an array"),
        ({"additionalProperties": False}, {"Ana": 1}, "has a key that its schema doesn't allow"),
        (
            {"properties": {"b": {}}, "additionalProperties": False},
            {"Ana": 1},
            "has a key that its schema doesn't allow",
        ),
        ({"unevaluatedProperties": False}, {"Ana": 1}, "has a key that its schema doesn't allow"),
        ({"propertyNames": {"pattern": "^x"}}, {"Ana": 1}, "has a key that its schema doesn't allow"),
        ({"uniqueItems": True}, ["Ana", "Ana"], "does not fit its schema (uniqueItems)"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "does not fit its schema (oneOf)"),
        ({"not": {"type": "string"}}, "Ana", "does not fit its schema (not)"),
        ({"anyOf": [{"const": 1}, {"type": "string"}]}, 2, "must be 1"),
        (False, 1, "must not be there"),
        ({"enum": ["🍕" * 300]}, 1, f'must be "{"🍕" * 199}…'),
    ],
)
def test_whatever_json_schema_can_ask_for_is_told_in_words(tmp_path: Path, asked: Any, value: Any, says: str) -> None:
    assert refusal(about(tmp_path, {"x": asked}), {"x": value}) == f"aps.content-state.x: {says}"


def test_of_several_forms_the_one_that_is_meant_is_told(tmp_path: Path) -> None:
    forms = [
        {"type": "object", "properties": {"walk": {"type": "integer"}}, "required": ["walk"]},
        {"type": "object", "properties": {"ride": {"properties": {"by": {"type": "string"}}}}, "required": ["ride"]},
    ]
    schemas = about(tmp_path, {"leg": {"oneOf": forms}})

    assert refusal(schemas, {"leg": {"ride": {"by": 3}}}) == "aps.content-state.leg.ride.by: must be a string"


SECRET = "4f1c0ffee"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(SECRET),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["minutes", "note", "stop", "stops", "scores", "stage", "link", "name", SECRET]), inner
            )
        ),
    ).filter(lambda value: isinstance(value, dict))
)
def test_a_refusal_holds_nothing_of_the_value(schemas: Schemas, state: Any) -> None:
    said = ["aps.attributes: fits"]
    try:
        schemas.check("OrderAttributes", state, state)
    except InvalidInput as error:
        said.append(str(error))

    assert said[-1].startswith(("aps.attributes", "aps.content-state"))
    assert SECRET not in said[-1]


@pytest.mark.parametrize("levels", [100, NESTING_MAX])
def test_a_value_of_many_levels_is_refused_like_any_other(tmp_path: Path, levels: int) -> None:
    tree: dict[str, Any] = {"type": "object", "properties": {"sub": {"$ref": "#/$defs/Tree"}}, "required": ["name"]}
    schemas = Schemas.from_folder(
        folder_of(
            tmp_path,
            OrderAttributes={
                "$defs": {"Tree": tree},
                "properties": {"content-state": {"properties": {"tree": {"$ref": "#/$defs/Tree"}}}},
            },
        )
    )
    value: dict[str, Any] = {"name": "leaf"}
    for _ in range(levels - 1):
        value = {"name": "branch", "sub": value}
    schemas.check("OrderAttributes", None, {"tree": value})

    value = {}
    for _ in range(levels - 1):
        value = {"name": "branch", "sub": value}
    assert refusal(schemas, {"tree": value}).startswith("aps.content-state")


@pytest.mark.parametrize("forms", ["anyOf", "oneOf"])
def test_alternatives_of_many_levels_cost_neither_time_nor_memory(tmp_path: Path, forms: str) -> None:
    """The validator's own account of what doesn't fit would take a gigabyte here."""
    kinds = [
        {"properties": {"kind": {"const": kind}, "next": {"$ref": "#/$defs/N"}}, "required": ["kind"]} for kind in "ab"
    ]
    state = {"properties": {"first": {"$ref": "#/$defs/N"}}}
    schema = {"properties": {"content-state": state}, "$defs": {"N": {"type": "object", forms: kinds}}}
    (tmp_path / "OrderAttributes.json").write_text(json.dumps(schema))
    schemas = Schemas.from_folder(tmp_path)

    def refused(levels: int) -> str:
        value: dict[str, Any] = {"kind": "c"}
        for _ in range(levels):
            value = {"kind": "a", "next": value}
        with pytest.raises(InvalidInput) as said:
            schemas.check("OrderAttributes", None, {"first": value})
        return str(said.value)

    assert refused(300) == "aps.content-state: does not fit its schema, and is nested too deep to say where"
    assert refused(3).startswith("aps.content-state.first.next.next.next.kind: must be ")


def test_a_pattern_that_other_engines_choke_on_costs_nothing(tmp_path: Path) -> None:
    """Backtracking would take longer than the universe has been."""
    schemas = about(tmp_path, {"x": {"pattern": "^(a+)+$"}, "y": {"pattern": "^(?=a)(a+)+$"}})

    assert refusal(schemas, {"x": "a" * 4000 + "b"}).endswith("must match ^(a+)+$")
    assert refusal(schemas, {"y": "a" * 4000 + "b"}).endswith("must match ^(?=a)(a+)+$")


# --- files


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{", "OrderAttributes.json is no schema: Expecting"),
        ("[]", "OrderAttributes.json is no schema: it must be an object"),
        ("\x00", "OrderAttributes.json is no schema: Expecting"),
        ("[" * 600 + "]" * 600, "OrderAttributes.json is no schema: nested over 512 levels"),
        ({}, "its properties must be attributes and content-state"),
        ({"properties": {"attributes": {}}}, "its properties must be attributes and content-state"),
        (
            {"properties": {"content-state": {}, "contentState": {}}},
            "its properties must be attributes and content-state",
        ),
        (ORDER | {"$schema": "http://json-schema.org/draft-07/schema#"}, f"$schema must be {DRAFT}"),
        (ORDER | {"allOf": []}, "allOf can't stand beside properties"),
        (ORDER | {"propertys": {}}, "propertys can't stand beside properties"),
        ({"properties": {"content-state": {"type": "text"}}}, 'properties.content-state.type: "text" is not valid'),
        ({"properties": {"content-state": {"$ref": "#/$defs/Gone"}}}, "Pointer '/$defs/Gone' does not exist"),
        ({"properties": {"content-state": {"$ref": "https://example.com/a.json"}}}, "Retrieval is disabled"),
        ({"properties": {"content-state": {"pattern": "("}}}, '"(" is not a "regex"'),
    ],
)
def test_a_file_that_is_no_schema_is_named_with_what_is_wrong(tmp_path: Path, schema: object, says: str) -> None:
    with pytest.raises(Misconfigured) as broken:
        Schemas.from_folder(folder_of(tmp_path, GoodAttributes=ORDER, OrderAttributes=schema))

    assert str(broken.value).startswith("OrderAttributes.json is no schema: ")
    assert says in str(broken.value)


def test_a_file_that_is_not_text_or_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "OrderAttributes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match=r"^OrderAttributes.json is no schema: "):
        Schemas.from_folder(tmp_path)

    (tmp_path / "OrderAttributes.json").unlink()
    (tmp_path / "OrderAttributes.json").mkdir()
    with pytest.raises(Misconfigured, match=r"^OrderAttributes.json is no schema: "):
        Schemas.from_folder(tmp_path)


def test_a_file_that_no_attributes_type_could_be_called_is_named(tmp_path: Path) -> None:
    (tmp_path / "Order Attributes.json").write_text(json.dumps(ORDER))

    with pytest.raises(Misconfigured, match=r"^Order Attributes.json is not named for an attributes type$"):
        Schemas.from_folder(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no folder"):
        Schemas.from_folder(tmp_path / "shemas")


def test_other_files_beside_the_schemas_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Schemas")
    (tmp_path / "Attributes.swift").write_text("struct …")

    assert Schemas.from_folder(folder_of(tmp_path, OrderAttributes=ORDER)).attributes_types == {"OrderAttributes"}


def test_a_schema_may_have_an_id_and_refer_to_itself_by_it(tmp_path: Path) -> None:
    own = {"$id": "https://example.com/order.json", **ORDER}
    own["properties"] = {"content-state": {"properties": {"stop": {"$ref": "order.json#/$defs/Stop"}}}}
    schemas = Schemas.from_folder(folder_of(tmp_path, OrderAttributes=own))

    assert refusal(schemas, {"stop": {}}) == "aps.content-state.stop.name: is missing"


@pytest.mark.parametrize(("has_one", "loaded"), [(False, False), (True, True)])
def test_the_validator_is_loaded_only_where_there_is_a_schema(tmp_path: Path, has_one: bool, loaded: bool) -> None:
    folder = folder_of(tmp_path, **({"OrderAttributes": ORDER} if has_one else {}))
    program = (
        "import pathlib, sys; from lockstep.schemas import Schemas; "
        f"Schemas.from_folder(pathlib.Path({str(folder)!r})).check('OrderAttributes', None, {{'minutes': 7}}); "
        "print('jsonschema_rs' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "layers" / "shared")},
        check=True,
        capture_output=True,
        text=True,
    )

    assert run.stdout == f"{loaded}\n"
