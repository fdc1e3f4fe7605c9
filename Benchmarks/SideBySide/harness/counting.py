"""What an operation costs in counts, which no noise of the machine changes: system calls, user instructions,
allocations, misses of simulated caches.

Each counts two runs, a shorter and a longer one, and divides the difference by the difference of operations: so start,
connections and end are not in it.

Traps:
- System calls are counted by strace, which makes a server much slower than its load. So more connections are ready at a
  time than without it, and the calls that wait are shared by more messages. The floor is counted in the same way.
- Everything else is counted by callgrind, see there. Its servers get their messages in lockstep, or else it would be a
  matter of speed how many connections share a turn.
- Works with a heap get fewer timers here than where they are timed, so its depth counts for less.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from . import callgrind, lockstep, micro
from .bench import LOAD_CORES, Bench
from .model import (ALLOCATIONS, CALLS, FIRST_MISSES, INSTRUCTIONS, LAST_MISSES, Failure, Measurement, NotOffered,
                    Subject, Work)
from .servers import run_load, serving, wait_until_up
from .sets import FULL
from .subjects import ECHO

CONNECTIONS = lockstep.CONNECTIONS
SIZES = {64: ("", "64 bytes"), 16_384: ("-16k", "16 KiB")}


# --- system calls

SHORT, LONG = 100, 300  # messages on each connection
MESSAGES = (LONG - SHORT) * CONNECTIONS


class _Traced:
    """A server that is up; strace joins it for a run of the load and tells what it saw."""

    def __init__(self, bench: Bench, child: subprocess.Popen[str], port: int, table: Path, size: int) -> None:
        self.bench, self.child, self.port, self.table, self.size = bench, child, port, table, size

    def measure(self, _: float) -> Measurement:
        short, long = (self._count(messages) for messages in (SHORT, LONG))
        return Measurement(MESSAGES, others={CALLS.key: (long - short) / MESSAGES})

    def _count(self, messages: int) -> int:
        command = ["strace", "-f", "-c", "-U", "name,calls", "-o", str(self.table), "-p", str(self.child.pid)]
        tracer = self.bench.start(command, LOAD_CORES, self.table.stem)
        load = {"mode": "echo", "size": self.size, "connections": CONNECTIONS, "messages": messages}
        try:
            _wait_for_tracer(self.child.pid, tracer)
            run_load(self.bench, self.child, self.port, load)
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


@contextlib.contextmanager
def open_traced(bench: Bench, work: Work, subject: Subject) -> Iterator[_Traced]:
    log = f"{work.name}-{subject.name}"
    with serving(bench, subject, log) as (child, port):
        yield _Traced(bench, child, port, bench.logs / f"{log}.strace", int(str(work.options["size"])))


# --- what callgrind counts

COLUMNS = (ALLOCATIONS, FIRST_MISSES, LAST_MISSES)
ALLOCATED = "allocations"  # beside callgrind's own names


class _Simulated:
    """A program that runs under callgrind, once for a short run and once for a run three times as long."""

    def __init__(self, bench: Bench, program: Path, subject: Subject, log: str) -> None:
        self.bench, self.program, self.log = bench, program, log
        self.arguments = subject.command[1:]

    def measure(self, _: float) -> Measurement:
        short, long = (self._counted(factor) for factor in (1, 3))
        operations = self.operations

        def each(*names: str) -> float:
            return sum(long[name] - short[name] for name in names) / operations

        return Measurement(operations, others={
            INSTRUCTIONS.key: each(callgrind.INSTRUCTIONS), ALLOCATIONS.key: each(ALLOCATED),
            FIRST_MISSES.key: each(*callgrind.FIRST_LEVEL), LAST_MISSES.key: each(*callgrind.LAST_LEVEL)})

    def _counted(self, factor: int) -> Counter[str]:
        said, profile = (self.bench.logs / f"{self.log}-{factor}.{what}" for what in ("callgrind", "profile"))
        try:
            self.run(factor, lambda *arguments: callgrind.command(
                self.bench, said, [str(self.program), *self.arguments, *arguments], profile, caches=True))
            result = callgrind.collected(said)
            result[ALLOCATED] = callgrind.allocations_in(profile).total()
            return result
        finally:
            profile.unlink(missing_ok=True)


class _SimulatedServer(_Simulated):
    ROUNDS = {64: 100, 16_384: 20}

    def __init__(self, bench: Bench, program: Path, subject: Subject, log: str, size: int) -> None:
        super().__init__(bench, program, subject, log)
        self.size, self.rounds = size, self.ROUNDS[size]
        self.operations = 2 * self.rounds * CONNECTIONS

    def run(self, factor, command) -> None:
        port = self.bench.free_port()
        with self.bench.running(command(str(port)), log=self.log) as child:
            wait_until_up(self.bench, child, port, self.log)
            lockstep.exchange(child.pid, port, self.rounds * factor, size=self.size)


class _SimulatedMicro(_Simulated):
    """The difference of the runs has the warm-up of the longer one in it, a part of the count or all of it."""

    def __init__(self, bench: Bench, program: Path, subject: Subject, log: str) -> None:
        super().__init__(bench, program, subject, log)
        self.count = int(str(subject.options["count"]))
        self.operations = 2 * micro.operations(str(subject.options["work"]), self.count)

    def run(self, factor, command) -> None:
        status, printed = self.bench.output(command(str(self.count * factor)), limit=micro.LIMIT, log=self.log)
        micro.measurement_of(status, printed)


@contextlib.contextmanager
def open_simulated(bench: Bench, work: Work, subject: Subject) -> Iterator[_Simulated]:
    log = f"{work.name}-{subject.name}"
    with callgrind.stripped(bench, bench.program(subject.command)[0], log) as program:
        if "count" in subject.options:
            yield _SimulatedMicro(bench, program, subject, log)
        else:
            yield _SimulatedServer(bench, program, subject, log, int(str(work.options["size"])))


def _is_simulated(subject: Subject) -> bool:
    """Callgrind 3.19 does not survive Go and SwiftNIO, Python hides behind a script, and io_uring is unknown to it."""
    return (subject.component not in ("go", "nio", "uvloop") and subject.floor != "io_uring"
            and not subject.name.startswith(("io_uring", "asyncio-proactor")))


# --- the works


def _echo(size: int) -> list[Work]:
    suffix, written = SIZES[size]
    rounds = _SimulatedServer.ROUNDS[size]
    return [
        Work(
            name=f"calls{suffix}", title=f"System calls for a message: echo of {written}, 64 connections",
            about="One message to the server and back; all system calls of all threads, counted by strace.",
            unit="message", subjects=ECHO, open=open_traced, figure=CALLS, absolute=True,
            amount=f"{MESSAGES:,}", sets=FULL, rounds=1, component="strace", options={"size": size}),
        Work(
            name=f"instructions{suffix}", title=f"User instructions for a message: echo of {written}, 64 connections",
            about="One message to the server and back; user space only, counted by callgrind.",
            unit="message", subjects=[subject for subject in ECHO if _is_simulated(subject)], open=open_simulated,
            figure=INSTRUCTIONS, columns=COLUMNS, absolute=True, amount=f"{2 * rounds * CONNECTIONS:,}", sets=FULL,
            rounds=1, fresh=True, component="valgrind", options={"size": size}),
    ]


# What starts processes or needs another beside it is not one program.
TIMED_ONLY = ("process", "udp", "udp-same", "pingpong", "pingpong-same")
FEWER = 100  # callgrind takes fifty times as long


def _counted(work: Work) -> Work:
    """A work of the micro programs, counted."""
    subjects = [
        dataclasses.replace(subject, options={"count": max(1000, int(str(subject.options["count"])) // FEWER),
                                              "work": work.name.replace("-", "_")})
        for subject in work.subjects if _is_simulated(subject)]
    return dataclasses.replace(
        work, name=f"count-{work.name}", title=f"{work.title}: counts", subjects=subjects, open=open_simulated,
        about=f"{work.about} Counted by callgrind, user space only.", figure=INSTRUCTIONS, columns=COLUMNS,
        absolute=True, rounds=1, fresh=True, sets=FULL, component="valgrind", cores="wherever there is room",
        amount=f"{subjects[0].options['count']:,}")


def works() -> list[Work]:
    echoes = [work for size in SIZES for work in _echo(size)]
    return echoes + [_counted(work) for work in micro.works() if work.name not in TIMED_ONLY]
