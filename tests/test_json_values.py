"""JSON, strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.json_values import NESTING_MAX, Json, NestedTooDeep, canonical, compact, parse

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


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}"), ('["[", ', "]"), ('["\\\\", ', "]")])
def test_what_others_wrote_may_have_512_levels_and_not_one_more(opened: str, closed: str) -> None:
    def nested(levels: int) -> str:
        return opened * levels + "1" + closed * levels

    assert parse(nested(NESTING_MAX), nesting_max=NESTING_MAX)
    assert parse(nested(NESTING_MAX + 1))
    with pytest.raises(NestedTooDeep):
        parse(nested(NESTING_MAX + 1), nesting_max=NESTING_MAX)


@pytest.mark.parametrize("text", ["[{" * 600, '\\"[[' * 600, "]" * 600, "a[b]" * 600])
def test_brackets_in_a_text_are_no_levels(text: str) -> None:
    assert parse(compact([[text]]), nesting_max=2) == [[text]]


@pytest.mark.parametrize(
    "text", ['"' + "[" * 100_000, '"' + '\\"' * 100_000 + "[" * 9, "]" * 9 + "[" * 100_000, "[" * 10**6]
)
def test_levels_of_what_is_no_json_are_counted_all_the_same(text: str) -> None:
    with pytest.raises(ValueError):  # which of its subclasses says nothing to a caller
        parse(text, nesting_max=8)


@given(values)
def test_levels_are_those_that_a_parser_would_go_down(value: Json) -> None:
    text = compact(value)

    assert parse(text, nesting_max=levels(value)) == value
    if levels(value):
        with pytest.raises(NestedTooDeep):
            parse(text, nesting_max=levels(value) - 1)


def levels(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    return 1 + max(map(levels, value), default=0) if isinstance(value, list) else 0
