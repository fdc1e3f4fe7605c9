"""Tables of a run: the same cells as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .model import Quantity
from .ratios import TWIN, Row, Spread
from .telling import LEAST_ROUNDS, Interval
from .rounds import Result


def written(value: float, quantity: Quantity) -> str:
    """A value with its unit."""
    if quantity is Quantity.TIME:
        for unit, size in (("ns", 1e4), ("µs", 1e7), ("ms", 1e10)):
            if value < size:
                return f"{_digits(value / size * 1e4)} {unit}"
        return f"{value / 1e9:.1f} s"
    if quantity is Quantity.SIZE:
        for unit, size in (("B", 1024.0), ("KiB", 1024.0**2), ("MiB", 1024.0**3)):
            if value < size:
                return f"{_digits(value / size * 1024)} {unit}" if unit != "B" else f"{value:.0f} B"
        return f"{value / 1024**3:.1f} GiB"
    if quantity is Quantity.RATE:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    if abs(value) < 0.005:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def written_ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def _half(spread: Spread | None) -> str:
    """Empty for a single value, which counts have that no noise changes."""
    if spread and spread.low == spread.high:
        return ""
    return f"{written_ratio(spread.low)}-{written_ratio(spread.high)}" if spread else ""


def _has_intervals(result: Result) -> bool:
    return any(row.interval for row in result.rows)


def _interval(found: Interval | None) -> str:
    """Empty for the reference itself."""
    return f"{written_ratio(found.low)}-{written_ratio(found.high)}" if found and found.low < found.high else ""


def _ratio(spread: Spread | None) -> str:
    return written_ratio(spread.median) if spread else ""


def _with_half(spread: Spread | None) -> str:
    half = _half(spread)
    return f"{_ratio(spread)} ({half})" if half else _ratio(spread)


def rounds_of(result: Result) -> str:
    count = len(result.rounds)
    return "1 round" if count == 1 else f"{count} rounds"


def header(result: Result) -> list[str]:
    work = result.work
    cells = ["", work.figure.title]
    if not work.absolute:
        cells += ["ratio", "95 %" if _has_intervals(result) else "middle half", "rank"]
    if any(row.own_ratio for row in result.rows):
        cells.append("to its own floor")
    return cells + [figure.title for figure in work.columns]


def cells(result: Result, row: Row) -> list[str]:
    """One line of the table."""
    figure = result.work.figure
    value = row.values.get(figure.key)
    line = [row.subject.title, written(value, figure.quantity) if value is not None else row.remark or "-"]
    if not result.work.absolute:
        spread = _interval(row.interval) if _has_intervals(result) else _half(row.ratio)
        line += [_ratio(row.ratio), spread, str(row.rank or "")]
    if any(other.own_ratio for other in result.rows):
        line.append(_with_half(row.own_ratio))
    for column in result.work.columns:
        value = row.values.get(column.key)
        line.append(written(value, column.quantity) if value is not None else "")
    return line


def caption(result: Result) -> str:
    """How the numbers of a table came about."""
    work = result.work
    amount = f"{work.amount} {work.unit}{'' if work.amount == '1' else 's'}" if work.amount else f"{result.seconds:g} s"
    compared = "" if work.absolute else f"ratio to {work.reference.title} in the same round; "
    return (f"For one {work.unit}; {compared}{rounds_of(result)} of {amount}; {work.cores}; "
            f"other programs used {result.others * 100:.0f} % of a core. {_noise(result)}").strip()


def _noise(result: Result) -> str:
    """What may be read out of the ratios."""
    if result.work.absolute:
        return ""
    if result.noise is None:
        return f"Nothing is ranked: that needs {LEAST_ROUNDS} rounds and a twin."
    return f"Ratios within {(result.noise - 1) * 100:.1f} % are noise; who shares a rank is not told apart."


def as_text(result: Result) -> str:
    """The table for a terminal."""
    lines = [header(result)] + [cells(result, row) for row in result.rows]
    # A remark may be as long as it likes: it has no numbers to its right.
    measured = [lines[0]] + [line for line, row in zip(lines[1:], result.rows) if not row.remark or row.values]
    return "\n".join([f"{result.work.name}: {result.work.title}", caption(result), *_aligned(lines, measured)])


def _aligned(lines: Sequence[Sequence[str]], measured: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells in columns, the first one to the left. Widths are those of the lines that are measured."""
    widths = [max(len(line[i]) for line in measured) for i in range(len(lines[0]))]
    widths[0] = max(len(line[0]) for line in lines)
    return ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]


# --- all works in one table


def overview(results: Sequence[Result]) -> list[list[str]]:
    """A line for each work: its reference, the noise, the range of our own forms, and the best peer."""
    titles = ["", "figure", "reference", "twin", "AsyncIO", "best peer", "AsyncIO is"]
    return [titles, *map(_overview_of, results)]


def _overview_of(result: Result) -> list[str]:
    work = result.work
    known = [(row, row.spread if work.absolute else row.ratio) for row in result.rows]
    known = [(row, spread.median) for row, spread in known if spread]

    def said(value: float) -> str:
        return written(value, work.figure.quantity) if work.absolute else written_ratio(value)

    reference = next((row.spread.median for row, _ in known if row.subject.name == work.reference.name), None)
    twin = next((said(value) for row, value in known if row.subject.name == work.reference.name + TWIN), "")
    others = [(row.subject, value) for row, value in known
              if row.subject.name != work.reference.name and not row.subject.name.endswith(TWIN)]
    ours = [value for subject, value in others if subject.kind == "ours"]
    peers = [(value, subject.title) for subject, value in others if subject.kind == "peer"]
    best = (max if work.figure.quantity.more_is_better else min)(peers, default=None)
    return [work.name, work.figure.title, "" if reference is None else written(reference, work.figure.quantity), twin,
            " to ".join(dict.fromkeys((said(min(ours)), said(max(ours))))) if ours else "",
            f"{best[1]} {said(best[0])}" if best else "", _standing(result)]


def _standing(result: Result) -> str:
    """Where our best form is beside the best peer, as far as the ranks tell."""
    ours, peers = (min((row.rank for row in result.rows if row.rank and row.subject.kind == kind), default=None)
                   for kind in ("ours", "peer"))
    if ours is None or peers is None:
        return ""
    return "ahead" if ours < peers else "behind" if ours > peers else "level"


OVERVIEW = ("The reference is the first line of a work's own table; the other columns are ratios to it, or values "
            "where a work has no ratios. AsyncIO: from the lowest to the highest of its forms. It is ahead or behind "
            "if its best form and the best peer are told apart.")


def overview_text(results: Sequence[Result]) -> str:
    lines = overview(results)
    return "\n".join(["All works", OVERVIEW, *_aligned(lines, lines)])


def overview_markdown(results: Sequence[Result]) -> str:
    first, *rest = overview(results)
    lines = [[f"[{line[0]}](#{_anchor(result)})", *line[1:]] for result, line in zip(results, rest)]
    return "\n".join(["### All works", "", OVERVIEW, "", _row(first), _row(["---"] * 2 + ["---:"] * 4 + ["---"]),
                      *map(_row, lines)])


def _anchor(result: Result) -> str:
    """What a reader of Markdown makes of a heading: words without their marks, with hyphens between them."""
    kept = [c for c in result.work.title.lower() if c.isalnum() or c in " -_"]
    return "".join(kept).replace(" ", "-")


def as_markdown(result: Result) -> str:
    """The table as Markdown, with the remarks below it."""
    first, *rest = header(result)
    lines = [f"### {result.work.title}", "", f"`{result.work.name}`. {result.work.about}", "",
             _row([first, *rest]), _row(["---"] + ["---:"] * len(rest))]
    remarks = []
    for row in result.rows:
        if row.remark:
            remarks.append(f"{row.subject.title}: {row.remark}.")
        if row.values:
            lines.append(_row(cells(result, row)))
    lines += ["", caption(result)]
    if remarks:
        lines += ["", *(f"- {remark}" for remark in remarks)]
    return "\n".join(lines)


def _row(line: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
