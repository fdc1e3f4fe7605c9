"""The works over TCP: echo in several sizes, churn, idle connections, pipelined messages, open load."""

from __future__ import annotations

from .model import CPU, MAXIMUM, MEMORY, P50, P99, P999, RATE, Work
from .servers import open_server
from .subjects import ECHO
from .sets import FULL, QUICK

SIZES = {64: "64 bytes", 1024: "1 KiB", 16_384: "16 KiB", 1_048_576: "1 MiB"}
SHORT = {64: "64", 1024: "1k", 16_384: "16k", 1_048_576: "1m"}
CONNECTIONS = (1, 64, 1000)
IN_QUICK = {(64, 64), (64, 1000), (16_384, 64), (1_048_576, 1)}


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count:,} connections"


# A slice has to see each connection several times: (size, connections) with seconds, and rounds for the longest.
LEAST_SECONDS = {(64, 4000): 0.8, (64, 10_000): 2.0, (1_048_576, 64): 0.6, (1_048_576, 1000): 4.0}
MOST_ROUNDS = {(64, 10_000): 6, (1_048_576, 1000): 4}


def _echo(size: int, connections: int, sets: frozenset[str]) -> Work:
    return Work(
        name=f"echo-{SHORT[size]}-c{connections}",
        title=f"Echo of {SIZES[size]}, {_connections(connections)}",
        about="One message to the server and back. Closed loop: each connection has one message on its way.",
        unit="message", subjects=ECHO, open=open_server, columns=(RATE, P50, P99), sets=sets,
        least_seconds=LEAST_SECONDS.get((size, connections), 0), rounds=MOST_ROUNDS.get((size, connections)),
        options={"mode": "echo", "size": size, "connections": connections})


def works() -> list[Work]:
    result = [_echo(size, connections, QUICK if (size, connections) in IN_QUICK else FULL)
              for size in SIZES for connections in CONNECTIONS]
    result += [_echo(64, connections, FULL) for connections in (4000, 10_000)]
    result += [
        Work(
            name="pipelined-c64", title="Pipelined echo, 64 connections with 16 messages of 64 bytes each on their way",
            about="One message of 64 bytes; a server may answer many with one write.",
            unit="message", subjects=ECHO, open=open_server, columns=(RATE,), sets=FULL,
            options={"mode": "echo", "size": 64, "connections": 64, "depth": 16}),
        Work(
            name="churn", title="Churn: connect, exchange 64 bytes, reset",
            about="One connection from connect to reset (SO_LINGER 0), 64 of them at a time.",
            unit="connection", subjects=ECHO, open=open_server, columns=(RATE, P50, P99), sets=QUICK,
            options={"mode": "churn", "size": 64, "connections": 64}),
        Work(
            name="open-c64", title="Open loop: 20,000 messages of 64 bytes a second, 64 connections",
            about="One message, sent at its time whether or not the ones before it came back. Latency counts from the "
                  "time it was due, so a server that stalls pays for all that it kept waiting.",
            unit="message", subjects=ECHO, open=open_server, figure=P99, columns=(P50, P999, MAXIMUM, CPU), sets=QUICK,
            options={"mode": "open", "size": 64, "connections": 64, "rate": 20_000}),
        Work(
            name="idle-10k", title="10,000 idle connections: memory of each",
            about="Resident bytes that 10,000 connections added which echoed 64 bytes each, divided by them. The "
                  "kernel's part is not in it.",
            unit="connection", subjects=ECHO, open=open_server, figure=MEMORY, absolute=True, sets=FULL, fresh=True,
            rounds=3,
            options={"mode": "idle", "size": 64, "connections": 10_000, "active": 0}),
        Work(
            name="idle-10k-active", title="One active connection among 10,000 idle ones",
            about="One message of 64 bytes on the one connection that is active.",
            unit="message", subjects=ECHO, open=open_server, columns=(MEMORY, RATE, P50, P99), sets=FULL, fresh=True,
            rounds=3, options={"mode": "idle", "size": 64, "connections": 10_000, "active": 1}),
    ]
    return result
