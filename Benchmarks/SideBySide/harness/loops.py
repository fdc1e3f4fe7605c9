"""Many loops: two loops on two cores beside one loop that may use both.

With two cores the load has none of its own, so throughput says little; what a message costs in CPU time is the figure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .bench import LOAD_CORES, SERVER_CORES, Bench
from .model import RATE, Subject, Work
from .servers import Driven, serving
from .sets import FULL
from .subjects import asyncio_echo

CORES = (*SERVER_CORES, *LOAD_CORES)


def _subject(loop: str, count: int) -> Subject:
    more = ("--loops", str(count)) if count > 1 else ()
    return asyncio_echo(loop, "streams", *more, name=f"asyncio-{loop}-loops{count}",
                        title=f"AsyncIO {loop}, {'1 loop' if count == 1 else f'{count} loops'}")


@contextlib.contextmanager
def open_on_all_cores(bench: Bench, work: Work, subject: Subject) -> Iterator[Driven]:
    with serving(bench, subject, f"{work.name}-{subject.name}", cores=CORES) as (child, port):
        yield Driven(bench, child, port, work.options)


def works() -> list[Work]:
    return [
        Work(
            name=f"loops-{loop}", title=f"Two loops on two cores, {loop}: echo of 64 bytes, 64 connections",
            about="One message to the server and back. The load shares the cores with the server.",
            unit="message", subjects=(_subject(loop, 1), _subject(loop, 2)), open=open_on_all_cores, columns=(RATE,),
            cores="server on cores 0 and 1, load on core 1", sets=FULL,
            options={"mode": "echo", "size": 64, "connections": 64})
        for loop in ("selector", "proactor")
    ]
