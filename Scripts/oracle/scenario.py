"""What the scenarios share."""

import asyncio
import os
import socket
import threading


class Skipped(Exception):
    """This version of Python does not have what the line is about."""


def registry():
    """A table of scenarios, and the decorator that enters a function under the name of its check."""
    scenarios = {}

    def scenario(name):
        def enter(function):
            scenarios[name] = function
            return function

        return enter

    return scenarios, scenario


def coroutines(scenarios):
    """The decorator that enters a coroutine into the table; what it leaves goes with the process."""

    def on_loop(name):
        def enter(function):
            scenarios[name] = lambda seen: asyncio.run(function(seen))
            return function

        return enter

    return on_loop


class Trail:
    """What happened, in order."""

    def __init__(self):
        self.marks = []

    def mark(self, mark):
        self.marks.append({"True": "true", "False": "false"}.get(str(mark), str(mark)))

    def __str__(self):
        return " ".join(self.marks) or "nothing"


def refusal(call, *arguments):
    """The class of the error that a call is refused with; the name of the errno where it is the system's."""
    import errno

    try:
        result = call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    except BaseException as error:
        return type(error).__name__
    if asyncio.iscoroutine(result):
        result.close()
    return "accepted"


def in_thread(body, *arguments):
    """What the body returns in a thread of its own."""
    results = []
    thread = threading.Thread(target=lambda: results.append(body(*arguments)), daemon=True)
    thread.start()
    thread.join(15)
    return results[0]


def socket_pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def stop_after(loop, turns):
    """Stops the loop when so many turns have begun, the next one being the first."""
    loop.call_soon(loop.stop if turns <= 1 else lambda: stop_after(loop, turns - 1))


def quiet_loop():
    """A loop that keeps its reports instead of logging them."""
    loop = asyncio.new_event_loop()
    loop.reports = []
    loop.set_exception_handler(lambda _, context: loop.reports.append(context))
    return loop


class TurnCounter:
    """Counts turns by a callback that queues itself again."""

    def __init__(self, loop):
        self.count = 0
        self.loop = loop
        self.ended = False
        loop.call_soon(self.next)

    def next(self):
        if not self.ended:
            self.count += 1
            self.loop.call_soon(self.next)


def in_fork(body):
    """What the body returns, as text, in a child of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = body()
        except BaseException as error:
            answer = f"threw {error!r}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 4096).decode()
    os.waitpid(child, 0)
    return answer
