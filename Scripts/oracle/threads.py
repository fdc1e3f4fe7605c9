"""Group D: calls from other threads."""

import asyncio
import concurrent.futures
import sys
import threading
import time

from scenario import Skipped, Trail, in_thread, quiet_loop, refusal, registry, socket_pair

scenarios, scenario = registry()


def besides(loop, body):
    """Runs the loop in this thread and the body in another one, until the body has ended."""
    running = threading.Event()
    loop.call_soon(running.set)

    def run():
        running.wait()
        try:
            body()
        finally:
            loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=run)
    thread.start()
    loop.run_forever()
    thread.join()


@scenario("48")
def _(seen):
    loop = quiet_loop()
    times = []

    def call():
        for _ in range(50):
            done = threading.Event()
            time.sleep(0.001)
            start = time.monotonic()
            loop.call_soon_threadsafe(lambda: (times.append(time.monotonic() - start), done.set()))
            done.wait()

    besides(loop, call)
    seen("within 5 ms", min(times) < 0.005)


@scenario("49")
def _(seen):
    loop = quiet_loop()
    count = 100_000
    following, disorder = [0] * 4, [0]

    def note(thread, number):
        if following[thread] != number:
            disorder[0] += 1
        following[thread] = number + 1
        if sum(following) == 4 * count:
            loop.stop()

    def call(thread):
        for number in range(count):
            loop.call_soon_threadsafe(note, thread, number)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    loop.run_forever()
    for thread in threads:
        thread.join()
    seen("calls", following)
    seen("out of order", disorder[0])


@scenario("50")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    def call():
        loop.call_soon_threadsafe(trail.mark, "cancelled").cancel()
        loop.call_soon_threadsafe(lambda: (trail.mark("kept"), loop.stop()))

    loop.call_soon(in_thread, call)
    loop.run_forever()
    seen("ran", trail)


@scenario("51")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    started, cancelling = threading.Event(), threading.Event()

    def callback():
        started.set()
        cancelling.wait()
        time.sleep(0.01)
        trail.mark("callback-ended")
        loop.stop()

    handle = loop.call_soon_threadsafe(callback)

    def cancel():
        started.wait()
        cancelling.set()
        handle.cancel()
        trail.mark("cancel-returned")

    thread = threading.Thread(target=cancel)
    thread.start()
    loop.run_forever()
    thread.join()
    seen("order", trail)


@scenario("51-own")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    own = []

    def callback():
        own[0].cancel()
        trail.mark("ran")
        loop.stop()

    loop.call_soon(lambda: own.append(loop.call_soon_threadsafe(callback)))
    loop.run_forever()
    seen("callback", trail)


@scenario("52")
def _(seen):
    loop = quiet_loop()
    loop.close()
    seen("call", in_thread(refusal, loop.call_soon_threadsafe, int))


@scenario("53")
def _(seen):
    loop = quiet_loop()
    ran = [0]

    def count():
        ran[0] += 1

    def call():
        for _ in range(100_000):
            loop.call_soon_threadsafe(count)
        loop.call_soon_threadsafe(loop.stop)

    loop.call_soon(in_thread, call)
    loop.run_forever()
    seen("ran", ran[0])


@scenario("54")
def _(seen):
    loop = quiet_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60

    async def body():
        pass

    def create_task():
        coroutine = body()
        try:
            loop.create_task(coroutine)
        finally:
            coroutine.close()

    def calls():
        seen("callSoon", refusal(loop.call_soon, int))
        seen("callLater", refusal(loop.call_later, 0, int))
        seen("callAt", refusal(loop.call_at, loop.time(), int))
        seen("createTask", refusal(create_task))
        ran = threading.Event()
        loop.call_soon_threadsafe(ran.set)
        seen("callSoonThreadsafe", ran.wait(10))

    besides(loop, calls)


@scenario("54-others")
def _(seen):
    loop = quiet_loop()
    loop.set_debug(True)
    near, _ = socket_pair()

    def calls():
        seen("addReader", refusal(loop.add_reader, near, int))
        seen("removeReader", refusal(loop.remove_reader, near))
        future = loop.create_future()
        future.set_result(1)
        seen("createFuture", future.result())
        loop.stop()

    besides(loop, calls)
    seen("stop", "reported" if loop.reports else "unreported")


class Failure(Exception):
    pass


@scenario("55")
def _(seen):
    loop = quiet_loop()

    async def good():
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is loop

    async def bad():
        raise Failure

    def calls():
        seen("value", asyncio.run_coroutine_threadsafe(good(), loop).result(10))
        seen("error", refusal(asyncio.run_coroutine_threadsafe(bad(), loop).result, 10))

    besides(loop, calls)


@scenario("55-cancel")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    began, ended = threading.Event(), threading.Event()

    async def body():
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            trail.mark("cancelled")
            ended.set()
            raise

    def calls():
        future = asyncio.run_coroutine_threadsafe(body(), loop)
        began.wait()
        seen("cancel", future.cancel())
        seen("error", refusal(future.result, 10))
        seen("future is cancelled", future.cancelled())
        ended.wait(10)

    besides(loop, calls)
    seen("body", trail)


@scenario("55-cancelled")
def _(seen):
    loop = quiet_loop()

    async def body():
        raise asyncio.CancelledError

    def calls():
        future = asyncio.run_coroutine_threadsafe(body(), loop)
        seen("error", refusal(future.result, 10))
        seen("future is cancelled", future.cancelled())

    besides(loop, calls)
