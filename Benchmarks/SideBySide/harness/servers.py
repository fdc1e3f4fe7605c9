"""Echo servers that are kept up, and the load generator that drives them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping

from .bench import LOAD_CORES, SERVER_CORES, Bench
from .model import Failure, Measurement, NotOffered, Subject, Work

START_LIMIT = 15.0  # seconds; Python takes 0.1, anything takes long on a machine that is busy
LOAD = "load_tcp"
SPARE_DESCRIPTORS = 64  # what a server or the load has open besides its connections, at most


def wait_until_up(bench: Bench, child: subprocess.Popen[str], port: int, log: str) -> None:
    """Waits until someone listens on the port. An early end means that the subject has no such work."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        if child.poll() is not None:
            said = bench.last_line(log)
            reason = f"it ended with status {child.returncode} when it was started"
            raise NotOffered(f"{reason}: {said}" if said else reason)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise Failure(f"nobody listens on its port after {START_LIMIT:.0f} s")


@contextlib.contextmanager
def serving(bench: Bench, subject: Subject, log: str, port: int | None = None,
            cores: Iterable[int] = SERVER_CORES) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that is up: its process and its port."""
    port = port or bench.free_port()
    with bench.running([*subject.command, str(port)], cores, log) as child:
        wait_until_up(bench, child, port, log)
        yield child, port


class Driven:
    """A server that is up, and how the load of its work drives it."""

    def __init__(self, bench: Bench, child: subprocess.Popen[str], port: int, load: Mapping[str, object]) -> None:
        self.bench, self.child, self.port, self.load = bench, child, port, load

    def measure(self, seconds: float) -> Measurement:
        return run_load(self.bench, self.child, self.port, {"seconds": seconds, **self.load})


def run_load(bench: Bench, child: subprocess.Popen[str], port: int, load: Mapping[str, object]) -> Measurement:
    """One slice of load. `load` has `mode`, the load generator's arguments, and `program` if it is not load_tcp."""
    if child.poll() is not None:
        raise Failure(f"the server ended with status {child.returncode}")
    arguments = [f"{key}={value}" for key, value in load.items() if key not in ("mode", "program")]
    command = [str(load.get("program", LOAD)), str(load["mode"]), f"port={port}", f"pid={child.pid}", *arguments]
    status, printed = bench.output(command, LOAD_CORES, log="load")
    if status != 0:
        raise Failure(explanation(printed) or f"the load ended with status {status}")
    values = json.loads(printed)
    operations, wall, cpu = values.pop("ops"), values.pop("wall_ns"), values.pop("cpu_ns")
    if not operations:
        raise Failure("no operation was done in a slice")
    return Measurement(operations, wall, cpu, values)


def explanation(printed: str) -> str:
    """The load generator says in {"error": ...} what went wrong."""
    try:
        return str(json.loads(printed).get("error", ""))
    except ValueError:
        return printed.strip()[-200:]


def check_descriptors(bench: Bench, work: Work) -> None:
    """Raises NotOffered if a process may not have as many descriptors as the work's connections need."""
    needed = int(str(work.options["connections"])) + SPARE_DESCRIPTORS
    if needed > bench.file_limit:
        raise NotOffered(f"it needs {needed:,} descriptors, and a process may have {bench.file_limit:,} (ulimit -Hn)")


@contextlib.contextmanager
def open_server(bench: Bench, work: Work, subject: Subject) -> Iterator[Driven]:
    """`open` of a work whose subjects are echo servers; its options are the load's."""
    check_descriptors(bench, work)
    with serving(bench, subject, f"{work.name}-{subject.name}") as (child, port):
        yield Driven(bench, child, port, work.options)
