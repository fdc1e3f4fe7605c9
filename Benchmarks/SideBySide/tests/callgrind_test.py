#!/usr/bin/env python3
"""Tests of harness/callgrind.py, by a piece of what callgrind writes."""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.callgrind import allocations, counted  # noqa: E402
from harness.model import Failure  # noqa: E402

PROFILE = """\
# callgrind format
events: Ir

ob=(1) /bin/server
fl=(1) ???
fn=(1) serve
0 12
cob=(2) /lib/libc.so.6
cfn=(2) malloc
calls=3 0
0 300
cob=(2)
cfn=(3) memcpy
calls=7 0
0 70

ob=(3) /lib/libcrypto.so.3
fn=(4) CRYPTO_malloc
cfn=(2)
calls=40 0
0 4000
fn=(5) CRYPTO_zalloc
cfn=(6) calloc
calls=+2 0
0 9

ob=(1)
fn=(1)
cfn=(2)
calls=1 0
0 100
"""


class Allocations(unittest.TestCase):
    def test_calls_of_allocators_are_added_up_by_the_file_of_the_caller(self) -> None:
        found = allocations(PROFILE.splitlines(keepends=True))
        self.assertEqual(found, {"/bin/server": 4, "/lib/libcrypto.so.3": 42})

    def test_other_functions_and_an_empty_profile_count_nothing(self) -> None:
        self.assertEqual(allocations([]), {})
        self.assertEqual(allocations(["ob=(1) /bin/server", "cfn=(1) memcpy", "calls=5 0"]), {})


class Counts(unittest.TestCase):
    def test_numbers_go_by_the_names_of_their_events(self) -> None:
        said = "==7== Events    : Ir Dr I1mr\n==7== Collected : 900 400 12\n==7== \n"
        self.assertEqual(counted(said, "work"), {"Ir": 900, "Dr": 400, "I1mr": 12})

    def test_without_numbers_the_work_is_named(self) -> None:
        with self.assertRaisesRegex(Failure, "no count for work"):
            counted("==7== valgrind: Fatal error\n", "work")


if __name__ == "__main__":
    unittest.main()
