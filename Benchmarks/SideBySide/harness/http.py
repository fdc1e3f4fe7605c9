"""HTTP servers: SwiftNIO's handlers on its own loops and on ours, Hummingbird, gRPC, hyper, Go's net/http.

The first subject of each work is SwiftNIO as it comes. The load is h2load, which speaks both versions of HTTP; it runs
anew for each slice, so a slice has its connections' beginning as well. Idle connections are this process's own.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .bench import LOAD_CORES, Bench
from .certificate import certificate
from .model import MEMORY, RATE, Failure, Measurement, Session, Subject, Work
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


def _hyper(size: int) -> Subject:
    return Subject("hyper", "hyper", ("hyper_http", str(size), "{port}"), "hyper")


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


class Idle:
    """A server that is up. A slice is so many connections that ask once and stay; a first one has warmed the server."""

    def __init__(self, process: int, port: int, connections: int) -> None:
        self.process, self.port, self.connections = process, port, connections

    def measure(self, seconds: float) -> Measurement:
        with contextlib.ExitStack() as stack:
            self._ask(stack.enter_context(self._connect()), 5000)
        before = self._settled()
        with contextlib.ExitStack() as stack:
            for _ in range(self.connections):
                self._ask(stack.enter_context(self._connect()), 1)
            added = self._settled() - before
        return Measurement(self.connections, others={MEMORY.key: max(0, added) / self.connections})

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    @staticmethod
    def _ask(connection: socket.socket, count: int) -> None:
        for _ in range(count):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if not head.startswith(b"HTTP/1.1 200") or length is None or len(body) != int(length.group(1)):
                raise Failure(f"not an answer in one piece: {head[:80]!r}")

    def _settled(self) -> int:
        """Resident bytes, when what is under way has ended."""
        time.sleep(0.3)
        found = re.search(r"Rss: +(\d+)", Path(f"/proc/{self.process}/smaps_rollup").read_text())
        assert found
        return int(found.group(1)) * 1024


@contextlib.contextmanager
def open_http(bench: Bench, work: Work, subject: Subject) -> Iterator[Session]:
    """A server, its certificate if it wants one, and the load of its work."""
    check_descriptors(bench, work)
    names: dict[str, object] = {"port": bench.free_port(), "message": bench.logs / "message.bin"}
    Path(str(names["message"])).write_bytes(GRPC_MESSAGE)
    if work.options["tls"]:
        names["chain"], names["key"] = certificate(bench)
    log = f"{work.name}-{subject.name}"
    with bench.running([word.format(**names) for word in subject.command], log=log) as child:
        wait_until_up(bench, child, int(str(names["port"])), log)
        if work.figure is MEMORY:
            yield Idle(child.pid, int(str(names["port"])), int(str(work.options["connections"])))
            return
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


def _idle(name: str, title: str, subjects: Sequence[Subject]) -> Work:
    return Work(
        name=f"http-{name}", title=f"HTTP: {title}, 2,000 idle connections: memory of each",
        about="Resident bytes that 2,000 connections added which asked once each, divided by them.", unit="connection",
        subjects=subjects, open=open_http, figure=MEMORY, absolute=True, fresh=True, rounds=2, sets=FULL,
        options={"connections": 2000, "tls": False})


def works() -> list[Work]:
    one = "One request and its answer. Each connection has one on its way."
    return [
        *(_work(f"{short}-c{connections}", f"{title}, {connections:,} connections", one,
                (*_channels(1, size), _hyper(size), _go(size)), connections, ("--h1",))
          for size, short, title in ((13, "hello", "HTTP/1, 13 bytes"), (10_240, "10k", "HTTP/1, 10 KiB"))
          for connections in (64, 1000)),
        _work("tls-c64", "HTTP/1 over TLS, 13 bytes, 64 connections", one,
              (*_channels(1, 13, *CERTIFICATE), _go(13, *CERTIFICATE)), 64, ("--h1",), tls=True),
        _work("h2-c64", "HTTP/2 over TLS, 13 bytes, 64 connections with 8 streams each",
              "One request and its answer. Each connection has eight on their way.",
              (*_channels(2, 13, *CERTIFICATE), _go(13, *CERTIFICATE)), 64, ("-m", "8"), tls=True),
        _idle("idle-2k", "HTTP/1", (*_channels(1, 13), _hyper(13), _go(13))),
        _idle("hummingbird-idle-2k", "Hummingbird", HUMMINGBIRD),
        _work("hummingbird-c64", "Hummingbird's hello, 64 connections", one, HUMMINGBIRD, 64, ("--h1",)),
        _work("grpc-c64", "gRPC, unary echo of 64 bytes, 64 connections with 8 streams each",
              "One call. Each connection has eight on their way.", GRPC, 64, ("-m", "8", *GRPC_HEADERS),
              path="/echo.Echo/Unary"),
    ]
