"""Arguments, protocols, buffers and descriptors that make no sense: an exception with a clear text, and no harm."""

import asyncio
import contextlib
import decimal
import gc
import math
import os
import socket
import ssl
import sys
import tempfile
import unittest
import warnings

from support import OnLoop, Recorder, descriptors, on_each_loop, turns_of


class Connected(OnLoop):
    """With a transport over one of two sockets."""

    async def connect(self, protocol=None):
        ours, theirs = self.pair()
        protocol = protocol or Recorder(self.loop)
        transport, _ = await self.loop.create_connection(lambda: protocol, sock=ours)
        self.addCleanup(transport.abort)
        return transport, protocol, theirs

    async def receive(self, sock, count):
        """Receive so many bytes, or all up to the end."""
        data = bytearray()
        while len(data) < count:
            part = await self.loop.sock_recv(sock, 1 << 20)
            if not part:
                break
            data += part
        return bytes(data)


@on_each_loop
class Writing(Connected):
    def test_wrong_types(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            for data in (None, 5, "text", [1], (b"x",), 1.5, object(), bytes, {b"x"}):
                self.assertRaises(TypeError, transport.write, data)
            for lines in (None, 5, [None], ["x"], [b"x", 5], "x"):
                self.assertRaises(TypeError, transport.writelines, lines)

            def generator():
                yield b"lost"
                raise ZeroDivisionError

            self.assertRaises(ZeroDivisionError, transport.writelines, generator())
            self.assertRaises(TypeError, transport.write)
            self.assertRaises(TypeError, transport.write, b"x", b"y")
            self.assertRaises(AttributeError, lambda: transport.sendto(b"x"))
            transport.write(b"")
            transport.writelines([])
            transport.writelines(part for part in (b"a", bytearray(b"b"), memoryview(b"c")))
            transport.write(bytearray(b"d"))
            transport.write(memoryview(b"xex")[1:2])
            self.assertEqual(await self.receive(theirs, 5), b"abcde")

        self.run_on(go())

    def test_memory_that_is_not_contiguous(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            try:
                transport.write(memoryview(b"a.b.c.")[::2])
            except BufferError:
                transport.write(b"abc")
            self.assertEqual(await self.receive(theirs, 3), b"abc")
            words = memoryview(b"abcdefgh").cast("I")
            transport.write(words)
            self.assertEqual(await self.receive(theirs, 8), b"abcdefgh")
            released = memoryview(b"x")
            released.release()
            self.assertRaises(ValueError, transport.write, released)

        self.run_on(go())

    def test_a_hundred_megabytes(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            data = os.urandom(1 << 20) * 100
            transport.write(data)
            self.assertGreater(transport.get_write_buffer_size(), 0)
            transport.close()
            count = 0
            position = 0
            while part := await self.loop.sock_recv(theirs, 1 << 20):
                if count % 16 == 0:
                    self.assertTrue(data.startswith(part, position))
                count += 1
                position += len(part)
            self.assertEqual(position, len(data))
            await protocol.lost
            self.assertEqual(protocol.calls, ["made", "pause", "resume", "lost"])

        self.run_on(go())

    def test_a_bytearray_may_change_after_write(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            data = bytearray(b"a" * 1_000_000)
            transport.write(data)
            data[:] = b"b" * len(data)
            data.clear()
            got = await self.receive(theirs, 1_000_000)
            self.assertEqual(got.count(b"a"), 1_000_000)

        self.run_on(go())

    def test_after_the_end(self):
        async def go():
            for end in ("close", "abort", "write_eof"):
                transport, protocol, theirs = await self.connect()
                getattr(transport, end)()
                if end == "write_eof":
                    self.assertRaises(RuntimeError, transport.write, b"x")
                    self.assertRaises(RuntimeError, transport.writelines, [b"x"])
                    transport.write_eof()
                    transport.close()
                for _ in range(10):
                    if end != "write_eof":
                        transport.write(b"x")
                    transport.close()
                    transport.abort()
                    transport.pause_reading()
                    transport.resume_reading()
                await protocol.lost
                transport.write_eof()
                self.assertIsNone(transport.get_protocol())
                self.assertEqual(protocol.calls.count("lost"), 1)

        self.run_on(go())

    def test_limits(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            for high, low in ((-1, None), (5, 10), (None, -1), (10, -1), (math.nan, None)):
                self.assertRaises(ValueError, transport.set_write_buffer_limits, high, low)
            for high, low in (("x", None), ([], None), (None, "x")):
                self.assertRaises(TypeError, transport.set_write_buffer_limits, high, low)
            before = transport.get_write_buffer_limits()
            self.assertEqual(before, (16 * 1024, 64 * 1024))
            transport.set_write_buffer_limits(1 << 100, 1 << 99)
            self.assertGreater(transport.get_write_buffer_limits()[1], 1 << 60)
            transport.set_write_buffer_limits(100.0, 10.0)
            self.assertEqual(transport.get_write_buffer_limits(), (10, 100))
            transport.set_write_buffer_limits(math.inf, 5)
            transport.set_write_buffer_limits(0)
            self.assertEqual(transport.get_write_buffer_limits(), (0, 0))
            transport.write(b"x" * 2_000_000)
            self.assertEqual(protocol.calls, ["made", "pause"])
            self.assertEqual(len(await self.receive(theirs, 2_000_000)), 2_000_000)
            await turns_of(5)
            self.assertEqual(protocol.calls, ["made", "pause", "resume"])

        self.run_on(go())

    def test_pause_and_resume_in_any_order(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            for word in "pprrprprrpp":
                (transport.pause_reading if word == "p" else transport.resume_reading)()
                self.assertEqual(transport.is_reading(), word == "r")
            theirs.send(b"x")
            await turns_of(10)
            self.assertEqual(protocol.data, b"")
            transport.resume_reading()
            await protocol.received
            self.assertEqual(protocol.data, b"x")

        self.run_on(go())

    def test_wrong_thread(self):
        async def go():
            transport, protocol, theirs = await self.connect()
            said = []

            def other():
                for call in (
                    lambda: transport.write(b"x"), lambda: transport.writelines([b"x"]), transport.write_eof,
                    transport.pause_reading, transport.resume_reading, transport.is_reading, transport.is_closing,
                    transport.get_write_buffer_size, transport.get_write_buffer_limits, transport.abort,
                    lambda: transport.set_write_buffer_limits(1), lambda: transport.set_protocol(protocol),
                ):  # fmt: skip
                    try:
                        call()
                    except RuntimeError as error:
                        said.append("call_soon_threadsafe" in str(error))
                for name in ("peername", "sockname", "socket", "nonsense"):
                    transport.get_extra_info(name)
                repr(transport)

            await self.loop.run_in_executor(None, other)
            self.assertEqual(said, [True] * 12)
            self.assertFalse(transport.is_closing())

        self.run_on(go())

    def test_addresses_in_another_thread(self):
        async def go():
            server = await self.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            transport, _ = await self.loop.create_connection(asyncio.Protocol, *address)
            said = await self.loop.run_in_executor(None, transport.get_extra_info, "peername")
            self.assertEqual(said, address)
            transport.close()
            server.close()

        self.run_on(go())


class Lending(asyncio.BufferedProtocol):
    """Lends what it is told to, and notes what comes."""

    def __init__(self, loop, lend):
        self.lend, self.data = lend, bytearray()
        self.lost = loop.create_future()
        self.received = loop.create_future()
        self.counts, self.lent = [], None

    def get_buffer(self, hint):
        self.lent = self.lend(hint)
        return self.lent

    def buffer_updated(self, count):
        self.counts.append(count)
        self.data += bytes(memoryview(self.lent)[:count])
        if not self.received.done():
            self.received.set_result(None)

    def connection_lost(self, error):
        self.lost.set_result(error)


@on_each_loop
class Buffers(Connected):
    def test_what_is_no_buffer(self):
        array = bytearray(10)
        wrong = (None, 5, "x", b"bytes", bytearray(), memoryview(b"read-only"), memoryview(array)[::2], object())

        async def go():
            for lent in wrong:
                with self.subTest(lent=lent):
                    self.reports.clear()
                    protocol = Lending(self.loop, lambda hint: lent)
                    transport, _, theirs = await self.connect(protocol)
                    theirs.send(b"x")
                    self.assertIsInstance(await protocol.lost, Exception)
                    self.assertEqual(len(self.reports), 1)
                    self.assertIn("get_buffer", self.reports[0]["message"])

        self.run_on(go())

    def test_buffers_of_any_size(self):
        async def go():
            sizes = iter([1, 2, 3, 100, 1, 70_000, 5] + [1000] * 1000)
            protocol = Lending(self.loop, lambda hint: bytearray(next(sizes)))
            transport, _, theirs = await self.connect(protocol)
            sent = os.urandom(50_000)
            await self.loop.sock_sendall(theirs, sent)
            theirs.shutdown(socket.SHUT_WR)
            await protocol.lost
            self.assertEqual(protocol.data, sent)
            self.assertEqual(protocol.counts[:3], [1, 2, 3])

        self.run_on(go())

    def test_a_buffer_is_resized_when_it_is_not_lent(self):
        """Whatever the loop has done in between: nothing is lent while the program runs."""
        async def go():
            memory = bytearray(100)
            protocol = Lending(self.loop, lambda hint: memory)
            transport, _, theirs = await self.connect(protocol)
            for i in range(20):
                protocol.received = self.loop.create_future()
                theirs.send(b"x")
                await protocol.received
                memory.append(1)
                await turns_of(3)
                memory.pop()
                transport.pause_reading()
                memory.append(1)
                transport.resume_reading()
                await turns_of(2)
                memory.append(1)
            transport.abort()
            memory.clear()

        self.run_on(go())

    def test_resize_in_buffer_updated(self):
        async def go():
            memory = bytearray(4)
            protocol = Lending(self.loop, lambda hint: memory)
            updated = protocol.buffer_updated

            def resize(count):
                updated(count)
                memory.append(0)

            protocol.buffer_updated = resize
            transport, _, theirs = await self.connect(protocol)
            theirs.send(b"abcdefghijklmnop")
            theirs.shutdown(socket.SHUT_WR)
            self.assertIsNone(await protocol.lost)
            self.assertEqual(protocol.data, b"abcdefghijklmnop")
            self.assertEqual(protocol.counts, [4, 5, 6, 1])

        self.run_on(go())

    def test_an_object_that_gives_its_buffer_back(self):
        """The protocol drops what it has lent."""
        async def go():
            protocol = Lending(self.loop, bytearray)
            updated = protocol.buffer_updated

            def drop(count):
                updated(count)
                protocol.lent = None
                gc.collect()

            protocol.buffer_updated = drop
            transport, _, theirs = await self.connect(protocol)
            theirs.send(b"abc")
            theirs.shutdown(socket.SHUT_WR)
            await protocol.lost
            self.assertEqual(protocol.data, b"abc")

        self.run_on(go())


@on_each_loop
class Protocols(Connected):
    def test_without_methods(self):
        """What a protocol lacks is reported when it is needed; nothing else happens."""

        async def go():
            protocol = object()
            transport, _, theirs = await self.connect(protocol)
            self.assertIn("connection_made", str(self.reports[0]["exception"]))
            theirs.send(b"x")
            while not transport.is_closing():
                await asyncio.sleep(0)
            await turns_of(5)
            said = " ".join(str(report["exception"]) for report in self.reports)
            for name in ("data_received", "connection_lost"):
                self.assertIn(name, said)

        self.run_on(go())

    def test_set_protocol_to_anything(self):
        async def go():
            for other in (None, 5, "x", object(), asyncio.Protocol):
                transport, protocol, theirs = await self.connect()
                transport.set_protocol(other)
                self.assertIs(transport.get_protocol(), other)
                theirs.send(b"x")
                while not transport.is_closing():
                    await asyncio.sleep(0)
                await turns_of(5)

        self.run_on(go())

    def test_set_protocol_in_each_callback(self):
        """From plain and from buffered, to plain and to buffered: no byte is lost, and no call comes twice."""

        class Base:
            def __init__(self, test, where, next):
                self.test, self.where, self.next, self.data = test, where, next, b""
                self.lost = test.loop.create_future()

            def at(self, where):
                if where == self.where and self.next is not None:
                    self.where = None
                    self.transport.set_protocol(self.next)

            def connection_made(self, transport):
                self.transport = transport
                self.at("connection_made")

            def eof_received(self):
                self.at("eof_received")

            def pause_writing(self):
                self.at("pause_writing")

            def resume_writing(self):
                self.at("resume_writing")

            def connection_lost(self, error):
                self.at("connection_lost")
                self.lost.set_result(error)

        class Plain(Base, asyncio.Protocol):
            def data_received(self, data):
                assert isinstance(data, bytes), data
                self.data += data
                self.at("data_received")

        class Buffered(Base, asyncio.BufferedProtocol):
            def get_buffer(self, hint):
                self.memory = bytearray(3)
                self.at("get_buffer")
                return self.memory

            def buffer_updated(self, count):
                self.data += self.memory[:count]
                self.at("buffer_updated")

        async def one(first, second, where):
            after = second(self, None, None)
            before = first(self, where, after)
            transport, _, theirs = await self.connect(before)
            after.transport = transport
            transport.write(b"x" * 1_000_000)
            await self.receive(theirs, 1_000_000)
            theirs.send(b"abcdefgh")
            theirs.shutdown(socket.SHUT_WR)
            done, _ = await asyncio.wait([before.lost, after.lost], return_when="FIRST_COMPLETED", timeout=20)
            await turns_of(3)
            self.assertEqual(before.lost.done() + after.lost.done(), 1)
            self.assertEqual(before.lost.done(), where == "connection_lost")
            self.assertEqual((before.data + after.data), b"abcdefgh")
            before.lost.cancel()
            after.lost.cancel()

        async def go():
            common = ("connection_made", "eof_received", "pause_writing", "resume_writing", "connection_lost")
            own = {Plain: ("data_received",), Buffered: ("get_buffer", "buffer_updated")}
            for first in (Plain, Buffered):
                for second in (Plain, Buffered):
                    for where in common + own[first]:
                        if where == "get_buffer" and second is Buffered:
                            continue  # The second one's buffer is not the one that was filled: as in asyncio.
                        with self.subTest(first=first.__name__, second=second.__name__, where=where):
                            await one(first, second, where)
            self.assertEqual(self.reports, [])

        self.run_on(go())

    def test_everything_in_every_callback(self):
        """Calls that end, pause and write, from inside each callback."""

        async def go():
            for where in ("connection_made", "data_received", "eof_received", "connection_lost", "pause_writing"):
                for what in ("close", "abort", "pause_reading", "write_eof", "is_reading", "get_write_buffer_size"):
                    with self.subTest(where=where, what=what):
                        protocol = Recorder(self.loop)
                        usual = getattr(protocol, where)

                        def both(*args):
                            usual(*args)
                            getattr(protocol.transport, what)()
                            protocol.transport.get_extra_info("peername")
                            gc.collect()

                        setattr(protocol, where, both)
                        transport, _, theirs = await self.connect(protocol)
                        if where == "pause_writing" and not transport.is_closing():
                            transport.write(b"x" * 1_000_000)
                        try:
                            theirs.send(b"x")
                            theirs.shutdown(socket.SHUT_WR)
                        except OSError:
                            pass  # The transport is closed already.
                        await turns_of(5)
                        transport.abort()
                        await protocol.lost
                        self.assertEqual(protocol.calls.count("lost"), 1)

        self.run_on(go())

    def test_the_last_reference_goes_in_connection_lost(self):
        async def go():
            class Last(asyncio.Protocol):
                def connection_made(self, transport):
                    self.transport = transport

                def connection_lost(self, error):
                    del self.transport
                    gc.collect()
                    ended.set_result(None)

            ended = self.loop.create_future()
            ours, theirs = self.pair()
            await self.loop.create_connection(Last, sock=ours)
            theirs.close()
            await ended
            await turns_of(2)
            gc.collect()

        self.run_on(go())


@on_each_loop
class Watches(OnLoop):
    def test_wrong_descriptors(self):
        class Wrong:
            def __init__(self, answer):
                self.answer = answer

            def fileno(self):
                if isinstance(self.answer, Exception):
                    raise self.answer
                return self.answer

        loop = self.loop
        for add, remove in ((loop.add_reader, loop.remove_reader), (loop.add_writer, loop.remove_writer)):
            for wrong, kinds in (
                (-1, ValueError), (-(1 << 40), (ValueError, OverflowError)), (1 << 40, OverflowError),
                (None, ValueError),
                ("x", ValueError), (1.5, ValueError), (object(), ValueError), (Wrong("x"), (ValueError, TypeError)),
                (Wrong(-1), ValueError), (Wrong(ZeroDivisionError()), ZeroDivisionError),
                (Wrong(OSError(9, "x")), OSError),
                (Wrong(None), (ValueError, TypeError)),
            ):
                with self.subTest(wrong=wrong):
                    self.assertRaises(kinds, add, wrong, print)
                    self.assertRaises(kinds, remove, wrong)
            self.assertRaises(OSError, add, 1_000_000, print)
            self.assertFalse(remove(1_000_000))
            self.assertRaises(TypeError, add, 0)
            self.assertRaises(TypeError, add)

    def test_a_closed_number(self):
        ours, theirs = self.pair()
        number = ours.fileno()
        ours.close()
        self.assertRaises(OSError, self.loop.add_reader, number, print)
        self.assertFalse(self.loop.remove_reader(number))
        self.turn()

    def test_a_regular_file(self):
        """An error of the system, or a file that is always ready."""
        with tempfile.TemporaryFile() as file:
            called = []
            try:
                self.loop.add_reader(file, called.append, 1)
            except PermissionError:
                pass
            self.turn(3)
            self.loop.remove_reader(file)

    def test_the_number_of_a_transport(self):
        ours, theirs = self.pair()

        async def go():
            transport, _ = await self.loop.create_connection(asyncio.Protocol, sock=ours)
            for call in (
                lambda: self.loop.add_reader(ours, print), lambda: self.loop.add_writer(ours, print),
                lambda: self.loop.remove_reader(ours), lambda: self.loop.remove_writer(ours),
            ):  # fmt: skip
                with self.assertRaisesRegex(RuntimeError, "used by transport"):
                    call()
            with self.assertRaises(RuntimeError):
                await self.loop.create_connection(asyncio.Protocol, sock=ours)
            transport.close()

        self.run_on(go())

    def test_replaced_and_removed_twice(self):
        ours, theirs = self.pair()
        notes = []
        theirs.send(b"x")
        for i in range(100):
            self.loop.add_reader(ours, notes.append, i)
            self.loop.add_writer(ours, notes.append, -i)
        self.turn(5)
        self.assertEqual(set(notes), {99, -99})
        self.assertTrue(self.loop.remove_reader(ours))
        self.assertFalse(self.loop.remove_reader(ours))
        self.assertTrue(self.loop.remove_writer(ours))
        self.assertFalse(self.loop.remove_writer(ours))
        notes.clear()
        self.turn(5)
        self.assertEqual(notes, [])

    def test_the_number_is_another_file_later(self):
        """A watched socket is closed without remove_reader, and its number is given to the next one."""
        notes = []
        for i in range(20):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.send(b"x")
            self.loop.add_reader(ours, notes.append, i)
            self.turn(4)
            ours.close()
            theirs.close()
        self.assertEqual(set(notes), set(range(20)))

    def test_changes_from_inside(self):
        ours, theirs = self.pair()
        theirs.send(b"x")
        done = self.loop.create_future()

        def first():
            self.loop.remove_reader(ours)
            self.loop.add_reader(ours, second)
            gc.collect()

        def second():
            self.loop.add_reader(ours, third)

        def third():
            self.loop.remove_reader(ours)
            done.set_result(None)

        self.loop.add_reader(ours, first)

        async def go():
            await done

        self.run_on(go())


@on_each_loop
class Timers(OnLoop):
    def test_times_that_make_no_sense(self):
        for call in (self.loop.call_later, self.loop.call_at):
            for when, kind in (
                (math.nan, ValueError), (None, TypeError), ("1", TypeError), ([], TypeError),
                (1 << 2000, OverflowError),
                (1j, TypeError), (decimal.Decimal("nan"), ValueError),
            ):  # fmt: skip
                with self.subTest(when=when):
                    self.assertRaises(kind, call, when, print)
            self.assertRaises(TypeError, call, 1)
            self.assertRaises(TypeError, call)
            self.assertRaises(TypeError, call, 1, print, nonsense=1)
            self.assertRaises(TypeError, call, 1, print, context=5)
            for far in (math.inf, 1 << 100, 1e300, 1e18):
                handle = call(far, self.fail)
                repr(handle)
                handle.cancel()
        self.turn(2)

    def test_times_in_the_past(self):
        notes = []
        for when in (-math.inf, -1e300, -(1 << 100), -1, 0, decimal.Decimal(0), True - 1):
            self.loop.call_later(when, notes.append, when)
        self.loop.call_at(-math.inf, notes.append, "at")
        self.turn(3)
        self.assertEqual(len(notes), 8)

    def test_a_far_timer_does_not_hide_a_near_one(self):
        notes = []
        for far in (math.inf, 1e300, 1e10):
            self.loop.call_later(far, notes.append, far)
        self.loop.call_later(0.001, self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(notes, [])

    def test_callbacks_that_are_none(self):
        self.loop.set_debug(False)
        for wrong in (None, 5, "x"):
            self.loop.call_soon(wrong)
        self.turn(2)
        self.assertEqual([type(each["exception"]) for each in self.reports], [TypeError] * 3)
        self.loop.set_debug(True)
        self.assertRaises(TypeError, self.loop.call_soon, None)

        async def coroutine():
            pass

        self.assertRaises(TypeError, self.loop.call_soon, coroutine)
        self.loop.set_debug(False)
        self.assertRaises(TypeError, self.loop.call_soon)
        self.assertRaises(TypeError, self.loop.call_soon, print, context=5)
        self.assertRaises(TypeError, self.loop.call_soon, print, other=5)

    def test_a_context_that_is_entered_already(self):
        import contextvars

        context = contextvars.copy_context()
        self.loop.call_soon(int, context=context)
        # As of 3.12 the handler of exceptions runs in that context as well, so the default one logs.
        logs = self.assertLogs("asyncio") if sys.version_info >= (3, 12) else contextlib.nullcontext()
        with logs:
            context.run(self.turn, 2)
        if sys.version_info < (3, 12):
            self.assertEqual([type(each["exception"]) for each in self.reports], [RuntimeError])

    def test_handles_of_handles(self):
        """Long chains are released without a deep recursion."""
        self.child("""
            for add in ("call_soon", "call_later"):
                loop, handle = new(), None
                for _ in range(300_000):
                    if add == "call_soon":
                        handle = loop.call_soon(id, handle)
                    else:
                        handle = loop.call_later(1000, id, handle)
                del handle
                loop.close()
        """)


@on_each_loop
class Sockets(OnLoop):
    def test_debug_mode_wants_sockets_that_do_not_block(self):
        self.loop.set_debug(True)

        async def go():
            with socket.socket() as sock:
                for call in (
                    lambda: self.loop.sock_recv(sock, 1), lambda: self.loop.sock_recv_into(sock, bytearray(1)),
                    lambda: self.loop.sock_sendall(sock, b"x"), lambda: self.loop.sock_accept(sock),
                    lambda: self.loop.sock_connect(sock, ("127.0.0.1", 1)), lambda: self.loop.sock_recvfrom(sock, 1),
                    lambda: self.loop.sock_recvfrom_into(sock, bytearray(1)),
                    lambda: self.loop.sock_sendto(sock, b"x", ("127.0.0.1", 1)),
                ):  # fmt: skip
                    with self.assertRaisesRegex(ValueError, "non-blocking"):
                        await call()

        self.run_on(go())

    def test_protected_sockets(self):
        async def go():
            sock = ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x")
            sock.setblocking(False)
            with sock:
                for call in (
                    lambda: self.loop.sock_recv(sock, 1), lambda: self.loop.sock_sendall(sock, b"x"),
                    lambda: self.loop.create_connection(asyncio.Protocol, sock=sock),
                ):  # fmt: skip
                    with self.assertRaises((TypeError, OSError)):
                        await call()

        self.run_on(go())

    def test_closed_sockets(self):
        async def go():
            sock = socket.socket()
            sock.setblocking(False)
            sock.close()
            for call in (
                lambda: self.loop.sock_recv(sock, 1), lambda: self.loop.sock_recv_into(sock, bytearray(1)),
                lambda: self.loop.sock_sendall(sock, b"x"), lambda: self.loop.sock_accept(sock),
                lambda: self.loop.sock_connect(sock, ("127.0.0.1", 1)),
            ):  # fmt: skip
                with self.assertRaises(OSError):
                    await call()
            with self.assertRaises((OSError, ValueError)):
                await self.loop.create_connection(asyncio.Protocol, sock=sock)
            with self.assertRaises((OSError, ValueError)):
                await self.loop.create_server(asyncio.Protocol, sock=sock)

        self.run_on(go())

    def test_a_cancel_takes_nothing(self):
        """At whichever turn a receive is cancelled, the next one has all the bytes."""
        ours, theirs = self.pair()

        async def go():
            expected = got = 0
            for turns in range(8):
                for late in range(4):
                    buffer = bytearray(10)
                    for call in (
                        lambda: self.loop.sock_recv(ours, 10), lambda: self.loop.sock_recv_into(ours, buffer),
                        lambda: self.loop.sock_recvfrom(ours, 10),
                    ):
                        task = self.loop.create_task(call())
                        await turns_of(turns)
                        theirs.send(b"x")
                        expected += 1
                        await turns_of(late)
                        task.cancel()
                        try:
                            answer = await task
                            answer = answer[0] if isinstance(answer, tuple) else answer
                            got += answer if isinstance(answer, int) else len(answer)
                        except asyncio.CancelledError:
                            pass
                        if got < expected:
                            got += len(await self.loop.sock_recv(ours, 100))
                        self.assertEqual(got, expected)

        self.run_on(go())
        self.assertFalse(self.loop.remove_reader(ours))

    def test_a_cancelled_accept_leaves_the_client(self):
        async def go():
            with socket.create_server(("127.0.0.1", 0)) as server:
                server.setblocking(False)
                for late in range(5):
                    task = self.loop.create_task(self.loop.sock_accept(server))
                    await turns_of(2)
                    client = socket.create_connection(server.getsockname())
                    await turns_of(late)
                    task.cancel()
                    try:
                        accepted, _ = await task
                    except asyncio.CancelledError:
                        accepted, _ = await self.loop.sock_accept(server)
                    client.send(b"x")
                    self.assertEqual(await self.loop.sock_recv(accepted, 1), b"x")
                    client.close()
                    accepted.close()

        before = descriptors()
        self.run_on(go())
        self.assertEqual(descriptors(), before)

    def test_cancelled_connects(self):
        async def go():
            with socket.create_server(("127.0.0.1", 0)) as server:
                for turns in range(6):
                    sock = socket.socket()
                    sock.setblocking(False)
                    task = self.loop.create_task(self.loop.sock_connect(sock, server.getsockname()))
                    await turns_of(turns)
                    task.cancel()
                    await asyncio.wait([task])
                    sock.close()

        before = descriptors()
        self.run_on(go())
        self.assertEqual(descriptors(), before)

    def test_two_receives_at_once(self):
        """The later one gets the bytes, as in asyncio; the earlier one can be cancelled."""
        ours, theirs = self.pair()

        async def go():
            first = self.loop.create_task(self.loop.sock_recv(ours, 1))
            await turns_of(2)
            second = self.loop.create_task(self.loop.sock_recv(ours, 1))
            await turns_of(2)
            theirs.send(b"ab")
            self.assertEqual(await second, b"a")
            first.cancel()
            await asyncio.wait([first])
            self.assertEqual(await self.loop.sock_recv(ours, 1), b"b")

        self.run_on(go())

    def test_arguments_that_make_no_sense(self):
        ours, theirs = self.pair()

        async def go():
            for call, kind in (
                (lambda: self.loop.sock_recv(ours, -1), ValueError),
                (lambda: self.loop.sock_recv(ours, "x"), TypeError),
                (lambda: self.loop.sock_recv(None, 1), AttributeError),
                (lambda: self.loop.sock_recv_into(ours, b"read-only"), TypeError),
                (lambda: self.loop.sock_sendall(ours, "text"), TypeError),
                (lambda: self.loop.sock_sendall(ours, None), TypeError),
                (lambda: self.loop.sock_accept(ours), OSError),
            ):
                with self.assertRaises(kind):
                    await call()

        self.run_on(go())


@on_each_loop
class Connecting(OnLoop):
    def test_arguments(self):
        async def go():
            connect = self.loop.create_connection
            for args, options, kinds in (
                (("127.0.0.1", -1), {}, OverflowError), (("127.0.0.1", 65536), {}, OverflowError),
                (("127.0.0.1", 1 << 70), {}, OverflowError), (("127.0.0.1", "nonsense"), {}, OSError),
                (("a\0b", 1), {}, ValueError), ((b"127.0.0.1", 1), {}, OSError), (("", 1), {}, OSError),
                (("\ud800", 1), {}, UnicodeError), (("x" * 300, 1), {}, (OSError, UnicodeError)),
                ((5, 1), {}, TypeError),
                ((None, None), {}, ValueError), (("127.0.0.1", 1), {"sock": 5}, ValueError),
                ((), {"sock": 5}, AttributeError),
                (("127.0.0.1", 1), {"family": 77}, OSError), (("127.0.0.1", 1), {"family": "x"}, TypeError),
                (("127.0.0.1", 1), {"proto": 99}, OSError), (("127.0.0.1", 1), {"flags": -1}, OSError),
                (("127.0.0.1", 1), {"flags": 1 << 40}, OverflowError), (("127.0.0.1", 1), {"local_addr": 5}, TypeError),
                (("127.0.0.1", 1), {"local_addr": ("127.0.0.1",)}, ValueError),
                (("127.0.0.1", 1), {"local_addr": ("127.0.0.1", "x")}, OSError),
                (("127.0.0.1", 1), {"local_addr": ("::1", 0)}, OSError),
                (("127.0.0.1", 1), {"local_addr": ("a\0b", 0)}, ValueError),
                (("127.0.0.1", 1), {"happy_eyeballs_delay": math.nan}, (ValueError, OSError)),
                (("127.0.0.1", 1), {"happy_eyeballs_delay": "x"}, TypeError),
                (("127.0.0.1", 1), {"interleave": "x"}, TypeError),
                (("127.0.0.1", 1), {"interleave": 1 << 100}, OverflowError),
                (("127.0.0.1", 1), {"server_hostname": "x"}, ValueError),
                (("127.0.0.1", 1), {"ssl_handshake_timeout": 1}, ValueError),
                (("127.0.0.1", 1), {"ssl": True, "ssl_handshake_timeout": -1}, (ValueError, OSError)),
            ):  # fmt: skip
                with self.subTest(args=args, options=options), self.assertRaises(kinds):
                    await connect(asyncio.Protocol, *args, **options)
            for delay in (0, -1, 1e300, math.inf, 1 << 100, True, -math.inf):
                for interleave in (None, 0, 1, -5, 1 << 60):
                    with self.assertRaises(ConnectionError):
                        await connect(
                            asyncio.Protocol, "127.0.0.1", 1, happy_eyeballs_delay=delay, interleave=interleave)

        before = descriptors()
        self.run_on(go())
        self.assertEqual(descriptors() - before, set())

    def test_objects_of_the_wrong_kind_for_tls(self):
        async def go():
            server = await self.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            for wrong in ("yes", 5, object()):
                with self.assertRaises((TypeError, AttributeError)):
                    await self.loop.create_connection(asyncio.Protocol, *address, ssl=wrong, server_hostname="x")
            with self.assertRaises(TypeError):
                await self.loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=True)
            server.close()
            await turns_of(5)

        before = descriptors()
        self.run_on(go())
        self.turn(5)
        self.assertEqual(descriptors() - before, set())

    def test_cancel_at_each_stage(self):
        """Whatever the connection has come to: nothing of it stays."""
        lost, made = [], []

        class Server(asyncio.Protocol):
            def connection_made(self, transport):
                made.append(transport)

            def connection_lost(self, error):
                lost.append(error)

        async def go():
            server = await self.loop.create_server(Server, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            clients = []

            class Client(asyncio.Protocol):
                def connection_made(self, transport):
                    clients.append(transport)

            for turns in range(15):
                task = self.loop.create_task(self.loop.create_connection(Client, *address))
                await turns_of(turns)
                task.cancel()
                try:
                    transport, _ = await task
                    transport.close()
                except asyncio.CancelledError:
                    pass
                # A connection after it: the server has seen the first one, if there was one.
                transport, _ = await self.loop.create_connection(asyncio.Protocol, *address)
                while not made or len(lost) < len(made) - 1:
                    await asyncio.sleep(0)
                transport.close()
                while len(lost) < len(made):
                    await asyncio.sleep(0)
                self.assertTrue(all(client.is_closing() for client in clients))
            server.close()
            await turns_of(5)

        before = descriptors()
        self.run_on(go())
        gc.collect()
        self.assertEqual(descriptors() - before, set())

    def test_servers(self):
        async def go():
            serve = self.loop.create_server
            for args, options, kinds in (
                (("127.0.0.1", -1), {}, OverflowError), (("127.0.0.1", 65536), {}, OverflowError),
                (("127.0.0.1", "nonsense"), {}, OSError), (("a\0b", 1), {}, ValueError), ((5, 1), {}, TypeError),
                (("127.0.0.1", 0), {"sock": 5}, ValueError), ((), {"sock": 5}, AttributeError), ((), {}, ValueError),
                (("127.0.0.1", 0), {"family": socket.AF_INET6}, OSError), (("localhost", 0), {"flags": -1}, OSError),
                (("127.0.0.1", 0), {"backlog": "x"}, TypeError), (("203.0.113.1", 0), {}, OSError),
                (("127.0.0.1", 0), {"ssl_handshake_timeout": 1}, ValueError),
            ):  # fmt: skip
                with self.subTest(args=args, options=options), self.assertRaises(kinds):
                    await serve(asyncio.Protocol, *args, **options)
            ours, theirs = self.pair()
            with self.assertRaises((OSError, ValueError)):
                await serve(asyncio.Protocol, sock=ours)
            with socket.socket(type=socket.SOCK_DGRAM) as datagrams, self.assertRaises(ValueError):
                await serve(asyncio.Protocol, sock=datagrams)
            for backlog in (0, -1, 1, 1 << 30):
                (await serve(asyncio.Protocol, "127.0.0.1", 0, backlog=backlog)).close()
            server = await serve(asyncio.Protocol, "127.0.0.1", 0)
            server.close()
            server.close()
            with self.assertRaises(RuntimeError):
                await server.serve_forever()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = descriptors()
            self.run_on(go())
            gc.collect()
        self.assertLessEqual(len(descriptors() - before), 2)  # The pair of the test.

    def test_a_listening_socket_that_somebody_closes(self):
        async def go():
            sock = socket.create_server(("127.0.0.1", 0))
            address = sock.getsockname()
            server = await self.loop.create_server(asyncio.Protocol, sock=sock)
            sock.close()
            try:
                server.close()
            except (ValueError, OSError):
                pass
            await turns_of(3)
            with self.assertRaises(ConnectionError), socket.socket() as client:
                client.setblocking(False)
                await self.loop.sock_connect(client, address)

        self.run_on(go())

    def test_pipes_of_the_wrong_kind(self):
        async def go():
            with tempfile.TemporaryFile() as file:
                for connect in (self.loop.connect_read_pipe, self.loop.connect_write_pipe):
                    for wrong in (file, None, 5, "x", object()):
                        with self.assertRaises((ValueError, TypeError, AttributeError, OSError)):
                            await connect(asyncio.Protocol, wrong)

        before = descriptors()
        self.run_on(go())
        gc.collect()
        self.assertEqual(descriptors() - before, set())


@on_each_loop
class Datagrams(OnLoop):
    def test_arguments(self):
        async def go():
            make = self.loop.create_datagram_endpoint
            for options, kinds in (
                ({}, ValueError), ({"local_addr": 5}, TypeError), ({"local_addr": ("127.0.0.1",)}, TypeError),
                ({"local_addr": ("127.0.0.1", -1)}, OverflowError),
                ({"local_addr": ("127.0.0.1", 65536)}, OverflowError),
                ({"local_addr": ("127.0.0.1", 0), "family": 77}, OSError), ({"remote_addr": ("a\0b", 1)}, ValueError),
                ({"local_addr": ("127.0.0.1", 0), "sock": 5}, (ValueError, AttributeError)),
                ({"sock": 5}, AttributeError), ({"family": socket.AF_UNIX, "local_addr": 5}, TypeError),
                ({"local_addr": ("::1", 0), "remote_addr": ("127.0.0.1", 1)}, (ValueError, OSError)),
            ):  # fmt: skip
                with self.subTest(options=options), self.assertRaises(kinds):
                    await make(asyncio.DatagramProtocol, **options)
            with socket.socket() as stream, self.assertRaises(ValueError):
                await make(asyncio.DatagramProtocol, sock=stream)

        before = descriptors()
        self.run_on(go())
        gc.collect()
        self.assertEqual(descriptors() - before, set())

    def test_sendto(self):
        class Protocol(asyncio.DatagramProtocol):
            def __init__(self, loop):
                self.received, self.errors = asyncio.Queue(), []
                self.lost = loop.create_future()

            def connection_made(self, transport):
                transport.sendto(b"early", transport.get_extra_info("sockname"))

            def datagram_received(self, data, address):
                self.received.put_nowait(data)

            def error_received(self, error):
                self.errors.append(error)

            def connection_lost(self, error):
                self.lost.set_result(error)

        async def go():
            transport, protocol = await self.loop.create_datagram_endpoint(
                lambda: Protocol(self.loop), local_addr=("127.0.0.1", 0))
            address = transport.get_extra_info("sockname")
            self.assertEqual(await protocol.received.get(), b"early")
            for wrong, kinds in (
                (None, ValueError), (5, TypeError), ("127.0.0.1", TypeError), ((), TypeError),
                (("127.0.0.1",), TypeError),
                (("127.0.0.1", "1"), TypeError), (("127.0.0.1", -1), OverflowError),
                (("127.0.0.1", 65536), OverflowError),
                ((5, 1), TypeError), (("a\0b", 1), ValueError), (("127.0.0.1", 1, 2, 3, 4, 5), TypeError),
                (("127.0.0.1", 1 << 70), OverflowError), (("nonsense.invalid", 1), OSError), ([*address], TypeError),
            ):  # fmt: skip
                with self.subTest(wrong=wrong), self.assertRaises(kinds):
                    transport.sendto(b"x", wrong)
            for wrong in (None, 5, "text", [b"x"]):
                self.assertRaises(TypeError, transport.sendto, wrong, address)
            self.assertRaises(TypeError, transport.sendto)
            self.assertRaises(TypeError, transport.sendto, b"x", address, 1)
            self.assertRaises(TypeError, transport.sendto, b"x", nonsense=1)
            for call in (transport.write_eof, transport.pause_reading, transport.resume_reading):
                self.assertRaises((NotImplementedError, AttributeError), call)
            transport.sendto(b"x" * 70_000, address)
            await turns_of(3)
            self.assertEqual([type(error) for error in protocol.errors], [OSError])
            transport.sendto(bytearray(b"a"), address)
            transport.sendto(memoryview(b"b"), addr=address)
            transport.sendto(data=b"c", addr=address)
            self.assertEqual([await protocol.received.get() for _ in range(3)], [b"a", b"b", b"c"])
            transport.sendto(b"", address)
            transport.sendto(b"end", address)
            got = await protocol.received.get()
            self.assertIn(got, (b"", b"end"))
            transport.close()
            transport.sendto(b"x", address)
            self.assertIsNone(await protocol.lost)
            transport.sendto(b"x", address)
            transport.close()
            transport.abort()

        self.run_on(go())

    def test_over_unix_sockets(self):
        async def go(folder):
            queue = asyncio.Queue()

            class Protocol(asyncio.DatagramProtocol):
                def datagram_received(self, data, address):
                    queue.put_nowait((data, address))

            path = os.path.join(folder, "socket")
            transport, _ = await self.loop.create_datagram_endpoint(
                Protocol, local_addr=path, family=socket.AF_UNIX)
            for wrong in (5, None, ("127.0.0.1", 1), b"a\0b", "x" * 200):
                with self.assertRaises((TypeError, ValueError, OSError)):
                    transport.sendto(b"x", wrong)
            for own in (path, path.encode(), os.fsencode(path)):
                transport.sendto(b"x", own)
                self.assertEqual(await queue.get(), (b"x", path))
            transport.sendto(b"x", os.path.join(folder, "missing"))
            await turns_of(3)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed:
                unnamed.sendto(b"y", path)
            self.assertEqual(await queue.get(), (b"y", None))
            transport.close()

        with tempfile.TemporaryDirectory() as folder:
            self.run_on(go(folder))


if __name__ == "__main__":
    unittest.main()
