"""Made-up structs: what their schema takes is what Swift decodes, and no change that breaks goes unnamed."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from lockstep.json_values import JsonObject
from onebox.swift.attributes import schemas_of
from onebox.swift.changes import Side, breaks
from tests.swift_models import Field, Maybe, Struct, almost, body, changed, declared, decodes, edges, structs, values

QUICKLY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def source(state: Struct, pick: Callable[[str, str], str] = lambda first, _: first) -> str:
    """Write attributes with this content-state, whose types stand before it, in it, or in an extension."""
    inner = "\n".join(declared(one.type, pick) for one in state.fields)
    place = pick("before", pick("inside", "extension"))
    return f"""
        import ActivityKit
        {inner if place == "before" else ""}
        struct OrderAttributes: ActivityAttributes {{
            let activity: String
            let run: Int
            struct ContentState: Codable, Hashable {{
        {inner if place == "inside" else ""}
        {body(state, pick)}
            }}
        }}
        {f"extension OrderAttributes.ContentState {{ {inner} }}" if place == "extension" else ""}
    """


def schema_of(text: str) -> JsonObject:
    made = schemas_of({"Order.swift": text})
    assert not made.findings.refused, (text, made.findings.lines())
    return made.by_type["OrderAttributes"]


def whole(state: object) -> object:
    return {"attributes": {"activity": "order-42", "run": 1}, "content-state": state}


@QUICKLY
@given(st.data())
def test_a_schema_takes_what_swift_decodes_and_nothing_else(data: st.DataObject) -> None:
    state = data.draw(structs())
    value = data.draw(values(state))
    wrong = data.draw(almost(value))

    schema = schema_of(source(state, lambda first, second: data.draw(st.sampled_from([first, second]))))

    meta.validate(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(whole(value))
    assert validator.is_valid(whole(wrong)) == decodes_whole(state, wrong)


def decodes_whole(state: Struct, value: object) -> bool:
    return isinstance(value, dict) and decodes(state, value)


@QUICKLY
@given(st.data())
def test_a_change_that_breaks_phones_is_named(data: st.DataObject) -> None:
    old = data.draw(structs())
    # One at a time: a break hides all others of its side.
    at = data.draw(st.integers(0, len(old.fields) - 1))
    new = Struct(old.name, (*old.fields[:at], *data.draw(now(old.fields[at])), *old.fields[at + 1 :]))

    named = {one.side for one in breaks(schema_of(source(old)), schema_of(source(new)))}

    if Side.OLD_APP not in named:
        assert all(decodes(old, value) for value in edges(new))
    if Side.NEW_APP not in named:
        assert all(decodes(new, value) for value in edges(old))


def now(field: Field) -> st.SearchStrategy[list[Field]]:
    """What a field is in the next release: as it was, of another type, gone, or of another name."""
    another_type = changed(field.type).map(lambda one: [replace(field, type=one)])
    return st.one_of(
        another_type,
        another_type,
        another_type,
        st.just([]),
        st.just([replace(field, name=f"{field.name.strip('`')}2", key=f"{field.key}2")]),
    )


@QUICKLY
@given(st.data())
def test_what_breaks_nobody_is_not_named(data: st.DataObject) -> None:
    old = data.draw(structs(depth=1))
    added = data.draw(structs(depth=1))
    taken = {one.key for one in old.fields} | {one.name for one in old.fields}
    fresh = [
        one for one in added.fields if one.key not in taken and one.name not in taken and isinstance(one.type, Maybe)
    ]
    kept = [one for one in old.fields if not (isinstance(one.type, Maybe) and data.draw(st.booleans()))]

    new = Struct("ContentState", tuple(data.draw(st.permutations([*kept, *fresh]))))

    assert list(breaks(schema_of(source(old)), schema_of(source(new)))) == []
