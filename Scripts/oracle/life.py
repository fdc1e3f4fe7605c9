"""Group B: runs, stops, closing."""

import asyncio
import gc
import os
import threading
import warnings
import weakref

from scenario import Trail, quiet_loop, refusal, registry, socket_pair, stop_after

scenarios, scenario = registry()


@scenario("19")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def a():
        trail.mark("a")
        loop.stop()
        loop.call_soon(lambda: (trail.mark("c"), loop.stop()))

    loop.call_soon(a)
    loop.call_soon(trail.mark, "b")
    loop.run_forever()
    seen("first run", trail)
    loop.run_forever()
    seen("both runs", trail)


@scenario("20")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    loop.add_reader(near, trail.mark, "reader")
    far.send(b"x")
    loop.call_soon(trail.mark, "soon")
    loop.stop()
    loop.run_forever()
    seen("one turn", trail)
    loop.remove_reader(near)
    loop.stop()
    loop.run_forever()
    seen("both", trail)


@scenario("21")
def _(seen):
    loop = quiet_loop()
    gate = loop.create_future()

    async def body():
        loop.stop()
        return await gate

    task = loop.create_task(body())
    seen("first run", refusal(loop.run_until_complete, task))
    loop.call_soon(gate.set_result, 3)
    seen("second run", loop.run_until_complete(task))


@scenario("22")
def _(seen):
    loop = quiet_loop()
    orphan, other = loop.create_future(), loop.create_future()
    loop.call_soon(loop.stop)
    seen("first run", refusal(loop.run_until_complete, orphan))

    def complete():
        orphan.set_result(1)
        loop.call_soon(lambda: loop.call_soon(other.set_result, 2))

    loop.call_soon(complete)
    seen("second run", loop.run_until_complete(other))


@scenario("23")
def _(seen):
    loop, other = quiet_loop(), quiet_loop()
    trail = Trail()

    async def body():
        trail.mark("body")

    def run(runner):
        coroutine = body()
        try:
            return runner(coroutine)
        finally:
            coroutine.close()

    def attempt():
        for turn in ("first", "second"):
            seen(f"{turn} same loop", refusal(loop.run_forever))
            seen(f"{turn} other loop", refusal(other.run_forever))
            seen(f"{turn} until complete", refusal(other.run_until_complete, other.create_future()))
            seen(f"{turn} runner", refusal(run, asyncio.run))
            seen(f"{turn} body", refusal(run, loop.run_until_complete))
        seen("still running", asyncio.get_running_loop() is loop and loop.is_running() and not other.is_running())
        loop.call_soon(lambda: (trail.mark("outer"), loop.stop()))

    loop.call_soon(attempt)
    loop.run_forever()
    seen("what ran", trail)
    seen("running afterwards", refusal(asyncio.get_running_loop))


@scenario("24")
def _(seen):
    loop = quiet_loop()
    running = threading.Event()
    loop.call_soon(running.set)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running.wait()
    seen("run in another thread", refusal(loop.run_forever))
    seen("still running", loop.is_running())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    seen("running afterwards", loop.is_running())


@scenario("25")
def _(seen):
    loop = quiet_loop()
    loop.call_soon(lambda: (seen("while running", refusal(loop.close)), loop.stop()))
    loop.run_forever()
    seen("closed by that", loop.is_closed())
    loop.close()
    loop.close()
    seen("closed", loop.is_closed())


@scenario("26")
def _(seen):
    loop = quiet_loop()
    near, _ = socket_pair()
    future = loop.create_future()
    loop.close()

    async def body():
        pass

    def create_task():
        coroutine = body()
        try:
            loop.create_task(coroutine)
        finally:
            coroutine.close()

    nothing = lambda: None
    seen("callSoon", refusal(loop.call_soon, nothing))
    seen("callSoonThreadsafe", refusal(loop.call_soon_threadsafe, nothing))
    seen("callLater", refusal(loop.call_later, 0, nothing))
    seen("callAt", refusal(loop.call_at, loop.time(), nothing))
    seen("createTask", refusal(create_task))
    seen("runForever", refusal(loop.run_forever))
    seen("runUntilComplete", refusal(loop.run_until_complete, future))
    seen("runInExecutor", refusal(loop.run_in_executor, None, nothing))
    seen("addReader", refusal(loop.add_reader, near, nothing))
    seen("addWriter", refusal(loop.add_writer, near, nothing))
    seen("addSignalHandler", refusal(loop.add_signal_handler, 30, nothing))


@scenario("26-works")
def _(seen):
    loop = quiet_loop()
    near, _ = socket_pair()
    loop.close()
    seen("removeReader", loop.remove_reader(near))
    seen("removeWriter", loop.remove_writer(near))
    seen("removeSignalHandler", loop.remove_signal_handler(30))
    before = loop.time()
    seen("time goes on", before <= loop.time())
    loop.stop()
    seen("running", loop.is_running())
    future = loop.create_future()
    future.set_result(1)
    seen("future", future.result())
    loop.call_exception_handler({"message": "heard"})
    seen("report", [report["message"] for report in loop.reports])


class Canary:
    pass


@scenario("27")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    captured = Canary()
    canary = weakref.ref(captured)

    def queue(captured):
        loop.stop()
        loop.call_soon(trail.mark, captured)
        loop.call_later(3600, trail.mark, captured)
        loop.add_reader(near, trail.mark, captured)

    loop.call_soon(queue, captured)
    loop.call_later(3600, trail.mark, captured)
    loop.run_forever()
    loop.call_soon_threadsafe(trail.mark, captured)
    loop.call_at(loop.time(), trail.mark, captured)
    del captured
    seen("captured before", canary() is not None)
    far.send(b"x")
    loop.close()
    gc.collect()
    seen("captured after", canary() is not None)
    seen("ran", trail)


@scenario("28")
def _(seen):
    loop, other = quiet_loop(), quiet_loop()
    future = other.create_future()
    future.set_result(1)
    seen("run", refusal(loop.run_until_complete, future))


@scenario("29")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def interrupt():
        raise KeyboardInterrupt

    loop.call_soon(trail.mark, "a")
    loop.call_soon(interrupt)
    loop.call_soon(lambda: (trail.mark("b"), loop.stop()))
    seen("error", refusal(loop.run_forever))
    seen("first run", trail)
    seen("running or closed", loop.is_running() or loop.is_closed())
    loop.run_forever()
    seen("both runs", trail)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@scenario("30")
def _(seen):
    asyncio.new_event_loop().close()
    before = descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop = asyncio.SelectorEventLoop()
        loop.call_soon(int)
        del loop
        gc.collect()
        seen("warnings", len([w for w in caught if "unclosed event loop" in str(w.message)]))
    seen("descriptors left", descriptors() == before)


@scenario("31")
def _(seen):
    def use():
        loop = asyncio.new_event_loop()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    use()
    before, threads = descriptors(), threading.active_count()
    for _ in range(5000):
        use()
    seen("more descriptors", descriptors() > before)
    seen("more threads", threading.active_count() > threads)
