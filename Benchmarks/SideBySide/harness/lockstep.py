"""An echo load in lockstep: what the server executes for a message does not depend on who is faster.

With a free-running load a fast server finds one connection ready at a time, a slow one many, and shares the cost of a
turn among them: callgrind's counts then differ by 10 % from run to run. Here the server is stopped while a round's
messages are sent, one on each connection, and finds all of them when it goes on.

Traps:
- A stop is seen by the server as an interrupted wait. It is stopped only when it sleeps, so that is one in each round.
- A signal is delivered when it is delivered; the stop is waited for.
- Over TLS the server's tickets come with the first answer. They are read then, by the way.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from .model import Failure

CONNECTIONS = 64
SIZE = 64  # bytes of a message
PATIENCE = 30.0  # seconds; callgrind makes everything fifty times as slow


def client_context(chain: Path) -> ssl.SSLContext:
    """TLS for the client of a server with the certificate: version 1.3."""
    context = ssl.create_default_context(cafile=str(chain))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def exchange(pid: int, port: int, rounds: int, tls: ssl.SSLContext | None = None, size: int = SIZE) -> None:
    """Sends and receives a message on each connection, so many times. The server is a child of this process."""
    message = b"x" * size
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(_connect(port, tls)) for _ in range(CONNECTIONS)]
        for _ in range(rounds):
            _wait_until_asleep(pid)
            with _stopped(pid):
                for connection in connections:
                    connection.sendall(message)
            _receive(connections, size)


def _connect(port: int, tls: ssl.SSLContext | None) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(connection, server_hostname="localhost") if tls else connection


def _wait_until_asleep(pid: int) -> None:
    status = Path(f"/proc/{pid}/stat")
    end = time.monotonic() + PATIENCE
    # The state is the first field behind the name, which is in parentheses and may have anything in it.
    while status.read_text().rpartition(")")[2].split()[0] != "S":
        if time.monotonic() > end:
            raise Failure(f"the server does not come to rest within {PATIENCE:.0f} s")


@contextlib.contextmanager
def _stopped(pid: int):
    os.kill(pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _receive(connections: Sequence[socket.socket], size: int) -> None:
    for connection in connections:
        left = size
        while left:
            received = connection.recv(left)
            if not received:
                raise Failure("the server closed a connection")
            left -= len(received)
