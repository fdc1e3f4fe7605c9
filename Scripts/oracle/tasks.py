"""Group N: futures and tasks."""

import asyncio
import gc
import sys
import weakref

from scenario import Skipped, Trail, quiet_loop, refusal, registry, stop_after

scenarios, scenario = registry()


class TaskFailure(Exception):
    pass


def run(body):
    """Runs a body on a loop that keeps its reports."""
    loop = quiet_loop()
    return loop.run_until_complete(body(loop))


async def ending(awaitable):
    """The class of the error that an await ends with."""
    try:
        await awaitable
    except BaseException as error:
        return type(error).__name__
    return "none"


async def turns(count=1):
    for _ in range(count):
        await asyncio.sleep(0)


@scenario("157")
def _(seen):
    loop = quiet_loop()
    future = loop.create_future()
    trail = Trail()
    for number in (1, 2, 3):
        future.add_done_callback(lambda _, number=number: trail.mark(number))
    loop.call_soon(lambda: (future.set_result(7), trail.mark("completed")))
    stop_after(loop, 3)
    loop.run_forever()
    seen("order", trail)


@scenario("157-done")
def _(seen):
    loop = quiet_loop()
    future = loop.create_future()
    future.set_result(7)
    trail = Trail()
    loop.call_soon(lambda: (future.add_done_callback(lambda _: trail.mark("callback")), trail.mark("added")))
    stop_after(loop, 3)
    loop.run_forever()
    seen("order", trail)


@scenario("157-removed")
def _(seen):
    loop = quiet_loop()
    future = loop.create_future()
    trail = Trail()

    def first(_):
        trail.mark("first")

    future.add_done_callback(first)
    future.add_done_callback(lambda _: trail.mark("second"))
    seen("removed", future.remove_done_callback(first) == 1)
    seen("removed again", future.remove_done_callback(first) == 1)
    future.set_result(1)
    stop_after(loop, 2)
    loop.run_forever()
    seen("ran", trail)


@scenario("158")
def _(seen):
    loop = quiet_loop()
    futures = [loop.create_future() for _ in range(3)]
    futures[0].set_result(1)
    futures[1].set_exception(TaskFailure())
    seen("cancelled", futures[2].cancel())
    for name, future in zip(("value", "error", "cancelled"), futures):
        seen(f"{name}, then a value", refusal(future.set_result, 2))
        seen(f"{name}, then an error", refusal(future.set_exception, TaskFailure()))
        seen(f"{name}, then cancelled", future.cancel())
    seen("kept", futures[0].result())
    seen("kept error", isinstance(futures[1].exception(), TaskFailure))
    seen("result of a pending one", refusal(loop.create_future().result))


@scenario("159")
def _(seen):
    loop = quiet_loop()
    loop.create_future().set_exception(TaskFailure())
    gc.collect()
    seen("reports", len(loop.reports))
    seen("error", isinstance(loop.reports[0]["exception"], TaskFailure))


@scenario("159-seen")
def _(seen):
    loop = quiet_loop()
    futures = [loop.create_future() for _ in range(3)]
    futures[0].set_exception(TaskFailure())
    futures[0].exception()
    futures[1].set_exception(TaskFailure())
    loop.run_until_complete(ending(futures[1]))
    futures[2].cancel()
    futures.clear()
    gc.collect()
    seen("reports", len(loop.reports))


@scenario("160")
def _(seen):
    trail = Trail()

    async def body():
        trail.mark("body")

    async def main(loop):
        task = loop.create_task(body())
        seen("accepted", task.cancel())
        seen("ends as", await ending(task))
        seen("cancelled", task.cancelled())

    run(main)
    seen("ran", trail)


@scenario("161")
def _(seen):
    async def body():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        return 8

    async def main(loop):
        task = loop.create_task(body())
        await turns()
        task.cancel()
        seen("value", await task)
        seen("requests", task.cancelling())
        seen("cancelled", task.cancelled())

    run(main)


@scenario("162")
def _(seen):
    async def main(loop):
        task = loop.create_task(asyncio.sleep(3600))
        await turns()
        task.cancel("first")
        task.cancel("second")
        try:
            await task
        except asyncio.CancelledError as error:
            seen("ends as", "CancelledError")
            seen("message", error.args[0] if error.args else "none")
        seen("requests", task.cancelling())

    run(main)


@scenario("163")
def _(seen):
    async def body():
        asyncio.current_task().cancel()
        return "flag set"

    async def main(loop):
        try:
            seen("value", await loop.create_task(body()))
        except asyncio.CancelledError:
            seen("value", "cancelled")

    run(main)


@scenario("164")
def _(seen):
    async def main(loop):
        itself = loop.create_future()

        async def body():
            await (await itself)[0]

        task = loop.create_task(body())
        itself.set_result([task])
        seen("error", await ending(task) == "RuntimeError")

    run(main)


@scenario("164-foreign")
def _(seen):
    async def main(loop):
        seen("value", await ending(quiet_loop().create_future()))

    run(main)


@scenario("165")
def _(seen):
    loop = quiet_loop()
    trail = Trail()

    async def body(gate):
        await gate
        trail.mark("ended")

    gate = loop.create_future()
    reference = weakref.ref(loop.create_task(body(gate)))
    loop.run_until_complete(turns())
    # What it waits for holds it; nobody else does.
    del gate
    gc.collect()
    seen("held", reference() is not None)


@scenario("165-close")
def _(seen):
    loop = quiet_loop()
    task = loop.create_task(asyncio.sleep(3600), name="left")
    loop.run_until_complete(turns())
    loop.close()
    name = task.get_name()
    del task
    gc.collect()
    # CPython tells when the task is destroyed, not at the close.
    seen("reports", len(loop.reports))
    seen("task", loop.reports[0]["task"].get_name() if loop.reports else "none")


@scenario("166")
def _(seen):
    async def main(loop):
        last = loop.create_future()

        async def body(n):
            if n == 2:
                last.set_result(9)
            return n

        tasks = [loop.create_task(body(n)) for n in range(3)]
        seen("values", await asyncio.gather(last, *tasks, last))
        seen("of nothing", await asyncio.gather())

    run(main)


async def fail():
    raise TaskFailure


@scenario("166-error")
def _(seen):
    async def main(loop):
        release = loop.create_future()

        async def body():
            await release
            return 5

        slow = loop.create_task(body())
        seen("error", await ending(asyncio.gather(slow, loop.create_task(fail()))))
        seen("the other is done", slow.done())
        release.set_result(None)
        seen("its value", await slow)

    run(main)


@scenario("166-collects")
def _(seen):
    async def main(loop):
        async def body(n):
            if n == 1:
                raise TaskFailure
            return n

        results = await asyncio.gather(*(body(n) for n in range(3)), return_exceptions=True)
        seen("results", ["error" if isinstance(r, Exception) else str(r) for r in results])

    run(main)


@scenario("166-cancel")
def _(seen):
    async def main(loop):
        tasks = [loop.create_task(asyncio.sleep(3600)) for _ in range(3)]

        async def body():
            await asyncio.gather(*tasks)

        waiting = loop.create_task(body())
        await turns()
        waiting.cancel()
        seen("ends as", await ending(waiting))
        seen("cancelled", sum(task.cancelled() for task in tasks))

    run(main)


class Numbered(Exception):
    pass


@scenario("167")
def _(seen):
    async def main(loop):
        trail = Trail()
        errors = []

        async def late():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise Numbered(2)

        async def first():
            raise Numbered(1)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(late())
                sibling = group.create_task(asyncio.sleep(3600))
                sibling.add_done_callback(lambda t: trail.mark("cancelled" if t.cancelled() else "not cancelled"))
                group.create_task(first())
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    trail.mark("body")
                    raise
        except BaseExceptionGroup as group:
            errors = [str(error.args[0]) for error in group.exceptions]
        await turns()
        seen("errors", errors)
        seen("others", sorted(trail.marks))
        seen("the caller is cancelled", asyncio.current_task().cancelling() > 0)

    run(main)


@scenario("167-cancel")
def _(seen):
    async def main(loop):
        inner = loop.create_future()

        async def wait():
            await inner

        async def body():
            async with asyncio.TaskGroup() as group:
                group.create_task(wait())

        outer = loop.create_task(body())
        await turns(3)
        outer.cancel()
        seen("ends as", await ending(outer))
        seen("inner cancelled", inner.cancelled())

    run(main)


@scenario("168")
def _(seen):
    async def main(loop):
        async with asyncio.timeout(3600):
            async def inner():
                async with asyncio.timeout(0.002):
                    await asyncio.sleep(3600)

            seen("inner", await ending(inner()))
            seen("outer is cancelled", asyncio.current_task().cancelling() > 0)

    run(main)


@scenario("168-cancel")
def _(seen):
    async def main(loop):
        async def body():
            async with asyncio.timeout(3600):
                await asyncio.sleep(3600)

        task = loop.create_task(body())
        await turns(3)
        task.cancel()
        seen("ends as", await ending(task))

    run(main)


@scenario("168-moved")
def _(seen):
    async def main(loop):
        deadline = loop.time() + 0.002

        async def until_deadline():
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(3600)

        seen("deadline", await ending(until_deadline()))
        seen("not early", loop.time() >= deadline)
        limits = []

        async def sooner():
            async with asyncio.timeout(3600) as limit:
                limits.append(limit)
                limit.reschedule(loop.time() + 0.002)
                await asyncio.sleep(3600)

        seen("moved", await ending(sooner()))
        async with asyncio.timeout(3600) as limit:
            limits.append(limit)
            limit.reschedule(None)
            seen("has no deadline", limit.when() is None)
            await turns()
        seen("expired", [limit.expired() for limit in limits])

    run(main)


@scenario("168-together")
def _(seen):
    trail = Trail()

    async def main(loop):
        async def body():
            async with asyncio.timeout(3600) as outer:
                try:
                    async with asyncio.timeout(3600) as inner:
                        now = loop.time()
                        inner.reschedule(now - 0.002)
                        outer.reschedule(now - 0.001)
                        await asyncio.sleep(3600)
                except BaseException as error:
                    trail.mark({"CancelledError": "CancellationError"}.get(type(error).__name__))
                    raise

        seen("ends as", await ending(body()))
        seen("the caller is cancelled", asyncio.current_task().cancelling() > 0)

    run(main)
    seen("inner", trail)


@scenario("168-late")
def _(seen):
    async def main(loop):
        async with asyncio.timeout(3600) as ended:
            pass

        async def body(limits):
            async with asyncio.timeout(3600) as limit:
                limits.append(limit)
                limit.reschedule(loop.time())
                await asyncio.sleep(3600)

        limits = []
        seen("ends as", await ending(body(limits)))
        seen("ended", refusal(ended.reschedule, None))
        seen("struck", refusal(limits[0].reschedule, None))

    run(main)


@scenario("169")
def _(seen):
    trail = Trail()

    async def main(loop):
        release = loop.create_future()

        async def body():
            await release
            trail.mark("went on")

        inner = loop.create_task(body())

        async def wait():
            await asyncio.shield(inner)

        outer = loop.create_task(wait())
        await turns()
        outer.cancel()
        seen("outer", await ending(outer))
        release.set_result(None)
        await inner
        seen("inner", trail)

    run(main)


@scenario("169-error")
def _(seen):
    loop = quiet_loop()

    async def main():
        release = loop.create_future()

        async def body():
            await release
            raise TaskFailure

        async def wait():
            await asyncio.shield(body())

        outer = loop.create_task(wait())
        await turns(3)
        outer.cancel()
        seen("outer", await ending(outer))
        release.set_result(None)
        await turns(3)

    loop.run_until_complete(main())
    gc.collect()
    seen("error", bool(loop.reports) and isinstance(loop.reports[0]["exception"], TaskFailure))


@scenario("170")
def _(seen):
    trail = Trail()

    async def body():
        trail.mark("body")

    async def main(loop):
        for name, limit in (("zero", 0), ("negative", -1)):
            seen(name, await ending(asyncio.wait_for(body(), limit)))

    run(main)
    seen("started", trail)


def needs_eager():
    if sys.version_info < (3, 12):
        raise Skipped("eager tasks come with 3.12")


@scenario("171")
def _(seen):
    needs_eager()

    async def main(loop):
        trail = Trail()
        outer = asyncio.current_task()

        async def body():
            trail.mark(asyncio.current_task().get_name())
            return 6

        task = asyncio.Task(body(), loop=loop, name="eager", eager_start=True)
        seen("done", task.done())
        seen("value", task.result())
        seen("current task inside", trail)
        seen("current task afterwards", asyncio.current_task() is outer)

    run(main)


@scenario("171-suspends")
def _(seen):
    needs_eager()

    async def main(loop):
        trail = Trail()
        loop.set_task_factory(asyncio.eager_task_factory)

        async def body():
            trail.mark("begun")
            await asyncio.sleep(0)
            trail.mark("ended")

        task = loop.create_task(body())
        trail.mark("returned")
        await task
        seen("order", trail)

    run(main)
