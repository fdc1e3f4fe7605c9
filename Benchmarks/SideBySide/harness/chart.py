"""A chart of a run as SVG: for each work a panel of horizontal bars, ratios to the floor, with the middle half.

The axis is linear and begins at 0, so that lengths can be compared. It ends a little behind the longest of our own bars
and never before 2; a longer bar is broken off there and its number says how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from .ratios import Row
from .rounds import Result
from .tables import written, written_ratio

WIDTH = 860
LABELS = 250  # where the bars begin
NUMBERS = 130  # room for what stands behind the bars
BAR = 15
PITCH = 22
PANEL_HEAD = 58
PANEL_GAP = 26
HEAD = 64
COLORS = {"floor": "#8a8f98", "ours": "#e4572e", "peer": "#4a7fb5"}
LEGEND = {"floor": "floor in C, and its twin", "ours": "AsyncIO", "peer": "peers"}


def as_svg(results: Sequence[Result], title: str, subtitle: str) -> str:
    """The whole chart."""
    panels, top = [], HEAD
    for result in results:
        rows = [row for row in result.rows if row.ratio]
        if not rows:
            continue
        panels.append(_panel(result, rows, top))
        top += PANEL_HEAD + PITCH * len(rows) + PANEL_GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>',
        _text(20, 28, title, size=18, weight="bold"),
        _text(20, 47, subtitle, color="#666"),
        _legend(WIDTH - 20, 28),
        *panels,
        "</svg>", ""])


def _panel(result: Result, rows: Sequence[Row], top: int) -> str:
    end = _axis_end(rows)
    length = WIDTH - LABELS - NUMBERS

    def x(ratio: float) -> float:
        return LABELS + min(ratio, end) / end * length

    height = PITCH * len(rows)
    first = top + PANEL_HEAD
    parts = [
        _text(20, top + 18, result.work.title, size=14, weight="bold"),
        _text(20, top + 34, _subtitle(result), color="#666"),
    ]
    for tick in _ticks(end):
        parts += [
            f'<line x1="{x(tick):.1f}" y1="{first - 6}" x2="{x(tick):.1f}" y2="{first + height}" stroke="#e4e6e9"/>',
            _text(x(tick), first - 9, f"{tick:g}", color="#888", size=10, anchor="middle")]
    for number, row in enumerate(rows):
        parts.append(_bar(result, row, first + number * PITCH, x, end))
    parts.append(f'<line x1="{x(1):.1f}" y1="{first - 6}" x2="{x(1):.1f}" y2="{first + height}" stroke="#222" '
                 'stroke-dasharray="4 3"/>')
    return "\n".join(parts)


def _bar(result: Result, row: Row, top: int, x, end: float) -> str:
    assert row.ratio is not None
    middle = top + BAR / 2 + 2
    right = x(row.ratio.median)
    color = COLORS[row.subject.kind]
    parts = [
        _text(LABELS - 8, middle + 4, row.subject.title, anchor="end"),
        f'<rect x="{LABELS}" y="{top + 2}" width="{right - LABELS:.1f}" height="{BAR}" fill="{color}"'
        + (' fill-opacity="0.45"' if row.subject.name.endswith("'") else "") + "/>"]
    if row.ratio.median > end:
        parts.append(f'<path d="M{right - 12:.1f} {top + BAR + 4} l6 -{BAR + 4} h4 l-6 {BAR + 4} z" fill="#fff"/>')
    elif row.ratio.high > row.ratio.low:
        low, high = x(row.ratio.low), x(row.ratio.high)
        parts.append(f'<path d="M{low:.1f} {middle} H{high:.1f} M{low:.1f} {middle - 4} v8 M{high:.1f} {middle - 4} v8" '
                     'stroke="#222" fill="none"/>')
        right = max(right, high)
    value = row.values.get(result.work.figure.key)
    absolute = f"  {written(value, result.work.figure.quantity)}" if value is not None else ""
    parts.append(
        f'<text x="{right + 7:.1f}" y="{middle + 4}"><tspan font-weight="bold">'
        f'{written_ratio(row.ratio.median)}</tspan><tspan fill="#777" dx="6">{escape(absolute.strip())}</tspan></text>')
    return "\n".join(parts)


def _subtitle(result: Result) -> str:
    figure = result.work.figure
    better = "more" if figure.quantity.more_is_better else "less"
    return (f"{figure.title} for one {result.work.unit}, ratio to {result.work.reference.title}; {better} is better; "
            f"{len(result.rounds)} rounds, the line is the middle half")


def _axis_end(rows: Sequence[Row]) -> float:
    near = [row.ratio.high for row in rows if row.ratio and row.subject.kind != "peer"]
    longest = max(row.ratio.high for row in rows if row.ratio)
    return min(longest * 1.02, max(2.0, 1.25 * max(near, default=1.0)))


def _ticks(end: float) -> list[float]:
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1e4, 1e5, 1e6)
                if end / step <= 10)
    return [step * number for number in range(int(end / step) + 1)]


def _legend(right: int, y: int) -> str:
    parts, x = [], right - 330
    for kind, text in LEGEND.items():
        parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLORS[kind]}"/>',
                  _text(x + 17, y, text)]
        x += 38 + 6.6 * len(text)
    return "\n".join(parts)


def _text(x: float, y: float, text: str, color: str = "#222", size: int = 12, weight: str = "normal",
          anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(text)}</text>')
