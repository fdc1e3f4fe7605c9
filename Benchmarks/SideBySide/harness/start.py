"""How long a server takes from its start to the first byte, and how large it is.

Both are about echo servers. Ours is `start_echo` (Benchmarks/Sources/Echo), a program without options: reading options
is not the loop's work. Swift programs are measured with Swift's libraries beside them and inside of them (static), and
ours also with the C library inside (wholly static, `-static-executable`): nothing is left to link at the start then.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .bench import LOAD_CORES, SERVER_CORES, Bench
from .model import WALL, Failure, Figure, Measurement, NotOffered, Quantity, Subject, Work
from .sets import FULL, QUICK
from .subjects import EPOLL, PEERS

STARTS = 20
BINARY = Figure("binary", "stripped", Quantity.SIZE)
LIBRARIES = Figure("libraries", "libraries", Quantity.SIZE)

OURS = (
    Subject("asyncio-whole", "AsyncIO, wholly static", ("start_echo_whole",), "start", kind="ours"),
    Subject("asyncio-static", "AsyncIO, static", ("start_echo_static",), "start", kind="ours"),
    Subject("asyncio-dynamic", "AsyncIO, dynamic", ("start_echo_dynamic",), "start", kind="ours"),
)
NIO_STATIC = Subject("nio-static", "SwiftNIO, static", ("start_nio_static",), "start")
SUBJECTS = (EPOLL, *OURS, *PEERS, NIO_STATIC)

# Every program has these.
C_LIBRARY = re.compile(r"/(libc|libm|libpthread|libdl|librt|libgcc_s)\.so")


def _free_ports(bench: Bench, count: int) -> int:
    """The first of so many ports in a row on which nobody listens."""
    while True:
        first = bench.free_port()
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(first, first + count):
                probe = probes.enter_context(socket.socket())
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return first


class Starting:
    """A server that is started anew for each of the times that are measured."""

    def __init__(self, bench: Bench, subject: Subject) -> None:
        self.bench, self.subject = bench, subject

    def measure(self, _: float) -> Measurement:
        command = self.bench.program(self.subject.command)
        status, printed = self.bench.output(
            ["load_start", str(_free_ports(self.bench, STARTS)), str(STARTS), *command],
            (*SERVER_CORES, *LOAD_CORES), log=f"start-{self.subject.name}")
        if status != 0:
            raise Failure("no answer; see the log")
        values = json.loads(printed)
        return Measurement(values["ops"], values["wall_ns"])


@contextlib.contextmanager
def open_start(bench: Bench, _: Work, subject: Subject) -> Iterator[Starting]:
    yield Starting(bench, subject)


class Sizes:
    """The file of a program without its symbols, and the libraries that come with it."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def measure(self, _: float) -> Measurement:
        with tempfile.TemporaryDirectory() as directory:
            copy = shutil.copy(self.program, directory)
            subprocess.run(["strip", copy], check=True)
            binary = Path(copy).stat().st_size
        linked = subprocess.run(["ldd", str(self.program)], capture_output=True, text=True).stdout
        libraries = sum(Path(path).resolve().stat().st_size for path in re.findall(r"=> (/\S+)", linked)
                        if not C_LIBRARY.search(path))
        return Measurement(1, others={BINARY.key: binary, LIBRARIES.key: libraries})


@contextlib.contextmanager
def open_sizes(bench: Bench, _: Work, subject: Subject) -> Iterator[Sizes]:
    program = Path(bench.program(subject.command)[0])
    with open(program, "rb") as file:
        if file.read(4) != b"\x7fELF":
            raise NotOffered("a script")
    yield Sizes(program)


def works() -> list[Work]:
    return [
        Work(name="start", title="Start: from the start of the program to the first byte echoed",
             about=f"One start, the median of {STARTS}; the client asks every 50 microseconds.",
             unit="start", subjects=SUBJECTS, open=open_start, figure=WALL, amount=str(STARTS), sets=QUICK, rounds=5,
             cores="server begins on core 0, client on core 1"),
        Work(name="size", title="Size: the echo server without symbols",
             about="Its file, and the shared libraries that have to come with it besides the C library's.",
             unit="program", subjects=SUBJECTS, open=open_sizes, figure=BINARY, absolute=True,
             columns=(LIBRARIES,), amount="1",
             sets=FULL, rounds=1, cores="none"),
    ]
