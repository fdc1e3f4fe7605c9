"""The report of a run: text, Markdown, SVG and JSON, each with date, machine, versions and the command."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .chart import as_svg
from .ratios import Spread
from .rounds import Result
from .tables import as_markdown, as_text, overview_markdown, overview_text


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """When, where, with what and how a run was made."""

    date: str
    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    left_out: Mapping[str, str]  # component: why

    def versions_line(self) -> str:
        return "; ".join(f"{title} {version}" for title, version in self.versions.items())

    def lines(self) -> list[str]:
        lines = [f"Date: {self.date}", *(f"{key.capitalize()}: {value}" for key, value in self.machine.items()),
                 f"Versions: {self.versions_line()}"]
        return lines + [f"{component}: {reason}" for component, reason in self.left_out.items()]


def write(directory: Path, results: Sequence[Result], how: Circumstances) -> list[Path]:
    """Writes the four files. Called after each work, so that a run that is cut off leaves what it has."""
    texts = {
        "report.txt": "\n".join([f"$ {how.command}", *how.lines(), "", overview_text(results), "",
                                 "\n\n".join(map(as_text, results)), ""]),
        "report.md": _markdown(results, how),
        "report.svg": as_svg(results, "AsyncIO beside its peers", [
            f"{how.date}; {how.machine['processor']}; {how.machine['kernel']}", how.versions_line(), how.command]),
        "report.json": json.dumps(_json(results, how), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    return [directory / name for name in texts]


def _markdown(results: Sequence[Result], how: Circumstances) -> str:
    lines = ["# Side by side", "", f"    {how.command}", "", *(f"- {line}" for line in how.lines()), "",
             "![chart](report.svg)", "", overview_markdown(results), ""]
    for result in results:
        lines += [as_markdown(result), ""]
    return "\n".join(lines)


def _json(results: Sequence[Result], how: Circumstances) -> dict[str, object]:
    return {
        **dataclasses.asdict(how),
        "works": [{
            "name": result.work.name, "title": result.work.title, "unit": result.work.unit,
            "figure": result.work.figure.key, "reference": result.work.reference.name,
            "seconds": result.seconds, "took": result.took, "others": result.others, "noise": result.noise,
            "rows": [{
                "subject": row.subject.name, "title": row.subject.title, "values": row.values,
                "spread": _spread(row.spread), "ratio": _spread(row.ratio), "own_floor": row.subject.floor,
                "own_ratio": _spread(row.own_ratio), "remark": row.remark, "rank": row.rank,
                "interval": dataclasses.asdict(row.interval) if row.interval else None,
            } for row in result.rows],
            "rounds": [{name: dataclasses.asdict(measurement) for name, measurement in measured.items()}
                       for measured in result.rounds],
        } for result in results],
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return dataclasses.asdict(spread) if spread else None
