"""Whether a difference is one: the interval of a ratio, the noise that the twins show, and ranks.

- **Interval.** The ratios of the rounds have a median, and it would be another one in another run. The sign test says
  between which of the ordered ratios the true median lies, in 95 of 100 runs, whatever their distribution is. It needs
  six rounds; with fewer there is no interval, and nothing is ranked.
- **Noise.** A twin is its floor's program in another process. Its ratio should be 1; memory, ports and the order of
  slices make it another, and more rounds do not mend that. So the band of the noise is as wide as the interval of the
  twin that is farthest from 1, to both sides.
- **Told apart** are two subjects if the interval of their ratio, formed within each round, lies outside of that band.
- **Ranks** follow the medians. A subject has a rank of its own only if it is told apart from the first one of the rank
  before it. Being within the noise is not passed on from neighbour to neighbour.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

LEAST_ROUNDS = 6
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """Where the true median of a ratio lies."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """0.03 if the upper end is 3 % above the lower one."""
        return self.high / self.low - 1

    @property
    def farthest(self) -> float:
        """The factor by which it is away from 1 at most: 1.05 for 0.96 to 1.05."""
        return max(self.high, 1 / self.low)

    def is_outside(self, noise: float) -> bool:
        """Whether no part of it can be explained by noise, which is such a factor."""
        return self.low > noise or self.high < 1 / noise


def interval(ratios: Sequence[float]) -> Interval | None:
    """The interval of the median of ratios above 0, by the sign test. None of fewer than six."""
    if len(ratios) < LEAST_ROUNDS:
        return None
    outside, tail = 0, 0.0
    while True:
        tail += math.comb(len(ratios), outside) / 2 ** len(ratios)
        if 2 * tail > 1 - CONFIDENCE:
            break
        outside += 1
    ordered = sorted(ratios)
    return Interval(ordered[outside - 1], ordered[len(ordered) - outside])


def noise(twins: Sequence[Interval | None]) -> float | None:
    """The factor within which a ratio says nothing. None if a twin is not known well enough."""
    known = [twin for twin in twins if twin is not None]
    return max(twin.farthest for twin in known) if known and len(known) == len(twins) else None


def ranks(names: Sequence[str], told_apart: Callable[[str, str], bool]) -> dict[str, int]:
    """The ranks of subjects that are in the order of their medians, the best one first.

    `told_apart(a, b)` says whether b is worse than a beyond noise.
    """
    result: dict[str, int] = {}
    first = ""
    for place, name in enumerate(names, 1):
        if not first or told_apart(first, name):
            first, result[name] = name, place
        else:
            result[name] = result[first]
    return result
