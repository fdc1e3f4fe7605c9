"""Forks inside of a run, whose child goes on with its parent's code instead of ending by os._exit()."""

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


if __name__ == "__main__":
    unittest.main()
