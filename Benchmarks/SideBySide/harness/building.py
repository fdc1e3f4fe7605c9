"""Builds what the chosen works need, by `SideBySide/build`, one component at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import tools
from .model import Subject, Work

HERE = Path(__file__).resolve().parent.parent
BUILT = HERE.parent / ".build" / "side-by-side"

# Without these nothing can be measured.
NEEDED = ("load", "floors")


def components_of(works: Sequence[tuple[Work, Sequence[Subject]]]) -> list[str]:
    """The components of chosen works and subjects, the indispensable ones first."""
    found = dict.fromkeys(NEEDED)
    for work, subjects in works:
        if work.component:
            found[work.component] = None
        found.update(dict.fromkeys(subject.component for subject in subjects))
    return list(found)


def absent(components: Iterable[str]) -> dict[str, str]:
    """The components of which a tool is missing, with the reason."""
    return {component: f"left out: needs {', '.join(tool.advice or tool.package or tool.what for tool in missing)}"
            for component, missing in tools.missing(components).items()}


def build(components: Iterable[str], logs: Path) -> dict[str, str]:
    """Builds components. Gives those that are not there, with the reason. Ends the program if a needed one is not."""
    reasons = absent(components)
    for component in components:
        if component not in reasons and component not in tools.ONLY_TOOLS:
            reason = _build_one(component, logs / f"build-{component}.log")
            if reason:
                reasons[component] = reason
        if component in NEEDED and component in reasons:
            sys.exit(f"side-by-side: {component}: {reasons[component]}")
    return reasons


def _build_one(component: str, log: Path) -> str:
    start = time.monotonic()
    print(f"building {component} ... ", end="", flush=True)
    with open(log, "w") as output:
        status = subprocess.run([HERE / "build", component], stdout=output, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL).returncode
    print(f"{time.monotonic() - start:.0f} s" if status == 0 else "failed", flush=True)
    if status == 0:
        return ""
    for line in log.read_text(errors="replace").splitlines()[-12:]:
        print(f"    {line}", file=sys.stderr)
    return f"left out: it could not be built, see {log}"
