"""All that the files declare, with extensions where they belong, and how Swift finds a name in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from onebox.swift.declarations import Alias, Case, Declaration, Property, declarations
from onebox.swift.findings import Findings, Place
from onebox.swift.syntax import Source
from onebox.swift.types import Named

type Path = tuple[str, ...]

# So many lead from one to the next; more go in a circle.
_ALIASES_MAX = 50
_DECODING_CONTAINERS = ("KeyedDecodingContainer", "UnkeyedDecodingContainer", "SingleValueDecodingContainer")
_SYNTHESIZERS = ("RawRepresentable", "Decodable", "Codable")


@dataclass(frozen=True, slots=True)
class Nominal:
    """A type with all that its declaration and its extensions say."""

    path: Path
    main: Declaration
    extensions: tuple[Declaration, ...]
    # Of protocols that it conforms to: what these do by hand, it does.
    inherited: tuple[Declaration, ...]

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def parts(self) -> tuple[Declaration, ...]:
        return (self.main, *self.extensions)

    @property
    def properties(self) -> tuple[Property, ...]:
        return self.main.properties

    @property
    def cases(self) -> tuple[Case, ...]:
        return self.main.cases

    def conforms_to(self, *protocols: str) -> bool:
        """Say whether it is written to conform to one of these."""
        return any(named.rpartition(".")[2] in protocols for part in self.parts for named in part.conforms)

    def by_hand(self, *names: str) -> Iterator[tuple[str, Place]]:
        """Yield which of these it writes itself, and where."""
        for part in (*self.parts, *self.inherited):
            for name, place in part.by_hand:
                if name in names:
                    yield name, place


@dataclass(slots=True)
class Program:
    """The types and aliases of all files, by their paths."""

    _nominals: dict[Path, Declaration] = field(default_factory=dict)
    _extensions: dict[Path, list[Declaration]] = field(default_factory=dict)
    _aliases: dict[Path, Alias] = field(default_factory=dict)
    # Declared twice: by private types of several files, or by branches of an #if.
    _again: dict[Path, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: list[Source], findings: Findings) -> "Program":
        program = cls()
        found = [one for source in sources for one in declarations(source, source.root)]
        extensions = [one for one in found if isinstance(one, Declaration) and one.kind == "extension"]
        program._take((), [one for one in found if one not in extensions])
        for extension in extensions:
            if extension.name in _DECODING_CONTAINERS or (extension.name in _SYNTHESIZERS and extension.by_hand):
                findings.refuse(
                    extension.place,
                    f"an extension of {extension.name} may change what synthesized code decodes: decode as Swift does by itself",
                )
        # An extension may be of a type that another one declares.
        while extensions:
            known = [(one, path) for one in extensions if (path := program._extended(one)) is not None]
            if not known:
                break  # what is left extends types of elsewhere: View, Date
            for one, path in known:
                program._extensions.setdefault(path, []).append(one)
                program._take(path, list(one.inner), condition=one.condition)
            extensions = [one for one in extensions if one not in [taken for taken, _ in known]]
        return program

    def nominals(self) -> Iterator[Nominal]:
        for path in self._nominals:
            yield self.nominal(path)

    def nominal_at(self, path: Path) -> Nominal | None:
        """Return the type at a path, or which the alias there leads to."""
        if path in self._aliases:
            return self._named(self._aliases[path], path[:-1], _ALIASES_MAX)
        return self.nominal(path) if path in self._nominals else None

    def nominal(self, path: Path) -> Nominal:
        extensions = tuple(self._extensions.get(path, ()))
        return Nominal(path, self._nominals[path], extensions, tuple(self._of_protocols(path, frozenset())))

    def again(self, path: Path) -> Place | None:
        """Return where a type or an alias is declared once more."""
        return self._again.get(path)

    def _of_protocols(self, path: Path, seen: frozenset[Path]) -> Iterator[Declaration]:
        for part in (self._nominals[path], *self._extensions.get(path, ())):
            for named in part.conforms:
                found: Path = tuple(named.split("."))
                if found in self._nominals and self._nominals[found].kind == "protocol" and found not in seen:
                    yield from self._extensions.get(found, ())
                    yield from self._of_protocols(found, seen | {found})

    def find(
        self, name: Path, scope: Path, *, aliases_max: int = _ALIASES_MAX
    ) -> "Nominal | tuple[Alias, Path] | None":
        """
        Return what a name means in a scope: a type, or an alias with the scope that its own type is to be read in.

        The innermost declaration counts, as in Swift. None: these files don't declare it.
        """
        inside = next(
            (scope[:depth] for depth in range(len(scope), -1, -1) if self.has((*scope[:depth], name[0]))), None
        )
        if inside is None or aliases_max == 0:
            return None
        path = (*inside, name[0])
        for member in name[1:]:
            alias = self._aliases.get(path)
            if alias is not None:
                named = self._named(alias, path[:-1], aliases_max - 1)
                if named is None:
                    return None
                path = named.path
            path = (*path, member)
            if not self.has(path):
                return None
        return self.nominal(path) if path in self._nominals else (self._aliases[path], path[:-1])

    def _named(self, alias: Alias, scope: Path, aliases_max: int) -> Nominal | None:
        """Return the declared type that an alias leads to."""
        while isinstance(alias.type, Named) and aliases_max > 0:
            found = self.find(alias.type.path, scope, aliases_max=aliases_max)
            if not isinstance(found, tuple):
                return found
            alias, scope = found
            aliases_max -= 1
        return None

    def has(self, path: Path) -> bool:
        """Say whether a type or an alias is declared at a path."""
        return path in self._nominals or path in self._aliases

    def _extended(self, extension: Declaration) -> Path | None:
        found = self.find(tuple(extension.name.split(".")), ())
        if isinstance(found, tuple):
            return named.path if (named := self._named(*found, _ALIASES_MAX)) else None
        return found.path if found else None

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
