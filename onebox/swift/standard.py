"""What JSON the types that Swift brings are decoded from, by JSONDecoder as ActivityKit uses it: with its defaults."""

from urllib.parse import quote, unquote

from lockstep.json_values import Json, JsonObject

# `deferredToDate`, the default: a Date counts from 2001.
SECONDS_SINCE_2001 = "seconds since 2001-01-01T00:00:00Z: Unix time minus 978307200"

# Whole groups of four, as Foundation's decoder wants them.
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$"

# The largest finite Float.
_FLOAT_MAX = 3.4028234663852886e38


def _integer(bits: int, *, signed: bool = True) -> JsonObject:
    minimum, maximum = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


_NUMBER: JsonObject = {"type": "number"}

INTEGERS: dict[str, JsonObject] = {
    "Int": _integer(64),
    "UInt": _integer(64, signed=False),
    **{f"Int{bits}": _integer(bits) for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": _integer(bits, signed=False) for bits in (8, 16, 32, 64)},
}

STANDARD: dict[str, JsonObject] = {
    **INTEGERS,
    "String": {"type": "string"},
    "Bool": {"type": "boolean"},
    "Double": _NUMBER,
    "TimeInterval": _NUMBER,
    "CGFloat": _NUMBER,
    "Decimal": _NUMBER,
    "Float": {"type": "number", "minimum": -_FLOAT_MAX, "maximum": _FLOAT_MAX},
    "Date": {"type": "number", "description": SECONDS_SINCE_2001},
    "URL": {"type": "string", "format": "uri"},
    "UUID": {"type": "string", "format": "uuid"},
    "Data": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64},
}

# Modules that a name may be written with.
MODULES = {"Swift", "Foundation", "FoundationEssentials", "CoreGraphics", "CoreFoundation"}

INT_KEY = "^[-+]?[0-9]+$"


_DEFINITIONS = "#/$defs/"


def reference_to(name: str) -> JsonObject:
    """Return a reference to a definition; names of Swift may have letters that no URI has."""
    return {"$ref": _DEFINITIONS + quote(name)}


def referred_to(reference: Json) -> str | None:
    """Return the definition that a `$ref` is to."""
    if isinstance(reference, str) and reference.startswith(_DEFINITIONS):
        return unquote(reference.removeprefix(_DEFINITIONS))
    return None


def array_of(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


def range_of(bound: JsonObject) -> JsonObject:
    """Return what `ClosedRange` and `Range` are decoded from."""
    description = "lower and upper bound, the lower one not above the upper"
    return {"type": "array", "items": bound, "minItems": 2, "maxItems": 2, "description": description}


def dictionary_of(values: JsonObject, *, of_ints: bool) -> JsonObject:
    """Return what `[String: Value]` and `[Int: Value]` are decoded from; all other keys make an array."""
    keys: JsonObject = {"propertyNames": {"pattern": INT_KEY}} if of_ints else {}
    return {"type": "object", **keys, "additionalProperties": values}


def nullable(schema: JsonObject) -> JsonObject:
    """Return a schema that takes null as well."""
    kind = schema.get("type")
    if isinstance(kind, str):
        values = schema.get("enum")
        return schema | {"type": [kind, "null"]} | ({"enum": [*values, None]} if isinstance(values, list) else {})
    if kind is None and "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema
