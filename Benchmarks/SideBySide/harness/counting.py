"""What a message costs in system calls and in user instructions: counts, which no noise of the machine changes.

Both count two runs of the load, a shorter and a longer one, and divide the difference by the difference of messages: so
start, connections and end are not in it.

Traps:
- System calls are counted by strace, which makes a server much slower than its load. So more connections are ready at a
  time than without it, and the calls that wait are shared by more messages. The floor is counted in the same way.
- Instructions are counted by callgrind, user space only, on a simulated processor. It knows no io_uring,
  and it gives up on Swift's debug information: a copy without it runs.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .bench import LOAD_CORES, Bench
from .model import CALLS, INSTRUCTIONS, Failure, Measurement, NotOffered, Subject, Work
from .servers import run_load, serving, wait_until_up
from .sets import FULL
from .subjects import ECHO

CONNECTIONS = 64
SHORT, LONG = 100, 300  # messages on each connection
MESSAGES = (LONG - SHORT) * CONNECTIONS


class _Server:
    """A server with a counter: what it counted is known after a run of the load of so many messages."""

    def measure(self, seconds: float) -> Measurement:
        counts = [self.count(messages) for messages in (SHORT, LONG)]
        return Measurement(MESSAGES, others={self.key: (counts[1] - counts[0]) / MESSAGES})


class _Traced(_Server):
    key = CALLS.key

    def __init__(self, bench: Bench, child: subprocess.Popen[str], port: int, table: Path) -> None:
        self.bench, self.child, self.port, self.table = bench, child, port, table

    def count(self, messages: int) -> int:
        command = ["strace", "-f", "-c", "-U", "name,calls", "-o", str(self.table), "-p", str(self.child.pid)]
        tracer = self.bench.start(command, LOAD_CORES, self.table.stem)
        try:
            _wait_for_tracer(self.child.pid, tracer)
            run_load(self.bench, self.child, self.port, _load(messages))
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
        finally:
            self.bench.end([tracer])
        total = re.search(r"^total +(\d+)$", self.table.read_text(), re.MULTILINE)
        if not total:
            raise Failure(f"strace gave no table, see {self.table}")
        return int(total.group(1))


def _wait_for_tracer(pid: int, tracer: subprocess.Popen[str]) -> None:
    for _ in range(200):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("TracerPid:") and int(line.split()[1]):
                return
        if tracer.poll() is not None:
            raise NotOffered("strace may not trace it here")
        time.sleep(0.02)
    raise Failure("strace did not attach")


def _load(messages: int) -> dict[str, object]:
    return {"mode": "echo", "size": 64, "connections": CONNECTIONS, "messages": messages}


@contextlib.contextmanager
def open_traced(bench: Bench, work: Work, subject: Subject) -> Iterator[_Traced]:
    log = f"{work.name}-{subject.name}"
    with serving(bench, subject, log) as (child, port):
        yield _Traced(bench, child, port, bench.logs / f"{log}.strace")


class _Simulated(_Server):
    key = INSTRUCTIONS.key

    def __init__(self, bench: Bench, program: Path, arguments: Sequence[str], log: str) -> None:
        self.bench, self.program, self.arguments, self.log = bench, program, arguments, log

    def count(self, messages: int) -> int:
        port = self.bench.free_port()
        said = self.bench.logs / f"{self.log}-{messages}.callgrind"
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={said}",
                   str(self.program), *self.arguments, str(port)]
        with self.bench.running(command, log=self.log) as child:
            wait_until_up(self.bench, child, port, self.log)
            run_load(self.bench, child, port, _load(messages))
        total = re.search(r"Collected : (\d+)", said.read_text())
        if not total:
            raise Failure(f"callgrind gave no count, see {said}")
        return int(total.group(1))


@contextlib.contextmanager
def open_simulated(bench: Bench, work: Work, subject: Subject) -> Iterator[_Simulated]:
    original, *arguments = bench.program(subject.command)
    log = f"{work.name}-{subject.name}"
    program = bench.logs / f"{log}.stripped"
    status, _ = bench.output(["strip", "--strip-debug", "-o", str(program), original])
    if status != 0:
        raise NotOffered(f"{original} cannot be stripped")
    try:
        yield _Simulated(bench, program, arguments, log)
    finally:
        program.unlink(missing_ok=True)


def _simulated(subject: Subject) -> bool:
    """Callgrind 3.19 does not survive Go and SwiftNIO, Python hides behind a script, and io_uring is unknown to it."""
    return subject.component not in ("go", "nio", "uvloop") and subject.name != "io_uring" and subject.floor is None


def works() -> list[Work]:
    return [
        Work(
            name="calls", title="System calls for a message: echo of 64 bytes, 64 connections",
            about="One message to the server and back; all system calls of all threads, counted by strace.",
            unit="message", subjects=ECHO, open=open_traced, figure=CALLS, absolute=True,
            amount=f"{MESSAGES:,}", sets=FULL, rounds=1, component="strace"),
        Work(
            name="instructions", title="User instructions for a message: echo of 64 bytes, 64 connections",
            about="One message to the server and back; user space only, counted by callgrind.",
            unit="message", subjects=[subject for subject in ECHO if _simulated(subject)], open=open_simulated,
            figure=INSTRUCTIONS, absolute=True, amount=f"{MESSAGES:,}", sets=FULL, rounds=1, fresh=True,
            component="valgrind"),
    ]
