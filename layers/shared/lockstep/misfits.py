"""
Where a value doesn't fit its schema, and what would: in words that hold nothing of the value.

A key that the schema has no name for is the producer's, perhaps a user's, and stands as `*` in a path.
"""

import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

_TYPES = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_WORDS_MAX = 200
_PATH_MAX = 20


@dataclass(frozen=True, slots=True)
class Misfit:
    """The path of a field, from the value's root, and what it must be."""

    path: tuple[str, ...]
    message: str


def misfit_of(error: ValidationError, names: AbstractSet[str]) -> Misfit:
    """Tell of an error, without the value: by the schema's own names for keys, and by what the schema asks for."""
    error = _telling(error)
    path = [str(key) if isinstance(key, int) or key in names else "*" for key in error.instance_path]
    message = _message(error)
    if isinstance(error.kind, Kind.Required):
        path, message = [*path, error.kind.property], "is missing"
    return Misfit((*path[:_PATH_MAX], "…") if len(path) > _PATH_MAX else tuple(path), message)


def _telling(error: ValidationError) -> ValidationError:
    """Of what fits none of several forms, pick the form that it comes nearest to, and what is wrong there."""
    if not isinstance(error.kind, Kind.AnyOf | Kind.OneOfNotValid):
        return error
    forms = [_telling(form[0]) for form in error.kind.context if form]
    nearest = max(forms, key=_nearness, default=error)
    return error if isinstance(nearest.kind, Kind.Type) and nearest.instance_path == error.instance_path else nearest


def _nearness(error: ValidationError) -> tuple[int, bool]:
    return len(error.instance_path), not isinstance(error.kind, Kind.Type | Kind.Constant | Kind.Enum)


def _message(error: ValidationError) -> str:
    match error.kind:
        case Kind.Type(types):
            return _one_of(types)
        case Kind.AnyOf(context) | Kind.OneOfNotValid(context):
            return _none_of(context)
        case Kind.Enum(options):
            return f"must be {_either(_written(option) for option in options)}"
        case Kind.Constant(expected):
            return f"must be {_brief(_written(expected))}"
        case Kind.Minimum(limit):
            return f"must be {limit} or more"
        case Kind.Maximum(limit):
            return f"must be {limit} or less"
        case Kind.ExclusiveMinimum(limit):
            return f"must be more than {limit}"
        case Kind.ExclusiveMaximum(limit):
            return f"must be less than {limit}"
        case Kind.MultipleOf(factor):
            return f"must be a multiple of {factor}"
        case Kind.MinLength(limit):
            return f"must have {limit} characters or more"
        case Kind.MaxLength(limit):
            return f"must have {limit} characters or less"
        case Kind.MinItems(limit):
            return f"must have {limit} elements or more"
        case Kind.MaxItems(limit):
            return f"must have {limit} elements or less"
        case Kind.Pattern(pattern):
            return f"must match {_brief(pattern)}"
        case Kind.Format("uri"):
            return "must be a URL, not an empty text"
        case Kind.Format(name):
            return f"must be text of the format {_brief(name)}"
        case Kind.FalseSchema() if error.schema_path[-1] != "additionalProperties":
            return "must not be there"
        case Kind.FalseSchema() | Kind.AdditionalProperties() | Kind.UnevaluatedProperties() | Kind.PropertyNames():
            return "has a key that its schema doesn't allow"
    return f"does not fit its schema ({error.kind.name})"


def _none_of(context: Sequence[Sequence[ValidationError]]) -> str:
    """Name the types that would do, where that is all that's wrong."""
    kinds = [form[0].kind for form in context if form]
    types = dict.fromkeys(name for kind in kinds if isinstance(kind, Kind.Type) for name in kind.types)
    if not all(isinstance(kind, Kind.Type) for kind in kinds):
        return "fits none of the forms that its schema knows"
    return _one_of(types)


def _one_of(types: Iterable[str]) -> str:
    """Name types; null last, for it is seldom meant."""
    return f"must be {_either(_TYPES[name] for name in sorted(types, key=lambda name: name == 'null'))}"


def _either(words: Iterable[str]) -> str:
    return _brief(" or ".join(words))


def _brief(words: str) -> str:
    return words if len(words) <= _WORDS_MAX else f"{words[:_WORDS_MAX]}…"


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
