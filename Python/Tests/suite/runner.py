"""Runs the tests of a module in child processes: a new one behind each test that crashed or hung.

A child tells its steps in a file, which is read while it runs. A test that takes longer than the limit gets SIGABRT,
at which faulthandler prints the stacks of all threads, then SIGKILL, with all that it started.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

CHILD = pathlib.Path(__file__).resolve().parent / "child.py"
# How often the file of events is read, and how long a child has for its stacks.
PAUSE, DUMP = 0.02, 3
TAIL = 60
# The processes that run, for the end of this one.
LIVE = set()


@dataclasses.dataclass(frozen=True)
class Setting:
    """What runs: a suite on a loop in a Python; `prefix` and `paths` say where its modules are imported from.

    `python` is the version as it is asked for, such as 3.13, and `exact` the whole of it, such as 3.13.0.
    """

    suite: str
    python: str
    exact: str
    loop: str
    executable: str
    prefix: str
    paths: tuple
    only: tuple
    limit: float
    debug: bool

    def __str__(self):
        return f"{self.suite} {self.python} {self.loop}"


@dataclasses.dataclass
class Outcome:
    """What became of a test: passed, failed or skipped."""

    id: str
    outcome: str
    text: str = ""
    seconds: float = 0
    tries: int = 1


class Child:
    """One process, and what is known of it."""

    def __init__(self, setting, module, first, only):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="suite-"))
        self.limit = setting.limit
        self.events, self.output = self.home / "events", self.home / "output"
        self.events.touch()
        (self.home / "tmp").mkdir()
        self.outcomes, self.unread, self.next = [], b"", first
        self.running = self.last = None
        self.begun, self.done = False, False
        work = {
            "suite": setting.suite, "prefix": setting.prefix, "paths": setting.paths, "loop": setting.loop,
            "module": module, "first": first, "only": only, "events": str(self.events),
        }
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [setting.executable, *(["-X", "dev"] if setting.debug else []), "-X", "faulthandler", "-W", "ignore",
                 str(CHILD), json.dumps(work)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                cwd=self.home / "tmp", env=environment(self.home / "tmp", setting.debug))
        LIVE.add(self.process.pid)
        self.heard = time.monotonic()

    def read(self, file):
        """Takes in what was told since the last time."""
        lines = (self.unread + file.read()).split(b"\n")
        self.unread = lines.pop()
        for line in lines:
            self.take(json.loads(line))
            self.heard = time.monotonic()

    def take(self, event):
        kind = event["event"]
        self.begun = True
        if kind == "start":
            self.running, self.next = event, event["place"] + 1
        elif kind == "stop":
            seconds = event["time"] - self.running["time"]
            self.outcomes.append(Outcome(self.running["id"], event["outcome"], event["text"], seconds))
            self.running, self.last = None, self.running["id"]
        elif kind == "around":
            self.outcomes.append(Outcome(event["id"], event["outcome"], event["text"]))
        elif kind == "done":
            self.done = True

    def wait(self):
        """Returns how the process ended; None if it hung and had to be ended."""
        with open(self.events, "rb") as file:
            while self.process.poll() is None:
                self.read(file)
                if time.monotonic() - self.heard > self.limit:
                    self.abort()
                    self.read(file)
                    return None
                time.sleep(PAUSE)
            self.read(file)
        return self.process.returncode

    def abort(self):
        os.kill(self.process.pid, signal.SIGABRT)
        try:
            self.process.wait(DUMP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        """Ends what tests have left running."""
        end(self.process.pid)
        self.process.wait()
        LIVE.discard(self.process.pid)
        shutil.rmtree(self.home, ignore_errors=True)

    def accident(self, module, status):
        """The outcome for a process that did not come to a good end; None if it did."""
        if self.done and status == 0:
            return None
        if status is None:
            words = f"hung: nothing happened for {self.limit:g} s"
        elif status < 0:
            words = f"crashed: {signal.Signals(-status).name}"
        else:
            words = f"crashed: ended with status {status}"
        if self.running:
            name = self.running["id"]
        elif self.done:
            name = f"{module}.exit"
        else:
            name = f"{module}.between"
            words += f"; after {self.last or 'its start'}"
        said = self.output.read_text(errors="replace").splitlines()[-TAIL:]
        return Outcome(name, "failed", "\n".join([words, *said, words]))


def end(pid):
    """Ends a process and what it has started, which is in its session."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_all():
    for pid in list(LIVE):
        end(pid)


def environment(folder, debug):
    """The variables of a child: none that change what Python does, and no temporary files in common."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables |= {"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    if debug:
        variables["PYTHONMALLOC"] = "debug"
    return variables


def run_module(setting, module, only=None):
    """All outcomes of a module."""
    outcomes, first = [], 0
    only = setting.only if only is None else only
    while True:
        child = Child(setting, module, first, only)
        try:
            accident = child.accident(module, child.wait())
        finally:
            child.close()
        outcomes += child.outcomes + ([accident] if accident else [])
        # Without a step forward the next child would end in the same way.
        if accident is None or child.done or child.next == first:
            return outcomes
        first = child.next


def run_with_retries(setting, module, flaky, tries=3):
    """All outcomes of a module, after more attempts of tests that may fail at times."""
    outcomes = run_module(setting, module)
    for number, outcome in enumerate(outcomes):
        for attempt in range(2, tries + 1):
            if outcome.outcome != "failed" or not flaky(outcome.id):
                break
            again = [each for each in run_module(setting, module, [outcome.id]) if each.id == outcome.id]
            outcome = again[-1] if again else outcome
            outcome.tries = attempt
            outcomes[number] = outcome
    return outcomes
