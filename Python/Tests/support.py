"""What the tests of the Python package share: the loops they run on, children that may crash, and a few protocols."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import unittest

import swift_asyncio

KINDS = ("selector", "proactor")
# No test takes so long; a hang ends there, and fails.
LIMIT = 60


def on_each_loop(case):
    """Give the tests of a class to unittest once for each loop, by subclasses whose `kind` names it."""
    module = sys.modules[case.__module__]
    for kind in KINDS:
        name = f"{case.__name__}_{kind}"
        made = type(name, (case, unittest.TestCase), {"kind": kind, "__module__": case.__module__})
        setattr(module, name, made)
    return case


class OnLoop:
    """The base of the classes that on_each_loop takes: a loop for each test, whose reports are kept."""

    kind = None

    def setUp(self):
        if self.kind == "proactor" and swift_asyncio.proactor_refusal():
            self.skipTest(swift_asyncio.proactor_refusal())
        self.loop = self.new_loop()
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def tearDown(self):
        self.loop.close()

    def new_loop(self):
        return swift_asyncio.new_event_loop(self.kind)

    def run_on(self, coroutine):
        """Run a coroutine to its end; a hang ends with TimeoutError."""
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, LIMIT))

    def turn(self, times=1):
        """Let the loop run for some turns, outside of a run."""

        async def turns():
            await turns_of(times)

        self.run_on(turns())

    def assertClosed(self, before):
        """No more is open than before; what ends in the turns that come is given some."""
        for _ in range(1000):
            gc.collect()
            if descriptors() <= before:
                return
            self.turn()
        self.assertEqual(descriptors(), before)

    def pair(self):
        """Return two connected sockets that do not block, and are closed with the test."""
        sockets = socket.socketpair()
        for each in sockets:
            each.setblocking(False)
            self.addCleanup(each.close)
        return sockets

    def child(self, code, *, status=0, flags=(), limit=30, forks=False):
        """Run code in a process of its own, where new() makes a loop; return what it prints, and its errors.

        What it leaves behind is in its session, and ends with it.
        """
        prelude = (
            "import asyncio, faulthandler, gc, os, signal, socket, sys, threading, time, warnings\n"
            "import swift_asyncio\n"
            "faulthandler.enable()\n"
            # A child of a fork would wait for the thread of this for ever.
            f"{'#' * forks}faulthandler.dump_traceback_later({limit - 5}, exit=True)\n"
            f"KIND = {self.kind!r}\n"
            "def new(): return swift_asyncio.new_event_loop(KIND)\n"
        )
        process = subprocess.Popen(
            [sys.executable, *flags, "-c", prelude + textwrap.dedent(code)], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, errors = process.communicate(timeout=limit)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        self.assertEqual(process.returncode, status, f"status {process.returncode}\n{out}\n{errors}")
        return out, errors


async def turns_of(times):
    for _ in range(times):
        await asyncio.sleep(0)


def descriptors():
    """Return the numbers that are open."""
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set(os.listdir("/dev/fd"))


class Recorder(asyncio.Protocol):
    """Notes its calls, and has futures for the connection and its end."""

    def __init__(self, loop):
        self.calls, self.data, self.error = [], bytearray(), None
        self.transport = None
        self.lost = loop.create_future()
        self.received = loop.create_future()
        self.wanted = 1

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data):
        self.calls.append("data")
        self.data += data
        if len(self.data) >= self.wanted and not self.received.done():
            self.received.set_result(None)

    def eof_received(self):
        self.calls.append("eof")

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")

    def connection_lost(self, error):
        self.calls.append("lost")
        self.error = error
        if not self.lost.done():
            self.lost.set_result(None)
