"""Child processes on the loops: what does not start, what ends early, and what is left when the loop is closed."""

import asyncio
import os
import signal
import sys
import unittest

from support import OnLoop, descriptors, on_each_loop

PIPES = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}


@on_each_loop
class Processes(OnLoop):
    def test_programs_that_do_not_start(self):
        def fail():
            raise ZeroDivisionError

        async def go():
            start = asyncio.create_subprocess_exec
            for args, options, kinds in (
                (("/nonsense/missing",), PIPES, FileNotFoundError), (("/",), PIPES, PermissionError),
                (("true", "a\0b"), PIPES, ValueError), (("true",), {**PIPES, "cwd": "/nonsense"}, FileNotFoundError),
                (("true",), {**PIPES, "preexec_fn": fail}, Exception), (("true", 5), PIPES, TypeError),
                (("true",), {"bufsize": 1}, ValueError), (("true",), {"universal_newlines": True}, ValueError),
                (("true",), {"stdin": "x"}, (AttributeError, ValueError)),
            ):  # fmt: skip
                with self.subTest(args=args, options=options), self.assertRaises(kinds):
                    await start(*args, **options)

        before = descriptors()
        self.run_on(go())
        self.assertClosed(before)

    def test_fifty_at_once(self):
        async def one(i):
            process = await asyncio.create_subprocess_exec("cat", **PIPES)
            out, _ = await process.communicate(b"%d" % i)
            self.assertEqual((out, process.returncode), (b"%d" % i, 0))

        async def go():
            await asyncio.gather(*map(one, range(50)))

        # What the loop itself needs for children comes with the first one.
        self.run_on(one(0))
        before = descriptors()
        self.run_on(go())
        self.assertClosed(before)

    def test_no_output_is_lost(self):
        """Children that end at once: what they have said comes, although their ends come first."""

        async def one(i):
            process = await asyncio.create_subprocess_shell(f"echo {i}", stdout=asyncio.subprocess.PIPE)
            return await process.communicate()

        async def go():
            for _ in range(5):
                got = await asyncio.gather(*map(one, range(10)))
                self.assertEqual(got, [(b"%d\n" % i, None) for i in range(10)])

        self.run_on(go())

    def test_signals(self):
        async def go():
            for send, status in (
                (lambda process: process.kill(), -signal.SIGKILL),
                (lambda process: process.terminate(), -signal.SIGTERM),
                (lambda process: process.send_signal(signal.SIGINT), -signal.SIGINT),
            ):  # fmt: skip
                process = await asyncio.create_subprocess_exec("sleep", "100")
                send(process)
                self.assertEqual(await process.wait(), status)
                with self.assertRaises(ProcessLookupError):
                    process.kill()
                self.assertEqual(await process.wait(), status)

        self.run_on(go())

    def test_a_megabyte_both_ways(self):
        async def go():
            data = os.urandom(1 << 20)
            process = await asyncio.create_subprocess_exec("cat", **PIPES)
            out, _ = await process.communicate(data)
            self.assertTrue(out == data)

        self.run_on(go())

    def test_a_child_that_closes_its_input(self):
        """As in asyncio: communicate() says nothing of it, drain() raises."""

        async def go():
            code = "import os; os.close(0); os.write(1, b'closed'); os.read(3, 1)"
            wait, end = os.pipe()
            os.set_inheritable(wait, True)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code.replace("3", str(wait)), pass_fds=(wait,), **PIPES)
            os.close(wait)
            self.assertEqual(await process.stdout.read(6), b"closed")
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(100):
                    process.stdin.write(b"x" * (1 << 20))
                    await process.stdin.drain()
            os.close(end)
            await process.wait()
            process = await asyncio.create_subprocess_exec("true", **PIPES)
            out, _ = await process.communicate(b"x" * (1 << 20))
            self.assertEqual(out, b"")

        self.run_on(go())

    def test_the_loop_is_closed_first(self):
        self.child("""
            warnings.simplefilter("ignore")
            loop = new()

            async def start():
                return [await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1) for _ in range(5)]

            processes = loop.run_until_complete(start())
            pids = [process.pid for process in processes]
            loop.close()
            del processes
            gc.collect()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass
        """)

    def test_somebody_else_has_waited(self):
        async def go():
            with self.assertLogs("asyncio", "WARNING"):
                process = await asyncio.create_subprocess_exec("cat", **PIPES)
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
                self.assertEqual(await process.wait(), 255)
                process.stdin.close()

        self.run_on(go())


if __name__ == "__main__":
    unittest.main()
