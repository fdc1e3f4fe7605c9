"""Group E: readers and writers."""

import asyncio
import os
import select

from scenario import Skipped, Trail, quiet_loop, refusal, registry, socket_pair, stop_after

scenarios, scenario = registry()


@scenario("56")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()

    def second():
        trail.mark("second")
        trail.mark(loop.remove_reader(near))
        trail.mark(loop.remove_reader(near))
        trail.mark(loop.remove_writer(near))
        stop_after(loop, 2)

    loop.add_reader(near, trail.mark, "first")
    loop.add_reader(near, second)
    far.send(b"x")
    loop.run_forever()
    seen("reader, removals", trail)


@scenario("57")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    loop.add_reader(near, trail.mark, "reader")
    far.send(b"x")
    loop.call_soon(stop_after, loop, 4)
    loop.run_forever()
    seen("five turns", trail)


@scenario("58")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()

    def reader():
        trail.mark("reader")
        trail.mark(loop.remove_reader(near))
        trail.mark(loop.remove_writer(near))
        stop_after(loop, 3)

    loop.add_reader(near, reader)
    loop.add_writer(near, trail.mark, "writer")
    far.send(b"x")
    loop.run_forever()
    seen("reader, removals", trail)


class Failure(Exception):
    pass


@scenario("59")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()

    def reader():
        raise Failure

    loop.add_reader(near, reader)
    far.send(b"x")
    loop.call_soon(stop_after, loop, 2)
    loop.run_forever()
    seen("reports", len(loop.reports))
    seen("of the callback", all(isinstance(r["exception"], Failure) and "handle" in r for r in loop.reports))
    seen("still registered", loop.remove_reader(near))


@scenario("60")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    try:
        while True:
            near.send(bytes(65536))
    except BlockingIOError:
        pass
    told = set()

    def tell(direction):
        told.add(direction)
        if len(told) == 2:
            loop.stop()

    loop.add_reader(near, tell, "reader")
    loop.add_writer(near, tell, "writer")
    loop.call_soon(far.close)
    loop.run_forever()
    seen("told", " ".join(sorted(told)))


@scenario("61")
def _(seen):
    loop = quiet_loop()
    seen("reader of -1", refusal(loop.add_reader, -1, int))
    seen("reader of 1048576", refusal(loop.add_reader, 1 << 20, int))
    seen("removal of 1048576", loop.remove_reader(1 << 20))
    near, _ = socket_pair()
    number = near.fileno()
    near.close()
    seen("reader of a closed one", refusal(loop.add_reader, number, int))
    seen("removal of a closed one", loop.remove_reader(number))


@scenario("61-file")
def _(seen):
    loop = quiet_loop()
    with open("/etc/passwd") as file:
        seen("reader", refusal(loop.add_reader, file, int))
        seen("writer", refusal(loop.add_writer, file, int))
        seen("removal", loop.remove_reader(file))


@scenario("62")
def _(seen):
    loop = quiet_loop()

    async def body():
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        number = writer.get_extra_info("socket").fileno()
        seen("addReader", refusal(loop.add_reader, number, int))
        seen("removeWriter", refusal(loop.remove_writer, number))
        writer.close()
        await asyncio.sleep(0.01)
        seen("removal afterwards", loop.remove_reader(number))
        server.close()

    loop.run_until_complete(body())


@scenario("63")
def _(seen):
    loop = quiet_loop()
    near, far = socket_pair()
    trail = Trail()
    number = near.fileno()
    loop.add_reader(number, trail.mark, "old-reader")
    loop.add_writer(number, trail.mark, "old-writer")
    near.close()
    new, peer = socket_pair()
    if new.fileno() != number:
        raise Skipped("the number was not given out again")
    answer = refusal(loop.add_reader, number, lambda: (trail.mark("new-reader"), loop.stop()))
    if answer != "accepted":
        trail.mark(f"registration:{answer}")
    peer.send(b"x")
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    seen("fired", trail)
    # An error of epoll, which has forgotten the number, counts as nothing left.
    seen("old writer is left", refusal(loop.remove_writer, number) == "accepted")


@scenario("64")
def _(seen):
    loop = quiet_loop()
    if not hasattr(select, "epoll"):
        raise Skipped("there is no epoll")
    near, far = socket_pair()
    loop.add_reader(near, int)
    loop.add_writer(near, int)
    loop.remove_reader(near)
    loop.remove_writer(near)
    with open(f"/proc/self/fdinfo/{loop._selector.fileno()}") as table:
        fields = [line.split() for line in table if line.startswith("tfd:")]
    seen("epoll knows it", any(row[1] == str(near.fileno()) for row in fields))
