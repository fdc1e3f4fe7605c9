"""Busy loops: an echo server whose loop runs other callbacks as well, under an open load.

A loop is fair if it looks at its descriptors between two callbacks, however many are waiting. What clients see of it is
latency, and only an open load shows it: in a closed one they would wait and ask nothing.

Traps:
- A server of this kind computes all the time, and would take the core from the others: only one is up at a time.
- CPU time says nothing, as the callbacks take what is left. All compute for the same time of their own thread.
- Tasks take turns with callbacks: a message over streams waits for the callback that the loop is in when it comes, and
  for the one that is queued before its task. Over io_uring everyone's does, the floor's too: an answer goes to the
  kernel with the next look at it.
- In `busy-slow` one message in 25 is due while the loop stands still, so p99 is a matter of these: the floor's is some
  1.6 ms, and what is above that is what a server needed to catch up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .model import MAXIMUM, P50, P99, P999, Subject, Work
from .servers import open_server
from .sets import FULL, QUICK
from .subjects import EPOLL, IO_URING, PEERS

FLOORS = (dataclasses.replace(EPOLL, command=("floor_busy",)),
          dataclasses.replace(IO_URING, command=("floor_busy_io_uring",)))


def _ours(loop: str, api: str) -> Subject:
    return Subject(f"asyncio-{loop}-{api}", f"AsyncIO {loop}, {api}", ("busy", "--loop", loop, "--api", api), "busy",
                   kind="ours", floor=IO_URING.name if loop == "proactor" else None)


OURS = tuple(_ours(loop, api) for loop in ("selector", "proactor") for api in ("streams", "protocol"))

THEIRS = {peer.name: dataclasses.replace(peer, command=(f"{peer.name}_busy",))
          for peer in PEERS if peer.name in ("libuv", "tokio", "go", "nio")}


def _work(shape: str, title: str, about: str, sets: frozenset[str], peers: Sequence[str], least: float = 0) -> Work:
    subjects = [dataclasses.replace(subject, command=(*subject.command, shape))
                for subject in (*FLOORS, *OURS, *(THEIRS[name] for name in peers))]
    return Work(
        name=f"busy-{shape}", title=f"Open loop on a busy loop: {title}",
        about=f"One of 20,000 messages of 64 bytes a second, on 64 connections, from the time it was due. {about}",
        unit="message", subjects=subjects, open=open_server, figure=P99, columns=(P50, P999, MAXIMUM), sets=sets,
        fresh=True, least_seconds=least,
        options={"mode": "open", "size": 64, "connections": 64, "rate": 20_000})


def works() -> list[Work]:
    return [
        _work("hog", "callbacks of 20 µs without end",
              "A callback computes for 20 µs and schedules itself for the next turn, so one is always waiting. "
              "SwiftNIO runs its queue until it is empty, and never answers here.", QUICK, ("libuv", "tokio", "go")),
        _work("slow", "a callback of 2 ms every 50 ms",
              "A timer's callback computes for 2 ms; whatever comes meanwhile waits.", FULL, tuple(THEIRS), least=0.5),
    ]
