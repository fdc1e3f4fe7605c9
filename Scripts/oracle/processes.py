"""Groups I and K: pipes and subprocesses."""

import asyncio
import os
import tempfile
import tty

from scenario import Trail, registry

scenarios, scenario = registry()
PIPE = asyncio.subprocess.PIPE
DEVNULL = asyncio.subprocess.DEVNULL


class Marking(asyncio.Protocol, asyncio.SubprocessProtocol):
    def __init__(self, trail):
        self.trail = trail
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.trail.mark("made")

    def data_received(self, data):
        self.trail.mark("_".join(data.decode().split()))

    def eof_received(self):
        self.trail.mark("eof")
        return True

    def pipe_data_received(self, fd, data):
        self.trail.mark(f"{fd}:" + "_".join(data.decode().split()))

    def pipe_connection_lost(self, fd, error):
        self.trail.mark(f"{fd}:closed")

    def process_exited(self):
        self.trail.mark("exited")

    def connection_lost(self, error):
        why = "" if error is None else ":brokenPipe" if isinstance(error, BrokenPipeError) else ":other"
        self.trail.mark("lost" + why)
        self.lost.set_result(None)


async def marks(trail, condition):
    while not condition(trail.marks):
        await asyncio.sleep(0.0002)


def on_a_loop(body):
    def run(seen):
        asyncio.run(body(seen))

    return run


def read_pipe(fd, trail):
    return asyncio.get_running_loop().connect_read_pipe(lambda: Marking(trail), os.fdopen(fd, "rb", 0))


def write_pipe(fd, trail):
    return asyncio.get_running_loop().connect_write_pipe(lambda: Marking(trail), os.fdopen(fd, "wb", 0))


@scenario("118")
@on_a_loop
async def _(seen):
    near, far = os.pipe()
    trail = Trail()
    transport, proto = await read_pipe(near, trail)
    os.write(far, b"one")
    await marks(trail, lambda m: len(m) >= 2)
    os.write(far, b"two")
    os.close(far)
    await proto.lost
    seen("closing", transport.is_closing())
    seen("calls", trail)


@scenario("118-error")
@on_a_loop
async def _(seen):
    class Unreadable(asyncio.Protocol):
        received = 0

        def data_received(self, data):
            self.received += len(data)
            raise ValueError("unreadable")

    reports = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    near, far = os.pipe()
    transport, proto = await loop.connect_read_pipe(Unreadable, os.fdopen(near, "rb", 0))
    os.write(far, b"one")
    while not proto.received:
        await asyncio.sleep(0.0002)
    for _ in range(3):
        await asyncio.sleep(0)
    seen("closing", transport.is_closing())
    seen("reports", len(reports))
    os.close(far)


@scenario("119-idle")
@on_a_loop
async def _(seen):
    near, far = os.pipe()
    trail = Trail()
    transport, proto = await write_pipe(far, trail)
    transport.write(b"word")
    seen("read", len(os.read(near, 10)))
    os.close(near)
    await proto.lost
    seen("calls", trail)


@scenario("119-pending")
@on_a_loop
async def _(seen):
    near, far = os.pipe()
    trail = Trail()
    transport, proto = await write_pipe(far, trail)
    transport.write(b"1" * (1 << 20))
    seen("bytes wait", transport.get_write_buffer_size() > 0)
    await asyncio.sleep(0)
    os.close(near)
    await proto.lost
    seen("calls", trail)


@scenario("120")
@on_a_loop
async def _(seen):
    near, far = os.pipe()
    trail = Trail()
    transport, proto = await read_pipe(near, trail)
    os.write(far, b"x")
    transport.close()
    transport.pause_reading()
    transport.resume_reading()
    await proto.lost
    transport.pause_reading()
    transport.resume_reading()
    seen("calls", trail)


@scenario("121")
@on_a_loop
async def _(seen):
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryFile() as file:
        for name, connect in (("read", loop.connect_read_pipe), ("write", loop.connect_write_pipe)):
            try:
                await connect(lambda: Marking(Trail()), file)
                seen(name, "none")
            except ValueError:
                seen(name, "invalidArgument")
        seen("the file is the caller's", not file.closed)


@scenario("122")
@on_a_loop
async def _(seen):
    screen, line = os.openpty()
    tty.setraw(line)
    trail = Trail()
    _, proto = await read_pipe(screen, trail)
    keyboard, other = await write_pipe(os.dup(screen), Trail())
    os.write(line, b"shown")
    await marks(trail, lambda m: len(m) >= 2)
    keyboard.write(b"typed\n")
    await asyncio.sleep(0.01)
    seen("line", len(os.read(line, 20)))
    os.close(line)
    await proto.lost
    seen("calls", trail)


@scenario("130-communicate")
@on_a_loop
async def _(seen):
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    data = bytes(n & 255 for n in range(1 << 20))
    output, _ = await child.communicate(data)
    seen("the same bytes", output == data)


@scenario("130-transport")
@on_a_loop
async def _(seen):
    trail = Trail()
    child, proto = await asyncio.get_running_loop().subprocess_exec(lambda: Marking(trail), "cat")
    child.get_pipe_transport(0).write(b"hello")
    await marks(trail, lambda m: "1:hello" in m)
    child.get_pipe_transport(0).close()
    await proto.lost
    seen("return code", f"Optional({child.get_returncode()})")
    seen("first", " ".join(trail.marks[:2]))
    seen("last", f'Optional("{trail.marks[-1]}")')


@scenario("131")
@on_a_loop
async def _(seen):
    child = await asyncio.create_subprocess_shell("exit 42")
    seen("exit", await child.wait())
    killed = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
    killed.kill()
    seen("signal", await killed.wait())


@scenario("132")
@on_a_loop
async def _(seen):
    try:
        await asyncio.create_subprocess_exec("no-such-program", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        seen("error", "started")
    except FileNotFoundError:
        seen("error", "missing")
    try:
        os.waitpid(-1, os.WNOHANG)
        seen("no child", False)
    except ChildProcessError:
        seen("no child", True)


@scenario("133")
@on_a_loop
async def _(seen):
    trail = Trail()
    _, proto = await asyncio.get_running_loop().subprocess_shell(lambda: Marking(trail), "echo out; echo err >&2")
    await proto.lost
    seen("calls", " ".join(sorted(trail.marks)))


@scenario("136")
@on_a_loop
async def _(seen):
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()
    for name, call in (("kill", child.kill), ("terminate", child.terminate)):
        try:
            call()
            seen(name, False)
        except ProcessLookupError:
            seen(name, "ProcessLookupError")


@scenario("137-transport")
@on_a_loop
async def _(seen):
    trail = Trail()
    child, proto = await asyncio.get_running_loop().subprocess_exec(lambda: Marking(trail), "cat")
    child.close()
    child.close()
    await proto.lost
    seen("return code", f"Optional({child.get_returncode()})")
    seen("calls", " ".join(sorted(trail.marks)))


@scenario("142")
@on_a_loop
async def _(seen):
    child = await asyncio.create_subprocess_shell(
        "echo a; echo b >&2; echo c", stdout=PIPE, stderr=asyncio.subprocess.STDOUT)
    seen("merged", (await child.communicate())[0].decode().replace("\n", " "))
    empty = await asyncio.create_subprocess_exec("cat", stdin=DEVNULL, stdout=PIPE)
    seen("null input", len((await empty.communicate())[0]))
