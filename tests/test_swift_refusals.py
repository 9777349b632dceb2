"""What of Swift is refused: by its line, with what to do instead, and all at once."""

import pytest

from tests.swift_side import FIRST_LINE, attributes, told


def refused(text: str, **others: str) -> list[str]:
    return [line.replace(": error", "") for line in told(text, **others) if ": error: " in line]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("var engine: Engine\n}\nclass Engine: Codable {", "6: Engine is a class: use a Codable struct"),
        ("var engine: Engine\n}\nactor Engine {", "6: Engine is an actor: use a Codable struct"),
        ("var engine: Engine\n}\nprotocol Engine: Codable {", "6: Engine is a protocol: use a Codable struct"),
        (
            "var engine: any Engine",
            "6: `any Engine` is a tuple, a function, a protocol or the like, which nothing is decoded",
        ),
        ("var pair: (Int, Int)", "6: `(Int, Int)` is a tuple"),
        ("var done: () -> Void", "6: `() -> Void` is a tuple, a function"),
        ("let (a, b): (Int, Int)", "6: `(a, b)` is a tuple"),
        ("\nvar engine: Engine", "7: Engine is not declared in these files"),
        ("var engine: MyApp.Engine", "6: MyApp.Engine is not declared in these files"),
        ("var all: [Any]", "6: Any is not declared in these files"),
        ("var all: Array", "6: Array has 0 types in angle brackets"),
        ("var since = Date()", "6: the type of since is not written: write `var since: …`"),
        (
            "#if DEBUG && (os(macOS) || os(iOS) || os(tvOS))\nvar minutes: Int\n#endif",
            "6: #if decides whether there is minutes",
        ),
        ("#if (os(iOS) && DEBUG) || X\nvar minutes: Int\n#endif", "6: #if decides whether there is minutes"),
        ("#if !(swift(>=6) && os(iOS))\nvar minutes: Int\n#endif", "6: #if decides whether there is minutes"),
        ("@Clamped var minutes: Int", "6: @Clamped on minutes may be a property wrapper"),
        ("#if DEBUG\nvar minutes: Int\n#endif", "6: #if decides whether there is minutes: take the #if away"),
        ("#if os(iOS)\n#if DEBUG\nvar minutes: Int\n#endif\n#endif", "7: #if decides whether there is minutes"),
        ("var by: [UUID: Int]", "6: a dictionary by UUID is decoded from an array of keys and values in turn"),
        ("var by: [Int64: Int]", "6: a dictionary by Int64 is decoded from an array"),
        (
            "var a: Int\ninit(from decoder: any Decoder) throws { a = 1 }",
            "7: ContentState decodes itself (init(from:))",
        ),
        (
            "var a: Int\nenum CodingKeys: CodingKey { case a, b }",
            "7: CodingKeys has b, but ContentState stores no such",
        ),
        (
            "var a: Int\nlet b: Int?\nenum CodingKeys: CodingKey { case a }",
            "7: b is not among the CodingKeys and has no",
        ),
        ("var a: Optional<Int>\nenum CodingKeys: CodingKey { }", "6: a is not among the CodingKeys and has no default"),
        ("var a: Int\n#if DEBUG\nenum CodingKeys: CodingKey { case a }\n#endif", "7: #if decides what CodingKeys is"),
        ("var a: Int\nstruct CodingKeys: CodingKey { }", "5: the CodingKeys of ContentState are no enum"),
        (
            'var a: Int\nenum CodingKeys: String, CodingKey {\ncase a\nvar stringValue: String { "b" }\n}',
            "9: CodingKeys makes its keys itself (stringValue)",
        ),
    ],
)
def test_a_property_is_refused_by_its_line(state: str, said: str) -> None:
    [line] = refused(attributes(state))

    assert line.startswith(said)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("struct It: Codable { init(from decoder: Decoder) { } }", "It decodes itself (init(from:))"),
        ("struct It: Codable { }\nextension It { init(from d: Swift.Decoder) { } }", "It decodes itself"),
        (
            "protocol Lenient: Codable { }\nextension Lenient { init(from d: Decoder) { } }\nstruct It: Codable, Lenient { }",
            "It decodes itself",
        ),
        (
            "protocol A { }\nprotocol B: A { }\nextension A { init(from d: Decoder) { } }\nenum It: Int, Codable, B { case a }",
            "It decodes itself",
        ),
        ("struct It: Codable { init(from decoder: (any Decoder)) { } }", "It decodes itself"),
        ("struct It: Codable { init(from d: D) { } }\ntypealias D = E\ntypealias E = any Decoder", "It decodes itself"),
        ("struct It: Codable { typealias D = Decoder\ninit(from d: D) { } }", "It decodes itself"),
        ("struct It: Codable { }\nextension MyApp.It { init(from d: Decoder) { } }", "It decodes itself"),
        (
            "enum NS { protocol P {}; struct S: Codable, P {} }\nextension NS.P { init(from: Decoder) {} }\ntypealias It = NS.S",
            "S decodes itself",
        ),
        (
            "enum NS { protocol P { } }\nextension NS.P { init(from d: Decoder) { } }\nstruct It: Codable, MyApp.NS.P { }",
            "It decodes itself",
        ),
        (
            "protocol P { }\nextension P { init(from d: Decoder) { } }\ntypealias PC = P & Codable\nstruct It: PC { }",
            "It decodes itself",
        ),
        (
            "protocol P { }\nextension P { init(from d: Decoder) { } }\nprotocol Q where Self: P { }\nstruct It: Q, Codable { }",
            "It decodes itself",
        ),
        ("extension Elsewhere { init(from d: Decoder) { } }\nstruct It: Codable, Elsewhere { }", "It decodes itself"),
        (
            "extension Swift.RawRepresentable { init(from d: Decoder) { } }\ntypealias It = Int",
            "an extension of RawRepresentable may",
        ),
        (
            "extension Swift.KeyedDecodingContainer { }\ntypealias It = Int",
            "an extension of KeyedDecodingContainer may",
        ),
        (
            "typealias K = KeyedDecodingContainer\nextension K { }\ntypealias It = Int",
            "an extension of KeyedDecodingContainer may",
        ),
        ("protocol P { }\nstruct It: P { }", "It is not Codable in these files"),
        (
            "extension RawRepresentable { init(from d: Decoder) { } }\ntypealias It = Int",
            "an extension of RawRepresentable may",
        ),
        (
            "struct It: RawRepresentable, Codable { let rawValue: URL }",
            "It is RawRepresentable, and stores no rawValue",
        ),
        ("struct It: OptionSet, Codable { var rawValue: Int { 1 } }", "It is RawRepresentable, and stores no rawValue"),
        (
            "struct It: RawRepresentable, Codable { let rawValue: String\ninit?(rawValue: String) { nil } }",
            "It may refuse raw values (init?(rawValue:))",
        ),
        ("struct It { var a: Int }", "It is not Codable in these files"),
        ("struct It<T: Codable>: Codable { var a: T }", "It is generic"),
        ("@Codable struct It: Codable { var a: Int }", "@Codable may change what It is decoded from"),
        ("#if DEBUG\nstruct It: Codable { }\n#endif", "#if decides what It is"),
        ("enum It: Codable { case a, b }", "It has no raw values of String or Int"),
        ("enum It: Double, Codable { case a = 1.5 }", "It has no raw values of String or Int"),
        ("enum It: Codable { case a(Int), b }", "case a of It has associated values"),
        ("enum It: String { case a }", "It is not Codable in these files"),
        ("enum It: String, Codable { case a; init(from d: Decoder) { self = .a } }", "It decodes itself"),
        (
            "enum It: String, Codable { case a\ninit?(rawValue: String) { self = .a } }",
            "It makes its raw values itself",
        ),
        ('enum It: String, Codable { case a = "\\(b)" }', "the raw value of a is no plain text"),
        ('enum It: String, Codable { case a = #"b"# }', "the raw value of a is no plain text"),
        ('enum It: String, Codable { case a = "\\u{110000}" }', "the raw value of a is no plain text"),
        ('enum It: String, Codable { case a = "\\u{FFFFFFFF}" }', "the raw value of a is no plain text"),
        ('enum It: String, Codable { case a = "\\u{DC00}" }', "the raw value of a is no plain text"),
        ("enum It: Int, Codable { case a = 1.5 }", "the raw value of a is no whole number"),
        ("enum It: String, Codable {\n#if DEBUG\ncase a\n#endif\n}", "#if decides whether It has the case a"),
        ("typealias It = Other\ntypealias Other = It", "It stands for itself"),
        ("typealias It<T> = [T]", "It is a generic alias"),
        ("#if DEBUG\ntypealias It = Int\n#endif", "#if decides what It is"),
        ("typealias It = It.It", "It.It is not declared"),
        (
            "extension KeyedDecodingContainer { }\ntypealias It = Int",
            "an extension of KeyedDecodingContainer may change",
        ),
        ("struct It: Codable { }\nstruct It: Codable { }", "It is declared twice"),
        ("typealias It = Int\ntypealias It = String", "It is declared twice"),
    ],
)
def test_a_type_is_refused_where_it_is_declared(beside: str, said: str) -> None:
    [line] = refused(attributes("var it: It?", beside=beside))

    assert line.partition(": ")[2].startswith(said)


def test_a_declaration_that_nothing_decodes_is_of_no_account() -> None:
    beside = """
    class Engine { var all: [Any] = [] }
    struct Box<T> { var it: T }
    enum Payload { case a(Int) }
    struct Card: View { @State var a = 1; var body: some View { Text("a") } }
    extension Engine { init(from decoder: Decoder) { } }
    extension Order { init(from other: Other) { } }
    extension String: CodingKey { var stringValue: String { self }; init(from decoder: Decoder) { } }
    protocol Loaded { init(from decoder: Decoder) throws }
    extension Loaded { init(from order: Order) { } }
    extension OrderAttributes.ContentState: Loaded { }
    typealias It = Order
    extension OrderAttributes.ContentState { init(from it: It) { self.init(minutes: 1) } }
    extension OrderAttributes.ContentState { init(from order: Order) { self.init(minutes: 1) } }
    private struct Row { }
    private struct Row { }
    """

    assert told(attributes("var minutes: Int", beside=beside)) == []


def test_protocols_that_go_in_a_circle_are_followed_once() -> None:
    beside = "protocol A: B { }\nprotocol B: A { }\ntypealias C = C & A\nstruct It: Codable, C { }"

    assert told(attributes("var it: It", beside=beside)) == []


def test_all_is_refused_at_once_and_each_but_once() -> None:
    lines = refused(
        attributes("var a: Engine\nvar b: Payload\nvar c: Payload", beside="enum Payload: Codable { case a(Int) }")
    )

    assert [line.partition(": ")[0] for line in lines] == [str(FIRST_LINE), str(FIRST_LINE + 5)]


def test_a_refusal_names_the_file_it_is_about() -> None:
    [line] = told(attributes("var it: It"), Shared="\nstruct It: Codable { var a: Any }")

    assert line.startswith("Shared.swift:2: error: Any is not declared")


@pytest.mark.parametrize("broken", ["var a: Int = }", "var a b: Int", "var a: [Int"])
def test_what_is_no_swift_is_refused(broken: str) -> None:
    lines = refused(attributes(broken))

    assert lines
    assert all("can't be read as Swift at `" in line for line in lines)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("let activity: Int; let run: Int", "3: Lockstep adds `activity` to the attributes"),
        ("let activity: URL\nlet run: Int", "3: Lockstep adds `activity`"),
        ("let activity: String\nlet run: Int32", "4: Lockstep adds `run`"),
        ("let activity: String\nlet run: String?", "4: Lockstep adds `run`"),
        ("let activity: [String]; let run: Int", "3: Lockstep adds `activity`"),
    ],
)
def test_activity_and_run_of_a_type_that_does_not_hold_them_are_refused(own: str, said: str) -> None:
    [line] = refused(attributes("var minutes: Int", own=own))

    assert line.startswith(said)
    advice = "`let activity: String`" if "`activity`" in said else "`let run: Int?`"
    assert line.endswith(f"write {advice}")


RAW = "struct B: Codable, RawRepresentable { let rawValue: String }"
TWICE = """
enum X { struct A: ActivityAttributes { let activity: String; let run: Int; typealias ContentState = S } }
enum Y { struct A: ActivityAttributes { let activity: String; let run: Int; typealias ContentState = S } }
struct S: Codable, Hashable { }
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("struct A: ActivityAttributes { let activity: String; let run: Int }", "A has no ContentState in these files"),
        (
            "struct A: ActivityAttributes { let activity: String; let run: Int; typealias ContentState = Elsewhere }",
            "ContentState of A stands for a type that is not declared in these files",
        ),
        (
            "struct Größe: ActivityAttributes { let activity: String; let run: Int; struct ContentState: Codable { } }",
            "Größe can't be published",
        ),
        (
            "struct A: ActivityAttributes { let activity: String; let run: Int; typealias ContentState = B }\n" + RAW,
            "ContentState is RawRepresentable, and content-state an object",
        ),
        ("class A: ActivityAttributes { struct ContentState: Codable { } }", "A is a class: make it a struct"),
        (
            "struct A: ActivityAttributes { let activity: String; let run: Int\n enum ContentState: String, Codable { case a } }",
            "ContentState is an enum, and content-state an object",
        ),
        (
            TWICE,
            "there are two A",
        ),
    ],
)
def test_attributes_that_no_push_can_fill_are_refused(text: str, said: str) -> None:
    [line] = refused(text)

    assert line.partition(": ")[2].startswith(said)


def test_branches_that_nobody_can_choose_between_are_refused() -> None:
    lines = refused(
        attributes("var it: It", beside="#if DEBUG\ntypealias It = Int\n#else\nstruct It: Codable { }\n#endif")
    )

    assert [line.partition(": ")[2] for line in lines] == ["#if decides what It is: take the #if away"]
