"""A plot of bars as SVG, on a logarithmic scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from bench.figures import Figure

_NAMES, _BARS, _VALUES = 240, 420, 100
_ROW, _THICK, _TOP, _FOOT = 30, 18, 44, 46
_GREY, _OURS, _THEIRS = "#57606a", "#0b6e4f", "#8da9c4"


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One figure, with its spread as a whisker.

    Attributes:
        ours: Whether it stands out.
    """

    name: str
    figure: Figure
    ours: bool = False


def plot(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Write bars, in their order, as an SVG document. Figures are above 0."""
    low = floor(log10(min(min(bar.figure.values) for bar in bars)))
    high = max(ceil(log10(max(max(bar.figure.values) for bar in bars))), low + 1)

    def x(value: float) -> float:
        return _NAMES + _BARS * (log10(value) - low) / (high - low)

    bottom = _TOP + _ROW * len(bars)
    width, height = _NAMES + _BARS + _VALUES, bottom + _FOOT
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(12, 24, title, weight="bold"),
    ]
    for power in range(low, high + 1):
        at = x(10**power)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#d0d7de"/>')
        parts.append(_text(at, bottom + 16, f"{10**power:,g}", anchor="middle", fill=_GREY))
    parts.append(_text(_NAMES, bottom + 36, f"{unit}; the scale is logarithmic", fill=_GREY))
    for i, bar in enumerate(bars):
        middle = _TOP + _ROW * i + _ROW / 2
        parts += _bar(bar, middle, x)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, middle: float, x: Callable[[float], float]) -> list[str]:
    figure = bar.figure
    least, most = x(min(figure.values)), x(max(figure.values))
    long, colour = x(figure.median) - _NAMES, _OURS if bar.ours else _THEIRS
    return [
        _text(_NAMES - 10, middle + 4, bar.name, anchor="end", weight="bold" if bar.ours else "normal"),
        f'<rect x="{_NAMES}" y="{middle - _THICK / 2:.1f}" width="{long:.1f}" height="{_THICK}" fill="{colour}"/>',
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="black"/>',
        _text(most + 8, middle + 4, f"{figure.median:,.0f}"),
    ]


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", fill: str = "black") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">'
        f"{escape(text)}</text>"
    )
