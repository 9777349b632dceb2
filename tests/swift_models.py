"""Made-up Swift: its text, what JSONDecoder makes of a value by Swift's own rules, and values to try."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from lockstep.json_values import Json

_INTS = {"Int": (-(2**63), 2**63 - 1), "UInt8": (0, 255), "Int32": (-(2**31), 2**31 - 1)}
_NUMBERS = ("Double", "Date", "TimeInterval")
_TEXTS = ("String",)
LEAVES = (*_INTS, *_NUMBERS, *_TEXTS, "Bool")


@dataclass(frozen=True)
class Leaf:
    name: str


@dataclass(frozen=True)
class Maybe:
    inner: "Model"


@dataclass(frozen=True)
class Many:
    element: "Model"


@dataclass(frozen=True)
class ByKey:
    key: str
    value: "Model"


@dataclass(frozen=True)
class Enum:
    name: str
    raw_type: str
    # The raw value, and whether it is written.
    cases: tuple[tuple[str, str | int, bool], ...]


@dataclass(frozen=True)
class Field:
    name: str
    key: str
    type: "Model"
    binding: str


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Field, ...]


type Model = Leaf | Maybe | Many | ByKey | Enum | Struct


def spelled(model: Model, pick: Callable[[str, str], str]) -> str:
    """Write a type, in one of the ways that Swift has for it."""
    match model:
        case Leaf(name):
            return pick(name, f"Foundation.{name}") if name in ("Date", "TimeInterval") else pick(name, f"Swift.{name}")
        case Maybe(inner):
            text = spelled(inner, pick)
            return pick(f"{text}?", f"Optional<{text}>")
        case Many(element):
            text = spelled(element, pick)
            return pick(f"[{text}]", f"Array<{text}>")
        case ByKey(key, value):
            text = spelled(value, pick)
            return pick(f"[{key}: {text}]", f"Dictionary<{key}, {text}>")
    return model.name


def declared(model: Model, pick: Callable[[str, str], str]) -> str:
    """Write the declarations that a type needs, each once; its own, if it has one, last."""
    return "\n".join(dict.fromkeys(_declarations(model, pick)))


def _declarations(model: Model, pick: Callable[[str, str], str]) -> list[str]:
    match model:
        case Maybe(inner) | Many(inner) | ByKey(_, inner):
            return _declarations(inner, pick)
        case Enum(name, raw_type, cases):
            written = (f"{case} = {_literal(raw)}" if shown else case for case, raw, shown in cases)
            return [f"{pick('', 'public ')}enum {name}: {raw_type}, Codable {{\n    case {', '.join(written)}\n}}"]
        case Struct():
            needed = [text for one in model.fields for text in _declarations(one.type, pick)]
            return [*needed, f"struct {model.name}: Codable, Hashable {{\n{body(model, pick)}\n}}"]
    return []


def body(struct: Struct, pick: Callable[[str, str], str]) -> str:
    """Write what stands in a struct's braces."""
    lines = []
    for one in struct.fields:
        note = pick("", "  // a note { of } no account")
        lines.append(f"    {pick('', 'private ')}{one.binding} {one.name}: {spelled(one.type, pick)}{note}")
    if any(one.key != one.name for one in struct.fields):
        cases = (f"{one.name} = {_literal(one.key)}" if one.key != one.name else one.name for one in struct.fields)
        lines.append(f"    enum CodingKeys: String, CodingKey {{ case {', '.join(cases)} }}")
    lines.append(pick("", "    var computed: Int { 1 }"))
    lines.append(pick("", "    static let shared = 1"))
    return "\n".join(lines)


def _literal(raw: str | int) -> str:
    return f'"{raw}"' if isinstance(raw, str) else str(raw)


def decodes(model: Model, value: Json) -> bool:
    """Say whether JSONDecoder, with its defaults, makes one of a value; written from Swift's rules, not from our schemas."""
    match model:
        case Leaf("Bool"):
            return isinstance(value, bool)
        case Leaf(name) if name in _INTS:
            low, high = _INTS[name]
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool) and low <= value <= high  # type: ignore[operator]  # it is a number
        case Leaf(name) if name in _NUMBERS:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Leaf():
            return isinstance(value, str)
        case Maybe(inner):
            return value is None or decodes(inner, value)
        case Many(element):
            return isinstance(value, list) and all(decodes(element, one) for one in value)
        case ByKey(key, inner):
            return isinstance(value, dict) and all(
                (key == "String" or _is_int(name)) and decodes(inner, one) for name, one in value.items()
            )
        case Enum(_, _, cases):
            # An Int is decoded from 1.0 as from 1, so its enum is.
            return not isinstance(value, bool) and any(value == raw for _, raw, _ in cases)
        case Struct(_, fields):
            return isinstance(value, dict) and all(
                decodes(one.type, value[one.key]) if one.key in value else isinstance(one.type, Maybe) for one in fields
            )


def _is_int(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def values(model: Model) -> st.SearchStrategy[Json]:
    """Values that decode, as a producer who knows the struct sends them: with no key that it doesn't have."""
    match model:
        case Leaf("Bool"):
            return st.booleans()
        case Leaf(name) if name in _INTS:
            return st.integers(*_INTS[name])
        case Leaf(name) if name in _NUMBERS:
            return st.integers(-100, 2**70) | st.floats(allow_nan=False, allow_infinity=False)
        case Leaf():
            return st.text(max_size=5)
        case Maybe(inner):
            return st.none() | values(inner)
        case Many(element):
            return st.lists(values(element), max_size=2)
        case ByKey("Int", inner):
            return st.dictionaries(st.integers().map(str), values(inner), max_size=2)
        case ByKey(_, inner):
            return st.dictionaries(st.text(max_size=3), values(inner), max_size=2)
        case Enum(_, _, cases):
            return st.sampled_from([raw for _, raw, _ in cases])
        case Struct(_, fields):
            optional = {one.key: values(one.type) for one in fields if isinstance(one.type, Maybe)}
            required = {one.key: values(one.type) for one in fields if not isinstance(one.type, Maybe)}
            return st.fixed_dictionaries(required, optional=optional)


def almost(value: Json) -> st.SearchStrategy[Json]:
    """What a value becomes by one mistake, anywhere in it."""
    mistakes: list[st.SearchStrategy[Json]] = [
        st.sampled_from([None, True, 0, -1, 1.0, 1.5, 256, 2**31, 2**63, "", "1", "b", [], {}, {"1": 1}])
    ]
    if isinstance(value, list) and value:
        mistakes += [almost(value[0]).map(lambda first: [first, *value[1:]])]
    if isinstance(value, dict):
        for name, one in value.items():
            mistakes += [
                almost(one).map(lambda inner, name=name: value | {name: inner}),  # type: ignore[misc]  # it is this one
                st.just({key: left for key, left in value.items() if key != name}),
            ]
        mistakes += [st.just({**value, "unknown": 1})]
    return st.one_of(mistakes)


def structs(name: str = "ContentState", *, depth: int = 2) -> st.SearchStrategy[Struct]:
    """Structs of a few fields, whose names are few, so that two of them have some in common."""
    names = st.lists(st.sampled_from(["minutes", "note", "stop", "`in`"]), unique=True, min_size=1, max_size=3)
    return names.flatmap(
        lambda chosen: st.tuples(*(_fields(name, one, depth) for one in chosen)).map(
            lambda fields: Struct(name, fields)
        )
    )


def _fields(owner: str, name: str, depth: int) -> st.SearchStrategy[Field]:
    plain = name.strip("`")
    return st.builds(
        Field,
        st.just(name),
        st.sampled_from([plain, plain, f"{plain}-key"]),
        models(f"{owner}{plain.title()}", depth),
        st.sampled_from(["let", "var"]),
    )


def models(name: str, depth: int) -> st.SearchStrategy[Model]:
    """Types; those that need a name of their own get this one."""
    leaves = st.sampled_from(LEAVES).map(Leaf)
    if depth == 0:
        return leaves
    inner = models(name, depth - 1)
    return st.one_of(
        leaves,
        inner.map(Maybe),
        inner.map(Many),
        st.builds(ByKey, st.sampled_from(["String", "Int"]), inner),
        _enums(f"{name}Kind"),
        structs(f"{name}Part", depth=depth - 1),
    )


def _enums(name: str) -> st.SearchStrategy[Model]:
    cases = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, min_size=1)
    return st.tuples(cases, st.sampled_from(["String", "Int"]), st.booleans(), st.integers(-3, 3)).map(
        lambda drawn: Enum(name, drawn[1], tuple(_cases(*drawn)))
    )


def _cases(names: list[str], raw_type: str, is_written: bool, first: int) -> list[tuple[str, str | int, bool]]:
    if raw_type == "String":
        return [(name, f"the {name}" if is_written else name, is_written) for name in names]
    # Only the first is written, if any is: Swift counts on from there.
    start = first if is_written else 0
    return [(name, start + index, is_written and index == 0) for index, name in enumerate(names)]


def changed(model: Model) -> st.SearchStrategy[Model]:
    """What a type becomes by one change of the sort that people make."""
    changes: list[Model] = []
    match model:
        case Leaf():
            changes += [Maybe(model), *map(Leaf, LEAVES)]
        case Maybe(inner):
            return st.one_of(st.just(inner), changed(inner).map(Maybe))
        case Many(element):
            return st.one_of(st.just(Maybe(model)), changed(element).map(Many))
        case ByKey(key, value):
            other = "Int" if key == "String" else "String"
            return st.one_of(st.just(ByKey(other, value)), changed(value).map(lambda inner: ByKey(key, inner)))
        case Enum(name, raw_type, cases):
            fewer = tuple((case, raw, True) for case, raw, _ in cases[1:])
            changes += [Enum(name, raw_type, fewer)] if fewer else []
            changes += [
                Enum(name, raw_type, (*cases, ("d", "d" if raw_type == "String" else 99, True))),
                Leaf(raw_type),
            ]
        case Struct(name, fields) if fields:
            first, *others = fields
            changes += [Maybe(model), Struct(name, tuple(others))]
            return st.one_of(
                st.sampled_from(changes),
                changed(first.type).map(lambda inner: Struct(name, (replace(first, type=inner), *others))),
            )
    return st.sampled_from(changes)


def edges(model: Model) -> list[Json]:
    """A few values that decode, among them each that a change may shut out."""
    match model:
        case Leaf("Bool"):
            return [True]
        case Leaf(name) if name in _INTS:
            return [*_INTS[name]]
        case Leaf(name) if name in _NUMBERS:
            return [1.5, -(2**70)]
        case Leaf():
            return ["text"]
        case Maybe(inner):
            return [*edges(inner), None]
        case Many(element):
            return [[one] for one in edges(element)]
        case ByKey(key, inner):
            return [{"1" if key == "Int" else "word": one} for one in edges(inner)]
        case Enum(_, _, cases):
            return [raw for _, raw, _ in cases]
        case Struct(_, fields):
            whole: dict[str, Json] = {one.key: edges(one.type)[0] for one in fields}
            return [
                whole,
                *(whole | {one.key: value} for one in fields for value in edges(one.type)[1:]),
                *({key: value for key, value in whole.items() if key != one.key} for one in fields if _optional(one)),
            ]


def _optional(field: Field) -> bool:
    return isinstance(field.type, Maybe)
