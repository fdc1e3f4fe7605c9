"""Group C: scheduling and timers. Group O: errors and debug mode."""

import asyncio
import contextvars
import gc
import logging
import math
import sys
import time
import weakref

from scenario import Trail, TurnCounter, in_thread, quiet_loop, refusal, registry, socket_pair, stop_after

scenarios, scenario = registry()


@scenario("32")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.call_soon(trail.mark, "a")
    loop.call_soon(lambda: (trail.mark("b"), loop.stop()))
    loop.run_forever()
    seen("order", trail)


@scenario("33")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    loop.add_reader(near, lambda: (trail.mark("reader"), near.recv(10)))

    def a():
        trail.mark("a")
        loop.call_soon(lambda: (trail.mark("queued"), loop.stop()))
        far.send(b"x")

    loop.call_soon(a)
    loop.run_forever()
    seen("order", trail)


@scenario("34")
def _(seen):
    loop = quiet_loop()
    turns = TurnCounter(loop)
    trail = Trail()

    def start():
        now = turns.count
        loop.call_later(0, lambda: trail.mark(f"0 in {turns.count - now}"))
        loop.call_later(-5, lambda: trail.mark(f"-5 in {turns.count - now}"))
        stop_after(loop, 4)

    loop.call_soon(start)
    loop.run_forever()
    seen("order", trail)


@scenario("35")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def start():
        when = loop.time() + 0.001
        for number in range(10):
            loop.call_at(when, trail.mark, number)
        loop.call_at(when + 0.001, loop.stop)

    loop.call_soon(start)
    loop.run_forever()
    seen("order", trail)


@scenario("36")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()

    def start():
        loop.call_later(0, trail.mark, "timer")
        far.send(b"x")
        loop.add_reader(near, lambda: (trail.mark("reader"), near.recv(10)))
        loop.call_soon(lambda: (trail.mark("soon"), loop.stop()))

    loop.call_soon(start)
    loop.run_forever()
    seen("order", trail)


@scenario("37")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    loop.add_writer(near, lambda: (trail.mark("writer"), loop.stop()))
    loop.add_reader(near, trail.mark, "reader")
    far.send(b"x")
    loop.run_forever()
    seen("order", trail)


class Canary:
    pass


@scenario("38")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def start():
        captured = Canary()
        canary = weakref.ref(captured)
        timer = loop.call_later(0.001, trail.mark, captured)
        del captured
        before = canary() is not None
        timer.cancel()
        seen("held before, held after, cancelled", [before, canary() is not None, timer.cancelled()])
        loop.call_later(0.005, loop.stop)

    loop.call_soon(start)
    loop.run_forever()
    seen("ran", trail)


@scenario("39")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    victim = []

    def start():
        now = loop.time()
        loop.call_at(now - 3e-6, lambda: (trail.mark("first"), victim[0].cancel()))
        victim.append(loop.call_at(now - 2e-6, trail.mark, "second"))
        loop.call_at(now - 1e-6, lambda: (trail.mark("third"), loop.stop()))

    loop.call_soon(start)
    loop.run_forever()
    seen("ran", trail)


@scenario("40")
def _(seen):
    loop = quiet_loop()
    references = []

    class Timer:
        """What a timer holds; the handle itself has no weak references."""

    def start():
        timers = [loop.call_later(3600 + n * 7 % 200, int) for n in range(200)]
        for index in list(range(0, 200, 2)) + [1]:
            timers[index].cancel()

    loop.call_soon(start)
    stop_after(loop, 3)
    loop.run_forever()
    seen("at most 99 kept", len(loop._scheduled) <= 99)


@scenario("41")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.call_later(math.inf, trail.mark, "infinity")
    loop.call_later(1e300, trail.mark, "1e300")
    loop.call_later(0.002, lambda: (trail.mark("2 ms"), loop.stop()))
    loop.run_forever()
    seen("fired", trail)


@scenario("41-nan")
def _(seen):
    loop = quiet_loop()
    seen("NaN", refusal(loop.call_later, math.nan, int))


@scenario("42")
def _(seen):
    loop = quiet_loop()
    turns = TurnCounter(loop)
    trail = Trail()

    async def body():
        for _ in range(3):
            before = turns.count
            await asyncio.sleep(0)
            trail.mark(turns.count - before)
        turns.ended = True

    loop.run_until_complete(body())
    seen("turns", trail)


@scenario("43")
def _(seen):
    loop = quiet_loop()
    early, left = [], [200]

    def fire(when):
        if loop.time() < when:
            early.append(when)
        left[0] -= 1
        if left[0] == 0:
            loop.stop()

    for number in range(200):
        when = loop.time() + number * 7919 % 3_000_000 / 1e9
        loop.call_at(when, fire, when)
    loop.run_forever()
    seen("early", len(early))


@scenario("44")
def _(seen):
    async def body():
        best = 1.0
        for _ in range(300):
            start = time.monotonic()
            await asyncio.sleep(0.0002)
            best = min(best, time.monotonic() - start)
        return best

    seen("under a millisecond", asyncio.run(body()) < 0.001)


@scenario("45")
def _(seen):
    async def body():
        start = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0.005)
        return time.monotonic() - start

    seen("slept", asyncio.run(body()) >= 0.0499)


setting = contextvars.ContextVar("setting", default="none")


@scenario("46")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def change():
        trail.mark(setting.get())
        setting.set("inside")
        trail.mark(setting.get())

    setting.set("scheduling")
    loop.call_soon(change)
    loop.call_later(0, lambda: (trail.mark(setting.get()), loop.stop()))
    setting.set("running")
    loop.run_forever()
    trail.mark(setting.get())
    seen("values", trail)


@scenario("46-default")
def _(seen):
    loop = quiet_loop()
    policy = asyncio.DefaultEventLoopPolicy()
    asyncio.set_event_loop_policy(policy)
    trail = Trail()
    setting.set("scheduling")
    loop.call_soon(
        lambda: (trail.mark(setting.get()), trail.mark(asyncio.get_event_loop_policy() is policy), loop.stop()))
    setting.set("running")
    loop.run_forever()
    seen("value and policy", trail)


@scenario("47")
def _(seen):
    loop = quiet_loop()

    def start():
        time.sleep(0.03)
        begin = loop.time()
        loop.call_later(
            0.01, lambda: (seen("ten milliseconds from the call", loop.time() - begin >= 0.01), loop.stop()))

    loop.call_soon(start)
    loop.run_forever()


class Failure(Exception):
    pass


def fail():
    raise Failure("the first failure")


class Log(logging.Handler):
    """Keeps what asyncio logs."""

    def __init__(self):
        super().__init__()
        self.lines = []
        logging.getLogger("asyncio").addHandler(self)
        logging.getLogger("asyncio").propagate = False

    def emit(self, record):
        self.lines.append(f"{record.levelname.lower()}: {self.format(record)}")


@scenario("176")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.set_exception_handler(
        lambda told, context: (trail.mark(told is loop), trail.mark(isinstance(context["exception"], Failure))))
    loop.call_soon(fail)
    stop_after(loop, 2)
    loop.run_forever()
    seen("loop and error", trail)


@scenario("176-throws")
def _(seen):
    log = Log()
    loop = asyncio.new_event_loop()

    class HandlerFailure(Exception):
        pass

    def handler(told, context):
        raise HandlerFailure

    loop.set_exception_handler(handler)
    loop.call_soon(fail)
    stop_after(loop, 2)
    loop.run_forever()
    errors = [line for line in log.lines if line.startswith("error")]
    seen("errors logged", len(errors))
    seen("names the handler's error", "HandlerFailure" in errors[0])
    seen("names the first error", "the first failure" in errors[0])


@scenario("176-default")
def _(seen):
    log = Log()
    loop = asyncio.new_event_loop()
    loop.call_soon(fail)
    stop_after(loop, 2)
    loop.run_forever()
    seen("errors logged", len([line for line in log.lines if line.startswith("error")]))
    seen("names the error", "the first failure" in log.lines[0])


@scenario("177")
def _(seen):
    loop = quiet_loop()
    loop.call_soon(fail)
    stop_after(loop, 2)
    loop.run_forever()
    plain = loop.reports.pop()
    seen("handle", "handle" in plain)
    seen("source", "source_traceback" in plain)
    loop.set_debug(True)
    line = sys._getframe().f_lineno + 1
    handle = loop.call_soon(fail)
    stop_after(loop, 2)
    loop.run_forever()
    report = loop.reports.pop()
    seen("its own handle in debug mode", report["handle"] is handle)
    seen("its own line in debug mode", any(frame.lineno == line for frame in report["source_traceback"]))


@scenario("177-future")
def _(seen):
    loop = quiet_loop()
    future = loop.create_future()
    future.set_exception(Failure())
    del future
    gc.collect()
    report = loop.reports[0]
    seen("error", isinstance(report["exception"], Failure))
    seen("future", "future" in report)
    seen("handle", "handle" in report)


@scenario("177-task")
def _(seen):
    loop = quiet_loop()

    async def body():
        raise Failure

    task = loop.create_task(body(), name="mine")
    stop_after(loop, 3)
    loop.run_forever()
    del task
    gc.collect()
    report = loop.reports[0]
    seen("error", isinstance(report["exception"], Failure))
    # CPython gives a task as a future here.
    seen("task", report["future"].get_name())


@scenario("177-socket")
def _(seen):
    loop = quiet_loop()

    async def handler(reader, writer):
        writer.close()
        raise Failure

    async def body():
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()
        server.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(body())
    gc.collect()
    seen("error", isinstance(loop.reports[0]["exception"], Failure))


@scenario("178")
def _(seen):
    log = Log()
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = 0.02

    def slow(seconds):
        before = len(log.lines)
        loop.call_soon(time.sleep, seconds)
        stop_after(loop, 2)
        loop.run_forever()
        return len([line for line in log.lines[before:] if line.startswith("warning")])

    seen("not without debug mode", slow(0.025))
    loop.set_debug(True)
    seen("at the limit and above", slow(0.02))
    loop.slow_callback_duration = 3600
    seen("below", slow(0.001))


@scenario("179")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def schedule():
        trail.mark("accepted" if in_thread(refusal, loop.call_soon, int) == "accepted" else "refused")

    def start():
        for mode in (False, True, False):
            loop.set_debug(mode)
            schedule()
        loop.stop()

    loop.call_soon(start)
    loop.run_forever()
    seen("off, on, off", trail)
