"""All works, by group: the place to plug another group in.

A group is a module with a function `works()` that returns a list of `Work` (model.py). `open` of a work is where a
subject is started and `measure` of what it gives is one slice. A program that is run anew for each slice has nothing
to keep up: its `open` can be a function with `@contextlib.contextmanager` that yields an object with `measure` and
nothing else. `bench.output(command, cores)` runs a program to its end and gives (exit status, printed text);
`bench.running(command, cores)` keeps one up. Raise `NotOffered("why")` where a subject has no such work (exit status
2 of a micro program) and `Failure("why")` where it went wrong; both are lines of the report, and the rest goes on.
A slower subject with a smaller count simply returns a measurement with fewer operations.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from . import busy, counting, http, loops, micro, proxies, start, tcp, tls
from .model import Subject, Work

GROUPS = (tcp, tls, http, busy, proxies, loops, counting, micro, start)


def all_works() -> list[Work]:
    return [work for group in GROUPS for work in group.works()]


def all_subjects() -> list[Subject]:
    """Each subject once, in the order of the works."""
    found: dict[str, Subject] = {}
    for work in all_works():
        for subject in work.subjects:
            found.setdefault(subject.name, subject)
    return list(found.values())


class UnknownName(Exception):
    """An argument names a work or a subject that does not exist."""


def _matching(patterns: Sequence[str], names: Sequence[str], what: str) -> list[str]:
    chosen: list[str] = []
    for pattern in patterns:
        matches = fnmatch.filter(names, pattern)
        if not matches:
            raise UnknownName(f'there is no {what} "{pattern}"; --list names them all')
        chosen += [name for name in matches if name not in chosen]
    return chosen


def choose_works(names: Sequence[str], chosen_set: str) -> list[Work]:
    """Works by name or pattern ("echo-64-*"), or those of a set."""
    works = all_works()
    if not names:
        return [work for work in works if chosen_set in work.sets]
    chosen = _matching(names, [work.name for work in works], "work")
    return [work for work in works if work.name in chosen]


def choose_subjects(work: Work, patterns: Sequence[str]) -> list[Subject]:
    """The subjects of a work that an argument left, always with the floors that they are compared to."""
    if not patterns:
        return list(work.subjects)
    kept = {s.name for s in work.subjects if any(fnmatch.fnmatch(s.name, pattern) for pattern in patterns)}
    floors = {s.floor for s in work.subjects if s.name in kept and s.floor} | {work.reference.name}
    return [s for s in work.subjects if s.name in kept | floors] if kept else []


def check_subjects(patterns: Sequence[str]) -> None:
    _matching(patterns, [subject.name for subject in all_subjects()], "subject")
