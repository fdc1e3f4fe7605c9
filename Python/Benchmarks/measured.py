"""The program that is measured, the same one for each loop.

    measured.py ROW LOOP

A row of callbacks waits for numbers on its standard input, does its work that many times and answers with the CPU
seconds it took. A row of servers prints its port and serves until it is killed; its CPU time is read from outside.
"""

import asyncio
import gc
import random
import socket
import sys
import time
from collections.abc import Callable

sys.dont_write_bytecode = True

from loops import new_loop  # noqa: E402

Loop = asyncio.AbstractEventLoop
BATCH = 1000
TIMERS = 5000  # that are due in one turn
SPREAD = 0.004  # seconds from the first of them to the last


def nothing() -> None:
    pass


def chain(loop: Loop, count: int) -> None:
    """Each callback schedules the next one, so each takes a turn of the loop."""
    left = count

    def link() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(link)
        else:
            loop.stop()

    loop.call_soon(link)
    loop.run_forever()


def batch(loop: Loop, count: int) -> None:
    """A thousand callbacks a turn, scheduled from a callback, in one run."""
    left = count // BATCH

    def schedule() -> None:
        nonlocal left
        if left == 0:
            return loop.stop()
        left -= 1
        for _ in range(BATCH):
            loop.call_soon(nothing)
        loop.call_soon(schedule)

    loop.call_soon(schedule)
    loop.run_forever()


def cancelled(loop: Loop, count: int) -> None:
    """Timeouts that did not happen: a thousand timers are set and cancelled, and the loop takes a turn."""

    def schedule() -> None:
        for handle in [loop.call_later(60, nothing) for _ in range(BATCH)]:
            handle.cancel()
        loop.call_soon(loop.stop)

    for _ in range(count // BATCH):
        loop.call_soon(schedule)
        loop.run_forever()


def fired(loop: Loop, count: int) -> float:
    """Timers that are set out of order, and all due when the loop looks, so that no loop waits between two of them.

    Until then the program computes, as caches would be cold after a sleep. The answer is the time that this took.
    """
    delays = [index / TIMERS * SPREAD for index in range(TIMERS)]
    random.Random(1).shuffle(delays)
    spent = 0.0

    def schedule() -> None:
        nonlocal spent
        for delay in delays:
            loop.call_later(delay, nothing)
        loop.call_later(SPREAD + 0.001, loop.stop)  # a millisecond later, as uvloop rounds to milliseconds
        due = time.monotonic() + SPREAD + 0.003
        begin = time.process_time()
        while time.monotonic() < due:
            pass
        spent += time.process_time() - begin

    for _ in range(count // TIMERS):
        loop.call_soon(schedule)
        loop.run_forever()
    return spent


def sleep0(loop: Loop, count: int) -> None:
    """A task that gives way, again and again."""

    async def yielding() -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    loop.run_until_complete(yielding())


# What a row answers is CPU time that is not its own.
CALLBACKS: dict[str, Callable[[Loop, int], float | None]] = {
    "chain": chain, "batch": batch, "cancelled": cancelled, "fired": fired, "sleep0": sleep0,
}  # fmt: skip


def answer(loop: Loop, row: str) -> None:
    """Does the row as often as each line of the standard input says."""
    work = CALLBACKS[row]
    for line in sys.stdin:
        count = int(line)
        begin = time.process_time()
        apart = work(loop, count) or 0.0
        print(time.process_time() - begin - apart, flush=True)


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.view = memoryview(bytearray(4096))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.view[:nbytes]))  # a copy, as a transport may keep what it cannot send yet


class DatagramEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(data, address)


async def echo_streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def application(scope: dict, receive: Callable, send: Callable) -> None:
    """Answers every request alike; the response is the smallest that has a body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def serve_http(listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(application, http="httptools", ws="none", lifespan="off", log_level="error",
                            access_log=False)  # fmt: skip
    await uvicorn.Server(config).serve(sockets=[listener])


async def start(row: str, listener: socket.socket) -> object:
    """Begins to serve. The answer has to be kept, as some loops close a server or a transport that nobody holds."""
    loop = asyncio.get_running_loop()
    if row == "uvicorn":
        return loop.create_task(serve_http(listener))
    if row == "datagrams":
        return await loop.create_datagram_endpoint(DatagramEcho, sock=listener)
    if row == "streams":
        return await asyncio.start_server(echo_streams, sock=listener)
    return await loop.create_server(BufferedEcho if row == "buffered" else Echo, sock=listener)


def serve(loop: Loop, row: str) -> None:
    """Serves on a port of the system's choice. The listener is this program's own, the same for each loop."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if row == "datagrams" else socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    if row != "datagrams":
        listener.listen(128)  # at once: uvicorn does not say when it does
    listener.setblocking(False)
    kept = loop.run_until_complete(start(row, listener))
    print(listener.getsockname()[1], flush=True)
    loop.run_forever()
    del kept


def main(row: str, name: str) -> None:
    loop = new_loop(name)
    asyncio.set_event_loop(loop)
    # A full collection looks at all that imports left behind, in some slices and not in others. Of these objects none
    # is garbage; what rows make afterwards is collected as ever.
    gc.collect()
    gc.freeze()
    (answer if row in CALLBACKS else serve)(loop, row)


if __name__ == "__main__":
    main(*sys.argv[1:])
