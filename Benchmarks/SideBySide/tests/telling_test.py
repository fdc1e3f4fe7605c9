#!/usr/bin/env python3
"""Tests of harness/telling.py, and of what the tables make of it."""

import math
import random
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.model import Measurement, Subject, Work  # noqa: E402
from harness.ratios import noise_of, rows, widest, with_twins  # noqa: E402
from harness.rounds import Patience  # noqa: E402
from harness.telling import Interval, interval, noise, ranks  # noqa: E402


class Intervals(unittest.TestCase):
    def test_needs_six_rounds(self) -> None:
        self.assertIsNone(interval([1.0] * 5))
        self.assertEqual(interval([6, 1, 5, 2, 4, 3]), Interval(1, 6))

    def test_leaves_out_what_the_sign_test_allows(self) -> None:
        # Of ten values one on each side: 2 * (1 + 10) / 1024 is 0.021; with two it would be 0.109.
        self.assertEqual(interval([float(n) for n in range(10)]), Interval(1, 8))
        # Of thirty, nine: the table of the sign test has 9 for 0.05.
        self.assertEqual(interval([float(n) for n in range(30)]), Interval(9, 20))

    def test_contains_the_median_as_often_as_it_says(self) -> None:
        source = random.Random(4711)
        inside = 0
        for _ in range(1000):
            found = interval([source.lognormvariate(0, 0.1) for _ in range(12)])
            assert found
            inside += found.low <= 1 <= found.high
        self.assertGreater(inside, 950)
        self.assertLess(inside, 990)

    def test_noise_goes_to_both_sides(self) -> None:
        self.assertEqual(noise([Interval(0.8, 1.1)]), 1.25)
        self.assertEqual(noise([Interval(0.99, 1.1), Interval(0.9, 1.3)]), 1.3)
        self.assertIsNone(noise([Interval(0.9, 1.1), None]))
        self.assertIsNone(noise([]))
        self.assertTrue(Interval(0.7, 0.79).is_outside(1.25))
        self.assertFalse(Interval(0.7, 0.81).is_outside(1.25))
        self.assertTrue(Interval(1.26, 1.5).is_outside(1.25))


class Ranks(unittest.TestCase):
    def test_who_is_not_told_apart_shares_a_rank(self) -> None:
        values = {"a": 1.0, "b": 1.04, "c": 1.08, "d": 1.2}
        found = ranks(list(values), lambda better, worse: values[worse] / values[better] > 1.05)
        # b is level with c, and c is not level with a.
        self.assertEqual(found, {"a": 1, "b": 1, "c": 3, "d": 4})


def subject(name: str, kind: str = "peer") -> Subject:
    return Subject(name, name, (name,), name, kind=kind)


class Tables(unittest.TestCase):
    """A reference, one that costs the same, one that costs a tenth more; each round has a speed of its own."""

    work = Work("work", "Work", "", "message", [subject("floor", "floor"), subject("same"), subject("dear")], open)
    subjects = with_twins(work, work.subjects)

    def rounds(self, count: int, spread: float) -> list[dict[str, Measurement]]:
        source = random.Random(17)
        result = []
        for _ in range(count):
            speed = source.uniform(1, 3)
            costs = {"floor": 100, "floor-twin": 100, "same": 100, "dear": 110}
            result.append({name: Measurement(1, cpu_ns=cost * speed * math.exp(source.gauss(0, spread)))
                           for name, cost in costs.items()})
        return result

    def ranked(self, rounds: list[dict[str, Measurement]]) -> dict[str, int | None]:
        return {row.subject.name: row.rank for row in rows(self.work, self.subjects, rounds, {})}

    def test_a_quiet_machine_tells_a_tenth_apart(self) -> None:
        self.assertEqual(self.ranked(self.rounds(12, 0.01)), {"floor": 1, "floor-twin": None, "same": 1, "dear": 3})

    def test_a_noisy_one_does_not(self) -> None:
        self.assertEqual(set(self.ranked(self.rounds(12, 0.3)).values()), {1, None})

    def test_few_rounds_rank_nothing(self) -> None:
        self.assertEqual(set(self.ranked(self.rounds(5, 0.001)).values()), {None})
        self.assertIsNone(noise_of(self.work, self.subjects, self.rounds(5, 0.001)))

    def test_patience_ends_when_all_is_known_well_enough(self) -> None:
        patience = Patience(3, width=0.05, limit=60)
        self.assertFalse(patience.is_over(self.work, self.subjects, self.rounds(5, 0.001), 1))
        self.assertTrue(patience.is_over(self.work, self.subjects, self.rounds(6, 0.001), 1))
        self.assertFalse(patience.is_over(self.work, self.subjects, self.rounds(12, 0.3), 59))
        self.assertTrue(patience.is_over(self.work, self.subjects, self.rounds(12, 0.3), 60))
        self.assertTrue(Patience(3).is_over(self.work, self.subjects, self.rounds(3, 0.3), 1))

    def test_a_subject_that_failed_does_not_keep_others_from_their_end(self) -> None:
        measured = self.rounds(8, 0.001)
        for each in measured:
            del each["same"]
        found = widest(self.work, self.subjects, measured)
        assert found is not None
        self.assertLess(found, 0.05)


if __name__ == "__main__":
    unittest.main()
