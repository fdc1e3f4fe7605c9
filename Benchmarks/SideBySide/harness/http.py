"""HTTP servers: SwiftNIO's handlers on its own loops and on ours, Hummingbird, gRPC, Go's net/http.

The first subject of each work is SwiftNIO as it comes. The load is h2load, which speaks both versions of HTTP; it runs
anew for each slice, so a slice has its connections' beginning as well.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .bench import LOAD_CORES, Bench
from .certificate import certificate
from .model import RATE, Failure, Measurement, Subject, Work
from .servers import check_descriptors, wait_until_up
from .sets import FULL

LOOPS = {"nio": "its own loop", "selector": "AsyncIO selector", "proactor": "AsyncIO proactor"}
CERTIFICATE = ("{chain}", "{key}")
DONE = re.compile(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored")


def _family(prefix: str, title: str, command: Sequence[str], component: str) -> tuple[Subject, ...]:
    """One program on each of the loops; `{loop}` in its command is the loop's name."""
    return tuple(
        Subject(f"{prefix}-{loop}", f"{title}, {name}", tuple(word.replace("{loop}", loop) for word in command),
                component, kind="peer" if loop == "nio" else "ours")
        for loop, name in LOOPS.items())


def _channels(version: int, size: int, *tls: str) -> tuple[Subject, ...]:
    command = ("channels_http", "{loop}", str(version), str(size), *tls, "{port}")
    return _family("handlers", "SwiftNIO's handlers", command, "channels")


def _go(size: int, *tls: str) -> Subject:
    return Subject("go-http", "Go, net/http", ("go_http", str(size), *tls, "{port}"), "go")


HUMMINGBIRD = _family(
    "hummingbird", "Hummingbird", ("hello-service", "--loop", "{loop}", "--port", "{port}"), "frameworks")
GRPC = _family(
    "grpc", "gRPC Swift", ("grpc-echo", "serve", "--loop", "{loop}", "--port", "{port}"), "frameworks")


def cpu_nanoseconds(process: int) -> int:
    """CPU time of a process's threads, those that have ended not counted."""
    total = 0
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((thread / "schedstat").read_text().split()[0])
    return total


class Loaded:
    """A server that is up, and h2load's arguments."""

    def __init__(self, bench: Bench, process: int, arguments: Sequence[str]) -> None:
        self.bench, self.process, self.arguments = bench, process, arguments

    def measure(self, seconds: float) -> Measurement:
        cpu, start = cpu_nanoseconds(self.process), time.monotonic_ns()
        status, printed = self.bench.output(
            ["h2load", "-D", f"{round(seconds * 1000)}ms", *self.arguments], LOAD_CORES, log="load")
        wall, cpu = time.monotonic_ns() - start, cpu_nanoseconds(self.process) - cpu
        found = DONE.search(printed)
        if status != 0 or found is None:
            raise Failure(f"h2load ended with status {status}: {printed.strip()[-150:]}")
        done, succeeded, failed, errored = map(int, found.groups())
        if not succeeded or failed or errored:
            raise Failure(f"of {done} requests {failed} failed and {errored} had errors")
        return Measurement(succeeded, wall, cpu)


@contextlib.contextmanager
def open_http(bench: Bench, work: Work, subject: Subject) -> Iterator[Loaded]:
    """A server, its certificate if it wants one, and the load of its work."""
    check_descriptors(bench, work)
    names: dict[str, object] = {"port": bench.free_port(), "message": bench.logs / "message.bin"}
    Path(str(names["message"])).write_bytes(GRPC_MESSAGE)
    if work.options["tls"]:
        names["chain"], names["key"] = certificate(bench)
    log = f"{work.name}-{subject.name}"
    with bench.running([word.format(**names) for word in subject.command], log=log) as child:
        wait_until_up(bench, child, int(str(names["port"])), log)
        scheme = "https" if work.options["tls"] else "http"
        load = [word.format(**names) for word in _words(work.options["load"])]
        yield Loaded(bench, child.pid, [*load, f"{scheme}://127.0.0.1:{names['port']}{work.options['path']}"])


def _words(load: object) -> Sequence[str]:
    assert isinstance(load, tuple)
    return load


# A call of gRPC: not compressed, 64 bytes.
GRPC_MESSAGE = b"\0" + (64).to_bytes(4, "big") + b"x" * 64
GRPC_HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers", "-d", "{message}")


def _work(name: str, title: str, about: str, subjects: Sequence[Subject], connections: int, load: Sequence[str],
          **more: object) -> Work:
    options: Mapping[str, object] = {
        "connections": connections, "tls": more.get("tls", False), "path": more.get("path", "/"),
        "load": ("-c", str(connections), "-t", "1", *load)}
    return Work(
        name=f"http-{name}", title=f"HTTP: {title}", about=about, unit="request", subjects=subjects, open=open_http,
        columns=(RATE,), sets=FULL, least_seconds=2 if connections > 100 else 1, options=options)


def works() -> list[Work]:
    one = "One request and its answer. Each connection has one on its way."
    return [
        *(_work(f"{short}-c{connections}", f"{title}, {connections:,} connections", one,
                (*_channels(1, size), _go(size)), connections, ("--h1",))
          for size, short, title in ((13, "hello", "HTTP/1, 13 bytes"), (10_240, "10k", "HTTP/1, 10 KiB"))
          for connections in (64, 1000)),
        _work("tls-c64", "HTTP/1 over TLS, 13 bytes, 64 connections", one,
              (*_channels(1, 13, *CERTIFICATE), _go(13, *CERTIFICATE)), 64, ("--h1",), tls=True),
        _work("h2-c64", "HTTP/2 over TLS, 13 bytes, 64 connections with 8 streams each",
              "One request and its answer. Each connection has eight on their way.",
              (*_channels(2, 13, *CERTIFICATE), _go(13, *CERTIFICATE)), 64, ("-m", "8"), tls=True),
        _work("hummingbird-c64", "Hummingbird's hello, 64 connections", one, HUMMINGBIRD, 64, ("--h1",)),
        _work("grpc-c64", "gRPC, unary echo of 64 bytes, 64 connections with 8 streams each",
              "One call. Each connection has eight on their way.", GRPC, 64, ("-m", "8", *GRPC_HEADERS),
              path="/echo.Echo/Unary"),
    ]
