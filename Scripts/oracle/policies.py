"""Group A: policies."""

import asyncio
import sys
import threading

from scenario import Skipped, Trail, in_fork, in_thread, refusal, registry

scenarios, scenario = registry()


class Observed(asyncio.DefaultEventLoopPolicy):
    """Writes down its own new and set."""

    def __init__(self):
        super().__init__()
        self.calls = Trail()

    def new_event_loop(self):
        self.calls.mark("new")
        return super().new_event_loop()

    def set_event_loop(self, loop):
        self.calls.mark("set(loop)" if loop else "set(nil)")
        super().set_event_loop(loop)


class Refusal(Exception):
    pass


class Refusing(asyncio.AbstractEventLoopPolicy):
    def __init__(self):
        self.calls = Trail()

    def get_event_loop(self):
        self.calls.mark("get")
        raise Refusal()

    def new_event_loop(self):
        self.calls.mark("new")
        raise Refusal()


def observed():
    policy = Observed()
    asyncio.set_event_loop_policy(policy)
    return policy


def needs_creation():
    if sys.version_info >= (3, 14):
        raise Skipped("get_event_loop() never creates from 3.14 on")


@scenario("1")
def _(seen):
    if sys.version_info < (3, 14):
        raise Skipped("get_event_loop() creates before 3.14")
    policy = observed()
    seen("get", refusal(asyncio.get_event_loop))
    seen("calls", policy.calls)


@scenario("2")
def _(seen):
    needs_creation()
    policy = observed()
    first = asyncio.get_event_loop()
    seen("same loop twice", asyncio.get_event_loop() is first)
    seen("calls", policy.calls)


@scenario("3")
def _(seen):
    policy = observed()
    asyncio.set_event_loop(None)
    seen("get", refusal(asyncio.get_event_loop))
    seen("calls", policy.calls)


@scenario("3-later")
def _(seen):
    needs_creation()
    policy = observed()
    asyncio.get_event_loop()
    asyncio.set_event_loop(None)
    seen("get", refusal(asyncio.get_event_loop))
    seen("calls", policy.calls)


@scenario("4")
def _(seen):
    policy = Observed()
    seen("legacy get", in_thread(refusal, policy.get_event_loop))
    seen("legacy calls", policy.calls)


@scenario("5")
def _(seen):
    policy = Observed()
    loop = policy.new_event_loop()
    policy.set_event_loop(loop)
    seen("own thread", policy.get_event_loop() is loop)
    seen("other thread", in_thread(refusal, policy.get_event_loop))


@scenario("6")
def _(seen):
    policy = Observed()
    first, second = policy.new_event_loop(), policy.new_event_loop()
    trail = Trail()
    first.call_soon(lambda: first.call_soon(lambda: (trail.mark("ran"), first.stop())))
    policy.set_event_loop(first)
    policy.set_event_loop(second)
    seen("second is current", policy.get_event_loop() is second)
    seen("first is closed", first.is_closed())
    first.run_forever()
    seen("first", trail)


@scenario("7")
def _(seen):
    policy = Observed()
    loop = policy.new_event_loop()
    policy.set_event_loop(loop)
    loop.close()
    seen("same", policy.get_event_loop() is loop)
    seen("closed", policy.get_event_loop().is_closed())


@scenario("8")
def _(seen):
    policy = Observed()

    def use():
        first, second = policy.new_event_loop(), policy.new_event_loop()
        seen("distinct", first is not second)
        seen("running", first.is_running() or second.is_running())
        seen("closed", first.is_closed() or second.is_closed())
        seen("current", refusal(policy.get_event_loop))

    in_thread(use)


@scenario("9")
def _(seen):
    policy = observed()
    seen("here", asyncio.get_event_loop_policy() is policy)
    seen("in another thread", in_thread(lambda: asyncio.get_event_loop_policy() is policy))


@scenario("10")
def _(seen):
    first = asyncio.get_event_loop_policy()
    mine = observed()
    asyncio.set_event_loop_policy(None)
    fresh = asyncio.get_event_loop_policy()
    seen("fresh", fresh is not first and fresh is not mine)
    seen("stays", fresh is asyncio.get_event_loop_policy())
    seen("of the kind of the first", type(fresh) is type(first))


@scenario("11")
def _(seen):
    loop = asyncio.new_event_loop()
    policy = Observed()
    trail = Trail()

    def look():
        asyncio.set_event_loop_policy(policy)
        trail.mark(asyncio.get_running_loop() is loop)
        trail.mark(asyncio.get_event_loop() is loop)
        trail.mark(asyncio.get_event_loop_policy() is policy)
        loop.stop()

    loop.call_soon(look)
    loop.run_forever()
    seen("running, current, policy", trail)
    seen("policy's calls", policy.calls)


@scenario("12")
def _(seen):
    loop = asyncio.new_event_loop()
    policy = Refusing()
    asyncio.set_event_loop_policy(policy)
    same = []
    loop.call_soon(lambda: (same.append(asyncio.get_event_loop() is loop), loop.stop()))
    loop.run_forever()
    seen("running loop", same[0])
    seen("policy", policy.calls)


@scenario("13")
def _(seen):
    asyncio.set_event_loop_policy(Refusing())
    seen("get", refusal(asyncio.get_event_loop))
    seen("new", refusal(asyncio.new_event_loop))


async def seven():
    return 7


@scenario("14")
def _(seen):
    policy = observed()
    seen("value", asyncio.run(seven()))
    seen("calls", policy.calls)
    seen("get afterwards", refusal(asyncio.get_event_loop))


@scenario("15")
def _(seen):
    policy = observed()
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        seen("value", runner.run(seven()))
    seen("calls", policy.calls)


@scenario("16")
def _(seen):
    loop = asyncio.new_event_loop()
    seen("kind", "selector" if isinstance(loop, asyncio.SelectorEventLoop) else "another")


@scenario("17")
def _(seen):
    policy = asyncio.get_event_loop_policy()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answer = []

    def what_is_left():
        running = "none" if asyncio._get_running_loop() is None else "some"
        # With a loop that was set before, nothing is created: an error is "none".
        current = "none"
        try:
            if policy._local._loop is not None:
                current = "some"
        except AttributeError:
            pass
        task = "none" if running == "none" else "some"
        own = asyncio.new_event_loop()
        ran = []
        own.call_soon(lambda: (ran.append(asyncio.get_running_loop() is own), own.stop()))
        own.run_forever()
        return f"running {running}, current {current}, task {task}, own loop {'ran' if ran[0] else 'did not run'}"

    loop.call_soon(lambda: (answer.append(in_fork(what_is_left)), loop.stop()))
    loop.run_forever()
    seen("child", answer[0])
    seen("parent's current loop", asyncio.get_event_loop_policy().get_event_loop() is loop)


@scenario("18")
def _(seen):
    barrier = threading.Barrier(64)
    policies = set()

    def ask():
        barrier.wait()
        policies.add(id(asyncio.get_event_loop_policy()))

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen("policies", len(policies))
