"""Group J: signals."""

import asyncio
import os
import signal
import threading
import time

from scenario import Trail, in_fork, in_thread, quiet_loop, refusal, registry

scenarios, scenario = registry()


def action(number):
    current = signal.getsignal(number)
    return {signal.SIG_DFL: "default", signal.SIG_IGN: "ignored"}.get(current, "handler")


def send(number):
    os.kill(os.getpid(), number)


@scenario("123")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.add_signal_handler(
        signal.SIGUSR1, lambda: (trail.mark(asyncio.get_running_loop() is loop), loop.stop()))
    running = threading.Event()
    loop.call_soon(running.set)

    def later():
        running.wait()
        time.sleep(0.002)
        send(signal.SIGUSR1)

    thread = threading.Thread(target=later)
    thread.start()
    loop.run_forever()
    thread.join()
    seen("on the loop", trail)


@scenario("124")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.add_signal_handler(signal.SIGUSR1, trail.mark, "first")
    loop.add_signal_handler(signal.SIGUSR1, lambda: (trail.mark("second"), loop.stop()))
    seen("action", action(signal.SIGUSR1))
    loop.call_soon(send, signal.SIGUSR1)
    loop.run_forever()
    seen("called", trail)
    seen("removed", loop.remove_signal_handler(signal.SIGUSR1))
    seen("removed again", loop.remove_signal_handler(signal.SIGUSR1))
    seen("action afterwards", action(signal.SIGUSR1))


@scenario("124-before")
def _(seen):
    loop = quiet_loop()
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGUSR2, int)
    loop.remove_signal_handler(signal.SIGUSR2)
    seen("action afterwards", action(signal.SIGUSR2))


@scenario("125")
def _(seen):
    loop = quiet_loop()
    for name, number in (("SIGKILL", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP), ("0", 0), ("1000", 1000)):
        seen(name, refusal(loop.add_signal_handler, number, int))


@scenario("125-thread")
def _(seen):
    loop = quiet_loop()

    def run():
        called = []
        try:
            loop.add_signal_handler(signal.SIGUSR1, lambda: (called.append(1), loop.stop()))
        except (RuntimeError, ValueError):
            return False
        loop.call_soon(send, signal.SIGUSR1)
        loop.run_forever()
        return bool(called)

    seen("called", in_thread(run))


@scenario("126")
def _(seen):
    loops = [quiet_loop(), quiet_loop()]
    trail = Trail()
    for loop in loops:
        loop.add_signal_handler(
            signal.SIGUSR1, lambda loop=loop: (trail.mark(asyncio.get_running_loop() is loop), loop.stop()))
        loop.call_later(0.2, loop.stop)
    threads = [threading.Thread(target=loop.run_forever) for loop in loops[1:]]
    for thread in threads:
        thread.start()
    loops[0].call_later(0.05, send, signal.SIGUSR1)
    loops[0].run_forever()
    for thread in threads:
        thread.join()
    seen("each on its own loop", trail)


@scenario("127")
def _(seen):
    loop = quiet_loop()
    called = set()
    # What is lost is written to standard error, once for each signal.
    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, called.add, number)

    def storm():
        for _ in range(100_000):
            send(signal.SIGUSR1)
        send(signal.SIGUSR2)
        loop.call_later(0.2, loop.stop)

    loop.call_soon(storm)
    loop.run_forever()
    seen("distinct signals delivered", len(called))


@scenario("128")
def _(seen):
    loop = quiet_loop()
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.close()
    seen("removed afterwards", loop.remove_signal_handler(signal.SIGUSR1))
    seen("action", action(signal.SIGUSR1))


@scenario("129")
def _(seen):
    loop = quiet_loop()
    trail = Trail()
    loop.add_signal_handler(signal.SIGUSR1, trail.mark, "parent")

    def child():
        for _ in range(10):
            send(signal.SIGUSR1)
        return "sent"

    def start():
        trail.mark(in_fork(child))
        loop.call_later(0.02, loop.stop)

    loop.call_soon(start)
    loop.run_forever()
    seen("child and parent", trail)
