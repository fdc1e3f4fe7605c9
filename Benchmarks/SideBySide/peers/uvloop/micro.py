"""The micro works in Python: `micro.py [asyncio|uvloop] WORK N [PORT]`; uvloop is used if nothing is said.

- Callbacks are call_soon, posts call_soon_threadsafe, timers call_later, tasks create_task.
- A timer cannot be moved: timer_rearm cancels it and sets another one.
- Random numbers are made beforehand: their generator would cost more than the loop.
- What is measured for udp is a protocol object.
"""

import asyncio
import os
import random
import sys
import threading
import time
from collections.abc import Callable

NOT_OFFERED, USAGE = 2, 64
LOOP_CORE, OTHER_CORE = 0, 1
BATCH = 1000
LIVE = 10_000
SETS_PER_TURN = 1000


class Stopwatch:
    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic_ns(), time.process_time_ns()

    def report(self, operations: int) -> None:
        wall, cpu = time.monotonic_ns() - self.wall, time.process_time_ns() - self.cpu
        print(f'{{"ops":{operations},"wall_ns":{wall},"cpu_ns":{cpu}}}', flush=True)


def measure(work: Callable[[int], None], count: int, warm_up: int | None = None) -> None:
    work(warm_up or max(1, count // 10))
    stopwatch = Stopwatch()
    work(count)
    stopwatch.report(count)


def noop() -> None:
    pass


class Works:
    """A method for each work, of the same name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, port: int) -> None:
        self.loop, self.count, self.port = loop, count, port
        self.left = 0

    def count_down(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.loop.stop()

    def awaiting(self, body: Callable[[int], object], warm_up: int | None = None) -> None:
        measure(lambda count: self.loop.run_until_complete(body(count)), self.count, warm_up)

    # --- dispatch

    def chain(self) -> None:
        def link() -> None:
            self.left -= 1
            if self.left > 0:
                self.loop.call_soon(link)
            else:
                self.loop.stop()

        def some(count: int) -> None:
            self.left = count
            self.loop.call_soon(link)
            self.loop.run_forever()

        measure(some, self.count)

    def batch(self) -> None:
        def fill() -> None:
            if self.left <= 0:
                self.loop.stop()
                return
            self.left -= BATCH
            for _ in range(BATCH):
                self.loop.call_soon(noop)
            self.loop.call_soon(fill)

        def some(count: int) -> None:
            self.left = count
            self.loop.call_soon(fill)
            self.loop.run_forever()

        measure(some, self.count)

    # --- tasks

    def spawn(self) -> None:
        async def one() -> int:
            return 1

        async def some(count: int) -> None:
            for _ in range(count):
                await self.loop.create_task(one())

        self.awaiting(some)

    def yield_(self) -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.awaiting(some)

    sleep = yield_

    def continuation(self) -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                future = self.loop.create_future()
                self.loop.call_soon(future.set_result, None)
                await future

        self.awaiting(some)

    # --- wakes

    def _threads(self, producers: int, core: int, produce: Callable[[int], None]) -> None:
        def on_core(share: int) -> None:
            os.sched_setaffinity(0, {core})
            produce(share)

        def some(count: int) -> None:
            share = count // producers
            self.left = share * producers
            threads = [threading.Thread(target=on_core, args=(share,)) for _ in range(producers)]
            for thread in threads:
                thread.start()
            self.loop.run_forever()
            for thread in threads:
                thread.join()

        os.sched_setaffinity(0, {LOOP_CORE})
        measure(some, self.count)

    def _pingpong(self, core: int) -> None:
        bell = os.eventfd(0, os.EFD_CLOEXEC)

        def reply() -> None:
            os.eventfd_write(bell, 1)
            self.count_down()

        def ping(share: int) -> None:
            for _ in range(share):
                self.loop.call_soon_threadsafe(reply)
                os.eventfd_read(bell)

        self._threads(1, core, ping)

    def _burst(self, producers: int) -> None:
        def produce(share: int) -> None:
            for _ in range(share):
                self.loop.call_soon_threadsafe(self.count_down)

        self._threads(producers, OTHER_CORE, produce)

    def pingpong(self) -> None:
        self._pingpong(OTHER_CORE)

    def pingpong_same(self) -> None:
        self._pingpong(LOOP_CORE)

    def burst1(self) -> None:
        self._burst(1)

    def burst4(self) -> None:
        self._burst(4)

    # --- timers

    def timer_cancel(self) -> None:
        delays = [1 + random.random() * 3599 for _ in range(self.count)]

        async def some(_: int) -> None:
            for handle in [self.loop.call_later(delay, noop) for delay in delays]:
                handle.cancel()
            await asyncio.sleep(0)

        self.awaiting(some, warm_up=self.count)

    def timer_fire(self) -> None:
        delays = [random.random() for _ in range(self.count)]

        def some(count: int) -> None:
            self.left = count
            for delay in delays:
                self.loop.call_later(delay, self.count_down)
            self.loop.run_forever()

        measure(some, self.count, warm_up=self.count)

    def timer_rearm(self) -> None:
        picks = [random.randrange(LIVE) for _ in range(self.count)]
        handles = [self.loop.call_later(30, noop) for _ in range(LIVE)]

        async def some(count: int) -> None:
            for start in range(0, count, SETS_PER_TURN):
                for pick in picks[start:start + SETS_PER_TURN]:
                    handles[pick].cancel()
                    handles[pick] = self.loop.call_later(30, noop)
                await asyncio.sleep(0)

        self.awaiting(some)

    # --- processes, names, datagrams

    def process(self) -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                child = await asyncio.create_subprocess_exec("/bin/true")
                assert await child.wait() == 0

        os.sched_setaffinity(0, {LOOP_CORE})
        self.awaiting(some, warm_up=20)

    def literal(self) -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                await self.loop.getaddrinfo("127.0.0.1", 80, type=1)

        self.awaiting(some)

    def udp(self) -> None:
        works = self

        class Echo(asyncio.DatagramProtocol):
            answered, warm_up = 0, works.count // 10

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
                if self.answered == self.warm_up:
                    self.stopwatch = Stopwatch()
                self.transport.sendto(data, sender)
                self.answered += 1
                if self.answered == self.warm_up + works.count:
                    self.stopwatch.report(works.count)
                    works.loop.stop()

        address = ("127.0.0.1", self.port)
        self.loop.run_until_complete(self.loop.create_datagram_endpoint(Echo, local_addr=address))
        print("ready", flush=True)
        self.loop.run_forever()

    udp_same = udp


def main() -> int:
    arguments = sys.argv[1:]
    kind = arguments.pop(0) if arguments and arguments[0] in ("asyncio", "uvloop") else "uvloop"
    if len(arguments) < 2 or not arguments[1].isdigit():
        print("usage: micro.py [asyncio|uvloop] WORK N [PORT]", file=sys.stderr)
        return USAGE
    if kind == "uvloop":
        import uvloop
        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    random.seed(1)
    works = Works(loop, int(arguments[1]), int(arguments[2]) if len(arguments) > 2 else 0)
    name = "yield_" if arguments[0] == "yield" else arguments[0]
    if name.startswith("_") or name not in vars(Works) or name in ("count_down", "awaiting"):
        return NOT_OFFERED
    getattr(works, name)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
