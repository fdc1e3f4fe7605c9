"""Nothing stays: references, cycles and memory, on success and on failure."""

import asyncio
import gc
import os
import sys
import unittest
import weakref

from support import OnLoop, Recorder, on_each_loop, turns_of


class Argument:
    """Has a weak reference."""


@on_each_loop
class References(OnLoop):
    def test_callbacks(self):
        """The callback, its arguments and its context are released when it has run, failed, or was cancelled."""

        def good(*args):
            pass

        def bad(*args):
            raise ValueError

        ours, theirs = self.pair()
        theirs.send(b"x")
        adds = {
            "call_soon": lambda f, *args: self.loop.call_soon(f, *args),
            "call_soon_threadsafe": lambda f, *args: self.loop.call_soon_threadsafe(f, *args),
            "call_later": lambda f, *args: self.loop.call_later(0, f, *args),
            "call_at": lambda f, *args: self.loop.call_at(0, f, *args),
            "add_reader": lambda f, *args: self.loop._add_reader(ours.fileno(), f, *args),
            "add_writer": lambda f, *args: self.loop._add_writer(ours.fileno(), f, *args),
        }
        self.loop.set_exception_handler(lambda loop, context: None)
        for name, add in adds.items():
            for function in (good, bad):
                for count in (0, 1, 2, 5):
                    for cancelled in (False, True):
                        with self.subTest(name=name, function=function.__name__, count=count, cancelled=cancelled):
                            args = [Argument() for _ in range(count)]
                            left = [weakref.ref(arg) for arg in args]
                            before = sys.getrefcount(function)
                            handle = add(function, *args)
                            if cancelled:
                                handle.cancel()
                            del args, handle
                            self.turn(3)
                            self.loop.remove_reader(ours)
                            self.loop.remove_writer(ours)
                            self.turn(1)
                            gc.collect()
                            self.assertEqual([each() for each in left], [None] * count)
                            self.assertEqual(sys.getrefcount(function), before)

    def test_what_is_refused(self):
        function, before = (lambda: None), None
        argument = Argument()
        before = sys.getrefcount(function), sys.getrefcount(argument), sys.getrefcount(self.loop)
        for call in (
            lambda: self.loop.call_later("x", function, argument),
            lambda: self.loop.call_at(float("nan"), function, argument),
            lambda: self.loop.call_soon(function, argument, context=5),
            lambda: self.loop.add_reader(-1, function, argument),
            lambda: self.loop.add_reader(1_000_000, function, argument), lambda: self.loop.call_soon(),
        ):  # fmt: skip
            for _ in range(10):
                try:
                    call()
                except (TypeError, ValueError, OSError):
                    continue
                self.fail("no error")
        gc.collect()
        self.assertEqual((sys.getrefcount(function), sys.getrefcount(argument), sys.getrefcount(self.loop)), before)

    def test_transports_and_protocols(self):
        """Both go when the end has been told: with cycles between them, and however they end."""

        async def one(end):
            ours, theirs = self.pair()
            transport, protocol = await self.loop.create_connection(lambda: Recorder(self.loop), sock=ours)
            protocol.transport, protocol.itself = transport, protocol
            theirs.send(b"x")
            await protocol.received
            if end == "peer":
                theirs.close()
            else:
                getattr(transport, end)()
            await protocol.lost
            await turns_of(3)
            return weakref.ref(transport), weakref.ref(protocol)

        for end in ("close", "abort", "peer"):
            references = self.run_on(one(end))
            self.turn(2)
            gc.collect()
            self.assertEqual([each() for each in references], [None, None], end)

    def test_servers_and_clients(self):
        async def one():
            server = await self.loop.create_server(lambda: Recorder(self.loop), "127.0.0.1", 0)
            transport, protocol = await self.loop.create_connection(
                lambda: Recorder(self.loop), *server.sockets[0].getsockname())
            transport.write(b"x")
            transport.close()
            await protocol.lost
            server.close()
            await turns_of(10)
            return weakref.ref(server), weakref.ref(transport), weakref.ref(protocol)

        references = self.run_on(one())
        self.turn(3)
        gc.collect()
        self.assertEqual([each() for each in references], [None] * 3)

    def test_the_loop_itself(self):
        before = sys.getrefcount(self.loop)

        async def one():
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            for _ in range(20):
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await reader.read()
                writer.close()
                await writer.wait_closed()
            server.close()
            await turns_of(5)

        for _ in range(3):
            self.run_on(one())
            self.turn(3)
            gc.collect()
        self.assertLessEqual(sys.getrefcount(self.loop) - before, 3)

    def test_a_hundred_thousand_messages(self):
        self.child("""
            def resident():
                with open("/proc/self/statm") as file:
                    return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

            class Echo(asyncio.Protocol):
                def connection_made(self, transport):
                    self.transport = transport

                def data_received(self, data):
                    self.transport.write(data)

            class Client(Echo):
                left = 0

                def data_received(self, data):
                    self.left -= 1
                    if self.left:
                        self.transport.write(data)
                    else:
                        self.done.set_result(None)

            class Buffered(asyncio.BufferedProtocol, Client):
                memory = bytearray(100)

                def get_buffer(self, hint):
                    return self.memory

                def buffer_updated(self, count):
                    self.data_received(self.memory[:count])

            async def main():
                loop = asyncio.get_running_loop()
                server = await loop.create_server(Echo, "127.0.0.1", 0)
                for kind in (Client, Buffered):
                    transport, client = await loop.create_connection(kind, *server.sockets[0].getsockname())
                    for round in range(6):
                        client.left, client.done = 10_000, loop.create_future()
                        transport.write(b"x" * 64)
                        await client.done
                        if round == 0:
                            before = resident()
                    assert resident() - before < 2 << 20, resident() - before
                    transport.close()
                server.close()

            with asyncio.Runner(loop_factory=new) as runner:
                runner.run(main())
        """)


if __name__ == "__main__":
    unittest.main()
