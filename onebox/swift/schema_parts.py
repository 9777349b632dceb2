"""A schema's parts as two of them are compared: references followed, null apart from the rest, named as in Swift."""

from dataclasses import dataclass

from lockstep.json_values import Json, JsonObject
from onebox.swift.standard import SECONDS_SINCE_2001, STANDARD, referred_to

# Float's bounds and those of integers; Int64 is an Int by another name.
_NAMES = {name: schema for name, schema in STANDARD.items() if name not in ("Int64", "UInt64", "TimeInterval")}


@dataclass(frozen=True, slots=True)
class Part:
    """A node of a schema that takes one kind of value, or null as well."""

    schema: JsonObject
    is_nullable: bool
    # Where it stands in $defs, if it does.
    reference: str | None
    definitions: JsonObject

    @classmethod
    def of(cls, schema: Json, definitions: JsonObject) -> "Part":
        """Read a node; what neither this command nor JSON Schema would write takes anything."""
        if not isinstance(schema, dict):
            return cls({}, True, None, definitions)
        if (name := referred_to(schema.get("$ref"))) is not None:
            target = definitions.get(name)
            return cls(target if isinstance(target, dict) else {}, False, name, definitions)
        if schema.keys() == {"anyOf"} and isinstance(ways := schema["anyOf"], list):
            others = [way for way in ways if way != {"type": "null"}]
            if len(others) == 1:
                part = cls.of(others[0], definitions)
                return cls(part.schema, True, part.reference, definitions)
        kinds = schema.get("type")
        if isinstance(kinds, list) and len(kinds) == 2 and "null" in kinds:
            values = schema.get("enum")
            plain = schema | {"type": next(kind for kind in kinds if kind != "null")}
            if isinstance(values, list):
                plain["enum"] = [value for value in values if value is not None]
            return cls(plain, True, None, definitions)
        return cls(schema, False, None, definitions)

    @property
    def kind(self) -> str:
        """Return what JSON it is: `type`, or dictionary; empty for what only a person would write."""
        kind = self.schema.get("type")
        if kind == "object" and isinstance(self.schema.get("additionalProperties"), dict):
            return "dictionary"
        return kind if isinstance(kind, str) else ""

    @property
    def values(self) -> list[Json] | None:
        values = self.schema.get("enum")
        return values if isinstance(values, list) else None

    @property
    def properties(self) -> dict[str, "Part"]:
        found = self.schema.get("properties")
        return {key: Part.of(one, self.definitions) for key, one in found.items()} if isinstance(found, dict) else {}

    @property
    def required(self) -> list[Json]:
        required = self.schema.get("required")
        return required if isinstance(required, list) else []

    @property
    def inner(self) -> "Part":
        """Return what an array or a dictionary holds."""
        key = "additionalProperties" if self.kind == "dictionary" else "items"
        return Part.of(self.schema.get(key), self.definitions)

    @property
    def is_date(self) -> bool:
        return self.schema.get("description") == SECONDS_SINCE_2001

    @property
    def text_rules(self) -> dict[str, str]:
        """Return what a text must be beside text."""
        found = {key: self.schema.get(key) for key in ("format", "contentEncoding", "pattern")}
        return {key: rule for key, rule in found.items() if isinstance(rule, str)}

    def limit(self, key: str, otherwise: float) -> float:
        found = self.schema.get(key)
        return found if isinstance(found, int | float) else otherwise

    def __str__(self) -> str:
        return self._name + "?" * self.is_nullable

    @property
    def _name(self) -> str:
        if self.values is not None:
            return f"enum ({', '.join(map(str, self.values))})"
        if self.reference is not None:
            return self.reference
        match self.kind:
            case "array":
                return f"ClosedRange<{self.inner}>" if "minItems" in self.schema else f"[{self.inner}]"
            case "dictionary":
                return f"[{'Int' if 'propertyNames' in self.schema else 'String'}: {self.inner}]"
            case "object":
                return "a struct"
        return next((name for name, schema in _NAMES.items() if schema == self.schema), "what is written by hand")
