"""JSON, strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.json_values import Json, canonical, compact, parse

values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_what_we_write_we_read_back(value: Json) -> None:
    assert parse(compact(value)) == value
    assert parse(canonical(value)) == value


@given(st.dictionaries(st.text(), values, min_size=2, max_size=4))
def test_equal_values_have_equal_canonical_texts(value: dict[str, Json]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", '"\\ud800"', '{"\\udfff": 1}', "[" * 100_000, "1 2", "1e999"]
)
def test_what_is_not_strict_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # which of its subclasses says nothing to a caller
        parse(text)


def test_compact_is_utf8_without_spaces() -> None:
    assert compact({"a": ["é", 1.5, None]}) == '{"a":["é",1.5,null]}'
