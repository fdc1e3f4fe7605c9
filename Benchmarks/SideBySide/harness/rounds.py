"""Runs a work: its subjects in turns, in short slices.

Traps:
- A machine's speed drifts by tens of per cent within seconds (other guests, frequency, heat). So no subject is measured
  in one piece: all are up at once, and round by round each gets a short slice. The order turns around every other
  round (A B C, C B A), so that a drift within a round hits each side alike.
- Other programs on the machine make all ratios worse than they are, as a ratio's noise has both sides' noise. How much
  CPU time others used is in the report.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from .bench import Bench
from .model import Failure, Measurement, NotOffered, Session, Subject, Work
from .ratios import TWIN, Row, noise_of, rows, widest, with_twins
from .telling import LEAST_ROUNDS


@dataclasses.dataclass(frozen=True)
class Result:
    """A work that was run."""

    work: Work
    rows: Sequence[Row]
    rounds: Sequence[dict[str, Measurement]]
    seconds: float  # of one slice
    others: float  # cores that other programs used meanwhile
    took: float
    noise: float | None = None  # the factor within which a ratio says nothing; None if it is not known


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a work is measured: so many rounds, or until its ratios are known well enough."""

    rounds: int
    width: float | None = None  # of each ratio's interval, 0.03 for 3 %; then the rounds do not count
    limit: float = 600  # seconds of a work that is measured until then

    def is_over(self, work: Work, subjects: Sequence[Subject], measured: Sequence[dict[str, Measurement]],
                took: float) -> bool:
        if self.width is None or work.absolute:
            return len(measured) >= min(self.rounds, work.rounds or self.rounds)
        if took >= self.limit:
            return True
        found = widest(work, subjects, measured) if len(measured) >= LEAST_ROUNDS else None
        return found is not None and found <= self.width


def _busy() -> float:
    """Seconds of CPU time that the machine has used, all cores."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = map(int, stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds of CPU time of this program and of its children that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class _Turns:
    """The open sessions of one work."""

    def __init__(self, bench: Bench, work: Work, subjects: Sequence[Subject], remarks: dict[str, str],
                 stack: ExitStack) -> None:
        self.bench, self.work, self.remarks, self.stack = bench, work, remarks, stack
        self.taking_part = [subject for subject in subjects if subject.name not in remarks]
        self.sessions: dict[str, Session] = {}

    def open_all(self) -> None:
        if self.work.fresh:
            return
        for subject in list(self.taking_part):
            with self._remarking(subject):
                self.sessions[subject.name] = self.stack.enter_context(
                    self.work.open(self.bench, self.work, subject))

    def measure(self, subject: Subject, seconds: float) -> Measurement | None:
        with self._remarking(subject):
            if not self.work.fresh:
                return self.sessions[subject.name].measure(seconds)
            with self.work.open(self.bench, self.work, subject) as session:
                return session.measure(seconds)
        return None

    @contextlib.contextmanager
    def _remarking(self, subject: Subject):
        """A subject that fails takes no more part, and its line says why."""
        try:
            yield
        except (NotOffered, Failure) as error:
            kind = "not offered" if isinstance(error, NotOffered) else "failed"
            self.remarks[subject.name] = f"{kind}: {error}"
            self.taking_part.remove(subject)


def run(bench: Bench, work: Work, chosen: Sequence[Subject], missing: dict[str, str], patience: Patience,
        seconds: float) -> Result:
    """Measures a work. `missing` has the subjects that were not built, with the reason."""
    subjects = with_twins(work, chosen)
    remarks = {s.name: missing[s.name.removesuffix(TWIN)] for s in subjects if s.name.removesuffix(TWIN) in missing}
    measured: list[dict[str, Measurement]] = []
    start, busy, own = time.monotonic(), _busy(), _own()
    with ExitStack() as stack:
        turns = _Turns(bench, work, subjects, remarks, stack)
        turns.open_all()
        while turns.taking_part and not patience.is_over(work, subjects, measured, time.monotonic() - start):
            result: dict[str, Measurement] = {}
            order = list(turns.taking_part)
            for subject in order if len(measured) % 2 == 0 else reversed(order):
                _progress(work, len(measured), subject)
                measurement = turns.measure(subject, seconds)
                if measurement is not None:
                    result[subject.name] = measurement
            measured.append(result)
    _progress(work, len(measured), None)
    took = time.monotonic() - start
    others = max(0.0, (_busy() - busy) - (_own() - own)) / took
    return Result(work, rows(work, subjects, measured, remarks), measured, seconds, others, took,
                  None if work.absolute else noise_of(work, subjects, measured))


_told: dict[str, set[int]] = {}


def _progress(work: Work, number: int, subject: Subject | None) -> None:
    """One line on a terminal that is written over; elsewhere a line for each round."""
    if not sys.stderr.isatty():
        if subject is not None and number not in _told.setdefault(work.name, set()):
            _told[work.name].add(number)
            print(f"{work.name}: round {number + 1}", file=sys.stderr, flush=True)
        return
    text = f"{work.name}: round {number + 1}, {subject.title}" if subject else ""
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()
