"""Types as they are written in Swift, with the shorthands spelled out: `[Int]?` is `Optional<Array<Int>>`."""

from dataclasses import dataclass

from tree_sitter import Node

from onebox.swift.findings import Place
from onebox.swift.syntax import Source, child, fields, name_of, text_of

_LITERALS = {
    "integer_literal": "Int",
    "hex_literal": "Int",
    "bin_literal": "Int",
    "oct_literal": "Int",
    "real_literal": "Double",
    "boolean_literal": "Bool",
    "line_string_literal": "String",
    "multi_line_string_literal": "String",
    "raw_string_literal": "String",
}

_OF_PROTOCOLS = {"existential_type", "opaque_type", "protocol_composition_type"}


@dataclass(frozen=True, slots=True)
class Named:
    """A type by its name, `Order.Stop` in parts, and what stands in angle brackets."""

    place: Place
    path: tuple[str, ...]
    arguments: tuple["Type", ...] = ()

    def __str__(self) -> str:
        inner = f"<{', '.join(map(str, self.arguments))}>" if self.arguments else ""
        return ".".join(self.path).removeprefix("Swift.") + inner


@dataclass(frozen=True, slots=True)
class Foreign:
    """A type of a kind that no JSON is decoded into: a tuple, a function, a protocol."""

    place: Place
    text: str
    # Of `any P`, `some P` and `P & Q`: the protocols.
    parts: tuple["Type", ...] = ()

    def __str__(self) -> str:
        return self.text


type Type = Named | Foreign


def read_type(source: Source, node: Node) -> Type:
    """Read a type's syntax."""
    place = source.place(node)
    match node.type:
        case "user_type":
            return _named(source, node)
        case "array_type" | "dictionary_type":
            inner = tuple(read_type(source, found) for name, found in fields(node) if name == "name")
            return Named(place, ("Swift", "Array" if len(inner) == 1 else "Dictionary"), inner)
        case "optional_type":
            wrapped = node.child_by_field_name("wrapped")
            if wrapped is not None:
                return optional(place, read_type(source, wrapped))
        case "tuple_type":
            elements = [found for found in node.children if found.type == "tuple_type_item"]
            if (
                len(elements) == 1
                and (only := elements[0].child_by_field_name("name") or elements[0].child_by_field_name("element"))
                and elements[0].named_child_count == 1
            ):
                return read_type(source, only)
    made_of = node.named_children if node.type in _OF_PROTOCOLS else ()
    return Foreign(place, " ".join(text_of(node).split()), tuple(read_type(source, part) for part in made_of))


def optional(place: Place, wrapped: Type) -> Named:
    return Named(place, ("Swift", "Optional"), (wrapped,))


def type_of_literal(source: Source, node: Node) -> Type | None:
    """Return the type that Swift gives a literal of which nobody says it; None for what only a compiler knows."""
    if node.type == "prefix_expression" and (target := node.child_by_field_name("target")):
        operation = node.child_by_field_name("operation")
        if operation is None or text_of(operation) != "-":
            return None
        node = target
    name = _LITERALS.get(node.type)
    return Named(source.place(node), ("Swift", name)) if name else None


def _named(source: Source, node: Node) -> Type:
    path: list[str] = []
    arguments: tuple[Type, ...] = ()
    for found in node.children:
        if arguments and found.type == "type_identifier":  # Outer<Int>.Inner
            return Foreign(source.place(node), text_of(node))
        if found.type == "type_identifier":
            path.append(name_of(found))
        elif found.type == "type_arguments":
            arguments = tuple(read_type(source, inner) for name, inner in fields(found) if name == "name")
    return Named(source.place(node), tuple(path), arguments) if path else Foreign(source.place(node), text_of(node))


def annotated(source: Source, annotation: Node) -> Type:
    """Read what stands behind a property's colon; `Int!` is decoded as `Int?` is."""
    written = annotation.child_by_field_name("name")
    if written is None:
        return Foreign(source.place(annotation), text_of(annotation).lstrip(": "))
    read = read_type(source, written)
    return optional(read.place, read) if child(annotation, "!") else read


def is_nil_by_itself(annotation: Node) -> bool:
    """Say whether a `var` of this type starts as nil: only where it is written `?` or `!`, not `Optional<…>`."""
    written = annotation.child_by_field_name("name")
    return child(annotation, "!") is not None or (written is not None and written.type == "optional_type")
