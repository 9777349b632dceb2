"""One schema, as it stands in a file: JSON Schema, draft 2020-12, of an attributes type's attributes and content-state."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from jsonschema_rs import Draft202012Validator, ValidationError, Validator, meta

from lockstep.errors import InvalidInput, Misconfigured
from lockstep.json_values import NESTING_MAX, Json, JsonObject, levels_of, objects_in, parse
from lockstep.misfits import misfit_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"
STATE = "content-state"
PARTS = ("attributes", STATE)

# What may stand beside the two parts. Anything else would be a rule for both together, and an update has only one.
_BESIDE = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "type", "properties", "required"})

_ID = "urn:lockstep:schema"

# To say where a value doesn't fit, the validator looks at each alternative of each level; whether it fits costs far less. So
# many roads take milliseconds; 4,096 took a quarter of a second, and 16,384 more memory than push has.
_ROADS_MAX = 1_000

# By what a schema gives a value several forms.
_FORMS = ("anyOf", "oneOf", "allOf")
_NULL = {"type": "null"}

# What `format` says is checked, but for this: Swift's `URL` also takes what RFC 3986 does not. It never takes an empty text.
_FORMATS: dict[str, Callable[..., bool]] = {"uri": bool}


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """
    A schema that was found to be one.

    Attributes:
        names: The names that it gives to properties: what a path may tell.
        alternatives: How many forms a value may have at one place, at the most.
    """

    names: frozenset[str]
    alternatives: int
    _validators: Mapping[str, Validator] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a schema; raises Misconfigured with the file's name and what is wrong with it."""
        try:
            schema = _whole(parse(path.read_bytes().decode(), nesting_max=NESTING_MAX))
            meta.validate(schema)
            return cls(
                frozenset(_names(schema)),
                _alternatives(schema),
                {part: _validator(schema, part) for part in _parts(schema)},
            )
        except ValidationError as error:
            where = ".".join(map(str, error.instance_path))
            raise Misconfigured(f"{path.name} is no schema: {where or 'it'}: {error.message}") from error
        except (OSError, ValueError) as error:
            raise Misconfigured(f"{path.name} is no schema: {error}") from error

    def check(self, part: str, value: JsonObject) -> None:
        """Refuse what doesn't fit, with the path of the first field that doesn't; raises InvalidInput."""
        validator = self._validators.get(part)
        if validator is None or validator.is_valid(value):
            return
        too_deep = InvalidInput(f"aps.{part}", "does not fit its schema, and is nested too deep to say where")
        if self.alternatives ** levels_of(value) > _ROADS_MAX:
            raise too_deep
        try:
            misfit = misfit_of(next(validator.iter_errors(value)), self.names)
        except ValueError as error:
            # An error holds the value that is wrong, and that one has more levels than it can hold.
            raise too_deep from error
        raise InvalidInput(".".join(("aps", part, *misfit.path)), misfit.message)


def _whole(schema: Json) -> JsonObject:
    if not isinstance(schema, dict):
        raise ValueError("it must be an object")
    if schema.get("$schema", DRAFT) != DRAFT:
        raise ValueError(f"$schema must be {DRAFT}")
    beside = sorted(schema.keys() - _BESIDE)
    if beside:
        raise ValueError(f"{beside[0]} can't stand beside properties: say it of attributes or content-state")
    return schema


def _parts(schema: JsonObject) -> list[str]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or STATE not in properties or properties.keys() - set(PARTS):
        raise ValueError("its properties must be attributes and content-state")
    return list(properties)


def _validator(schema: JsonObject, part: str) -> Validator:
    """Make what checks one part by itself; the file is the document that its references are about."""
    identity = schema.get("$id", _ID)
    return Draft202012Validator(
        {"$defs": {"file": {**schema, "$id": identity}}, "$ref": f"{identity}#/properties/{part}"},
        validate_formats=True,
        formats=_FORMATS,
        offline=True,
    )


def _names(schema: JsonObject) -> Iterator[str]:
    """Yield what a schema calls properties, however deep."""
    for one in objects_in(schema):
        properties = one.get("properties")
        if isinstance(properties, dict):
            yield from properties


def _alternatives(schema: JsonObject) -> int:
    """Count the forms of whatever has the most, however deep; null is none to be followed."""
    forms = (one[name] for one in objects_in(schema) for name in _FORMS if name in one)
    return max((sum(form != _NULL for form in each) for each in forms if isinstance(each, list)), default=1)
