"""Which changes of a struct break running cards: on phones with the app of before, and on phones with the new one."""

import json
from typing import cast

import pytest

from lockstep.json_values import JsonObject
from onebox.swift.changes import Side, breaks
from tests.swift_side import attributes, schema_of

BY_HAND = '"string", "maxLength": 5}}, "required": ["a"]'
OLD, NEW = Side.OLD_APP, Side.NEW_APP


def named(old: JsonObject, new: JsonObject) -> list[tuple[str, str, Side]]:
    return [(one.path, one.change, one.side) for one in breaks(old, new)]


def of(state: str, **more: str) -> JsonObject:
    return schema_of(attributes(state, **more))


@pytest.mark.parametrize(
    ("before", "after", "change", "sides"),
    [
        ("", "var a: Int", "is new, and required", {NEW}),
        ("", "var a: Int = 5", "is new, and required", {NEW}),
        ("var a: Int?", "var a: Int", "is required, and was optional", {NEW}),
        ("var a: Int", "", "is removed, and was required", {OLD}),
        ("var a: Int", "let a = 5", "is removed, and was required", {OLD}),
        ("var a: Int", "var a: Int?", "is optional, and was required", {OLD}),
        ("var a: Int", "var a: Double", "was Int, is Double", {OLD}),
        ("var a: Double", "var a: Int", "was Double, is Int", {NEW}),
        ("var a: Int", "var a: Int32", "was Int, is Int32", {NEW}),
        ("var a: UInt8", "var a: Int8", "was UInt8, is Int8", {OLD, NEW}),
        ("var a: Double", "var a: Float", "was Double, is Float", {NEW}),
        ("var a: Int", "var a: String", "was Int, is String", {OLD, NEW}),
        ("var a: String", "var a: URL?", "was String, is URL?", {NEW}),
        ("var a: URL", "var a: String", "was URL, is String", {OLD}),
        ("var a: URL", "var a: Data", "was URL, is Data", {OLD, NEW}),
        ("var a: Double", "var a: Date", "was Double, is Date", {OLD, NEW}),
        ("var a: Int", "var a: [Int]", "was Int, is [Int]", {OLD, NEW}),
        ("var a: [Int]", "var a: ClosedRange<Int>", "was [Int], is ClosedRange<Int>", {NEW}),
        ("var a: [String: Int]", "var a: [Int: Int]", "was [String: Int], is [Int: Int]", {NEW}),
        ("var a: [String: Int]", "var a: [Int]", "was [String: Int], is [Int]", {OLD, NEW}),
        ("var a: E\nenum E: String, Codable { case x, y }", "var a: String", "was enum (x, y), is String", {OLD}),
        ("var a: String", "var a: E\nenum E: String, Codable { case x, y }", "was String, is enum (x, y)", {NEW}),
    ],
)
def test_a_change_that_breaks_phones_is_named_with_whose(
    before: str, after: str, change: str, sides: set[Side]
) -> None:
    found = named(of(before), of(after))

    kept = [one for one in found if one[1] == change]
    assert {(path, side) for path, _, side in kept} == {("content-state.a", side) for side in sides}
    # An optional that becomes of another type is one change more.
    assert all(one in kept or change.endswith("?") for one in found)


def test_a_new_case_breaks_the_app_of_before_and_a_removed_one_the_new_app() -> None:
    before = of("var a: E\nenum E: String, Codable { case x, y }")
    after = of("var a: E\nenum E: String, Codable { case y, z }")

    assert named(before, after) == [
        ("content-state.a", "has the new value z", OLD),
        ("content-state.a", "has lost the value x", NEW),
    ]


def test_a_raw_value_that_is_written_otherwise_is_one_lost_and_one_new() -> None:
    before = of("var a: E?\nenum E: Int, Codable { case x, y }")
    after = of("var a: E?\nenum E: Int, Codable { case x, y = 5 }")

    assert [change for _, change, _ in named(before, after)] == ["has the new value 5", "has lost the value 1"]


def test_a_renamed_key_is_one_removed_and_one_new() -> None:
    found = named(
        of("var minutes: Int"), of('var minutes: Int\nenum CodingKeys: String, CodingKey { case minutes = "m" }')
    )

    assert found == [
        ("content-state.minutes", "is removed, and was required", OLD),
        ("content-state.m", "is new, and required", NEW),
    ]


def test_a_break_is_named_by_its_path_through_structs_arrays_and_dictionaries() -> None:
    state = "var stops: [[String: Stop]]\nstruct Stop: Codable, Hashable {{ var name: Name }}"
    name = "\nstruct Name: Codable, Hashable {{ var short: {} }}"

    found = named(of((state + name).format("String")), of((state + name).format("String?")))

    assert found == [("content-state.stops[].*.name.short", "is optional, and was required", OLD)]


def test_attributes_break_as_states_do() -> None:
    before = of("var a: Int", own="let activity: String; let run: Int")
    after = of("var a: Int", own="let activity: String; let run: Int; let shop: String")

    assert named(before, after) == [("attributes.shop", "is new, and required", NEW)]


@pytest.mark.parametrize("own", ["let activity: String; let run: Int?", "let activity: String?", "let run: Int"])
def test_what_lockstep_adds_to_every_start_the_app_of_before_gets_whatever_the_new_one_needs(own: str) -> None:
    before, after = of("var a: Int"), of("var a: Int", own=own)

    assert named(before, after) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("let shop: String", "let shop: String; let activity: String; let run: Int"),
        ("let activity: String; let run: Int", "let activity: String; let run: Int?"),
        ("let activity: String; let run: Int", "let activity: String?; let run: Double"),
        ("let activity: String; let run: Int", "let shop: String?"),
    ],
)
def test_activity_and_run_are_sent_whatever_the_struct_so_neither_breaks_by_what_is_sent(
    before: str, after: str
) -> None:
    assert named(of("var a: Int", own=before), of("var a: Int", own=after)) == []


def test_cards_that_an_app_made_by_itself_may_lack_a_run_that_was_optional() -> None:
    before = of("var a: Int", own="let activity: String; let run: Int?")
    after = of("var a: Int", own="let activity: String; let run: Int")

    [one] = breaks(before, after)
    assert str(one) == (
        "OrderAttributes: attributes.run: is required, and was optional\n"
        "  breaks the new app, by cards that the app of before made by itself\n"
        "  leave it as it was, as long as the app makes cards by itself"
    )


def test_activity_and_run_of_a_state_are_keys_like_others() -> None:
    assert named(of(""), of("var activity: String; var run: Int")) == [
        ("content-state.activity", "is new, and required", NEW),
        ("content-state.run", "is new, and required", NEW),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("var a: Int; var b: String", "var b: String; let a: Int"),
        ("var a: Int", "var a: Int; var b: String?"),
        ("var a: Int; var b: String?", "var a: Int"),
        ("var a: Int", 'var b: Int\nenum CodingKeys: String, CodingKey { case b = "a" }'),
        (
            "var a: Stop\nstruct Stop: Codable, Hashable { var x: Int }",
            "var a: Halt\nstruct Halt: Codable, Hashable { var x: Int }",
        ),
        ("var a: [Int]", "var a: Set<Int>"),
        ("var a: E\nenum E: String, Codable { case x, y }", 'var a: E\nenum E: String, Codable { case z = "y", x }'),
        (
            "var a: Tree\nstruct Tree: Codable, Hashable { var a: [Tree] }",
            "var a: T\nstruct T: Codable, Hashable { var a: [T] }",
        ),
        ("var a: Int64", "var a: Int"),
        ("var a: TimeInterval", "var a: CGFloat"),
    ],
)
def test_a_change_that_breaks_nobody_is_not_named(before: str, after: str) -> None:
    assert named(of(before), of(after)) == []


def test_a_structs_own_change_is_named_though_structs_hold_themselves() -> None:
    before = "var a: Tree\nstruct Tree: Codable, Hashable { var inner: [Tree]; var x: Int }"
    after = "var a: Tree\nstruct Tree: Codable, Hashable { var inner: [Tree]; var x: Int? }"

    assert named(of(before), of(after)) == [("content-state.a.x", "is optional, and was required", OLD)]


def test_what_a_person_wrote_into_a_schema_is_equal_to_itself_alone() -> None:
    plain = of("var a: String")
    by_hand = cast("JsonObject", json.loads(json.dumps(plain).replace('"string"}}, "required": ["a"]', BY_HAND)))

    assert [side for _, _, side in named(plain, by_hand)] == [NEW]
    assert [side for _, _, side in named(by_hand, plain)] == [OLD]
    assert named(by_hand, by_hand) == []


def test_each_break_says_what_to_do() -> None:
    [removed, new] = breaks(of("var a: Int"), of("var b: Int"))

    assert str(removed) == (
        "OrderAttributes: content-state.a: is removed, and was required\n"
        "  breaks the app of before, by what is sent for the new one\n"
        "  keep it in the struct, and send it, until no phone has the app of before"
    )
    assert new.remedy.startswith("make it optional (`?`) until every producer has moved")
