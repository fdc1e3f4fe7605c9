"""Group O: runners, Ctrl-C, call graphs. Group L: blocking work."""

import asyncio
import concurrent.futures
import contextvars
import os
import signal
import sys
import threading
import warnings

from scenario import Skipped, Trail, quiet_loop, refusal, registry

scenarios, scenario = registry()
setting = contextvars.ContextVar("setting", default="none")


class TaskFailure(Exception):
    pass


async def nothing():
    pass


def refused_run(run):
    """What a run is refused with."""
    coroutine = nothing()
    try:
        return refusal(run, coroutine)
    finally:
        coroutine.close()


@scenario("172")
def _(seen):
    trail = Trail()
    setting.set("mine")
    runner = asyncio.Runner()

    async def look():
        trail.mark(setting.get())
        return asyncio.get_running_loop()

    loop = runner.run(look())
    again = runner.run(look())
    trail.mark("same" if again is loop else "another")
    seen("closed between", loop.is_closed())
    seen("seen", trail)
    runner.close()
    runner.close()
    seen("closed", loop.is_closed())
    seen("run afterwards", refused_run(runner.run))
    seen("loop afterwards", refusal(runner.get_loop))


@scenario("172-nested")
def _(seen):
    async def body():
        runner = asyncio.Runner()
        seen("inside", refused_run(runner.run))

    asyncio.run(body())


@scenario("173")
def _(seen):
    trail = Trail()
    runner = asyncio.Runner()

    def handler(loop, context):
        trail.mark("shutdown" if "shutdown" in context["message"] else "another message")
        trail.mark(context["task"].get_name())
        trail.mark(isinstance(context["exception"], TaskFailure))

    runner.get_loop().set_exception_handler(handler)

    async def tidy():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            trail.mark("cleaned up")
            raise

    async def careless():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise TaskFailure

    kept = []

    async def body():
        loop = asyncio.get_running_loop()
        kept.append(loop.create_task(tidy(), name="tidy"))
        kept.append(loop.create_task(careless(), name="careless"))
        await asyncio.sleep(0)

    runner.run(body())
    seen("before the close", trail)
    runner.close()
    seen("after it", trail)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def ending(body, action=signal.default_int_handler):
    """How a run of a runner ends, in the main thread."""
    signal.signal(signal.SIGINT, action)
    with asyncio.Runner() as runner:
        try:
            runner.run(body())
        except BaseException as error:
            return type(error).__name__
        return "its value"


async def until_cancelled(sends):
    for _ in range(sends):
        asyncio.get_running_loop().call_soon(interrupt)
    await asyncio.sleep(3600)


@scenario("174")
def _(seen):
    trail = Trail()

    async def body():
        try:
            await until_cancelled(1)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            trail.mark("cleaned up")
            raise

    seen("ends with", ending(body))
    seen("body", trail)


@scenario("174-twice")
def _(seen):
    async def body():
        try:
            await until_cancelled(1)
        except asyncio.CancelledError:
            pass
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.get_running_loop().create_future()

    seen("ends with", ending(body))


@scenario("174-swallowed")
def _(seen):
    async def body():
        try:
            await until_cancelled(1)
        except asyncio.CancelledError:
            pass

    seen("ends with", ending(body))


@scenario("174-cancelled")
def _(seen):
    async def body():
        itself = asyncio.current_task()
        asyncio.get_running_loop().call_soon(itself.cancel)
        try:
            await until_cancelled(0)
        except asyncio.CancelledError:
            interrupt()
            while itself.cancelling() != 2:
                await asyncio.sleep(0)
            raise

    seen("ends with", ending(body))


def action():
    current = signal.getsignal(signal.SIGINT)
    # Python's default action is a handler of its own.
    return {signal.default_int_handler: "default", signal.SIG_IGN: "ignored"}.get(current, "handler")


@scenario("175")
def _(seen):
    async def body():
        seen("during", action())

    seen("ends with", ending(body))
    seen("afterwards", action())


@scenario("175-changed")
def _(seen):
    async def body():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    seen("ends with", ending(body))
    seen("afterwards", action())


@scenario("175-other")
def _(seen):
    async def body():
        seen("during", action())

    seen("ends with", ending(body, signal.SIG_IGN))
    seen("afterwards", action())


@scenario("180")
def _(seen):
    if sys.version_info < (3, 14):
        raise Skipped("call graphs come with 3.14")

    async def main():
        future = asyncio.get_running_loop().create_future()

        async def wait():
            return await future

        async def gathered(task):
            return (await asyncio.gather(task))[0]

        async def last(task):
            return await task

        inner = asyncio.create_task(wait(), name="inner")
        middle = asyncio.create_task(gathered(inner), name="middle")
        outer = asyncio.create_task(last(middle), name="outer")
        for _ in range(3):
            await asyncio.sleep(0)
        chain, entry = [], asyncio.capture_call_graph(future)
        while entry is not None:
            name = getattr(entry.future, "get_name", lambda: None)()
            chain += [name] if name else []
            entry = entry.awaited_by[0] if entry.awaited_by else None
        seen("chain", " ".join(chain))
        future.set_result(1)
        await outer

    asyncio.run(main())


class WorkFailure(Exception):
    pass


def fail():
    raise WorkFailure


async def error_of(awaitable):
    try:
        await awaitable
    except BaseException as error:
        return type(error).__name__
    return "none"


@scenario("143")
def _(seen):
    async def body():
        loop = asyncio.get_running_loop()
        seen("worked elsewhere", await loop.run_in_executor(None, asyncio._get_running_loop) is None)
        seen("back on the loop", asyncio.get_running_loop() is loop)
        seen("error", await error_of(loop.run_in_executor(None, fail)))

    asyncio.run(body())


@scenario("143-context")
def _(seen):
    async def body():
        setting.set("mine")
        seen("seen", await asyncio.to_thread(setting.get))
        seen("error", await error_of(asyncio.to_thread(fail)))

    asyncio.run(body())


@scenario("144")
def _(seen):
    async def body():
        loop = asyncio.get_running_loop()
        started, release, ended = threading.Event(), threading.Event(), threading.Event()

        def work():
            started.set()
            release.wait()
            ended.set()

        future = loop.run_in_executor(None, work)

        async def wait():
            await future

        waiting = loop.create_task(wait())
        started.wait()
        await asyncio.sleep(0)
        waiting.cancel()
        seen("waiting", await error_of(waiting))
        seen("cancelled", future.cancelled())
        release.set()
        seen("worked to its end", ended.wait(10))

    asyncio.run(body())


@scenario("145")
def _(seen):
    async def body():
        loop = asyncio.get_running_loop()
        release = threading.Event()
        trail = Trail()
        work = loop.run_in_executor(None, lambda: (release.wait(), trail.mark("worked")))

        async def shut_down():
            await loop.shutdown_default_executor()
            trail.mark("shut down")

        shutdown = loop.create_task(shut_down())
        for _ in range(10):
            await asyncio.sleep(0)
        seen("before", trail)
        release.set()
        await shutdown
        await work
        seen("order", trail)

    asyncio.run(body())


@scenario("145-limit")
def _(seen):
    if sys.version_info < (3, 12):
        raise Skipped("the limit comes with 3.12")

    async def body():
        loop = asyncio.get_running_loop()
        release = threading.Event()
        work = loop.run_in_executor(None, release.wait)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await loop.shutdown_default_executor(timeout=0.005)
        seen("warnings", len(caught))
        seen("still at work", not work.done())
        release.set()
        await work

    asyncio.run(body())


@scenario("146")
def _(seen):
    async def body():
        loop = asyncio.get_running_loop()
        await loop.shutdown_default_executor()
        seen("work", refusal(loop.run_in_executor, None, int))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            seen("another pool", await loop.run_in_executor(pool, lambda: 3))

    asyncio.run(body())


@scenario("147")
def _(seen):
    loop = quiet_loop()
    release, ended = threading.Event(), threading.Event()
    trail = Trail()
    future = loop.run_in_executor(None, lambda: (release.wait(), ended.set()))
    future.add_done_callback(lambda _: trail.mark("callback"))
    loop.close()
    release.set()
    seen("worked to its end", ended.wait(10))
    seen("callbacks", trail)
