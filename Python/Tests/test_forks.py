"""Where code would go on that may not: in the child of a fork inside of a run, and in a thread after a close."""

import subprocess
import sys
import unittest

from support import LIMIT, OnLoop, on_each_loop

PROGRAM = """
import asyncio, os, sys, swift_asyncio

kind, way = sys.argv[1:]

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    child = os.fork()
    if child == 0:
        if way == "exit":
            sys.exit(3)
        if way == "write":
            writer.write(b"of the child")
        if way == "wait":
            await asyncio.sleep(0.01)
        if way == "raise":
            raise KeyError
        return
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    # The connection is still the parent's.
    writer.write(b"y")
    assert await reader.readexactly(1) == b"y"
    writer.close()
    server.close()
    print("child", os.waitstatus_to_exitcode(status), flush=True)

swift_asyncio.run(main(), mechanism=kind)
"""


@on_each_loop
class Forks(OnLoop):
    def test_child_that_goes_on(self):
        for way in ("exit", "return", "write", "wait", "raise"):
            with self.subTest(way):
                done = subprocess.run(
                    [sys.executable, "-c", PROGRAM, self.kind, way], capture_output=True, text=True, timeout=LIMIT
                )
                self.assertEqual(done.returncode, 0, done.stderr)
                # It ended with an exception of Python's, not with a signal.
                self.assertIn(done.stdout, ("child 1\n", "child 3\n"), done.stderr)

    def test_close_while_a_name_is_looked_up(self):
        # Not a fork, but another thread of Swift's: what goes on there may not call Python.
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", CLOSED, self.kind], capture_output=True, text=True,
            timeout=LIMIT,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stdout), (0, "all in one thread\n"), done.stderr)


CLOSED = """
import asyncio, socket, sys, threading, warnings, swift_asyncio

warnings.simplefilter("ignore")
listening = socket.create_server(("127.0.0.1", 0), backlog=512)
threads = set()

def factory():
    threads.add(threading.get_ident())
    return asyncio.Protocol()

for i in range(200):
    loop = swift_asyncio.new_event_loop(sys.argv[1])
    loop.set_exception_handler(lambda loop, context: None)
    task = loop.create_task(loop.create_connection(factory, "localhost", listening.getsockname()[1]))
    task._log_destroy_pending = False
    for _ in range(i % 4):
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()
threads.discard(threading.get_ident())
print("all in one thread" if not threads else "in others as well")
"""


if __name__ == "__main__":
    unittest.main()
