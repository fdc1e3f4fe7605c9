"""The tests of one module, in a process of its own: puts the loop in place, runs, and tells each step at once.

The one argument is JSON: see `Work` in runner.py. What is told goes to a file as lines of JSON. The file is open only
while a line is written, so that tests which count descriptors see what they would see without it.

The traps: a test may fork and come back here in both processes, so only the first process tells. Tests are named by
the module they were loaded from: a class that two modules share has two names.
"""

import asyncio
import fnmatch
import importlib
import json
import os
import re
import resource
import sys
import time
import traceback
import unittest

CLASSES = {"selector": "SelectorEventLoop", "proactor": "ProactorEventLoop"}


class Teller:
    """The file of events."""

    def __init__(self, path):
        self.path, self.owner = path, os.getpid()

    def __call__(self, event, **values):
        if os.getpid() != self.owner:
            return
        line = json.dumps({"event": event, "time": time.monotonic(), **values}) + "\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


class Result(unittest.TestResult):
    """Tells what becomes of each test; subtests count with their test."""

    def __init__(self, module, tell):
        super().__init__()
        self.module, self.tell = module, tell
        self.running = None

    def startTest(self, test):
        super().startTest(test)
        self.running, self.outcome, self.texts = test, "passed", []
        self.tell("start", place=test.place, id=named(self.module, test))

    def stopTest(self, test):
        super().stopTest(test)
        self.running = None
        self.tell("stop", outcome=self.outcome, text="\n".join(self.texts))

    def note(self, test, outcome, text):
        """A test failed or was skipped, or what surrounds tests was: setUpClass and its kind have no start and stop."""
        if self.running is None:
            self.tell("around", id=f"{self.module}.{around(test.id())}", outcome=outcome, text=text)
            return
        if self.outcome != "failed":
            self.outcome = outcome
        self.texts.append(text)

    def addError(self, test, error):
        self.note(test, "failed", self._exc_info_to_string(error, test))

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note(test, "failed", f"{subtest}\n{self._exc_info_to_string(error, subtest)}")

    def addSkip(self, test, reason):
        # A subtest that is skipped leaves its test as it is.
        if self.running in (None, test):
            self.note(test, "skipped", reason)

    def addExpectedFailure(self, test, error):
        pass

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "passes, and the suite itself expects it to fail")


def named(module, test):
    """The name of a test in reports and in lists."""
    return f"{module}.{type(test).__qualname__}.{test._testMethodName}"


def around(text):
    """`setUpClass (package.module.Class)` as `Class.setUpClass`."""
    match = re.fullmatch(r"(\w+) \((?:.*\.)?(\w+)\)", text)
    if not match:
        return text
    return f"{match[2]}.{match[1]}" if match[1].endswith("Class") else match[1]


def accepting_selectors(loop):
    """The class, which takes a selector as asyncio's does; a loop that has no use for one closes it."""
    if "selector" in loop.__init__.__code__.co_varnames:
        return loop

    class Loop(loop):
        def __init__(self, selector=None):
            if selector is not None:
                selector.close()
            super().__init__()

    return Loop


def place(name, hides):
    """Lets asyncio make loops of ours wherever it makes one of its own; `hides` names the class as asyncio's."""
    from asyncio import unix_events

    if name != "stock":
        import swift_asyncio

        loop = accepting_selectors(getattr(swift_asyncio, CLASSES[name]))
        if hides:
            # uvloop's tests ask the class of a loop for its module.
            loop.__module__ = "asyncio.swift"
        for module in (asyncio, unix_events):
            module.SelectorEventLoop = loop
            if hasattr(module, "EventLoop"):
                module.EventLoop = loop
        unix_events._UnixDefaultEventLoopPolicy._loop_factory = loop
    made = asyncio.new_event_loop()
    made.close()
    asyncio.set_event_loop_policy(None)
    if type(made) is not asyncio.SelectorEventLoop:
        sys.exit(f"asyncio makes {type(made)} and not {asyncio.SelectorEventLoop}")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.BaseTestSuite):
            yield from flat(test)
        else:
            yield test


def tests(work):
    """The tests of a module that are asked for, each with its place."""
    module = importlib.import_module(work["prefix"] + work["module"])
    found = list(flat(unittest.defaultTestLoader.loadTestsFromModule(module)))
    if work["suite"] == "uvloop":
        from uvloop._testbase import AIOTestCase

        found = [test for test in found if isinstance(test, AIOTestCase)]
    if work["only"]:
        names = [named(work["module"], test) for test in found]
        patterns = [end for pattern in work["only"] for end in (pattern, f"{pattern}.*")]
        found = [
            test for test, name in zip(found, names) if any(fnmatch.fnmatchcase(name, each) for each in patterns)
        ]
    for number, test in enumerate(found):
        test.place = number
    return found[work["first"]:]


def prepare(work):
    """What regrtest does for a process of tests, without resources such as the network."""
    # This folder is nothing to tests.
    del sys.path[0]
    sys.path[:0] = work["paths"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from test import support

    support.use_resources = []
    support.verbose = 0
    support.record_original_stdout(sys.stdout)


def main():
    work = json.loads(sys.argv[1])
    sys.argv[1:] = []
    tell = Teller(work["events"])
    prepare(work)
    place(work["loop"], hides=work["suite"] == "uvloop")
    try:
        chosen = tests(work)
    except unittest.SkipTest as reason:
        tell("around", id=f"{work['module']}.import", outcome="skipped", text=str(reason))
        chosen = []
    except Exception:
        tell("around", id=f"{work['module']}.import", outcome="failed", text=traceback.format_exc())
        chosen = []
    unittest.TestSuite(chosen).run(Result(work["module"], tell))
    tell("done")


if __name__ == "__main__":
    main()
