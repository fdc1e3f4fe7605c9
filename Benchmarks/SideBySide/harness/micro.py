"""The micro works: what a loop does besides bytes, one program run for each measurement.

A micro program takes `WORK N`, does the work once unmeasured and once measured, and prints what the second run took.
Here a subject's command ends with the name of the work as the subject knows it; the count is added.

Traps:
- Costs are linear in the count except where `about` says otherwise, so slow subjects get a smaller one. SwiftNIO's
  timers are an exception: cancelling one costs a scan of all, so what it is given flatters it.
- The first subject is the floor that promises what loops promise: to look at the kernel between two callbacks, to keep
  deadlines to the nanosecond. The cheaper floor beside it shows what giving that promise up would save.
- Where threads or processes meet, CPU is shared out by the scheduler as it likes, so the wall clock counts there; with
  everybody on one core it is the steadiest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from .bench import LOAD_CORES, SERVER_CORES, Bench
from .model import CPU, P50, P99, WALL, Failure, Figure, Measurement, NotOffered, Subject, Work
from .servers import explanation
from .sets import FULL, QUICK

FLOOR = Subject("floor", "bare C", ("floor_micro",), "floors", kind="floor")
SELECTOR = Subject("asyncio-selector", "AsyncIO selector", ("micro", "--loop", "selector"), "micro", kind="ours")
PROACTOR = Subject("asyncio-proactor", "AsyncIO proactor", ("micro", "--loop", "proactor"), "micro", kind="ours")
SCOPE = Subject("asyncio-scope", "AsyncIO selector, scope", ("micro", "--loop", "selector", "--extent", "scope"),
                "micro", kind="ours")
LIBUV = Subject("libuv", "libuv", ("libuv_micro",), "libuv")
TOKIO = Subject("tokio", "tokio", ("tokio_micro",), "tokio")
GO = Subject("go", "Go", ("go_micro",), "go")
NIO = Subject("nio", "SwiftNIO", ("nio_micro",), "nio")
SWIFT = Subject("swift", "Swift's own pool", ("swift_micro",), "swift")
RUNTIME = Subject("runtime", "Swift's runtime, a queue as executor", ("swift_suspend",), "swift")
UVLOOP = Subject("uvloop", "uvloop (Python)", ("uvloop_micro", "uvloop"), "uvloop")
PYTHON = Subject("python", "asyncio (Python)", ("uvloop_micro", "asyncio"), "uvloop")

# Those that have callbacks, timers and threads that post.
LOOPS = (SELECTOR, PROACTOR, LIBUV, TOKIO, GO, NIO, UVLOOP, PYTHON)
TASKS = (SELECTOR, PROACTOR, SCOPE, TOKIO, GO, NIO, UVLOOP, PYTHON)

LIMIT = 300.0  # seconds that one program may take


def operations(work: str, count: int) -> float:
    """How many operations a program does in all: its warm-up is a tenth of the count, or all of it."""
    return count * (2 if work in ("timer_cancel", "timer_fire") else 1.1)


def variant(subject: Subject, suffix: str, title: str, work: str) -> Subject:
    """The same program with a work of another name, and its own line in the table."""
    return dataclasses.replace(
        subject, name=f"{subject.name}-{suffix}", title=f"{subject.title}, {title}", options={"work": work})


def _doing(work: str, subjects: Sequence[Subject], count: int, fewer: Mapping[str, int]) -> list[Subject]:
    """The subjects with their commands complete, and how often they do it."""
    return [dataclasses.replace(subject, command=(*subject.command, str(subject.options.get("work", work))),
                                options={"count": fewer.get(subject.name, count)}) for subject in subjects]


def _slow(count: int, by: int = 5) -> dict[str, int]:
    """Python is slow."""
    return {UVLOOP.name: count // by, PYTHON.name: count // by}


def _work(name: str, title: str, about: str, unit: str, count: int, subjects: Sequence[Subject], *,
          fewer: Mapping[str, int] | None = None, figure: Figure = CPU, sets: frozenset[str] = FULL,
          cores: tuple[int, ...] = SERVER_CORES, rounds: int | None = None) -> Work:
    return Work(
        name=name.replace("_", "-"), title=title, about=about, unit=unit, amount=f"{count:,}",
        subjects=_doing(name, subjects, count, {**_slow(count), **(fewer or {})}),
        open=open_program, figure=figure, columns=(WALL if figure is CPU else CPU,), sets=sets, rounds=rounds,
        cores="all on core 0" if cores == SERVER_CORES else "loop on core 0, threads on core 1",
        options={"cores": cores})


# --- sessions


class Program:
    """A program that is run once for each measurement."""

    def __init__(self, bench: Bench, work: Work, subject: Subject) -> None:
        self.bench, self.work, self.subject = bench, work, subject

    def measure(self, _: float) -> Measurement:
        command = [*self.subject.command, str(self.subject.options["count"])]
        status, printed = self.bench.output(command, self.work.options["cores"], LIMIT, log=log_of(self.subject))
        return measurement_of(status, printed)


@contextlib.contextmanager
def open_program(bench: Bench, work: Work, subject: Subject) -> Iterator[Program]:
    yield Program(bench, work, subject)


def log_of(subject: Subject) -> str:
    return f"micro-{subject.name}"


def measurement_of(status: int, printed: str, **others: float) -> Measurement:
    """What a micro program has said."""
    if status == 2:
        raise NotOffered("not offered")
    if status != 0:
        raise Failure(f"ended with status {status}")
    try:
        values = json.loads(printed.splitlines()[-1])
        return Measurement(values["ops"], values["wall_ns"], values.get("cpu_ns"), others)
    except (ValueError, KeyError, IndexError):
        raise Failure(f"printed no result: {printed.strip()[-100:]!r}") from None


class DatagramServer:
    """A server for as many datagrams as a client sends, then its end."""

    def __init__(self, bench: Bench, work: Work, subject: Subject) -> None:
        self.bench, self.subject = bench, subject
        self.client_core = int(str(work.options["client_core"]))

    def measure(self, _: float) -> Measurement:
        port, count = str(self.bench.free_port()), str(self.subject.options["count"])
        server = self.bench.start([*self.subject.command, count, port], SERVER_CORES, log_of(self.subject),
                                  stdout=subprocess.PIPE)
        try:
            self._wait_until_ready(server)
            status, printed = self.bench.output(["load_udp", port, count, str(self.client_core)], (self.client_core,),
                                                LIMIT, log="load")
            if status != 0:
                raise Failure(explanation(printed) or f"the client ended with status {status}")
            told, _ = server.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            raise Failure("it did not end behind its last datagram") from None
        finally:
            self.bench.end([server])
        seen = json.loads(printed)
        result = measurement_of(server.returncode, told, p50_ns=seen["p50_ns"], p99_ns=seen["p99_ns"])
        return dataclasses.replace(result, wall_ns=seen["wall_ns"])

    @staticmethod
    def _wait_until_ready(server: subprocess.Popen[str]) -> None:
        assert server.stdout is not None
        there, _, _ = select.select([server.stdout], [], [], 15)
        line = server.stdout.readline().strip() if there else ""
        if line == "ready":
            return
        if there and not line and server.wait(5) == 2:
            raise NotOffered("not offered")
        raise Failure(f"said {line!r} and not that it is ready")


@contextlib.contextmanager
def open_datagrams(bench: Bench, work: Work, subject: Subject) -> Iterator[DatagramServer]:
    yield DatagramServer(bench, work, subject)


# --- the works


def _dispatch() -> list[Work]:
    polling = variant(FLOOR, "poll", "polls each time", "chain_poll")
    seldom = variant(FLOOR, "seldom", "polls one time in 61", "chain")
    return [
        _work("chain", "Callbacks: each schedules the next one",
              "One callback that schedules the next. libuv, uvloop, asyncio and AsyncIO look at the kernel between two "
              "callbacks; tokio does in one of 61, SwiftNIO never, so a chain keeps its descriptors waiting.",
              "callback", 1_000_000, (polling, seldom, *LOOPS), sets=QUICK),
        _work("batch", "Callbacks: 1,000 queued in a turn",
              "One of a thousand empty callbacks, queued by one that also queues itself. libuv has no callbacks to "
              "queue: it restarts handles that exist.",
              "callback", 2_000_000, (FLOOR, *LOOPS), sets=QUICK),
    ]


def _wakes() -> list[Work]:
    both = (*SERVER_CORES, *LOAD_CORES)
    spawning = {threads: variant(TOKIO, "spawn", "spawned tasks", f"burst{threads}_spawn") for threads in (1, 4)}

    def posting(threads: int) -> tuple[Subject, ...]:
        return tuple(variant(loop, "post", "without a handle", f"burst{threads}_post") for loop in (SELECTOR, PROACTOR))

    return [
        _work("pingpong_same", "Wakes: a thread of the same core posts, and is answered",
              "A post to a loop that sleeps, and the write of its callback that wakes the thread.",
              "round trip", 50_000, (FLOOR, *LOOPS), figure=WALL, sets=QUICK, fewer=_slow(50_000, 2)),
        _work("pingpong", "Wakes: a thread of another core posts, and is answered",
              "As pingpong-same, over two cores: the CPU counts, for the time is that of the cores' own waking.",
              "round trip", 50_000, (FLOOR, *LOOPS), cores=both, fewer=_slow(50_000, 2), rounds=7),
        _work("burst1", "Posts of one thread, as fast as it can",
              "One post, until the loop has run the last. Go's channel holds 1,024, so its thread has to wait.",
              "post", 1_000_000, (FLOOR, SELECTOR, PROACTOR, *posting(1), LIBUV, TOKIO, spawning[1], GO, NIO, UVLOOP,
                                   PYTHON),
              figure=WALL, cores=both),
        _work("burst4", "Posts of four threads, as fast as they can",
              "As burst1, by four threads on one core: a thread that waits for a lock waits for one that does not run.",
              "post", 1_000_000, (FLOOR, SELECTOR, PROACTOR, *posting(4), LIBUV, TOKIO, spawning[4], GO, NIO, UVLOOP,
                                   PYTHON),
              figure=WALL, cores=both, sets=QUICK, rounds=7),
    ]


def _timers() -> list[Work]:
    def floors(work: str) -> tuple[Subject, Subject]:
        return (variant(FLOOR, "heap", "heap of exact deadlines", f"{work}_heap"),
                variant(FLOOR, "wheel", "wheel of milliseconds", work))

    def tokens(work: str) -> tuple[Subject, ...]:
        return tuple(variant(loop, "token", "without objects", f"{work}_token") for loop in (SELECTOR, PROACTOR))

    million = 1_000_000
    return [
        _work("timer_cancel", "Timers: 1,000,000 set, then cancelled",
              "One timer, 1 to 3,600 seconds, set and cancelled. SwiftNIO scans for it: 10,000 here, ten times as many "
              "cost it nearly ten times as much each.",
              "timer", million, (*floors("timer_cancel"), *tokens("timer_cancel"), *LOOPS, SWIFT), sets=QUICK, rounds=7,
              fewer={NIO.name: 10_000, SWIFT.name: 100_000}),
        _work("timer_fire", "Timers: 1,000,000 set, until all have fired",
              "One timer, up to a second, set and fired.",
              "timer", million, (*floors("timer_fire"), *tokens("timer_fire"), *LOOPS, SWIFT), rounds=5,
              fewer={SWIFT.name: 100_000}),
        _work("timer_rearm", "Timers: one of 10,000 set anew",
              "One of 10,000 timers at random set to 30 seconds from now, 1,000 of them a turn.",
              "timer", million, (*floors("timer_rearm"), *tokens("timer_rearm"), *LOOPS), sets=QUICK,
              fewer={NIO.name: 20_000}),
    ]


def _tasks() -> list[Work]:
    def on_actor(work: str) -> Subject:
        return variant(NIO, "actor", "actor on the loop", f"{work}_actor")

    return [
        _work("spawn", "Tasks: one made and awaited",
              "A task that returns at once, made and awaited by another. Of bare C: a piece of memory and two trips "
              "through the queue.",
              "task", 300_000, (SWIFT, FLOOR, *TASKS, on_actor("spawn")), sets=QUICK, fewer={"nio-actor": 50_000}),
        _work("suspend", "Tasks: one of 100 suspended, and all resumed",
              "What a message over streams takes of the runtime. Of Swift's runtime alone, without a loop: an array of "
              "jobs as the executor of the process, as what tasks prefer, and as an actor's.",
              "resumption", 1_000_000,
              (RUNTIME, variant(RUNTIME, "preference", "preferred", "suspend_preference"),
               variant(RUNTIME, "actor", "an actor's", "suspend_actor"), SELECTOR, PROACTOR, SCOPE)),
        _work("yield", "Tasks: one gives way", "One task that gives way to others, of which there are none.",
              "yield", 1_000_000, (SWIFT, RUNTIME, FLOOR, *TASKS, on_actor("yield")), fewer={"nio-actor": 50_000}),
        _work("continuation", "Tasks: suspended, and resumed by a callback",
              "A task that waits for a callback of the next turn; for another task where there are no callbacks.",
              "resumption", 500_000, (SWIFT, FLOOR, *TASKS)),
        _work("actor", "Tasks: a call of an actor, and back", "A call that nobody else is in the way of.",
              "call", 5_000_000, (SWIFT, SELECTOR, PROACTOR, SCOPE)),
        _work("sleep", "Tasks: a sleep of no time", "Takes one turn of a loop.",
              "sleep", 300_000, (SWIFT, FLOOR, SELECTOR, PROACTOR, SCOPE, UVLOOP, PYTHON)),
    ]


def _others() -> list[Work]:
    return [
        _work("process", "Child processes: /bin/true",
              "One child process from its start to its status, with inherited descriptors.",
              "spawn", 100, (FLOOR, SELECTOR, PROACTOR, LIBUV, TOKIO, GO, SWIFT, UVLOOP, PYTHON), figure=WALL,
              sets=QUICK, fewer=_slow(100, 2)),
        _work("literal", "Names: the address of a literal",
              "getaddrinfo of 127.0.0.1, which needs no resolver; libuv and asyncio ask one in a thread anyway.",
              "look-up", 100_000, (FLOOR, SELECTOR, PROACTOR, LIBUV, TOKIO, GO, UVLOOP, PYTHON),
              fewer={LIBUV.name: 20_000, PYTHON.name: 10_000}),
    ]


def _datagrams() -> list[Work]:
    count = 50_000
    works = []
    for name, core, where in (("udp_same", SERVER_CORES[0], "the same core"), ("udp", LOAD_CORES[0], "another core")):
        protocols = [variant(loop, "protocol", "protocol", f"udp_protocol{name.removeprefix('udp')}")
                     for loop in (SELECTOR, PROACTOR)]
        subjects = (FLOOR, SELECTOR, PROACTOR, *protocols, LIBUV, TOKIO, GO, NIO, UVLOOP, PYTHON)
        work = _work(name, f"Datagrams: 64 bytes back to a client on {where}",
                     "The server's part of one round trip on one UDP socket.", "datagram", count, subjects,
                     sets=QUICK if name == "udp_same" else FULL, fewer={UVLOOP.name: count, PYTHON.name: count},
                     rounds=7)
        works.append(dataclasses.replace(
            work, open=open_datagrams, columns=(WALL, P50, P99), options={"client_core": core},
            cores=f"server on core {SERVER_CORES[0]}, client on core {core}"))
    return works


def works() -> list[Work]:
    return [*_dispatch(), *_wakes(), *_timers(), *_tasks(), *_others(), *_datagrams()]
