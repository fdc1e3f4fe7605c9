"""Frameworks on the loops: each test is skipped where its packages are not installed.

Their own test suites are not run here: a request or a connection of each kind is.
"""

import asyncio
import contextlib
import importlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import unittest

import swift_asyncio
from support import OnLoop, on_each_loop


def needs(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


APPLICATION = '''
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    import asyncio
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    name = type(asyncio.get_running_loop()).__module__.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": name + b" %d" % len(body)})
'''


async def request(port, body=b"", context=None):
    """Ask a server of this machine, and return what it answers."""
    deadline = asyncio.get_running_loop().time() + 20
    while True:
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None)
            break
        except ConnectionError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.05)  # The server starts.
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.read()
    writer.close()
    return answer


@contextlib.contextmanager
def certificates(folder):
    """Make a certificate for this machine, and yield its files and the context of a client."""
    import trustme

    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    key, chain = os.path.join(folder, "key.pem"), os.path.join(folder, "chain.pem")
    made.private_key_pem.write_to_path(key)
    for part in made.cert_chain_pems:
        part.write_to_path(chain, append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    yield key, chain, context


@on_each_loop
class Frameworks(OnLoop):
    @contextlib.contextmanager
    def server(self, module, *args):
        """Run a server as a program, until the end of the body; SIGTERM has to end it cleanly."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "served.py"), "w") as file:
                file.write(APPLICATION)
            path = os.pathsep.join([folder, os.path.dirname(os.path.dirname(swift_asyncio.__file__))])
            environment = {**os.environ, "PYTHONPATH": path, "ASYNCIO_EVENT_LOOP": self.kind}
            process = subprocess.Popen(
                [sys.executable, "-m", module, *args], env=environment, text=True, cwd=folder,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                yield
            finally:
                process.terminate()
                try:
                    self.said, _ = process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    self.said, _ = process.communicate()
                    raise
            self.assertNotIn("Traceback", self.said)

    def uvicorn(self, *args, body=b"x" * 1_000_000):
        port = free_port()
        with self.server(
            "uvicorn", "served:app", "--loop", "swift_asyncio:new_event_loop", "--port", str(port), *args
        ):
            answer = self.run_on(request(port, body))
        self.assertIn(b"swift_asyncio._loop %d" % len(body), answer)

    @needs("uvicorn", "httptools")
    def test_uvicorn_with_httptools(self):
        self.uvicorn("--http", "httptools")

    @needs("uvicorn", "h11")
    def test_uvicorn_with_h11(self):
        self.uvicorn("--http", "h11")

    @needs("uvicorn", "trustme")
    def test_uvicorn_with_tls(self):
        with tempfile.TemporaryDirectory() as folder, certificates(folder) as (key, chain, context):
            port = free_port()
            with self.server(
                "uvicorn", "served:app", "--loop", "swift_asyncio:new_event_loop", "--port", str(port),
                "--ssl-keyfile", key,
                "--ssl-certfile", chain,
            ):  # fmt: skip
                answer = self.run_on(request(port, b"x" * 100_000, context))
            self.assertIn(b"swift_asyncio._loop 100000", answer)

    @needs("uvicorn", "websockets")
    def test_websockets(self):
        import websockets

        port = free_port()

        async def talk():
            for _ in range(400):
                try:
                    async with websockets.connect(f"ws://127.0.0.1:{port}/", proxy=None) as connection:
                        for i in range(20):
                            await connection.send(f"{i}" * 1000)
                            self.assertEqual(await connection.recv(), f"{i}" * 1000)
                    return
                except ConnectionError:
                    await asyncio.sleep(0.05)  # The server starts.
            self.fail("the server does not start")

        with self.server(
            "uvicorn", "served:app", "--loop", "swift_asyncio:new_event_loop", "--port", str(port), "--ws", "websockets"
        ):
            self.run_on(talk())

    @needs("hypercorn")
    def test_hypercorn(self):
        import hypercorn.asyncio
        import hypercorn.config

        names = {}
        exec(APPLICATION, names)

        async def serve():
            config = hypercorn.config.Config()
            port = free_port()
            config.bind, config.accesslog, config.errorlog = [f"127.0.0.1:{port}"], None, None
            end = asyncio.Event()
            server = asyncio.ensure_future(hypercorn.asyncio.serve(names["app"], config, shutdown_trigger=end.wait))
            answer = await request(port, b"x" * 1000)
            end.set()
            await server
            return answer

        self.assertIn(b"swift_asyncio._loop 1000", self.run_on(serve()))

    @needs("aiohttp")
    def test_aiohttp(self):
        import aiohttp
        from aiohttp import web

        async def talk():
            async def handle(asked):
                return web.Response(text=str(len(await asked.read())))

            async def socket(asked):
                connection = web.WebSocketResponse()
                await connection.prepare(asked)
                async for message in connection:
                    await connection.send_str(message.data)
                return connection

            application = web.Application(client_max_size=1 << 24)
            application.add_routes([web.post("/", handle), web.get("/socket", socket)])
            runner = web.AppRunner(application)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            at = "http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1]
            async with aiohttp.ClientSession() as session:
                async def post(i):
                    async with session.post(at + "/", data=b"x" * (100_000 + i)) as answer:
                        self.assertEqual(await answer.text(), str(100_000 + i))

                await asyncio.gather(*map(post, range(50)))
                async with session.ws_connect(at + "/socket") as connection:
                    for i in range(20):
                        await connection.send_str(f"{i}")
                        self.assertEqual((await connection.receive()).data, f"{i}")
                with self.assertRaises(aiohttp.ClientConnectorError):
                    await session.get("http://127.0.0.1:1/")
            await runner.cleanup()

        self.run_on(talk())

    @needs("anyio")
    def test_anyio(self):
        import anyio

        async def main():
            async def serve(client):
                async with client:
                    async for part in client:
                        await client.send(part)

            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, serve)
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(b"x" * 1000)
                    count = 0
                    while count < 1000:
                        count += len(await stream.receive())
                process = await anyio.run_process(["cat"], input=b"through cat")
                assert process.stdout == b"through cat"
                assert await anyio.to_thread.run_sync(int) == 0
                with anyio.move_on_after(0.01) as scope:
                    await anyio.sleep(20)
                assert scope.cancelled_caught
                async with await anyio.create_udp_socket(local_host="127.0.0.1") as one:
                    own = one.extra(anyio.abc.SocketAttribute.local_address)
                    await one.sendto(b"datagram", *own)
                    assert (await one.receive())[0] == b"datagram"
                group.cancel_scope.cancel()
            return type(asyncio.get_running_loop()).__module__

        made = anyio.run(main, backend_options={"loop_factory": self.new_loop})
        self.assertEqual(made, "swift_asyncio._loop")

    @needs("pytest", "pytest_asyncio")
    def test_pytest_asyncio(self):
        code = f"""
            import asyncio
            import pytest
            import swift_asyncio

            @pytest.fixture(scope="session")
            def event_loop_policy():
                return swift_asyncio.EventLoopPolicy({self.kind!r})

            @pytest.mark.asyncio
            async def test_on_the_loop():
                assert isinstance(asyncio.get_running_loop(), swift_asyncio.Loop)
                await asyncio.sleep(0)
        """
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "test_it.py")
            with open(path, "w") as file:
                file.write(textwrap.dedent(code))
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path], capture_output=True, text=True,
                timeout=60, cwd=folder, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 passed", done.stdout)

    @needs("httpx")
    def test_httpx(self):
        import httpx

        async def talk():
            async def answer(reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            async with httpx.AsyncClient(trust_env=False) as client:
                got = await client.get("http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1])
            server.close()
            return got.text

        self.assertEqual(self.run_on(talk()), "ok")

    @needs("asyncpg", "redis")
    def test_clients_of_databases(self):
        """Only the import, and a server that is not there."""
        import asyncpg
        import redis.asyncio

        async def connect():
            with self.assertRaises(OSError):
                await asyncpg.connect(host="127.0.0.1", port=1, user="x", database="x")
            client = redis.asyncio.Redis(host="127.0.0.1", port=1)
            with self.assertRaises(redis.exceptions.ConnectionError):
                await client.ping()
            await client.aclose()

        self.run_on(connect())


@on_each_loop
class Runners(OnLoop):
    def test_runner(self):
        async def main():
            return type(asyncio.get_running_loop())

        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            self.assertTrue(issubclass(runner.run(main()), swift_asyncio.Loop))
            self.assertTrue(issubclass(runner.run(main()), swift_asyncio.Loop))
        if sys.version_info >= (3, 12):
            self.assertTrue(issubclass(asyncio.run(main(), loop_factory=self.new_loop), swift_asyncio.Loop))
        self.assertTrue(issubclass(swift_asyncio.run(main(), mechanism=self.kind), swift_asyncio.Loop))


if __name__ == "__main__":
    unittest.main()
