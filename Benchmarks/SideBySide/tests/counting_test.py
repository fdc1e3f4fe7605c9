#!/usr/bin/env python3
"""Tests of harness/counting.py: the counted form of a work that is timed, and how its counts are written."""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import counting, micro  # noqa: E402
from harness.model import Quantity  # noqa: E402
from harness.tables import written  # noqa: E402


class CountedWorks(unittest.TestCase):
    def setUp(self) -> None:
        self.works = {work.name: work for work in counting.works()}

    def test_each_work_of_one_program_is_counted_as_well(self) -> None:
        timed = {work.name for work in micro.works()} - set(counting.TIMED_ONLY)
        counted = {name for name in self.works if name.startswith("count-")}
        self.assertEqual(counted, {f"count-{name}" for name in timed})

    def test_what_callgrind_does_not_survive_takes_no_part(self) -> None:
        for work in self.works.values():
            if work.component == "valgrind":
                names = {subject.name for subject in work.subjects}
                self.assertFalse(names & {"go", "nio", "uvloop", "python", "asyncio-proactor", "io_uring"})
                self.assertTrue(names)

    def test_a_warm_up_counts_as_what_it_is(self) -> None:
        names = ("count-timer-cancel", "count-timer-rearm", "count-batch")
        works = [self.works[name].subjects[0].options["work"] for name in names]
        for work, runs in zip(works, (2.0, 1.1, 1.1), strict=True):
            self.assertAlmostEqual(micro.operations(work, 10_000), runs * 10_000)


class WrittenCounts(unittest.TestCase):
    def test_what_is_nothing_but_chance_is_nothing(self) -> None:
        self.assertEqual([written(value, Quantity.COUNT) for value in (0, -0.001, 0.25, 1296.4)],
                         ["0", "0", "0.25", "1,296"])


if __name__ == "__main__":
    unittest.main()
