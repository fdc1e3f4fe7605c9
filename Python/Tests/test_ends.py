"""Loops that are closed, dropped, or left by an exception: with what Python objects still hold of them."""

import asyncio
import gc
import os
import signal
import socket
import threading
import unittest
import warnings
import weakref

import swift_asyncio
from support import OnLoop, Recorder, descriptors, on_each_loop

ENDING = (SystemExit, KeyboardInterrupt)


class Odd(BaseException):
    """Neither an Exception nor one of those that end a run."""


@on_each_loop
class Closed(OnLoop):
    def test_methods_of_a_closed_loop(self):
        """Each method raises a RuntimeError, or does nothing, as asyncio's."""
        loop = self.loop
        ours, theirs = self.pair()
        loop.close()
        loop.close()
        for call in (
            lambda: loop.call_soon(print), lambda: loop.call_soon_threadsafe(print), lambda: loop.call_later(0, print),
            lambda: loop.call_at(0, print), lambda: loop.run_forever(), lambda: loop.add_reader(ours, print),
            lambda: loop.add_writer(ours, print), lambda: loop.run_in_executor(None, print),
            lambda: loop.add_signal_handler(signal.SIGUSR1, print),
        ):  # fmt: skip
            self.assertRaises(RuntimeError, call)
        self.assertFalse(loop.remove_reader(ours))
        self.assertFalse(loop.remove_writer(ours))
        self.assertGreater(loop.time(), 0)
        self.assertTrue(loop.is_closed())
        self.assertFalse(loop.is_running())
        self.assertIn("closed", repr(loop))
        self.assertTrue(loop.mechanism)
        loop.stop()
        loop.set_debug(True)
        self.assertRaises(RuntimeError, lambda: loop.call_soon(print))

    def test_coroutines_of_a_closed_loop(self):
        loop = self.loop
        ours, theirs = self.pair()
        loop.close()

        async def ask():
            for call in (
                lambda: loop.create_connection(asyncio.Protocol, "127.0.0.1", 1),
                lambda: loop.create_connection(asyncio.Protocol, sock=ours),
                lambda: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
                lambda: loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0)),
                lambda: loop.sock_recv(ours, 1),
                lambda: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
            ):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    with self.assertRaises(RuntimeError):
                        await call()

        other = self.new_loop()
        other.run_until_complete(ask())
        other.close()
        gc.collect()

    def test_handles_of_a_closed_loop(self):
        soon, later = self.loop.call_soon(print, 1), self.loop.call_later(1000, print, 2)
        reader, writer = self.pair()
        watch = self.loop._add_reader(reader.fileno(), print)
        self.loop.close()
        for handle in (soon, later, watch):
            repr(handle)
            handle.cancel()
            handle.cancel()
            self.assertTrue(handle.cancelled())
            handle._run()
        self.assertGreater(later.when(), 0)

    def test_transports_and_servers_of_a_closed_loop(self):
        loop = self.loop
        protocol = Recorder(loop)

        async def connect():
            server = await loop.create_server(lambda: Recorder(loop), "127.0.0.1", 0)
            transport, _ = await loop.create_connection(lambda: protocol, *server.sockets[0].getsockname()[:2])
            return server, transport

        server, transport = self.run_on(connect())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loop.close()
        self.assertIn("unclosed transport", " ".join(str(each.message) for each in caught))
        transport.write(b"x")
        transport.writelines([b"x"])
        transport.close()
        transport.abort()
        transport.pause_reading()
        transport.resume_reading()
        transport.set_write_buffer_limits(1)
        self.assertTrue(transport.is_closing())
        self.assertFalse(transport.is_reading())
        self.assertEqual(transport.get_write_buffer_size(), 0)
        self.assertIsNone(transport.get_protocol())
        transport.get_extra_info("peername")
        transport.get_extra_info("socket")
        transport.set_protocol(protocol)
        transport.write_eof()
        repr(transport)
        server.close()
        repr(server)
        self.assertEqual(protocol.calls, ["made"])

    def test_close_while_another_thread_runs_it(self):
        running, said = threading.Event(), []

        def run():
            self.loop.call_soon(running.set)
            self.loop.run_forever()

        thread = threading.Thread(target=run)
        thread.start()
        running.wait()
        for call in (self.loop.close, self.loop.run_forever, lambda: self.loop.run_until_complete(asyncio.sleep(0))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    call()
                except RuntimeError as error:
                    said.append(str(error))
        self.assertTrue(self.loop.is_running())
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join()
        self.assertEqual(len(said), 3)

    def test_stop_from_another_thread(self):
        running = threading.Event()
        self.loop.call_soon(running.set)
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        running.wait()
        self.loop.stop()
        # As in asyncio, which may need something to wake for.
        self.loop.call_soon_threadsafe(int)
        thread.join()

    def test_run_inside_a_run(self):
        other = self.new_loop()
        said = []

        def inside():
            for loop in (self.loop, other):
                for call in (loop.run_forever, loop.close if loop is self.loop else loop.run_forever):
                    try:
                        call()
                    except RuntimeError as error:
                        said.append(str(error))
            self.loop.stop()

        self.loop.call_soon(inside)
        self.loop.run_forever()
        self.assertEqual(len(said), 4)
        self.turn()
        other.run_until_complete(asyncio.sleep(0))
        other.close()

    def test_two_loops_in_one_thread(self):
        other = self.new_loop()
        notes = []
        for i in range(3):
            self.loop.call_soon(notes.append, ("a", i))
            other.call_soon(notes.append, ("b", i))
            self.turn()
            other.run_until_complete(asyncio.sleep(0))
        other.close()
        self.assertEqual(notes, [(name, i) for i in range(3) for name in "ab"])

    def test_code_that_runs_while_the_loop_closes(self):
        """What is dropped may have a __del__ that uses the loop."""
        loop, said = self.loop, []

        class Last:
            def __del__(self):
                for call in (
                    lambda: loop.call_soon(int), lambda: loop.call_later(0, int), lambda: loop.remove_reader(ours),
                    loop.run_forever, loop.close,
                ):  # fmt: skip
                    try:
                        call()
                    except RuntimeError as error:
                        said.append(str(error))

        ours, theirs = self.pair()
        for i in range(100):
            loop.call_soon(id, Last())
            loop.call_later(i, id, Last())
            loop.call_soon_threadsafe(id, Last())
        loop._add_reader(ours.fileno(), id, Last())
        loop.close()
        self.assertGreaterEqual(len(said), 300)


@on_each_loop
class Uninitialised(OnLoop):
    def test_a_subclass_that_forgets_to_call_its_base(self):
        self.child("""
            class Loop(swift_asyncio.Loop):
                def __init__(self):
                    pass

            loop = Loop()

            async def connect():
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", 1)

            async def serve():
                await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

            for call in (
                lambda: loop.call_soon(print), lambda: loop.call_later(1, print), lambda: loop.time(),
                lambda: loop.stop(), lambda: loop.add_reader(0, print), lambda: loop.mechanism,
                lambda: loop.run_forever(), lambda: loop.close(), lambda: repr(loop), lambda: loop.remove_writer(0),
                lambda: asyncio.run(connect()), lambda: asyncio.run(serve()), lambda: loop.is_closed(),
                lambda: loop.call_soon_threadsafe(print),
            ):
                try:
                    call()
                except (RuntimeError, AttributeError):
                    continue
                sys.exit("no error")
            try:
                loop.call_soon(print)
            except RuntimeError as error:
                assert "super().__init__()" in str(error)
        """)

    def test_init_twice(self):
        self.loop.__init__()
        self.turn()


@on_each_loop
class Dropped(OnLoop):
    def test_a_loop_that_is_dropped(self):
        """As in asyncio: a ResourceWarning, and its descriptors are closed."""
        before = descriptors()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loop = self.new_loop()
            loop.run_until_complete(asyncio.sleep(0))
            reference = weakref.ref(loop)
            del loop
            gc.collect()
        self.assertIsNone(reference())
        self.assertEqual(descriptors(), before)
        self.assertTrue(any(each.category is ResourceWarning for each in caught), caught)

    def test_a_loop_that_is_dropped_with_a_future_and_a_task(self):
        loop = self.new_loop()
        future, task = loop.create_future(), None
        reference = weakref.ref(loop)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loop.close()
            del loop, future, task
            gc.collect()
        self.assertIsNone(reference())

    def test_a_thousand_loops(self):
        def one(close):
            loop = self.new_loop()
            loop.call_soon(int)
            loop.run_until_complete(asyncio.sleep(0))
            if close:
                loop.close()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i in range(20):
                one(i % 2)
            gc.collect()
            before, threads, memory = descriptors(), os.listdir("/proc/self/task"), resident()
            for i in range(1000):
                one(i % 2)
            gc.collect()
        self.assertEqual(descriptors(), before)
        # One of an earlier test may have ended meanwhile.
        self.assertLessEqual(len(os.listdir("/proc/self/task")), len(threads))
        self.assertLess(resident() - memory, 8 << 20)

    def test_a_loop_that_is_dropped_with_open_transports(self):
        out, errors = self.child("""
            def leave():
                loop = new()

                class P(asyncio.Protocol):
                    pass

                async def connect():
                    server = await loop.create_server(P, "127.0.0.1", 0)
                    await loop.create_connection(P, *server.sockets[0].getsockname()[:2])

                loop.run_until_complete(connect())
                loop.call_soon(print, "never")
                loop.call_later(0, print, "never")

            leave()
            gc.collect()
            print("end")
        """, flags=("-X", "dev"))
        self.assertEqual(out, "end\n")


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@on_each_loop
class Raised(OnLoop):
    """Exceptions in callbacks: two kinds end the run, all others are reported, and the loop goes on."""

    def expect(self, kind, run):
        """Run, with a callback that raises the kind: the run ends with it, or it was reported."""
        if kind in ENDING:
            with self.assertRaises(kind):
                run()
        else:
            run()
            self.assertTrue(any(isinstance(each.get("exception"), kind) for each in self.reports), self.reports)
        self.reports.clear()
        self.goes_on()

    def goes_on(self):
        """The loop is as good as before. A stop that was asked for may be left."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.turn(3)

    def each(self, prepare):
        """For each kind of exception: prepare(fail) makes something that calls fail(), which raises."""
        for kind in (*ENDING, Odd, ValueError, GeneratorExit):
            with self.subTest(kind=kind.__name__):
                raised = []

                def fail(*args, kind=kind, raised=raised):
                    raised.append(kind)
                    self.loop.call_soon(self.loop.stop)
                    raise kind("told to")

                cleanup = prepare(fail)
                guard = self.loop.call_later(20, self.loop.stop)
                self.expect(kind, self.loop.run_forever)
                guard.cancel()
                self.assertTrue(raised)
                if cleanup:
                    cleanup()
                self.turn(5)
                self.reports.clear()

    def test_call_soon(self):
        self.each(lambda fail: self.loop.call_soon(fail) and None)

    def test_call_soon_threadsafe(self):
        def prepare(fail):
            thread = threading.Thread(target=self.loop.call_soon_threadsafe, args=(fail,))
            thread.start()
            thread.join()

        self.each(prepare)

    def test_timer(self):
        self.each(lambda fail: self.loop.call_later(0, fail) and None)

    def test_reader(self):
        def prepare(fail):
            ours, theirs = self.pair()
            theirs.send(b"x")

            def ready():
                self.loop.remove_reader(ours)
                fail()

            self.loop.add_reader(ours, ready)

        self.each(prepare)

    def test_writer(self):
        def prepare(fail):
            ours, theirs = self.pair()

            def ready():
                self.loop.remove_writer(ours)
                fail()

            self.loop.add_writer(ours, ready)

        self.each(prepare)

    def test_signal_handler(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("needs the main thread")

        def prepare(fail):
            self.loop.add_signal_handler(signal.SIGUSR1, fail)
            os.kill(os.getpid(), signal.SIGUSR1)
            return lambda: self.loop.remove_signal_handler(signal.SIGUSR1)

        self.each(prepare)

    def test_exception_handler(self):
        """A handler that raises is reported by the default one, unless it ends the run."""
        for kind in (*ENDING, Odd, ValueError):
            with self.subTest(kind=kind.__name__):

                def handler(loop, context, kind=kind):
                    loop.call_soon(loop.stop)
                    raise kind

                self.loop.set_exception_handler(handler)
                self.loop.call_soon(int, "x")
                with self.assertLogs("asyncio") if kind not in ENDING else self.assertRaises(kind):
                    self.loop.run_forever()
                self.loop.set_exception_handler(None)
                self.goes_on()

    def connected(self, method, make=Recorder):
        """Prepare a connection whose method fails, by a function that lets that happen."""

        def prepare(fail, drive):
            ours, theirs = self.pair()
            protocol = make(self.loop)
            setattr(protocol, method, fail)

            async def connect():
                return await self.loop.create_connection(lambda: protocol, sock=ours)

            task = self.loop.create_task(connect())
            task.add_done_callback(lambda task: drive(protocol, theirs, task))

            def cleanup():
                if task.done() and not task.cancelled() and not task.exception():
                    task.result()[0].abort()
                theirs.close()

            return cleanup

        return prepare

    def test_protocol_of_a_stream(self):
        def ends(protocol, theirs, task):
            theirs.shutdown(socket.SHUT_WR)

        def fills(protocol, theirs, task):
            task.result()[0].write(b"x" * 2_000_000)

        def drains(protocol, theirs, task):
            transport = task.result()[0]
            transport.write(b"x" * 2_000_000)
            self.loop.add_reader(theirs, lambda: theirs.recv(1 << 20))
            protocol.closers = lambda: self.loop.remove_reader(theirs)

        drives = {
            "connection_made": lambda protocol, theirs, task: None,
            "data_received": lambda protocol, theirs, task: theirs.send(b"x"),
            "eof_received": ends,
            "connection_lost": lambda protocol, theirs, task: task.result()[0].close(),
            "pause_writing": fills,
            "resume_writing": drains,
        }
        for method, drive in drives.items():
            with self.subTest(method=method):
                prepare = self.connected(method)
                self.each(lambda fail: prepare(fail, drive))

    def test_protocol_with_buffers(self):
        class Buffered(asyncio.BufferedProtocol):
            def __init__(self, loop):
                self.memory = bytearray(100)

            def get_buffer(self, hint):
                return self.memory

            def buffer_updated(self, count):
                pass

        for method in ("get_buffer", "buffer_updated"):
            with self.subTest(method=method):
                prepare = self.connected(method, Buffered)
                self.each(lambda fail: prepare(fail, lambda protocol, theirs, task: theirs.send(b"x")))

    def test_protocol_of_datagrams(self):
        for method in ("connection_made", "datagram_received", "error_received", "connection_lost"):
            with self.subTest(method=method):

                def prepare(fail):
                    protocol = type("Protocol", (asyncio.DatagramProtocol,), {})()
                    setattr(protocol, method, fail)

                    async def open_and_drive():
                        transport, _ = await self.loop.create_datagram_endpoint(
                            lambda: protocol, local_addr=("127.0.0.1", 0))
                        address = transport.get_extra_info("sockname")
                        if method == "datagram_received":
                            transport.sendto(b"x", address)
                        elif method == "connection_lost":
                            transport.close()
                        elif method == "error_received":
                            transport.sendto(b"x" * 70_000, address)
                        return transport

                    task = self.loop.create_task(open_and_drive())
                    return lambda: task.done() and not task.exception() and task.result().abort()

                self.each(prepare)

    def test_factory_of_a_server(self):
        def prepare(fail):
            server = self.loop.run_until_complete(self.loop.create_server(fail, "127.0.0.1", 0))
            client = socket.create_connection(server.sockets[0].getsockname())

            def cleanup():
                server.close()
                client.settimeout(10)
                # The client was disconnected.
                self.assertIn(read(client), (b"", None))
                client.close()

            return cleanup

        self.each(prepare)

    def test_factory_of_a_connection(self):
        async def connect(kind):
            server = await self.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

            def factory():
                raise kind("told to")

            try:
                await self.loop.create_connection(factory, *server.sockets[0].getsockname()[:2])
            finally:
                server.close()

        for kind in (*ENDING, Odd, ValueError, asyncio.CancelledError):
            with self.subTest(kind=kind.__name__), self.assertRaises(kind):
                self.loop.run_until_complete(connect(kind))
        with self.assertRaises((RuntimeError, TypeError)):
            self.run_on(connect(StopIteration))


def read(client):
    try:
        return client.recv(1)
    except ConnectionError:
        return None


if __name__ == "__main__":
    unittest.main()
