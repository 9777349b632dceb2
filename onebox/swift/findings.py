"""What is said of a source: where, and whether it stands in the way."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something to tell, written as compilers do, so that editors lead there."""

    place: Place
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.text}"


@dataclass(slots=True)
class Findings:
    """Collects all there is to tell; the same is told once."""

    _told: set[Finding] = field(default_factory=set)

    def refuse(self, place: Place, text: str) -> None:
        self._told.add(Finding(place, "error", text))

    def warn(self, place: Place, text: str) -> None:
        self._told.add(Finding(place, "warning", text))

    @property
    def refused(self) -> bool:
        return any(finding.kind == "error" for finding in self._told)

    def lines(self) -> list[str]:
        """Return them in the order of the source."""
        return [str(finding) for finding in sorted(self._told)]
