"""Threads, forks, signals and the end of the interpreter: each in a process of its own, whose status is checked."""

import signal
import sys
import unittest

from support import OnLoop, on_each_loop


@on_each_loop
class Threads(OnLoop):
    def test_handles_are_cancelled_by_other_threads(self):
        """While they wait, while they run, from inside themselves, and when the loop is closed."""
        out, _ = self.child("""
            loop = new()
            running, cancelled = threading.Event(), threading.Event()

            def long():
                running.set()
                cancelled.wait(20)
                print("ended")

            for add in (lambda: loop.call_soon(long), lambda: loop.call_later(0, long)):
                running.clear()
                cancelled.clear()
                handle = add()

                def other():
                    running.wait()
                    handle.cancel()
                    cancelled.set()
                    loop.call_soon_threadsafe(loop.stop)

                thread = threading.Thread(target=other)
                thread.start()
                loop.run_forever()
                thread.join()

            def own():
                handles[0].cancel()
                handles[0].cancel()
                loop.stop()

            for add in (lambda: loop.call_soon(own), lambda: loop.call_later(0, own)):
                handles = [add()]
                loop.run_forever()

            handles = [loop.call_soon(print, "never") for _ in range(1000)]
            handles += [loop.call_later(0, print, "never") for _ in range(1000)]
            threads = [threading.Thread(target=lambda: [h.cancel() for h in handles]) for _ in range(4)]
            [thread.start() for thread in threads]
            loop.call_later(0.01, loop.stop)
            [thread.join() for thread in threads]
            loop.run_forever()
            handles = [loop.call_later(1, print, "never") for _ in range(1000)]
            loop.close()
            [h.cancel() for h in handles]
            del handles
        """)
        self.assertEqual(out, "ended\nended\n")

    def test_timers_are_cancelled_in_another_thread_while_the_loop_runs(self):
        self.child("""
            loop = new()
            made = []

            def make(left):
                made.extend(loop.call_later(0.001 * (i % 3), int) for i in range(50))
                if left:
                    loop.call_soon(make, left - 1)
                else:
                    loop.call_later(0.01, loop.stop)

            def cancel():
                while not ended:
                    while made:
                        made.pop().cancel()
                    time.sleep(0)

            ended = False
            threads = [threading.Thread(target=cancel) for _ in range(3)]
            [thread.start() for thread in threads]
            make(200)
            loop.run_forever()
            ended = True
            [thread.join() for thread in threads]
            loop.close()
        """)

    def test_many_threads_post_while_the_loop_closes(self):
        self.child("""
            for _ in range(5):
                loop = new()
                loop.set_debug(False)
                refused, closing = [], False

                def post():
                    while True:
                        try:
                            loop.call_soon_threadsafe(int)
                            loop.call_later(0, int)
                            loop.call_soon(int)
                            closing or time.sleep(0.0001)  # Not more than the loop can run.
                        except RuntimeError as error:
                            assert "closed" in str(error), error
                            refused.append(1)
                            return

                threads = [threading.Thread(target=post) for _ in range(8)]
                [thread.start() for thread in threads]
                loop.call_later(0.002, loop.stop)
                loop.run_forever()
                closing = True
                loop.close()
                [thread.join() for thread in threads]
                assert len(refused) == 8
        """)

    def test_calls_from_the_wrong_thread(self):
        """Debug mode refuses them; without it they work, and wake the loop."""
        out, _ = self.child("""
            loop = new()
            loop.set_debug(False)

            def other():
                loop.call_soon(print, "soon")
                loop.call_later(0, print, "later")
                loop.call_later(0.01, loop.stop)

            thread = threading.Thread(target=other)
            loop.call_later(20, sys.exit, "not woken")
            loop.call_soon(thread.start)
            loop.run_forever()
            thread.join()
            loop.set_debug(True)

            def other():
                for call, args in ((loop.call_soon, ()), (loop.call_later, (0,)), (loop.call_at, (0,))):
                    try:
                        call(*args, int)
                    except RuntimeError as error:
                        print(type(error).__name__, "thread" in str(error))
                loop.call_soon_threadsafe(loop.stop)

            thread = threading.Thread(target=other)
            loop.call_soon(thread.start)
            loop.run_forever()
            thread.join()
            loop.close()
        """)
        self.assertEqual(out, "soon\nlater\n" + "RuntimeError True\n" * 3)

    def test_two_threads_run_one_loop(self):
        out, _ = self.child("""
            loop = new()
            refused = []

            def run():
                try:
                    loop.run_forever()
                except RuntimeError as error:
                    refused.append(str(error))
                    loop.call_soon_threadsafe(loop.stop)

            threads = [threading.Thread(target=run) for _ in range(2)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            print(refused)
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        """)
        self.assertEqual(out, "['This event loop is already running']\n")

    def test_eight_loops_with_two_thousand_tasks_each(self):
        self.child("""
            done = []

            async def work(i):
                await asyncio.sleep(0.001 * (i % 5))
                await asyncio.sleep(0)
                return i

            async def main():
                assert sum(await asyncio.gather(*map(work, range(2000)))) == 1999000
                server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
                for _ in range(20):
                    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                    assert await reader.read() == b""
                    writer.close()
                    await writer.wait_closed()
                server.close()

            def run():
                with asyncio.Runner(loop_factory=new) as runner:
                    runner.run(main())
                done.append(1)

            threads = [threading.Thread(target=run) for _ in range(8)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            assert len(done) == 8
        """)


@on_each_loop
class Forks(OnLoop):
    def test_fork_outside_and_inside_of_a_run(self):
        """The child runs a loop of its own; the parent goes on; both end cleanly."""
        self.child("""
            warnings.simplefilter("ignore")

            async def talk():
                server = await asyncio.start_server(lambda r, w: w.close(), "localhost", 0, family=socket.AF_INET)
                reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
                assert await reader.read() == b""
                writer.close()
                process = await asyncio.create_subprocess_exec("true")
                assert await process.wait() == 0
                assert await asyncio.get_running_loop().run_in_executor(None, int) == 0
                server.close()

            def fork(body):
                pid = os.fork()
                if pid == 0:
                    try:
                        body()
                    except BaseException:
                        import traceback
                        traceback.print_exc()
                        os._exit(1)
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

            def body():
                with asyncio.Runner(loop_factory=new) as runner:
                    runner.run(talk())

            async def inside():
                await talk()
                fork(body)
                await talk()
                fork(lambda: None)
                await talk()

            fork(body)
            with asyncio.Runner(loop_factory=new) as runner:
                runner.run(talk())
                fork(body)
                runner.run(inside())
                runner.run(talk())
        """, forks=True)

    def test_a_child_that_ends_while_the_parent_goes_on(self):
        """With the parent's transports and server, of which it closes nothing that matters to the parent."""
        self.child("""
            warnings.simplefilter("ignore")

            async def main():
                async def echo(reader, writer):
                    while line := await reader.readline():
                        writer.write(line)
                    writer.close()

                server = await asyncio.start_server(echo, "127.0.0.1", 0)
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                for end in ("exit", "loop"):
                    pid = os.fork()
                    if pid == 0:
                        if end == "loop":
                            with asyncio.Runner(loop_factory=new) as runner:
                                runner.run(asyncio.sleep(0))
                        os._exit(7)
                    process = asyncio.get_running_loop().run_in_executor(None, os.waitpid, pid, 0)
                    for _ in range(20):
                        writer.write(b"line\\n")
                        assert await asyncio.wait_for(reader.readline(), 20) == b"line\\n"
                    assert os.waitstatus_to_exitcode((await process)[1]) == 7
                    for _ in range(20):
                        writer.write(b"line\\n")
                        assert await asyncio.wait_for(reader.readline(), 20) == b"line\\n"
                writer.close()
                server.close()

            with asyncio.Runner(loop_factory=new) as runner:
                runner.run(main())
        """, forks=True)

    def test_a_loop_that_was_made_before_the_fork(self):
        """The child runs one over epoll; one over io_uring is refused, and may be closed or dropped."""
        out, _ = self.child("""
            warnings.simplefilter("ignore")
            loop = new()
            loop.run_until_complete(asyncio.sleep(0))
            pid = os.fork()
            if pid == 0:
                try:
                    loop.run_until_complete(asyncio.sleep(0))
                except RuntimeError as error:
                    assert "before a fork" in str(error)
                    assert loop.mechanism == "io_uring"
                loop.close()
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            print("ended")
        """, forks=True)
        self.assertEqual(out, "ended\n")

    def test_a_child_that_only_exits(self):
        """Outside of a run, with a loop of the parent's that has things open."""
        out, _ = self.child("""
            warnings.simplefilter("ignore")
            loop = new()
            server = loop.run_until_complete(loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
            loop.call_later(1000, int)
            loop.run_until_complete(asyncio.open_connection(*server.sockets[0].getsockname()))
            pid = os.fork()
            if pid == 0:
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            loop.run_until_complete(asyncio.open_connection(*server.sockets[0].getsockname()))
            print("goes on")
        """, forks=True)
        self.assertEqual(out, "goes on\n")

    def test_multiprocessing(self):
        script = """
            import multiprocessing

            async def work(i):
                await asyncio.sleep(0)
                return i * i

            def call(i):
                with asyncio.Runner(loop_factory=new) as runner:
                    return runner.run(work(i))

            async def main(method):
                context = multiprocessing.get_context(method)
                with context.Pool(2) as pool:
                    loop = asyncio.get_running_loop()
                    got = await loop.run_in_executor(None, pool.map, call, range(8))
                    assert got == [i * i for i in range(8)], got

            if __name__ == "__main__":
                warnings.simplefilter("ignore")
                with asyncio.Runner(loop_factory=new) as runner:
                    for method in sys.argv[1:]:
                        runner.run(main(method))
        """
        self.script(script, "fork", "spawn", "forkserver")

    def script(self, code, *args):
        """Run code as a file: children of multiprocessing import it."""
        import subprocess
        import tempfile
        import textwrap

        prelude = f"""
            import asyncio, os, sys, warnings
            import swift_asyncio
            def new(): return swift_asyncio.new_event_loop({self.kind!r})
        """
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(textwrap.dedent(prelude) + textwrap.dedent(code))
            file.flush()
            done = subprocess.run(
                [sys.executable, "-X", "faulthandler", file.name, *args], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)


@on_each_loop
class Interpreters(OnLoop):
    def test_subinterpreters_are_refused(self):
        out, _ = self.child("""
            try:
                import _xxsubinterpreters as interpreters
            except ImportError:
                import _interpreters as interpreters
            code = '''if True:
                try:
                    import swift_asyncio
                except ImportError as error:
                    assert "interpreter" in str(error), error
                else:
                    raise SystemError("imported")
            '''
            for options in ({}, {"isolated": False}) if sys.version_info < (3, 13) else ({},):
                number = interpreters.create(**options)
                failed = interpreters.run_string(number, code)
                assert failed is None, failed
                interpreters.destroy(number)
            new().close()
            print("refused")
        """)
        self.assertEqual(out, "refused\n")

    def test_import_again(self):
        self.child("""
            for name in [name for name in sys.modules if name.startswith("swift_asyncio")]:
                del sys.modules[name]
            old = swift_asyncio
            import swift_asyncio
            for module in (old, swift_asyncio):
                loop = module.new_event_loop(KIND)
                loop.run_until_complete(asyncio.sleep(0))
                loop.close()
        """)

    def ends(self, code, status=0, allowed=""):
        """The program ends with its status, and without a word of a crash."""
        out, errors = self.child(code, status=status, flags=("-W", "ignore"))
        for word in ("Fatal", "terminate", "Segmentation", "FATAL"):
            self.assertNotIn(word, errors)
        return out

    def test_a_loop_runs_in_a_daemon_thread(self):
        for work in ("lambda: None", "lambda: loop.call_soon(busy)", "lambda: connect()"):
            with self.subTest(work=work):
                self.ends(f"""
                    loop = new()

                    def busy():
                        loop.call_soon(busy)

                    def connect():
                        loop.create_task(client())

                    async def client():
                        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
                        address = server.sockets[0].getsockname()
                        kept.append(server)
                        while True:
                            transport, _ = await loop.create_connection(asyncio.Protocol, *address)
                            transport.close()

                    kept = []
                    running = threading.Event()
                    loop.call_soon(running.set)
                    loop.call_later(0.001, int)
                    loop.call_soon({work})
                    threading.Thread(target=loop.run_forever, daemon=True).start()
                    running.wait()
                    time.sleep(0.02)
                """)

    def test_everything_is_left_open(self):
        self.ends("""
            loop = new()

            async def main():
                server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
                transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
                datagrams, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
                ours, theirs = socket.socketpair()
                ours.setblocking(False)
                theirs.setblocking(False)
                loop.add_reader(ours, int)
                process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
                pending = [loop.create_task(asyncio.sleep(1000)), loop.create_future(),
                           loop.create_task(loop.create_connection(asyncio.Protocol, "localhost", 1)),
                           loop.create_task(loop.sock_recv(theirs, 1))]
                return server, transport, datagrams, ours, theirs, process, pending

            kept = loop.run_until_complete(main())
            kept[5].kill()
            loop.call_later(1000, int)
            loop.call_soon(int)
        """)

    def test_exits(self):
        self.ends("""
            loop = new()
            loop.call_soon(sys.exit, 3)
            loop.call_soon(print, "left")
            loop.run_forever()
        """, status=3)
        self.ends("""
            loop = new()
            loop.call_soon(os._exit, 4)
            loop.run_forever()
        """, status=4)
        self.ends("""
            async def main():
                raise SystemExit(5)

            with asyncio.Runner(loop_factory=new) as runner:
                runner.run(main())
        """, status=5)
        self.ends("""
            class P(asyncio.Protocol):
                def connection_made(self, transport):
                    sys.exit(6)

            async def main():
                loop = asyncio.get_running_loop()
                server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
                await loop.create_connection(P, *server.sockets[0].getsockname())
                await asyncio.sleep(20)

            with asyncio.Runner(loop_factory=new) as runner:
                runner.run(main())
        """, status=6)

    def test_atexit(self):
        out = self.ends("""
            import atexit

            loop = new()
            atexit.register(lambda: print(loop.run_until_complete(asyncio.sleep(0, "at exit"))))

            class Last:
                def __del__(self):
                    try:
                        loop.call_soon(int)
                        loop.run_until_complete(asyncio.sleep(0))
                        loop.close()
                    except BaseException:
                        pass
                    print("last")

            sys.last = Last()
            sys.modules["last"] = Last()
            loop.last = Last()
            loop.call_soon(int, Last())
        """)
        self.assertIn("at exit", out)


@on_each_loop
class Signals(OnLoop):
    """SIGINT that a process sends to itself."""

    def interrupted(self, body, expected="interrupted\n"):
        out, errors = self.child(f"""
            warnings.simplefilter("ignore")
            loop = new()
            began = time.monotonic()

            def interrupt():
                os.kill(os.getpid(), signal.SIGINT)

            def soon(call=interrupt):
                def wait():
                    while not ready.wait(1):
                        pass
                    time.sleep(0.02)
                    call()

                thread = threading.Thread(target=wait, daemon=True)
                thread.start()

            ready = threading.Event()
            loop.call_soon(ready.set)
            try:
                {body}
            except KeyboardInterrupt:
                print("interrupted")
            assert time.monotonic() - began < 15
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        """)
        self.assertEqual(out, expected)

    def test_a_loop_that_waits(self):
        self.interrupted("soon(); loop.run_forever()")

    def test_a_loop_that_is_busy(self):
        self.interrupted("""
                def busy():
                    loop.call_soon(busy)

                busy()
                soon()
                loop.run_forever()""")

    def test_a_loop_that_is_busy_without_python(self):
        """No bytecode runs: callbacks that are C's."""
        self.interrupted("""
                import functools
                again = functools.partial(map, loop.call_soon)
                loop.call_soon(interrupt)
                loop.call_later(5, loop.stop)
                loop.run_forever()""")

    def test_an_other_thread_gets_it(self):
        self.interrupted("""
                def spin():
                    ready.wait()
                    time.sleep(0.02)
                    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
                    time.sleep(0.05)

                threading.Thread(target=spin).start()
                loop.run_forever()""")

    def test_an_other_thread_is_busy(self):
        self.interrupted("""
                def spin():
                    while not ended:
                        sum(range(1000))

                ended = []
                threading.Thread(target=spin, daemon=True).start()
                soon()
                try:
                    loop.run_forever()
                finally:
                    ended.append(1)""")

    def test_runner(self):
        """The task is cancelled, and may clean up."""
        self.interrupted("""
                async def main():
                    ready.set()
                    try:
                        await asyncio.sleep(50)
                    except asyncio.CancelledError:
                        print("cancelled")
                        raise

                soon()
                with asyncio.Runner(loop_factory=new) as runner:
                    runner.run(main())""", "cancelled\ninterrupted\n")

    def test_add_signal_handler(self):
        self.interrupted("""
                def handle():
                    print("handled")
                    loop.stop()

                loop.add_signal_handler(signal.SIGINT, handle)
                soon()
                loop.run_forever()
                soon(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT))
                loop.run_forever()
                loop.remove_signal_handler(signal.SIGINT)""", "handled\nhandled\n")

    def test_a_handler_of_the_program(self):
        self.interrupted("""
                def handle(number, frame):
                    raise ZeroDivisionError

                signal.signal(signal.SIGUSR1, handle)
                soon(lambda: os.kill(os.getpid(), signal.SIGUSR1))
                try:
                    loop.run_forever()
                except ZeroDivisionError:
                    print("raised")""", "raised\n")

    def test_a_program_that_ends_by_it(self):
        out, errors = self.child("""
            async def main():
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
                await asyncio.sleep(50)

            swift_asyncio.run(main(), mechanism=KIND)
        """, status=-signal.SIGINT)
        self.assertIn("KeyboardInterrupt", errors)


if __name__ == "__main__":
    unittest.main()
