"""From Swift to JSON Schema, as the compiler would synthesize `Decodable`."""

from typing import cast

import pytest
from jsonschema_rs import Draft202012Validator, meta

from lockstep.json_values import Json, JsonObject
from onebox import ROOT
from onebox.swift.attributes import schemas_of
from onebox.swift.standard import SECONDS_SINCE_2001
from tests.swift_side import attributes, field, part, required, schema_of, state_of, told

INT: JsonObject = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$"
STOP = "struct Stop: Codable, Hashable { let name: String }"


@pytest.mark.parametrize(
    ("swift", "schema"),
    [
        ("String", {"type": "string"}),
        ("Int", INT),
        ("Swift.Int", INT),
        ("(Int)", INT),
        ("Int8", {"type": "integer", "minimum": -128, "maximum": 127}),
        ("UInt64", {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}),
        ("Double", {"type": "number"}),
        ("TimeInterval", {"type": "number"}),
        ("Bool", {"type": "boolean"}),
        ("Foundation.Date", {"type": "number", "description": SECONDS_SINCE_2001}),
        ("URL", {"type": "string", "format": "uri"}),
        ("UUID", {"type": "string", "format": "uuid"}),
        ("Data", {"type": "string", "contentEncoding": "base64", "pattern": BASE64}),
        ("String?", {"type": ["string", "null"]}),
        ("String!", {"type": ["string", "null"]}),
        ("Optional<String>", {"type": ["string", "null"]}),
        ("String??", {"type": ["string", "null"]}),
        ("[Int?]", {"type": "array", "items": INT | {"type": ["integer", "null"]}}),
        ("Array<Int>", {"type": "array", "items": INT}),
        ("Set<String>", {"type": "array", "items": {"type": "string"}}),
        ("[String: Bool]", {"type": "object", "additionalProperties": {"type": "boolean"}}),
        ("Dictionary<String, [Bool]>?", {
            "type": ["object", "null"],
            "additionalProperties": {"type": "array", "items": {"type": "boolean"}},
        }),
    ],
)  # fmt: skip
def test_a_type_is_translated(swift: str, schema: JsonObject) -> None:
    assert field(f"var it: {swift}") == schema


@pytest.mark.parametrize(
    ("swift", "fits", "does_not"),
    [
        ("Float", 3.4e38, 3.5e38),
        ("UInt8", 255, 256),
        ("Int", 2**63 - 1, 2**63),
        ("Int", 7.0, 7.5),
        ("Double", 7, "NaN"),
        ("Data", "aGk=", "aGk"),
        ("Data", "", "a-_="),
        ("UUID", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "6F9619FF"),
        ("URL", "https://example.com/a?b=c", 5),
        ("[Größe]", [{"x": 1}], [{}]),
        ("[Int: Bool]", {"-1": True}, {"one": True}),
        ("ClosedRange<Int>", [1, 2], [1]),
        ("Range<Double>", [1.5, 2], [1, "2"]),
        ("[[String?]]", [["a", None]], [None]),
    ],
)
def test_a_type_takes_what_swift_decodes(swift: str, fits: Json, does_not: Json) -> None:
    schema = schema_of(attributes(f"var it: {swift}", beside="struct Größe: Codable, Hashable { var x: Int }"))
    validator = Draft202012Validator(schema, validate_formats=True)

    for value, is_taken in ((fits, True), (does_not, False)):
        whole: Json = {"attributes": {"activity": "order-42", "run": 1}, "content-state": {"it": value}}
        assert validator.is_valid(whole) == is_taken


@pytest.mark.parametrize(
    ("written", "kind"),
    [('= "none"', "string"), ("= -5", "integer"), ("= 0x1F", "integer"), ("= 2.5", "number"), ("= true", "boolean")],
)
def test_a_type_that_a_literal_tells_need_not_be_written(written: str, kind: str) -> None:
    assert field(f"var it {written}")["type"] == kind


def test_optionals_are_not_required_and_defaults_do_not_make_them_so() -> None:
    state = state_of(
        attributes("var a: Int = 5\n var b: Int?\n var c: Int? = 5\n let d: Int\n let e: Int?\n var f = 1")
    )

    assert required(state) == ["a", "d", "f"]


def test_only_what_is_stored_in_an_instance_is_decoded() -> None:
    state = state_of(
        attributes("""
        static let shared = 1
        static var count: Int = 0
        lazy var slow: Int = 1
        var computed: Int { 1 }
        var both: Int { get { 1 } set { } }
        var watched: Int = 0 { didSet { print(watched) } }
        public private(set) var seen: Bool
        @available(iOS 17, *) var new: Bool
        func run() -> Int { 1 }
        // var comment: Int
        /* var comment: Int */
        """)
    )

    assert required(state) == ["watched", "seen", "new"]


def test_several_properties_of_a_line_have_the_type_behind_them() -> None:
    state = state_of(attributes("var a, b: Int; var c: String, d, e: Bool; var f: Int?, g = 1"))

    assert [part(state, key)["type"] for key in "abcde"] == ["integer", "integer", "string", "boolean", "boolean"]
    assert required(state) == ["a", "b", "c", "d", "e", "g"]


def test_a_let_with_a_default_is_never_decoded() -> None:
    text = attributes("        var minutes: Int\n        let version = 1")

    assert list(required(state_of(text))) == ["minutes"]
    assert told(text) == [
        "7: warning: let version has a default, so it is never decoded, and no key here: make it a var if it should be"
    ]


def test_a_date_is_warned_of_by_its_line() -> None:
    [line] = told(attributes("        var minutes: Int\n        var eta: Date?"))

    assert line.startswith("7: warning: Date: send seconds since 2001")


def test_structs_are_definitions() -> None:
    schema = schema_of(
        attributes("var stop: Stop; var last: Stop?; var stops: [Stop]; var by: [String: Stop?]", beside=STOP)
    )

    reference: JsonObject = {"$ref": "#/$defs/Stop"}
    or_null: Json = {"anyOf": [reference, {"type": "null"}]}
    assert schema["$defs"] == {
        "Stop": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    }
    assert part(schema, "content-state")["properties"] == {
        "stop": reference,
        "last": or_null,
        "stops": {"type": "array", "items": reference},
        "by": {"type": "object", "additionalProperties": or_null},
    }


def test_a_struct_may_hold_itself() -> None:
    schema = schema_of(
        attributes("var tree: Tree\n struct Tree: Codable, Hashable { var name: String; var inner: [Tree] }")
    )

    validator = Draft202012Validator(schema)
    leaves: list[tuple[Json, bool]] = [({"name": "leaf", "inner": []}, True), ({"name": "leaf"}, False)]
    for inner, fits in leaves:
        state: Json = {"tree": {"name": "root", "inner": [inner]}}
        assert validator.is_valid({"attributes": {"activity": "a", "run": 1}, "content-state": state}) == fits


def test_the_innermost_declaration_of_a_name_counts() -> None:
    schema = schema_of(
        attributes(
            "var stop: Stop; var other: OrderAttributes.Stop; var date: Date; struct Stop: Codable, Hashable { var x: Int }",
            beside="extension OrderAttributes { struct Stop: Codable, Hashable { var y: Int } }\n"
            "struct Date: Codable, Hashable { var day: Int }",
        )
    )

    assert part(part(schema, "content-state"), "stop") == {"$ref": "#/$defs/Stop"}
    assert part(part(schema, "content-state"), "other") == {"$ref": "#/$defs/OrderAttributes.Stop"}
    assert part(part(schema, "content-state"), "date") == {"$ref": "#/$defs/Date"}


def test_aliases_are_followed() -> None:
    schema = schema_of(
        """
        public struct OrderAttributes: ActivityAttributes {
            public typealias OrderStatus = ContentState
            typealias ContentState = Shared.State
            let activity: String
            let run: Milliseconds
        }
        typealias Milliseconds = Int
        enum Shared { }
        """,
        Shared="extension Shared { struct State: Codable, Hashable { var driver: Name? } }\n typealias Name = String",
    )

    assert part(part(schema, "attributes"), "run") == INT
    assert part(schema, "content-state")["properties"] == {"driver": {"type": ["string", "null"]}}


def test_a_content_state_may_be_declared_in_an_extension_and_so_may_conformance() -> None:
    schema = schema_of(
        """
        struct OrderAttributes { let activity: String; let run: Int }
        extension OrderAttributes: ActivityAttributes {
            struct ContentState { var minutes: Int }
        }
        extension OrderAttributes.ContentState: Codable, Hashable {}
        """
    )

    assert required(part(schema, "content-state")) == ["minutes"]


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("enum Stage: String, Codable { case cooking, there }", ["cooking", "there"]),
        ('enum Stage: String, Codable { case a = "on \\"my\\" way\\u{21}", b\n case `in` }', ['on "my" way!', "b", "in"]),
        ('enum Stage: String, Codable { case a = "\\u{10FFFF}", b = "\\u{E9}" }', ["\U0010ffff", "é"]),
        ("enum Stage: Int, Codable { case a, b, c = 7, d }", [0, 1, 7, 8]),
        ("enum Stage: Int, Codable { case a = -1, b\n case c = 0x1F, d = 1_000 }", [-1, 0, 31, 1000]),
        ("enum Stage: UInt8 { case a = 9 }\n extension Stage: Codable { var title: String { \"\" } }", [9]),
    ],
)  # fmt: skip
def test_an_enum_takes_its_raw_values(declared: str, values: list[Json]) -> None:
    kind = "string" if isinstance(values[0], str) else "integer"

    assert field("var stage: Stage", beside=declared) == {"type": kind, "enum": values}
    assert field("var stage: Stage?", beside=declared) == {"type": [kind, "null"], "enum": [*values, None]}


def test_a_struct_around_a_raw_value_is_decoded_from_that() -> None:
    stage = (
        "struct Stage: RawRepresentable, Codable, Hashable { let rawValue: String\n static let a = Stage(rawValue: 1) }"
    )
    flags = "struct Flags: OptionSet, Codable { var rawValue: UInt8\n init(rawValue: UInt8) { } }"

    assert field("var stage: Stage?", beside=stage) == {"type": ["string", "null"]}
    assert field("var flags: Flags", beside=flags) == {"type": "integer", "minimum": 0, "maximum": 255}


def test_coding_keys_rename_and_leave_out() -> None:
    state = state_of(
        attributes("""
        var minutes: Int
        var driver: String
        var note: String?
        var cached: Int = 0
        private enum CodingKeys: String, CodingKey { case minutes = "m", driver }
        """)
    )

    assert state["properties"] == {"m": INT, "driver": {"type": "string"}}
    assert required(state) == ["m", "driver"]


def test_the_coding_keys_of_a_struct_around_it_are_not_a_structs_own() -> None:
    state = state_of(
        attributes("""
        var stop: Stop
        struct Stop: Codable, Hashable { var name: String }
        enum CodingKeys: CodingKey { case stop }
        """)
    )

    assert required(state) == ["stop"]


def test_what_is_compiled_for_iphones_alone_is_read_as_if_it_always_were() -> None:
    schema = schema_of(
        f"""
        #if canImport(ActivityKit) && os(iOS)
        {attributes("var minutes: Int")}
        #else
        struct OrderAttributes {{ }}
        #endif
        #if DEBUG
        extension OrderAttributes {{ static let preview = 1 }}
        #endif
        #Preview("card") {{ Text("…") }}
        """
    )

    assert required(part(schema, "content-state")) == ["minutes"]


@pytest.mark.parametrize(
    ("condition", "compiled"),
    [
        ("os(iOS)", "a"),
        ("os(macOS)", "b"),
        ("!os(watchOS)", "a"),
        ("os(macOS) || canImport(ActivityKit)", "a"),
        ("os(iOS) && !targetEnvironment(macCatalyst)", "a"),
        ("os(iOS) && os(macOS)", "b"),
        ("os(tvOS)\nvar c: Int\n#elseif os(iOS)", "a"),
        ("os(iOS)\nvar a: Int\n#elseif DEBUG", "a"),
        ("os(macOS) && DEBUG", "b"),
        ("!(os(macOS) || os(iOS) || os(tvOS))", "b"),
        ("!(DEBUG && os(macOS) && X)", "a"),
        ("canImport(ActivityKit) && (os(macOS) || (os(iOS) && !targetEnvironment(macCatalyst)))", "a"),
    ],
)
def test_the_branch_that_iphones_compile_is_read(condition: str, compiled: str) -> None:
    branch = "" if "var a" in condition else "var a: Int"

    assert required(state_of(attributes(f"#if {condition}\n{branch}\n#else\nvar b: Int\n#endif"))) == [compiled]


def test_a_whole_file_of_a_widget_is_read() -> None:
    made = schemas_of({"FocusWidget.swift": (ROOT / "tests" / "swift" / "FocusWidget.swift").read_text()})

    assert [line.partition(" Date")[0] for line in made.findings.lines()] == ["FocusWidget.swift:10: warning:"]
    [schema] = made.by_type.values()
    assert schema["title"] == "FocusAttributes"
    assert required(part(schema, "attributes")) == ["id", "activity", "run", "title"]
    assert required(part(schema, "content-state")) == ["remaining", "window", "isPaused"]


GUIDE = (ROOT / "docs" / "ios" / "OrderAttributes.swift").read_text()


def test_the_attributes_of_the_guide_are_translated() -> None:
    made = schemas_of({"OrderAttributes.swift": GUIDE})

    assert made.findings.lines() == []
    [schema] = made.by_type.values()
    assert schema["title"] == "OrderAttributes"
    assert required(part(schema, "attributes")) == ["shop", "activity"]
    assert list(cast("JsonObject", part(schema, "attributes")["properties"])) == ["shop", "activity", "run"]
    assert required(part(schema, "content-state")) == ["driver", "minutes"]


def test_a_protocol_by_which_attributes_are_some_may_have_a_file_of_its_own() -> None:
    protocol, name, struct = GUIDE.partition("struct OrderAttributes")

    apart = schemas_of({"OrderAttributes.swift": f"import ActivityKit\n{name}{struct}", "Ours.swift": protocol})

    assert apart.findings.lines() == []
    assert apart.by_type == schemas_of({"OrderAttributes.swift": GUIDE}).by_type


@pytest.mark.parametrize(
    "codable",
    [
        "protocol Model: Codable, Hashable { }",
        "protocol Model where Self: Codable { }",
        "typealias Model = Codable & Hashable",
        "typealias Model = Swift.Codable",
        "protocol Inner: Decodable { }\ntypealias Middle = (Inner & Hashable)\nprotocol Model: Middle { }",
    ],
)
def test_a_struct_may_be_codable_by_a_protocol_or_an_alias(codable: str) -> None:
    stop = f"struct Stop: Model {{ let name: String }}\n{codable}"

    assert field("var stop: Stop", beside=stop) == {"$ref": "#/$defs/Stop"}


def test_a_struct_around_a_raw_value_may_be_so_by_a_protocol() -> None:
    tag = "protocol Tag: RawRepresentable, Codable { }\nstruct Color: Tag { let rawValue: String }"

    assert field("var color: Color", beside=tag) == {"type": "string"}


def test_a_whole_schema_says_what_it_is_of() -> None:
    schema = schema_of(attributes("var minutes: Int"))

    assert {key: schema[key] for key in ("$schema", "title", "type", "required")} == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OrderAttributes",
        "type": "object",
        "required": ["attributes", "content-state"],
    }
    meta.validate(schema)


def test_unknown_keys_are_allowed() -> None:
    validator = Draft202012Validator(schema_of(attributes("var stop: Stop", beside=STOP)))

    assert validator.is_valid(
        {
            "attributes": {"activity": "a", "run": 1, "new": 1},
            "content-state": {"stop": {"name": "a", "new": 1}, "new": 1},
            "new": 1,
        }
    )


@pytest.mark.parametrize("own", ["let activity: String?; let run: Int64", "var activity: String; var run: Double"])
def test_activity_and_run_may_be_of_any_type_that_holds_them(own: str) -> None:
    assert told(attributes("var minutes: Int", own=own)) == []


def test_attributes_without_activity_and_run_are_warned_of() -> None:
    lines = told(attributes("var minutes: Int", own="let shop: String"))

    assert [line.partition(", which")[0] for line in lines] == [
        "2: warning: OrderAttributes has no `let activity: String`",
        "2: warning: OrderAttributes has no `let run: Int?`",
    ]
