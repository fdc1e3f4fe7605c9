"""What drives the servers: blocking sockets in this process, which is not measured.

All connections get their request, then all answers are read. Server and load share one core and neither may interrupt
the other (see `slices.settle`), so a server finds every connection ready when it looks, and each loop finds as many.
"""

import socket
import struct
import time
from collections.abc import Callable

CONNECTIONS = 64
AT_A_TIME = 16  # connections of the churn
PAYLOAD = bytes(range(64))
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
LIMIT = struct.pack("ll", 20, 0)  # seconds; a limit of the kernel's spares the call to poll of Python's own


class WrongAnswer(Exception):
    """A server lost, mixed up or invented bytes."""


def connect(port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, LIMIT)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.connect(("127.0.0.1", port))
    return made


def expect(connection: socket.socket, answer: bytes) -> None:
    """Reads until the answer is complete. On loopback it mostly comes in one piece."""
    got = connection.recv(4096)
    while got != answer:
        more = connection.recv(4096) if answer.startswith(got) else b""
        if not more:
            raise WrongAnswer(f"{got[:80]!r} instead of {answer!r}")
        got += more


class Exchange:
    """Open connections that each have one message on its way."""

    def __init__(self, port: int, kind: int = socket.SOCK_STREAM) -> None:
        self.connections = [connect(port, kind) for _ in range(CONNECTIONS)]

    def drive(self, count: int) -> None:
        for _ in range(count // CONNECTIONS):
            for connection in self.connections:
                connection.send(PAYLOAD)
            for connection in self.connections:
                expect(connection, PAYLOAD)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


class Datagrams(Exchange):
    def __init__(self, port: int) -> None:
        super().__init__(port, socket.SOCK_DGRAM)


class Requests(Exchange):
    """Requests over connections that are kept. uvicorn sends head and body apart, and the head has a date."""

    def drive(self, count: int) -> None:
        for _ in range(count // CONNECTIONS):
            for connection in self.connections:
                connection.send(REQUEST)
            for connection in self.connections:
                got = connection.recv(4096)
                while not got.endswith(b"\r\n\r\nok"):
                    more = connection.recv(4096)
                    if not more:
                        raise WrongAnswer(f"the end after {got!r}")
                    got += more


class Churn:
    """Connects, exchanges one message and closes. The server's side closes at the end of what it reads."""

    def __init__(self, port: int) -> None:
        self.port = port

    def drive(self, count: int) -> None:
        for _ in range(count // AT_A_TIME):
            connections = [connect(self.port) for _ in range(AT_A_TIME)]
            for connection in connections:
                connection.send(PAYLOAD)
            for connection in connections:
                expect(connection, PAYLOAD)
                connection.shutdown(socket.SHUT_WR)
            for connection in connections:
                expect(connection, b"")
                connection.close()

    def close(self) -> None:
        pass


def resident(pid: int) -> float:
    """The kilobytes of a process that are in memory."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4


def idle_growth(pid: int, port: int, count: int) -> float:
    """The kilobytes that connections add, each of which echoed one message and does nothing now.

    A few come before, so that what the first of all costs is not counted. Afterwards all are closed.
    """
    held: list[socket.socket] = []

    def add(number: int) -> None:
        for _ in range(number):
            held.append(connect(port))
            held[-1].send(PAYLOAD)
            expect(held[-1], PAYLOAD)

    try:
        add(CONNECTIONS)
        time.sleep(0.05)
        before = resident(pid)
        add(count)
        time.sleep(0.05)
        return resident(pid) - before
    finally:
        for connection in held:
            connection.close()


LOADS: dict[str, Callable[[int], Exchange | Churn]] = {
    "echo": Exchange, "buffered": Exchange, "streams": Exchange, "datagrams": Datagrams, "churn": Churn,
    "uvicorn": Requests,
}  # fmt: skip
