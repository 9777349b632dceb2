"""What a Swift file declares, as far as decoding may depend on it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from onebox.swift.conditions import Item, items
from onebox.swift.findings import Place
from onebox.swift.syntax import Source, attributes_of, child, fields, modifiers_of, name_of, text_of
from onebox.swift.types import Foreign, Named, Type, annotated, is_nil_by_itself, read_type, type_of_literal


@dataclass(frozen=True, slots=True)
class Property:
    """A stored property of an instance."""

    place: Place
    name: str
    is_let: bool
    # None where neither a type is written nor a literal tells it.
    type: Type | None
    has_default: bool
    attributes: tuple[str, ...]
    condition: Place | None


@dataclass(frozen=True, slots=True)
class Case:
    """A case of an enum."""

    place: Place
    name: str
    raw: Node | None
    has_values: bool
    condition: Place | None


@dataclass(frozen=True, slots=True)
class Alias:
    """A `typealias`."""

    place: Place
    name: str
    type: Type
    is_generic: bool
    condition: Place | None


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a type does by itself that the compiler would else write: `init(from:)`, `rawValue`."""

    name: str
    place: Place
    # Of `init(from:)`: what from.
    argument: Type | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A struct, enum, class, actor, protocol or extension; of an extension the name has the dots of what it extends."""

    place: Place
    kind: str
    name: str
    is_generic: bool
    conforms: tuple[Type, ...]
    attributes: tuple[str, ...]
    condition: Place | None
    properties: tuple[Property, ...]
    cases: tuple[Case, ...]
    by_hand: tuple[ByHand, ...]
    inner: tuple["Declaration | Alias", ...]

    @property
    def a_kind(self) -> str:
        return f"{'an' if self.kind[:1] in ('a', 'e') else 'a'} {self.kind}"

    @property
    def raw_type(self) -> str:
        """Return what an enum's raw values are, if it has any: that stands first."""
        first = self.conforms[0] if self.conforms else None
        return first.path[-1] if isinstance(first, Named) else ""


# By these names a type may say how it is decoded.
_BY_HAND = ("init(from:)", "init(rawValue:)", "init?(rawValue:)", "rawValue", "init?(stringValue:)", "stringValue")


def declarations(source: Source, parent: Node) -> Iterator[Declaration | Alias]:
    """Yield what a file or a body declares."""
    for item in items(source, parent):
        if item.node.type in ("class_declaration", "protocol_declaration"):
            yield _declaration(source, item)
        elif item.node.type == "typealias_declaration":
            yield _alias(source, item)


def _declaration(source: Source, item: Item) -> Declaration:
    node = item.node
    body = node.child_by_field_name("body")
    kind = node.child_by_field_name("declaration_kind")
    name = node.child_by_field_name("name")
    members = list(items(source, body)) if body else []
    return Declaration(
        source.place(node if name is None else name),
        text_of(kind) if kind else "",
        ".".join(part.strip("`") for part in text_of(name).split(".")) if name else "",
        child(node, "type_parameters") is not None,
        tuple(_conforms(source, node)),
        tuple(attributes_of(node)),
        item.condition,
        tuple(found for member in members for found in _properties(source, member)),
        tuple(found for member in members for found in _cases(source, member)),
        tuple(found for member in members for found in _by_hand(source, member.node)),
        tuple(declarations(source, body)) if body else (),
    )


def _conforms(source: Source, node: Node) -> Iterator[Type]:
    for specifier in node.children:
        if specifier.type == "inheritance_specifier" and (named := specifier.child_by_field_name("inherits_from")):
            yield read_type(source, named)
    # `protocol P where Self: Q` is one that inherits from Q.
    constraints = child(node, "type_constraints") if node.type == "protocol_declaration" else None
    for constraint in constraints.named_children if constraints else ():
        inherits = child(constraint, "inheritance_constraint")
        of = inherits and inherits.child_by_field_name("constrained_type")
        named = inherits and inherits.child_by_field_name("name")
        if of and named and text_of(of) == "Self":
            yield read_type(source, named)


def _alias(source: Source, item: Item) -> Alias:
    name, written = item.node.children_by_field_name("name")
    generic = child(item.node, "type_parameters") is not None
    return Alias(source.place(item.node), name_of(name), read_type(source, written), generic, item.condition)


def _properties(source: Source, item: Item) -> Iterator[Property]:
    node = item.node
    # A lazy property is none that the compiler stores under its name, so it decodes none.
    if node.type != "property_declaration" or modifiers_of(node) & {"static", "class", "lazy"}:
        return
    binding = child(node, "value_binding_pattern")
    is_let = binding is not None and text_of(binding) == "let"
    waiting: list[_Binding] = []
    for found in reversed(list(_bindings(node))):
        # `var a, b: Int`: the type stands at the last of them.
        if found.annotation is None and found.value is None and waiting:
            found = _Binding(found.pattern, waiting[-1].annotation, None, found.is_computed)
        waiting.append(found)
    for found in reversed(waiting):
        if found.is_computed:
            continue
        name = found.pattern.child_by_field_name("bound_identifier")
        nil = not is_let and found.annotation is not None and is_nil_by_itself(found.annotation)
        yield Property(
            source.place(found.pattern),
            name_of(name or found.pattern),
            is_let,
            _type(source, found) if name else Foreign(source.place(found.pattern), text_of(found.pattern)),
            found.value is not None or nil,
            tuple(attributes_of(node)),
            item.condition,
        )


@dataclass(frozen=True, slots=True)
class _Binding:
    pattern: Node
    annotation: Node | None
    value: Node | None
    is_computed: bool


def _bindings(node: Node) -> Iterator[_Binding]:
    pattern = annotation = value = None
    computed = False
    for name, found in fields(node):
        if name == "name":
            if pattern is not None:
                yield _Binding(pattern, annotation, value, computed)
            pattern, annotation, value, computed = found, None, None, False
        elif found.type == "type_annotation":
            annotation = found
        elif name == "value":
            value = found
        elif name == "computed_value":
            computed = True
    if pattern is not None:
        yield _Binding(pattern, annotation, value, computed)


def _type(source: Source, binding: _Binding) -> Type | None:
    if binding.annotation is not None:
        return annotated(source, binding.annotation)
    return None if binding.value is None else type_of_literal(source, binding.value)


def _cases(source: Source, item: Item) -> Iterator[Case]:
    if item.node.type != "enum_entry":
        return
    names = [index for index, (field, _) in enumerate(fields(item.node)) if field == "name"]
    children = list(fields(item.node))
    for first, end in zip(names, [*names[1:], len(children)], strict=True):
        name = children[first][1]
        of_it = dict(children[first:end])
        raw = of_it.get("raw_value")
        yield Case(source.place(name), name_of(name), raw, "data_contents" in of_it, item.condition)


def _by_hand(source: Source, node: Node) -> Iterator[ByHand]:
    argument = None
    if node.type == "init_declaration":
        parameter = child(node, "parameter")
        label = parameter and (parameter.child_by_field_name("external_name") or parameter.child_by_field_name("name"))
        name = f"init{'?' * (child(node, '?') is not None)}({text_of(label) if label else ''}:)"
        if name == "init(from:)" and parameter:
            # The last: the parameter's own name is one in the grammar, too.
            argument = read_type(source, parameter.children_by_field_name("name")[-1])
    elif node.type == "property_declaration" and not modifiers_of(node) & {"static", "class"}:
        pattern = node.child_by_field_name("name")
        name = text_of(pattern) if pattern else ""
    else:
        return
    if name in _BY_HAND:
        yield ByHand(name, source.place(node), argument)
