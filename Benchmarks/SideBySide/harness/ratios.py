"""From the measurements of all rounds to the rows of a table."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from .model import Figure, Measurement, Subject, Work
from .telling import Interval, interval, noise, ranks

TWIN = "-twin"  # the name of a twin is its floor's with this behind it


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median and the middle half of the values around it."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread | None:
        """None without values. Of less than four values the middle half is all of them."""
        if not values:
            return None
        ordered = sorted(values)
        if len(ordered) < 4:
            return Spread(statistics.median(ordered), ordered[0], ordered[-1])
        low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
        return Spread(statistics.median(ordered), low, high)


@dataclasses.dataclass(frozen=True)
class Row:
    """One subject's line: the medians of its values, and its ratios."""

    subject: Subject
    values: Mapping[str, float]  # key of a figure: median over the rounds
    spread: Spread | None  # of the main figure
    ratio: Spread | None  # to the work's first subject
    own_ratio: Spread | None  # to the subject's own floor, where it names one
    remark: str = ""  # why there are no values
    interval: Interval | None = None  # of the ratio
    rank: int | None = None  # among those that do the work; none if there are too few rounds, and none for twins


def twin_of(subject: Subject) -> Subject:
    """The same program a second time: the difference between the two is noise."""
    return dataclasses.replace(
        subject, name=subject.name + TWIN, title="its twin", floor=subject.name)


def with_twins(work: Work, chosen: Sequence[Subject]) -> list[Subject]:
    """The chosen subjects, with a twin behind each one that others are compared to."""
    if work.absolute:
        return list(chosen)
    floors = {work.reference.name} | {s.floor for s in chosen if s.floor}
    result: list[Subject] = []
    for subject in chosen:
        result.append(subject)
        if subject.name in floors:
            result.append(twin_of(subject))
    return result


Rounds = Sequence[Mapping[str, Measurement]]  # a mapping for each round: name of the subject, what it did


def seen(rounds: Rounds, figure: Figure, subject: str) -> list[float]:
    """What was measured of a subject, round by round."""
    values = [measured[subject].value(figure) for measured in rounds if subject in measured]
    return [value for value in values if value is not None]


def ratios(rounds: Rounds, figure: Figure, subject: str, reference: str) -> list[float]:
    """How a subject compares to another one, in each round in which both were measured."""
    result = []
    for measured in rounds:
        if subject not in measured or reference not in measured:
            continue
        above, below = measured[subject].value(figure), measured[reference].value(figure)
        if above is not None and below:
            result.append(above / below)
    return result


def noise_of(work: Work, subjects: Sequence[Subject], rounds: Rounds) -> float | None:
    """The factor within which a ratio of this work says nothing, by its twins."""
    twins = [s for s in subjects if s.name.endswith(TWIN) and s.floor and seen(rounds, work.figure, s.name)]
    return noise([interval(ratios(rounds, work.figure, twin.name, twin.floor)) for twin in twins if twin.floor])


def widest(work: Work, subjects: Sequence[Subject], rounds: Rounds) -> float | None:
    """The width of the widest interval of a ratio. None if one is not known yet."""
    found = [interval(ratios(rounds, work.figure, subject.name, work.reference.name)) for subject in subjects
             if subject.name != work.reference.name and seen(rounds, work.figure, subject.name)]
    return max((each.width for each in found if each), default=None) if None not in found else None


def rows(work: Work, subjects: Sequence[Subject], rounds: Rounds, remarks: Mapping[str, str]) -> list[Row]:
    """The table of a work, in the order of its subjects."""
    places = {} if work.absolute else _ranks(work, subjects, rounds)
    result = []
    for subject in subjects:
        values = {}
        for figure in (work.figure, *work.columns):
            known = seen(rounds, figure, subject.name)
            if known:
                values[figure.key] = statistics.median(known)
        spread = Spread.of(seen(rounds, work.figure, subject.name))
        if work.absolute:
            result.append(Row(subject, values, spread, None, None, remarks.get(subject.name, "")))
            continue
        own = subject.floor if subject.floor and subject.floor != work.reference.name else None
        compared = ratios(rounds, work.figure, subject.name, work.reference.name)
        result.append(Row(
            subject, values, spread, Spread.of(compared),
            Spread.of(ratios(rounds, work.figure, subject.name, own)) if own else None, remarks.get(subject.name, ""),
            interval(compared), places.get(subject.name)))
    return result


def _ranks(work: Work, subjects: Sequence[Subject], rounds: Rounds) -> dict[str, int]:
    """The rank of each subject but the twins, which share their floors'."""
    band = noise_of(work, subjects, rounds)
    if band is None:
        return {}

    def told_apart(better: str, worse: str) -> bool:
        found = interval(ratios(rounds, work.figure, worse, better))
        return found is not None and found.is_outside(band)

    medians = {s.name: statistics.median(ratios(rounds, work.figure, s.name, work.reference.name) or [0.0])
               for s in subjects if not s.name.endswith(TWIN)}
    ordered = sorted((name for name, value in medians.items() if value), key=medians.__getitem__,
                     reverse=work.figure.quantity.more_is_better)
    return ranks(ordered, told_apart)
