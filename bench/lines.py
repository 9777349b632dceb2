"""A plot of lines as SVG: panels over one time, and what happened when. Readable on light and on dark ground."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

_LEFT, _WIDE, _RIGHT = 70, 560, 210
_TOP, _HIGH, _BETWEEN, _FOOT = 64, 150, 52, 34
_LEGEND_ROW = 18

# Light enough for a dark ground, and dark enough for a light one.
_COLOURS = ("#1f77b4", "#d1602a", "#2a9d5c", "#b44fa8", "#9c7a1c", "#6a6fd1", "#c8455b", "#4b8f9e")

_STYLE = """\
<style>
.ground { fill: #ffffff } .word { fill: #1f2328 } .small { fill: #57606a } .grid { stroke: #d0d7de }
.band { fill: #bf8700; fill-opacity: 0.18 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } .word { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points of time and value; what is None leaves a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Panel:
    """
    Lines that share a scale.

    Attributes:
        logarithmic: Values are above 0 then; else the scale begins at 0.
    """

    title: str
    lines: Sequence[Line]
    logarithmic: bool = False

    def values(self) -> list[float]:
        """List what is drawn."""
        return [value for line in self.lines for _, value in line.points if value is not None]


@dataclass(frozen=True, slots=True)
class Band:
    """A time in which something was so."""

    name: str
    begin: float
    end: float


def plot(title: str, panels: Sequence[Panel], bands: Sequence[Band], *, length: float, unit: str) -> str:
    """
    Write panels, one below the other, as an SVG document.

    Args:
        length: Of the time, which begins at 0.
        unit: Of it.
    """
    width, height = _LEFT + _WIDE + _RIGHT, _TOP + len(panels) * (_HIGH + _BETWEEN) + _FOOT

    def x(at: float) -> float:
        return _LEFT + _WIDE * min(max(at / length, 0.0), 1.0)

    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        _STYLE,
        f'<rect width="{width}" height="{height}" class="ground"/>',
        _text(12, 22, title, weight="bold"),
    ]
    bottom = _TOP + len(panels) * (_HIGH + _BETWEEN) - _BETWEEN
    for band in bands:
        # What was short is to be seen, too.
        wide = max(x(band.end) - x(band.begin), 2.0)
        parts.append(
            f'<rect x="{x(band.begin):.1f}" y="{_TOP}" width="{wide:.1f}" height="{bottom - _TOP}" class="band"/>'
        )
        parts.append(_text(x(band.begin) + wide / 2, _TOP - 22, band.name, anchor="middle", kind="small", size=11))
    for number, panel in enumerate(panels):
        parts += _panel(panel, _TOP + number * (_HIGH + _BETWEEN), x)
    for at in _ticks(length):
        parts.append(_text(x(at), bottom + 18, f"{at:g}", anchor="middle", kind="small"))
    parts.append(_text(_LEFT + _WIDE + 12, bottom + 18, unit, kind="small"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: float, x: Callable[[float], float]) -> Iterator[str]:
    values = panel.values() or [1.0]
    if panel.logarithmic:
        low, high = floor(log10(min(values))), ceil(log10(max(values)))
        high = max(high, low + 1)
        marks = [10.0**power for power in range(low, high + 1)]
    else:
        marks = _ticks(max(values))

    def y(value: float) -> float:
        share = (log10(value) - low) / (high - low) if panel.logarithmic else value / max(marks)
        return top + _HIGH * (1 - share)

    yield _text(_LEFT, top - 7, panel.title)
    for mark in marks:
        yield f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" class="grid"/>'
        yield _text(_LEFT - 8, y(mark) + 4, f"{mark:,g}", anchor="end", kind="small")
    for number, line in enumerate(panel.lines):
        colour = _COLOURS[number % len(_COLOURS)]
        for run in _runs(line):
            points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in run)
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        beside = top + 12 + _LEGEND_ROW * number
        yield f'<rect x="{_LEFT + _WIDE + 14}" y="{beside - 8}" width="10" height="10" fill="{colour}"/>'
        yield _text(_LEFT + _WIDE + 30, beside + 1, line.name, size=12)


def _runs(line: Line) -> Iterator[list[tuple[float, float]]]:
    """Yield the points between two gaps."""
    run: list[tuple[float, float]] = []
    for at, value in line.points:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _ticks(most: float) -> list[float]:
    """Choose round marks from 0 to a little over the most; about five."""
    power = 10.0 ** floor(log10(most / 5))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= most / 5)
    return [round(step * number, 10) for number in range(ceil(most / step) + 1)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", kind: str = "word", size: int = 13
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"'
        f' class="{kind}">{escape(text)}</text>'
    )
