"""Swift's types as JSON Schema: what a JSONDecoder with its defaults decodes into them."""

from dataclasses import dataclass, field

from lockstep.json_values import Json, JsonObject
from onebox.swift.checks import RAW, check_declaration, check_enum, check_property, check_struct
from onebox.swift.declarations import Alias, Property
from onebox.swift.enums import coding_keys, enum_schema
from onebox.swift.findings import Findings, Place
from onebox.swift.program import Nominal, Path, Program
from onebox.swift.standard import (
    INTEGERS,
    MODULES,
    SECONDS_SINCE_2001,
    STANDARD,
    array_of,
    dictionary_of,
    nullable,
    range_of,
    reference_to,
)
from onebox.swift.types import Foreign, Named, Type

# An alias may be of an alias, but not for ever.
_DEPTH_MAX = 50
_GENERIC = {"Optional": 1, "Array": 1, "Set": 1, "Dictionary": 2, "ClosedRange": 1, "Range": 1}


@dataclass(slots=True)
class Translator:
    """Translates the types of a program; `definitions` are the structs that it met."""

    program: Program
    findings: Findings
    definitions: dict[str, Json] = field(default_factory=dict)
    _names: dict[Path, str] = field(default_factory=dict)
    _enums: dict[Path, JsonObject] = field(default_factory=dict)

    def struct(self, struct: Nominal) -> JsonObject:
        """Translate a struct's own properties."""
        check_struct(struct, self.program, self.findings)
        keys = self._keys(struct)
        properties: dict[str, Json] = {}
        required: list[Json] = []
        for one in struct.properties:
            key = one.name if keys is None else keys.get(one.name)
            if key is None:
                if not one.has_default:
                    self.findings.refuse(
                        one.place,
                        f"{one.name} is not among the CodingKeys and has no default, so this doesn't compile: give it one",
                    )
                continue
            if one.is_let and one.has_default:
                self.findings.warn(
                    one.place,
                    f"let {one.name} has a default, so it is never decoded, and no key here: make it a var if it should be",
                )
                continue
            schema = self._property(one, struct.path)
            properties[key] = schema
            if not _takes_null(schema):
                required.append(key)
        return {"type": "object", "properties": properties, "required": required}

    def _keys(self, struct: Nominal) -> dict[str, str] | None:
        path = (*struct.path, "CodingKeys")
        if not self.program.has(path):
            return None
        found = self.program.nominal_at(path)
        if found is None or found.main.kind != "enum":
            self.findings.refuse(struct.main.place, f"the CodingKeys of {struct.name} are no enum: make them one")
            return None
        check_declaration(found, self.program, self.findings)
        keys = coding_keys(found, self.findings)
        stored = {one.name for one in struct.properties}
        for case in found.cases:
            if case.name not in stored:
                self.findings.refuse(
                    case.place,
                    f"CodingKeys has {case.name}, but {struct.name} stores no such property, so this doesn't compile: "
                    "take the case away",
                )
        return keys

    def _property(self, one: Property, scope: Path) -> JsonObject:
        check_property(one, self.findings)
        if one.type is None:
            self.findings.refuse(one.place, f"the type of {one.name} is not written: write `var {one.name}: …`")
            return {}
        return self.type(one.type, scope)

    def type(self, written: Type, scope: Path, *, depth: int = 0) -> JsonObject:
        """Translate a type that is written in a scope; what can't be is refused, and `{}` in its place."""
        if isinstance(written, Foreign):
            return self._no(
                written.place,
                f"`{written}` is a tuple, a function, a protocol or the like, which nothing is decoded into: "
                "use a Codable struct",
            )
        found = self.program.find(written.path, scope) if written.path[0] != "Swift" else None
        if isinstance(found, Nominal):
            return self._nominal(found, written)
        if found is not None:
            return self._alias(written, *found, depth=depth)
        *module, name = written.path
        if len(module) > 1 or not set(module) <= MODULES or (name not in STANDARD and name not in _GENERIC):
            return self._no(
                written.place,
                f"{written} is not declared in these files, nor a type that this command knows: name the file that "
                "declares it as well, or use String, Int, Double, Bool, Date, URL, arrays, dictionaries and Codable structs",
            )
        if len(written.arguments) != _GENERIC.get(name, 0):
            return self._no(written.place, f"{written} has {len(written.arguments)} types in angle brackets: mend it")
        if name in STANDARD:
            if name == "Date":
                self.findings.warn(
                    written.place, f"Date: send {SECONDS_SINCE_2001} (the dates of `aps` itself are Unix time)"
                )
            return STANDARD[name]
        return self._generic(name, written, scope, depth)

    def _generic(self, name: str, written: Named, scope: Path, depth: int) -> JsonObject:
        *keys, value = written.arguments
        schema = self.type(value, scope, depth=depth)
        match name:
            case "Optional":
                return nullable(schema)
            case "ClosedRange" | "Range":
                return range_of(schema)
            case "Dictionary":
                return self._dictionary(keys[0], schema, scope, depth)
        return array_of(schema)

    def _dictionary(self, key: Type, values: JsonObject, scope: Path, depth: int) -> JsonObject:
        schema = self.type(key, scope, depth=depth)
        # By identity: Int64 has Int's bounds, but only Int itself and String are keys of a JSON object.
        for name in ("String", "Int"):
            if schema is STANDARD[name]:
                return dictionary_of(values, of_ints=name == "Int")
        if schema:
            self._no(
                key.place,
                f"a dictionary by {key} is decoded from an array of keys and values in turn, not from an object: "
                "use [String: …]",
            )
        return {}

    def _alias(self, written: Named, alias: Alias, scope: Path, *, depth: int) -> JsonObject:
        if alias.condition is not None:
            return self._no(alias.condition, f"#if decides what {alias.name} is: take the #if away")
        if (place := self.program.again((*scope, alias.name))) is not None:
            return self._no(place, f"{alias.name} is declared twice: give one of them another name")
        if alias.is_generic or written.arguments:
            return self._no(written.place, f"{written} is a generic alias: write out the type that it stands for")
        if depth == _DEPTH_MAX:
            return self._no(alias.place, f"{alias.name} stands for itself: write out the type that is meant")
        return self.type(alias.type, scope, depth=depth + 1)

    def _nominal(self, found: Nominal, written: Named) -> JsonObject:
        if written.arguments or found.main.is_generic:
            return self._no(written.place, f"{written} is generic: write a struct for each type that it is used with")
        match found.main.kind:
            case "struct" if found.conforms_to(*RAW):
                return self._raw(found)
            case "struct":
                return reference_to(self._definition(found))
            case "enum":
                return self._enum(found)
        return self._no(written.place, f"{written} is {found.main.a_kind}: use a Codable struct")

    def _raw(self, struct: Nominal) -> JsonObject:
        """Translate a struct around a raw value, which Swift decodes from that alone."""
        check_struct(struct, self.program, self.findings)
        for name, place in struct.by_hand("init?(rawValue:)"):
            self._no(place, f"{struct.name} may refuse raw values ({name}): make it an init(rawValue:) that takes all")
        raw = next((one for one in struct.properties if one.name == "rawValue"), None)
        schema = self._property(raw, struct.path) if raw else {}
        if any(schema is STANDARD[name] for name in (*INTEGERS, "String", "Bool", "Double", "Float")):
            return schema
        return self._no(
            struct.main.place,
            f"{struct.name} is RawRepresentable, and stores no rawValue of String, a number or Bool: "
            "write `let rawValue: String`",
        )

    def _definition(self, struct: Nominal) -> str:
        if struct.path in self._names:
            return self._names[struct.path]
        taken = set(self._names.values())
        names = (".".join(struct.path[-length:]) for length in range(1, len(struct.path) + 1))
        name = next(name for name in names if name not in taken)
        # Known before it is translated: it may hold itself, in an array.
        self._names[struct.path] = name
        self.definitions[name] = {}
        self.definitions[name] = self.struct(struct)
        return name

    def _enum(self, enum: Nominal) -> JsonObject:
        if enum.path not in self._enums:
            check_enum(enum, self.program, self.findings)
            self._enums[enum.path] = enum_schema(enum, self.findings)
        return self._enums[enum.path]

    def _no(self, place: Place, text: str) -> JsonObject:
        self.findings.refuse(place, text)
        return {}


def _takes_null(schema: JsonObject) -> bool:
    kind = schema.get("type")
    return "anyOf" in schema or (isinstance(kind, list) and "null" in kind)
