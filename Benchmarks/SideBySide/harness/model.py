"""What the harness is about: subjects, works, measurements.

A **subject** is a program that does a work: a floor in C, a peer, or one form of ours. A **work** is something that
all of its subjects do, and how it is measured. A **measurement** is what one subject did in one slice of time.

To add a subject, add it to the list of its family (`subjects.py`). To add a work, write a module with a function that
returns `Work`s and name it in `works.py`; `Work` says what is asked of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .bench import Bench


class Quantity(Enum):
    """How a value is written, and which way is better."""

    TIME = "time"  # nanoseconds
    SIZE = "size"  # bytes
    RATE = "rate"  # per second; more is better
    COUNT = "count"

    @property
    def more_is_better(self) -> bool:
        return self is Quantity.RATE


@dataclasses.dataclass(frozen=True)
class Figure:
    """A column of a report: the key of a value in a measurement, its title and what it is."""

    key: str
    title: str
    quantity: Quantity


CPU = Figure("cpu", "CPU", Quantity.TIME)
WALL = Figure("wall", "wall", Quantity.TIME)
RATE = Figure("rate", "per second", Quantity.RATE)
P50 = Figure("p50_ns", "p50", Quantity.TIME)
P99 = Figure("p99_ns", "p99", Quantity.TIME)
P999 = Figure("p999_ns", "p99.9", Quantity.TIME)
MAXIMUM = Figure("max_ns", "max", Quantity.TIME)
MEMORY = Figure("memory", "memory", Quantity.SIZE)
CALLS = Figure("calls", "system calls", Quantity.COUNT)
INSTRUCTIONS = Figure("instructions", "instructions", Quantity.COUNT)
ALLOCATIONS = Figure("allocations", "allocations", Quantity.COUNT)
FIRST_MISSES = Figure("first_misses", "misses of the first cache", Quantity.COUNT)
LAST_MISSES = Figure("last_misses", "of the last", Quantity.COUNT)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one subject did in one slice.

    `wall_ns` and `cpu_ns` belong to all `operations` together; `cpu_ns` is the CPU time of the subject, all of its
    threads. `others` has values that are not divided by anything: percentiles, bytes of a connection.
    """

    operations: float
    wall_ns: float | None = None
    cpu_ns: float | None = None
    others: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def value(self, figure: Figure) -> float | None:
        """The value of a column, for one operation; None where it was not measured."""
        if figure is CPU:
            return None if self.cpu_ns is None else self.cpu_ns / self.operations
        if figure is WALL:
            return None if self.wall_ns is None else self.wall_ns / self.operations
        if figure is RATE:
            return None if not self.wall_ns else self.operations * 1e9 / self.wall_ns
        return self.others.get(figure.key)


class NotOffered(Exception):
    """The subject does not do this work, or cannot here; the text says why. It gets a line in the report."""


class Failure(Exception):
    """The subject should do this work and failed: wrong bytes, an early end. It gets a line in the report."""


class Session(Protocol):
    """A subject that is ready to be measured: a server that is up, or just the name of a program to run."""

    def measure(self, seconds: float) -> Measurement:
        """Measures one slice. `seconds` is how long a slice by time shall be; a work by count ignores it."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A program that does works of one family."""

    name: str  # for --subjects, one word: "asyncio-streams"
    title: str  # for reports: "AsyncIO streams, selector"
    command: tuple[str, ...]  # of which the first word is looked up in the directory of what was built
    component: str  # of `SideBySide/build`, and the key of its tools (tools.py)
    kind: str = "peer"  # "floor", "ours" or "peer"; the colour of its bars
    floor: str | None = None  # a floor of its own, besides the first subject: "io_uring" for the proactor
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)  # what the works of its family ask for


@dataclasses.dataclass(frozen=True)
class Work:
    """Something that subjects do in turns.

    `open(bench, work, subject)` starts a subject and gives its session as a context manager, whose end ends what was
    started. It raises NotOffered where the subject cannot do the work. All sessions of a work are open at once and are
    measured in turns, unless `fresh` asks for a new one for each slice (then only one is open at a time).

    The first subject is the reference: the ratio of a row is, round by round, its main figure over the reference's in
    the same round. Each floor that a subject refers to runs a second time, as its own twin, to show the noise.
    """

    name: str  # for --works, one word: "echo-64-c1000"
    title: str  # "Echo of 64 bytes, 1,000 connections"
    about: str  # one operation, and what a reader must know to trust the number
    unit: str  # "message"
    subjects: Sequence[Subject]
    open: Callable[[Bench, Work, Subject], AbstractContextManager[Session]]
    figure: Figure = CPU
    columns: Sequence[Figure] = ()  # more columns
    amount: str = ""  # how much of it: "1,000,000", or "" for slices by time
    cores: str = "server on core 0, load on core 1"
    sets: frozenset[str] = frozenset({"full"})  # "quick" and "full"; neither: only by name
    fresh: bool = False
    absolute: bool = False  # without ratios: values are counts or sizes of which the reference's may be 0
    least_seconds: float = 0  # a shorter slice would say nothing
    rounds: int | None = None  # at most so many, for works that take long
    component: str = ""  # a part of `SideBySide/build` that the work needs besides its subjects
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)  # of the work's own module

    @property
    def reference(self) -> Subject:
        return self.subjects[0]
