"""The tests that are expected to fail, each with its reason, and the verdict on what became of a test.

    [[expected]]
    tests = ["test_events.EPollEventLoopTests.test_something"]   # module.Class.test
    suite = "uvloop"             # "cpython" unless it is said
    python = ["3.11", "3.13.0"]  # all versions unless it is said
    loop = ["proactor"]          # all loops unless it is said
    reason = "One that a maintainer of CPython would accept."
    retry = true                 # fails at times, with CPython's loop as well: it gets two more attempts
"""

import dataclasses
import tomllib

from interpreters import refuse

SUITES = ("cpython", "uvloop")
LOOPS = ("selector", "proactor", "stock")


@dataclasses.dataclass
class Entry:
    test: str
    reason: str
    suite: str = "cpython"
    python: tuple = ()
    loop: tuple = ()
    retry: bool = False
    seen: bool = False

    def applies(self, setting):
        return (
            self.suite == setting.suite
            and (not self.python or {setting.python, setting.exact} & set(self.python))
            and (not self.loop or setting.loop in self.loop)
        )

    def __str__(self):
        where = [self.suite, *self.python, *self.loop, *(["retry"] if self.retry else [])]
        return f"{self.test} ({', '.join(where)}): {self.reason}"


class Expectations:
    def __init__(self, path):
        self.entries = []
        try:
            table = tomllib.loads(path.read_text())
            for group in table.pop("expected", []):
                for test in group.pop("tests"):
                    self.entries.append(Entry(test, **group))
        except (OSError, TypeError, KeyError, AttributeError, tomllib.TOMLDecodeError) as error:
            refuse(f"{path}: cannot be read: {error!r}. Write it like this:\n\n{__doc__}")
        for entry in self.entries:
            if not entry.reason or entry.suite not in SUITES or set(entry.loop) - set(LOOPS):
                refuse(f"{path}: {entry.test} has no reason, or a suite or a loop that does not exist. Mend its entry.")
        if table:
            refuse(f"{path}: has {', '.join(table)}. Use only [[expected]].")

    def entry(self, setting, test):
        for entry in self.entries:
            if entry.test == test and entry.applies(setting):
                return entry
        return None

    def flaky(self, setting):
        """Which tests get more attempts."""
        def asks(test):
            entry = self.entry(setting, test)
            return entry is not None and entry.retry
        return asks

    def verdict(self, setting, outcome):
        """passed, skipped, failed, expected (a failure), or unexpected (a pass)."""
        if outcome.outcome == "skipped":
            return "skipped"
        entry = self.entry(setting, outcome.id)
        if entry:
            entry.seen = True
        if entry is None or entry.retry:
            return outcome.outcome
        return "expected" if outcome.outcome == "failed" else "unexpected"

    def stale(self, settings):
        """The entries of which no test ran, though all that they name did. For runs of all modules."""
        for entry in self.entries:
            ran = [setting for setting in settings if entry.applies(setting)]
            versions = {".".join(version.split(".")[:2]) for version in entry.python}
            whole = versions <= {setting.python for setting in ran} and set(entry.loop) <= {s.loop for s in ran}
            if ran and whole and not entry.seen:
                yield entry
