"""All that the files declare, with extensions where they belong, and how Swift finds a name in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from onebox.swift.declarations import Alias, Case, Declaration, Property, declarations
from onebox.swift.findings import Findings, Place
from onebox.swift.standard import MODULES, STANDARD
from onebox.swift.syntax import Source
from onebox.swift.types import Foreign, Named, Type

type Path = tuple[str, ...]

# So many lead from one to the next; more go in a circle.
_ALIASES_MAX = 50
_DECODING_CONTAINERS = ("KeyedDecodingContainer", "UnkeyedDecodingContainer", "SingleValueDecodingContainer")
# What types conform to without its being written: an extension of these is one of nearly all.
_IMPLIED = ("RawRepresentable", "Decodable", "Codable", "Hashable", "Equatable")


@dataclass(frozen=True, slots=True)
class Nominal:
    """A type with all that its declaration and its extensions say."""

    path: Path
    main: Declaration
    extensions: tuple[Declaration, ...]
    # All protocols of elsewhere that it conforms to, by protocols and aliases of these files, too.
    protocols: frozenset[str]
    # Extensions of protocols that it conforms to: what these do by hand, it does.
    inherited: tuple[Declaration, ...]

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def properties(self) -> tuple[Property, ...]:
        return self.main.properties

    @property
    def cases(self) -> tuple[Case, ...]:
        return self.main.cases

    def conforms_to(self, *protocols: str) -> bool:
        """Say whether it conforms to one of these, which are declared elsewhere."""
        return not self.protocols.isdisjoint(protocols)

    def by_hand(self, *names: str) -> Iterator[tuple[str, Place]]:
        """Yield which of these it writes itself, and where."""
        for part in (self.main, *self.extensions, *self.inherited):
            for one in part.by_hand:
                if one.name in names:
                    yield one.name, one.place


@dataclass(slots=True)
class Program:
    """The types and aliases of all files, by their paths."""

    _nominals: dict[Path, Declaration] = field(default_factory=dict)
    _extensions: dict[Path, list[Declaration]] = field(default_factory=dict)
    _aliases: dict[Path, Alias] = field(default_factory=dict)
    # Extensions of what is declared elsewhere, by its name.
    _foreign: dict[str, list[Declaration]] = field(default_factory=dict)
    # Declared twice: by private types of several files, or by branches of an #if.
    _again: dict[Path, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: list[Source], findings: Findings) -> "Program":
        program = cls()
        found = [one for source in sources for one in declarations(source, source.root)]
        extensions = [one for one in found if isinstance(one, Declaration) and one.kind == "extension"]
        program._take((), [one for one in found if one not in extensions])
        # An extension may be of a type that another one declares.
        while extensions:
            known = [(one, path) for one in extensions for path in program._extended(one) if isinstance(path, tuple)]
            if not known:
                break
            for one, path in known:
                program._extensions.setdefault(path, []).append(one)
                program._take(path, list(one.inner), condition=one.condition)
            extensions = [one for one in extensions if one not in [taken for taken, _ in known]]
        for one in extensions:
            program._extend_foreign(one, findings)
        return program

    def nominals(self) -> Iterator[Nominal]:
        for path in self._nominals:
            yield self.nominal(path)

    def nominal_at(self, path: Path) -> Nominal | None:
        """Return the type at a path, or which the alias there leads to."""
        target = self._target(path, _ALIASES_MAX)
        return self.nominal(target) if target in self._nominals else None

    def nominal(self, path: Path) -> Nominal:
        main, *extensions = self._parts(path)
        meant = self._conformances(path)
        protocols = frozenset(one for one in meant if isinstance(one, str))
        # An enum's raw type stands among its protocols, and is none.
        foreign = [part for name in protocols - STANDARD.keys() for part in self._foreign.get(name, ())]
        own = [part for one in meant if isinstance(one, tuple) for part in list(self._parts(one))[1:]]
        return Nominal(path, main, tuple(extensions), protocols, (*own, *foreign))

    def again(self, path: Path) -> Place | None:
        """Return where a type or an alias is declared once more."""
        return self._again.get(path)

    def find(self, name: Path, scope: Path) -> "Nominal | tuple[Alias, Path] | None":
        """
        Return what a name means in a scope: a type, or an alias with the scope that its own type is to be read in.

        The innermost declaration counts, as in Swift. None: these files don't declare it.
        """
        path = self._path(name, scope, _ALIASES_MAX)
        if path is None:
            return None
        return self.nominal(path) if path in self._nominals else (self._aliases[path], path[:-1])

    def has(self, path: Path) -> bool:
        """Say whether a type or an alias is declared at a path."""
        return path in self._nominals or path in self._aliases

    def _path(self, name: Path, scope: Path, aliases_max: int) -> Path | None:
        inside = next(
            (scope[:depth] for depth in range(len(scope), -1, -1) if self.has((*scope[:depth], name[0]))), None
        )
        if inside is None or aliases_max == 0:
            return None
        path = (*inside, name[0])
        for member in name[1:]:
            target = self._target(path, aliases_max - 1)
            if target is None or not self.has((*target, member)):
                return None
            path = (*target, member)
        return path

    def _target(self, path: Path, aliases_max: int) -> Path | None:
        """Return the path of the type that a path leads to, through aliases."""
        while path in self._aliases:
            written = self._aliases[path].type
            found = self._path(written.path, path[:-1], aliases_max) if isinstance(written, Named) else None
            if found is None or aliases_max == 0:
                return None
            path = found
            aliases_max -= 1
        return path

    def _made_of(self, written: Type, scope: Path) -> set[Path | str]:
        """Return what a type means, protocols each for itself: those of these files by their paths, others by their names."""
        made_of: set[Path | str] = set()
        waiting = [(written, scope)]
        followed: set[Path] = set()
        while waiting:
            written, scope = waiting.pop()
            if isinstance(written, Foreign):
                waiting += [(part, scope) for part in written.parts]
                continue
            path = self._path(written.path, scope, _ALIASES_MAX)
            first, *others = written.path
            if path is None and others and first not in MODULES and self._path((first,), scope, _ALIASES_MAX) is None:
                # The app's own module, as it seems: better to follow one too many.
                path = self._path(tuple(others), (), _ALIASES_MAX)
            if path is None:
                made_of.add(written.path[-1])
            elif path in self._nominals:
                made_of.add(path)
            elif path not in followed:
                followed.add(path)
                waiting.append((self._aliases[path].type, path[:-1]))
        return made_of

    def _conformances(self, path: Path) -> set[Path | str]:
        """Return all that a type conforms to, by what it conforms to, too."""
        meant: set[Path | str] = set()
        waiting = [path]
        while waiting:
            inside = waiting.pop()
            for part in (self._nominals[inside], *self._extensions.get(inside, ())):
                scope = () if part.kind == "extension" else inside[:-1]
                new = {one for named in part.conforms for one in self._made_of(named, scope)} - meant
                meant |= new
                waiting += [one for one in new if isinstance(one, tuple)]
        return meant

    def _parts(self, path: Path) -> Iterator[Declaration]:
        """Yield a type's declaration and its extensions, with what is decoding among all their `init(from:)`."""
        for part in (self._nominals[path], *self._extensions.get(path, ())):
            yield self._with_decoding(part, path)

    def _with_decoding(self, part: Declaration, scope: Path) -> Declaration:
        by_hand = (one for one in part.by_hand if one.argument is None or self._is_decoder(one.argument, scope))
        return replace(part, by_hand=tuple(by_hand))

    def _is_decoder(self, argument: Type, scope: Path) -> bool:
        return any(isinstance(one, str) and one.endswith("Decoder") for one in self._made_of(argument, scope))

    def _extended(self, extension: Declaration) -> set[Path | str]:
        return self._made_of(Named(extension.place, tuple(extension.name.split("."))), ())

    def _extend_foreign(self, extension: Declaration, findings: Findings) -> None:
        extension = self._with_decoding(extension, ())
        for name in self._extended(extension):
            if not isinstance(name, str):
                continue
            self._foreign.setdefault(name, []).append(extension)
            if name in _DECODING_CONTAINERS or (name in _IMPLIED and extension.by_hand):
                findings.refuse(
                    extension.place,
                    f"an extension of {name} may change what synthesized code decodes: decode as Swift does by itself",
                )

    def _take(self, inside: Path, found: list[Declaration | Alias], *, condition: Place | None = None) -> None:
        for one in found:
            path = (*inside, one.name)
            if self.has(path):
                self._again.setdefault(path, one.place)
            elif isinstance(one, Alias):
                self._aliases[path] = replace(one, condition=one.condition or condition)
            else:
                self._nominals[path] = replace(one, condition=one.condition or condition)
                self._take(path, list(one.inner), condition=one.condition or condition)
