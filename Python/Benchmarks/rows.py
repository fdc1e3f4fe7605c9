"""The rows of the table: what one operation is, how many are a slice, and how a contender takes part.

A contender is a process of one loop that is ready to work. `slice` of it lets it do a number of operations and says
what they cost: seconds of CPU, or kilobytes.
"""

import contextlib
import ctypes
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from load import LOADS, idle_growth
from loops import FIRST_LOOP, MODULES

MEASURED = Path(__file__).with_name("measured.py")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table. A slice has as many operations as take uvloop 10 to 20 ms."""

    name: str
    title: str
    kind: type["Contender"]
    count: int
    unit: str = "µs"
    scale: float = 1e6
    share: float = 1  # of the slices that are asked for; those of a whole process take long
    warm_up: bool = True


class Ended(Exception):
    """A process ended that should have worked on. What it had to say is on the standard error."""


class Contender(Protocol):
    def __init__(self, python: str, row: str, loop: str) -> None: ...
    def slice(self, count: int) -> float: ...
    def close(self) -> None: ...


def end_with_parent() -> None:
    """Runs in the child: however this program ends, its servers end as well."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A process of the measured program and the two pipes to it."""

    def __init__(self, python: str, row: str, loop: str) -> None:
        self.row, self.loop = row, loop
        self.child = subprocess.Popen([python, str(MEASURED), row, loop], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent)  # fmt: skip

    def line(self) -> str:
        said = self.child.stdout.readline()
        if not said:
            raise Ended(f"its process ended with status {self.child.wait()}")
        return said

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.stdout.close()


class Callbacks(Process):
    """Measures itself, as it alone knows when its work begins."""

    def slice(self, count: int) -> float:
        # A process that is gone is told from what it answers.
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write(f"{count}\n")
            self.child.stdin.flush()
        return float(self.line())


class Server(Process):
    """Is driven over sockets. The kernel's clock of the process counts all of its threads, in nanoseconds."""

    def __init__(self, python: str, row: str, loop: str) -> None:
        super().__init__(python, row, loop)
        self.clock = ~self.child.pid << 3 | 2  # what clock_getcpuclockid answers
        try:
            self.load = LOADS[row](int(self.line()))
        except Exception:
            super().close()
            raise

    def slice(self, count: int) -> float:
        begin = time.clock_gettime(self.clock)
        self.load.drive(count)
        return time.clock_gettime(self.clock) - begin

    def close(self) -> None:
        self.load.close()
        super().close()


class Idle:
    """A new process for each slice, as memory that was used once stays with its process."""

    def __init__(self, python: str, row: str, loop: str) -> None:
        self.python, self.loop = python, loop

    def slice(self, count: int) -> float:
        process = Process(self.python, "idle", self.loop)
        try:
            return idle_growth(process.child.pid, int(process.line()), count)
        finally:
            process.close()

    def close(self) -> None:
        pass


class Start:
    """A new process for each slice. What CPython and asyncio take to start is not in it: the clock is read twice."""

    def __init__(self, python: str, row: str, loop: str) -> None:
        clock = "time.process_time()"
        work = f"import {MODULES[loop]}; loop = {FIRST_LOOP[loop]}; loop.close()"
        self.command = [python, "-c", f"import asyncio, time; begin = {clock}; {work}; print({clock} - begin)"]

    def slice(self, count: int) -> float:
        return sum(self.once() for _ in range(count))

    def once(self) -> float:
        ran = subprocess.run(self.command, stdout=subprocess.PIPE, check=False)
        if ran.returncode:
            raise Ended(f"it ended with status {ran.returncode}")
        return float(ran.stdout)

    def close(self) -> None:
        pass


ROWS = [
    Row("echo", "echo of 64 B, protocol", Server, 4096),
    Row("buffered", "the same, buffered protocol", Server, 4096),
    Row("streams", "the same, streams", Server, 2048),
    Row("datagrams", "echo of datagrams of 64 B", Server, 4096),
    Row("churn", "connect, echo, close", Server, 640),
    Row("uvicorn", "HTTP request, uvicorn and httptools", Server, 768),
    Row("chain", "`call_soon` that schedules the next", Callbacks, 20_000),
    Row("batch", "`call_soon`, 1,000 a turn", Callbacks, 50_000),
    Row("cancelled", "`call_later` and cancel", Callbacks, 15_000),
    Row("fired", "`call_later` that fires", Callbacks, 15_000),
    Row("sleep0", "`sleep(0)`", Callbacks, 15_000),
    Row("idle", "memory of an idle connection", Idle, 2000, unit="kB", scale=1, share=0.2, warm_up=False),
    Row("start", "import and first loop", Start, 2, unit="ms", scale=1e3, share=0.7, warm_up=False),
]


def environment() -> None:
    """What all children inherit: strings hash alike, so dictionaries look alike; all descriptors may be used."""
    os.environ["PYTHONHASHSEED"] = "0"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.stdout.reconfigure(encoding="utf-8")
