"""Slices in turns, and what follows from them.

A machine's speed drifts by tens of per cent within seconds, so only neighbours are compared. Between two slices of
uvloop each other contender has one: U A U B U C U … A ratio is that of a slice to the mean of the two beside it, which
takes out a speed that rises or falls. The order of the others rotates.
"""

import dataclasses
import os
import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

from load import WrongAnswer
from loops import BASE, TWIN
from rows import Contender, Ended, Row

Value = TypeVar("Value")
FAILURES = (Ended, WrongAnswer, OSError)
WARM_UP = 2  # slices of each contender that are not counted


@dataclasses.dataclass
class Measurement:
    """What one row gave: the ratios of each loop to uvloop, the cost of its slices, and why it has none."""

    row: Row
    ratios: dict[str, list[float]]
    costs: dict[str, list[float]]
    failures: dict[str, str]

    def ratio(self, loop: str) -> float:
        return statistics.median(self.ratios[loop])

    def quartiles(self, loop: str) -> tuple[float, float]:
        values = self.ratios[loop]
        if len(values) < 2:
            return values[0], values[0]
        low, _, high = statistics.quantiles(values, method="inclusive")
        return low, high

    def cost(self, loop: str) -> float:
        return statistics.median(self.costs[loop]) / self.row.count * self.row.scale

    def noise(self) -> float:
        """How far from 1 the middle half of the twin's ratios goes."""
        return max(abs(value - 1) for value in self.quartiles(TWIN))


def settle(core: int | None) -> None:
    """Puts this process, and all it starts, on one core, where none is interrupted because another one woke up.

    A server then runs when the load waits, and finds all that was sent. On two cores it would find more or less of it,
    by chance, and each wait would cost more or less of a message.
    """
    if core is None:
        core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Turns:
    """The contenders of a row, up and warm, and their slices. A contender that fails is left out from then on."""

    def __init__(self, result: Measurement, loops: Sequence[str], python: str) -> None:
        self.result, self.row, self.loops, self.python = result, result.row, loops, python
        self.contenders: dict[str, Contender] = {}

    def __enter__(self) -> "Turns":
        for loop in self.loops:
            self.attempt(loop, self.start)
        for _ in range(WARM_UP if self.row.warm_up else 0):
            for loop in list(self.contenders):
                self.slice(loop)
        return self

    def __exit__(self, *_: object) -> None:
        for contender in self.contenders.values():
            contender.close()

    def start(self, loop: str) -> None:
        self.contenders[loop] = self.row.kind(self.python, self.row.name, loop)

    def slice(self, loop: str) -> float | None:
        return self.attempt(loop, lambda loop: self.contenders[loop].slice(self.row.count))

    def attempt(self, loop: str, work: Callable[[str], Value]) -> Value | None:
        try:
            return work(loop)
        except FAILURES as failure:
            if loop in (BASE, TWIN):
                raise
            self.result.failures[loop] = f"{type(failure).__name__}: {failure}"
            if loop in self.contenders:
                self.contenders.pop(loop).close()
            return None

    def round(self, index: int) -> None:
        """One slice of each of the others, and one of uvloop before and after it."""
        others = [loop for loop in self.contenders if loop != BASE]
        before = self.slice(BASE)
        for place in range(len(others)):
            other = others[(index + place) % len(others)]
            cost, after = self.slice(other), self.slice(BASE)
            if cost is not None:
                self.result.ratios[other].append(cost / ((before + after) / 2))
                self.result.costs[other].append(cost)
                self.result.costs[BASE].append(after)
            before = after


def measure(row: Row, loops: Sequence[str], python: str, slices: int, generations: int) -> Measurement:
    """Measures a row. New processes come up every few rounds, as one may be lucky with its place in memory for life."""
    result = Measurement(row, {loop: [] for loop in loops}, {loop: [] for loop in loops}, {})
    rounds = max(3, round(slices * row.share))
    bounds = [rounds * generation // generations for generation in range(generations + 1)]
    for generation, (first, last) in enumerate(zip(bounds, bounds[1:])):
        turn = generation % len(loops)  # the one that comes up first changes as well
        taking_part = [loop for loop in [*loops[turn:], *loops[:turn]] if loop not in result.failures]
        with Turns(result, taking_part, python) as turns:
            for index in range(first, last):
                turns.round(index)
    return result
