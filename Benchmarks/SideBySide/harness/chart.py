"""A chart of a run as SVG: for each work a panel of horizontal bars with the middle half of the rounds.

Bars are ratios to the floor, or values where a work has no ratios. The axis is linear and begins at 0, so that lengths
can be compared. It ends a little behind the longest of the floors' and our own bars, a ratio's not before 2; a longer
bar is broken off there, and its number says how long it is.
"""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from .model import Quantity
from .ratios import TWIN, Row, Spread
from .rounds import Result
from .tables import rounds_of, written, written_ratio

WIDTH = 860
LABELS = 250  # where the bars begin
NUMBERS = 130  # room for what stands behind the bars
BAR = 15
PITCH = 22
PANEL_HEAD = 58
PANEL_GAP = 26
HEAD = 52
LINE = 15
COLORS = {"floor": "#8a8f98", "ours": "#e4572e", "peer": "#4a7fb5"}
LEGEND = {"floor": "floor in C, and its twin", "ours": "AsyncIO", "peer": "peers"}


def as_svg(results: Sequence[Result], title: str, remarks: Sequence[str]) -> str:
    """The whole chart. The remarks stand below the title, broken into lines."""
    lines = [line for text in remarks for line in textwrap.wrap(text, 140)]
    panels, top = [], HEAD + LINE * len(lines)
    for result in results:
        panel = Panel.of(result, top)
        if panel.bars:
            panels.append(panel.drawn())
            top = panel.bottom + PANEL_GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>',
        _text(20, 28, title, size=18, weight="bold"),
        *(_text(20, 47 + LINE * number, line, color="#666", size=11) for number, line in enumerate(lines)),
        _legend(WIDTH - 20, 28),
        *panels,
        "</svg>", ""])


@dataclasses.dataclass(frozen=True)
class Panel:
    """One work's part of the chart."""

    result: Result
    bars: Sequence[tuple[Row, Spread]]
    top: int
    end: float  # of the axis

    @staticmethod
    def of(result: Result, top: int) -> Panel:
        absolute = result.work.absolute
        spreads = [(row, row.spread if absolute else row.ratio) for row in result.rows]
        bars = [(row, spread) for row, spread in spreads if spread]
        return Panel(result, bars, top, _axis_end(bars, 0 if absolute else 2)) if bars else Panel(result, [], top, 1)

    @property
    def first(self) -> int:
        """Where the bars begin, from above."""
        return self.top + PANEL_HEAD

    @property
    def bottom(self) -> int:
        return self.first + PITCH * len(self.bars)

    def x(self, value: float) -> float:
        return LABELS + min(value, self.end) / self.end * (WIDTH - LABELS - NUMBERS)

    def drawn(self) -> str:
        parts = [
            _text(20, self.top + 18, self.result.work.title, size=14, weight="bold"),
            _text(20, self.top + 34, self._subtitle(), color="#666"),
        ]
        for tick in _ticks(self.end, self._axis_quantity):
            parts += [self._vertical(tick, "#e4e6e9"),
                      _text(self.x(tick), self.first - 9, self._tick(tick), color="#888", size=10, anchor="middle")]
        parts += [self._bar(row, spread, y) for row, spread, y in self._places()]
        if not self.result.work.absolute:
            parts.append(self._vertical(1, "#222", 'stroke-dasharray="4 3"'))
        # Numbers are above the line of the floor, so that it does not cross them out.
        parts += [self._numbers(row, spread, y) for row, spread, y in self._places()]
        return "\n".join(parts)

    def _places(self) -> Iterator[tuple[Row, Spread, int]]:
        return ((row, spread, self.first + number * PITCH) for number, (row, spread) in enumerate(self.bars))

    @property
    def _axis_quantity(self) -> Quantity:
        return self.result.work.figure.quantity if self.result.work.absolute else Quantity.COUNT

    def _tick(self, tick: float) -> str:
        return written(tick, self._axis_quantity) if self.result.work.absolute else f"{tick:g}"

    def _vertical(self, value: float, color: str, more: str = "") -> str:
        x = f"{self.x(value):.1f}"
        return f'<line x1="{x}" y1="{self.first - 6}" x2="{x}" y2="{self.bottom}" stroke="{color}" {more}/>'

    def _bar(self, row: Row, spread: Spread, y: int) -> str:
        """A bar, its title, and its middle half."""
        middle, right = y + BAR / 2 + 2, self.x(spread.median)
        opacity = ' fill-opacity="0.45"' if row.subject.name.endswith(TWIN) else ""
        parts = [
            _text(LABELS - 8, middle + 4, row.subject.title, anchor="end"),
            f'<rect x="{LABELS}" y="{y + 2}" width="{right - LABELS:.1f}" height="{BAR}" '
            f'fill="{COLORS[row.subject.kind]}"{opacity}/>']
        if spread.median > self.end:
            parts.append(f'<path d="M{right - 12:.1f} {y + BAR + 4} l6 -{BAR + 4} h4 l-6 {BAR + 4} z" fill="#fff"/>')
        elif spread.high > spread.low:
            low, high = self.x(spread.low), self.x(spread.high)
            parts.append(f'<path d="M{low:.1f} {middle} H{high:.1f} M{low:.1f} {middle - 4} v8 '
                         f'M{high:.1f} {middle - 4} v8" stroke="#222" fill="none"/>')
        return "\n".join(parts)

    def _numbers(self, row: Row, spread: Spread, y: int) -> str:
        """What stands behind a bar: the ratio, and the value."""
        figure = self.result.work.figure
        value = written(row.values[figure.key], figure.quantity)
        bold, pale = (value, "") if self.result.work.absolute else (written_ratio(spread.median), value)
        right = max(self.x(spread.median), self.x(spread.high))
        return (f'<text x="{right + 7:.1f}" y="{y + BAR / 2 + 6}" stroke="#fff" stroke-width="3" paint-order="stroke">'
                f'<tspan font-weight="bold">{escape(bold)}</tspan>'
                f'<tspan fill="#777" dx="6">{escape(pale)}</tspan></text>')

    def _subtitle(self) -> str:
        work = self.result.work
        better = "more" if work.figure.quantity.more_is_better else "less"
        compared = "" if work.absolute else f", ratio to {work.reference.title}"
        spread = ", the line is the middle half" if len(self.result.rounds) > 1 else ""
        return (f"{work.figure.title} for one {work.unit}{compared}; {better} is better; "
                f"{rounds_of(self.result)}{spread}")


def _axis_end(bars: Sequence[tuple[Row, Spread]], least: float) -> float:
    near = max((spread.high for row, spread in bars if row.subject.kind != "peer"), default=0)
    longest = max(spread.high for _, spread in bars)
    return min(longest * 1.02, max(least, 1.25 * near)) or 1


def _ticks(end: float, quantity: Quantity) -> list[float]:
    """Round values from 0 to the end, ten at most; of bytes powers of two."""
    factors = [2.0**n for n in range(40)] if quantity is Quantity.SIZE else [
        factor * 10.0**power for power, factor in itertools.product(range(-3, 12), (1, 2, 2.5, 5))]
    step = next(factor for factor in factors if end / factor <= 10)
    return [step * number for number in range(int(end / step) + 1)]


def _legend(right: int, y: int) -> str:
    parts, x = [], right - 330.0
    for kind, text in LEGEND.items():
        parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLORS[kind]}"/>',
                  _text(x + 17, y, text)]
        x += 38 + 6.6 * len(text)
    return "\n".join(parts)


def _text(x: float, y: float, text: str, color: str = "#222", size: int = 12, weight: str = "normal",
          anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(text)}</text>')
