"""Streams: connections, servers, what they are told (71, 77 to 98), files of Unix sockets (115 to 117), names (148)."""

import asyncio
import errno
import os
import shutil
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

from scenario import Skipped, Trail, coroutines, registry

scenarios, scenario = registry()
on_loop = coroutines(scenarios)


async def thrown(awaitable):
    try:
        await awaitable
    except BaseException as error:
        return error
    return None


async def server(host="127.0.0.1", port=0, **options):
    async def accepted(reader, writer):
        writer.close()

    return await asyncio.start_server(accepted, host, port, **options)


def port_of(some):
    return some.sockets[0].getsockname()[1]


async def unused_port():
    some = await server()
    port = port_of(some)
    some.close()
    return port


def black_hole():
    """A port of 127.0.0.1 whose queue of clients is full, with what keeps it so."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    kept = [listener]
    while True:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        kept.append(client)
        try:
            client.getpeername()
        except OSError:
            return listener.getsockname()[1], kept


async def addresses(port):
    """The loopback's, in the order in which the check gets them."""
    return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]


async def connect_to_this_machine(port, **options):
    """A host with two addresses, whatever the resolver of this machine says of localhost."""
    loop = asyncio.get_running_loop()
    genuine = loop.getaddrinfo

    async def getaddrinfo(host, *arguments, **keywords):
        if host != "this machine":
            return await genuine(host, *arguments, **keywords)
        return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in await addresses(port)]

    loop.getaddrinfo = getaddrinfo
    return await asyncio.open_connection("this machine", port, **options)


@on_loop("71-stream")
async def _(seen):
    listener = await server()
    port = port_of(listener)
    _, writer = await asyncio.open_connection("localhost", port, family=socket.AF_INET)
    seen("peer is the listener", writer.get_extra_info("peername") == ("127.0.0.1", port))
    listener.close()
    error = await thrown(asyncio.open_connection("localhost", port, family=socket.AF_INET))
    seen("error", isinstance(error, OSError) and error.errno == errno.ECONNREFUSED)


@on_loop("77-stream")
async def _(seen):
    port, _kept = black_hole()
    task = asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
    for _ in range(5):
        await asyncio.sleep(0)
    seen("waits", not task.done())
    task.cancel()
    seen("cancelled", isinstance(await thrown(task), asyncio.CancelledError))


@on_loop("78-stream")
async def _(seen):
    port = await unused_port()
    single = await thrown(asyncio.open_connection("127.0.0.1", port))
    seen("one address", isinstance(single, ConnectionRefusedError))
    several = await thrown(connect_to_this_machine(port))
    seen("two addresses", f"Optional({len(getattr(several, 'exceptions', [several]))})")


@on_loop("79-stream")
async def _(seen):
    port, _kept = black_hole()
    try:
        await server("::1", port)
    except OSError as error:
        raise Skipped(f"no listener on the second address: {error}")
    _, writer = await connect_to_this_machine(port, happy_eyeballs_delay=0.02)
    seen("peer is the second address", writer.get_extra_info("peername")[:2] == ("::1", port))


@on_loop("79-stream-refused")
async def _(seen):
    try:
        live = await server("::1", 0)
    except OSError as error:
        raise Skipped(f"no listener on the second address: {error}")
    _, writer = await connect_to_this_machine(port_of(live), happy_eyeballs_delay=3600)
    seen("peer is the second address", writer.get_extra_info("peername")[:2] == ("::1", port_of(live)))


@on_loop("82-stream")
async def _(seen):
    listener = await server(["127.0.0.1", "127.0.0.1"])
    seen("sockets", len(listener.sockets))
    seen("a port", port_of(listener) != 0)


@on_loop("83-stream")
async def _(seen):
    listener = await server(start_serving=False)
    port = port_of(listener)
    error = await thrown(asyncio.open_connection("127.0.0.1", port))
    seen("before", isinstance(error, ConnectionRefusedError))
    await listener.start_serving()
    await listener.start_serving()
    await asyncio.open_connection("127.0.0.1", port)
    listener.close()
    error = await thrown(listener.start_serving())
    seen("after the close", isinstance(error, OSError) and error.errno == errno.EBADF)


def in_directory(function):
    """Runs the scenario with the path of a socket in a directory of its own."""

    async def run(seen):
        directory = tempfile.mkdtemp()
        try:
            await function(seen, os.path.join(directory, "s"))
        finally:
            shutil.rmtree(directory)

    return run


async def unix_server(path, **options):
    async def accepted(reader, writer):
        writer.close()

    return await asyncio.start_unix_server(accepted, path, **options)


def leave_stale(path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)


@on_loop("115-stream")
@in_directory
async def _(seen, path):
    leave_stale(path)
    seen("left behind", os.path.exists(path))
    listener = await unix_server(path)
    await asyncio.open_unix_connection(path)
    listener.close()
    if os.path.exists(path):
        os.unlink(path)
    with open(path, "w") as file:
        file.write("data")
    error = await thrown(unix_server(path))
    seen("in use", isinstance(error, OSError) and error.errno == errno.EADDRINUSE)
    seen("the path is named", path in str(error))
    seen("kept", os.path.exists(path))


@on_loop("115-stream-live")
@in_directory
async def _(seen, path):
    first = await unix_server(path)
    error = await thrown(unix_server(path))
    seen("in use", isinstance(error, OSError) and error.errno == errno.EADDRINUSE)
    first.close()


@on_loop("116-stream")
@in_directory
async def _(seen, path):
    if sys.version_info < (3, 13):
        raise Skipped("servers remove the files of their sockets from 3.13 on")
    (await unix_server(path)).close()
    seen("removed", not os.path.exists(path))
    first = await unix_server(path)
    os.unlink(path)
    second = await unix_server(path)
    first.close()
    seen("replaced, kept", os.path.exists(path))
    second.close()
    seen("the second one's, removed", not os.path.exists(path))
    (await unix_server(path, cleanup_socket=False)).close()
    seen("disabled, kept", os.path.exists(path))
    gone = await unix_server(path)
    os.unlink(path)
    gone.close()
    seen("gone", not os.path.exists(path))


@on_loop("116-stream-abstract")
@in_directory
async def _(seen, path):
    with open(path, "w") as file:
        file.write("data")
    listener = await unix_server("\0" + path)
    await asyncio.open_unix_connection("\0" + path)
    listener.close()
    seen("kept", os.path.exists(path))


class Probe(asyncio.Protocol):
    """Notes what it is told, and does what a scenario wants."""

    def __init__(self, made=None, resumed=None):
        self.made, self.resumed = made, resumed
        self.received, self.lost = 0, asyncio.get_running_loop().create_future()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        if self.made:
            self.made()

    def data_received(self, data):
        self.received += len(data)

    def resume_writing(self):
        if self.resumed:
            self.resumed()

    def connection_lost(self, error):
        self.lost.set_result(error)


async def probed_pair(**options):
    near, far = socket.socketpair()
    far.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, probe = await loop.connect_accepted_socket(lambda: Probe(**options), near)
    return transport, probe, far


async def read(peer, count):
    data = b""
    while len(data) < count:
        try:
            more = peer.recv(1 << 16)
        except BlockingIOError:
            await asyncio.sleep(0.0002)
            continue
        if not more:
            break
        data += more
    return data


@on_loop("76-busy")
async def _(seen):
    loop = asyncio.get_running_loop()

    def again():
        loop.call_soon(again)

    again()
    early = 0
    for _ in range(20):
        near, far = socket.socketpair()
        near.setblocking(False)
        far.send(b"hello")
        transport, probe = await loop.create_connection(
            lambda: Probe(made=lambda: loop.call_soon(lambda: None)), sock=near)
        early += probe.received
        while probe.received < 5:
            await asyncio.sleep(0)
        transport.abort()
        far.close()
    seen("bytes before the return", early)


class Marking(asyncio.Protocol):
    """Marks what it is told, and what it has queued at each chunk when that runs."""

    def __init__(self):
        self.trail, self.lost = Trail(), asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.trail.mark("made")

    def data_received(self, data):
        self.trail.mark("data")
        asyncio.get_running_loop().call_soon(self.trail.mark, "queued")

    def eof_received(self):
        self.trail.mark("end")

    def connection_lost(self, error):
        self.trail.mark("lost")
        self.lost.set_result(error)


@on_loop("98-turns")
async def _(seen):
    loop = asyncio.get_running_loop()
    for what, is_early in (("before the transport", True), ("while it waits", False)):
        for size in ("little", "much"):
            near, far = socket.socketpair()
            far.setblocking(False)

            def play():
                try:
                    while far.send(bytes(3 if size == "little" else 65536)) and size == "much":
                        pass
                except BlockingIOError:
                    pass
                far.close()

            if is_early:
                play()
            _, probe = await loop.connect_accepted_socket(Marking, near)
            for _ in range(5):
                await asyncio.sleep(0)
            if not is_early:
                play()
            await probe.lost
            turns = (len(probe.trail.marks) - 3) // 2
            seen(f"{what}, {size}: some", turns > 0)
            seen(f"{what}, {size}: in turns", str(probe.trail) == "made" + " data queued" * turns + " end lost")


@on_loop("84-shared")
async def _(seen):
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = []

        def serve():
            served.append(Marking())
            return served[-1]

        other = await loop.create_server(serve, sock=listener.dup())
        for starts in (True, False):
            closed = await loop.create_server(asyncio.Protocol, sock=listener.dup(), start_serving=starts)
            closed.close()
            await closed.wait_closed()
            await asyncio.sleep(0)
        client, _ = await loop.create_connection(asyncio.Protocol, *listener.getsockname())
        while not served:
            await asyncio.sleep(0)
        client.close()
        await served[0].lost
        seen("served", str(served[0].trail))
        other.close()


@on_loop("95")
async def _(seen):
    transport, probe, peer = await probed_pair()
    transport.write(bytes(1_000_000))
    transport.close()
    transport.close()
    seen("told inside close", probe.lost.done())
    transport.write(bytes(10))
    for _ in range(3):
        await asyncio.sleep(0)
    seen("told before it is sent", probe.lost.done())
    data = await read(peer, 1_000_010)
    seen("all of it", len(data) == 1_000_010)
    # A write behind the loss fails inside CPython, which has no socket any more.
    seen("the reason", await probe.lost is None)


@on_loop("95-resume")
async def _(seen):
    def resumed():
        probe.resumed = None
        # Not `writelines`, whose error 3.13 reports there.
        transport.write(bytes(100_000))

    transport, probe, peer = await probed_pair(resumed=resumed)
    transport.write(bytes(1_000_000))
    transport.close()
    data = await read(peer, 1_100_001)
    seen("bytes", len(data))
    seen("the reason", await probe.lost is None)


@on_loop("99-write")
async def _(seen):
    for count in (1, 100_000):
        transport, probe, peer = await probed_pair()
        await asyncio.sleep(0)
        peer.close()
        transport.write(bytes(count))
        seen(f"a broken pipe, {count} bytes", isinstance(await probe.lost, BrokenPipeError))


@on_loop("148-pool")
async def _(seen):
    loop = asyncio.get_running_loop()
    gate = threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    work = loop.run_in_executor(None, gate.wait)
    look_up = asyncio.ensure_future(loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))
    done, _ = await asyncio.wait([look_up], timeout=0.5)
    seen("addresses while the executor is full", bool(done) and not work.done())
    gate.set()
    await work


@on_loop("148-literal")
async def _(seen):
    loop = asyncio.get_running_loop()
    trail = Trail()
    for host in ["127.0.0.1", "::1"]:
        loop.call_soon(trail.mark, "turn")
        found = await loop.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
        trail.mark("literal")
        seen(f"{host} has addresses", bool(found))
        await asyncio.sleep(0)
    seen("order", trail)


@on_loop("148-names")
async def _(seen):
    loop = asyncio.get_running_loop()
    web = await loop.getaddrinfo("127.0.0.1", "80", type=socket.SOCK_STREAM)
    seen("addresses", [f"{entry[4][0]}:{entry[4][1]}" for entry in web])
    host, service = await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    seen("names", f"{host} {service}")
