"""What keeps a declaration from being decoded as Swift does by itself."""

from onebox.swift.declarations import Property
from onebox.swift.findings import Findings
from onebox.swift.program import Nominal, Program

# Protocols by which a struct is decoded from its raw value.
RAW = ("RawRepresentable", "OptionSet")

# What may be written with an @ and changes nothing about decoding. All else may be a property wrapper or a macro.
_HARMLESS = {"available", "frozen", "inlinable", "usableFromInline", "objc", "preconcurrency", "MainActor"}


def check_declaration(nominal: Nominal, program: Program, findings: Findings) -> None:
    """Refuse what may be something else where it is compiled."""
    main = nominal.main
    if main.condition is not None:
        findings.refuse(main.condition, f"#if decides what {nominal.name} is: take the #if away")
    if (place := program.again(nominal.path)) is not None:
        findings.refuse(place, f"{nominal.name} is declared twice: give one of them another name")
    for attribute in main.attributes:
        if attribute not in _HARMLESS:
            findings.refuse(main.place, f"@{attribute} may change what {nominal.name} is decoded from: take it away")


def check_struct(struct: Nominal, program: Program, findings: Findings) -> None:
    """Refuse a struct whose `Decodable` the compiler does not write."""
    if struct.main.is_generic:
        findings.refuse(
            struct.main.place, f"{struct.name} is generic: write a struct for each type that it is used with"
        )
    if not struct.conforms_to("Codable", "Decodable", "ActivityAttributes"):
        findings.refuse(
            struct.main.place,
            f"{struct.name} is not Codable in these files, and what is elsewhere may decode it otherwise: "
            f"write `struct {struct.name}: Codable`",
        )
    for name, place in struct.by_hand("init(from:)"):
        findings.refuse(
            place, f"{struct.name} decodes itself ({name}): take that away, and use CodingKeys for other names"
        )
    check_declaration(struct, program, findings)


def check_enum(enum: Nominal, program: Program, findings: Findings) -> None:
    """Refuse an enum that is not decoded from its raw values."""
    for name, place in enum.by_hand("init(from:)"):
        findings.refuse(place, f"{enum.name} decodes itself ({name}): take that away")
    if not enum.conforms_to("Codable", "Decodable"):
        findings.refuse(
            enum.main.place, f"{enum.name} is not Codable in these files: write `enum {enum.name}: String, Codable`"
        )
    check_declaration(enum, program, findings)


def check_property(one: Property, findings: Findings) -> None:
    """Refuse a property that may not be decoded as its type is, or not be there."""
    for attribute in one.attributes:
        if attribute not in _HARMLESS:
            findings.refuse(
                one.place,
                f"@{attribute} on {one.name} may be a property wrapper, which decodes as it likes: write a plain property",
            )
    if one.condition is not None:
        findings.refuse(one.condition, f"#if decides whether there is {one.name}: take the #if away")
