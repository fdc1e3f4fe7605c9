"""TLS under transports (149 to 156)."""

import asyncio
import os
import ssl
import subprocess
import tempfile

from scenario import Trail, coroutines

scenarios = {}
on_loop = coroutines(scenarios)


def contexts():
    """A client's and a server's that trust each other, and a client's that trusts somebody else."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True)  # fmt: skip
        client = ssl.create_default_context(cafile=certificate)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
    return client, server, ssl.create_default_context()


class Probe(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self, pauses=False):
        self.trail, self.pauses = Trail(), pauses
        self.received, self.transport, self.is_lost, self.lost = b"", None, False, None

    def mark(self, mark):
        if self.trail.marks[-1:] != [mark]:
            self.trail.mark(mark)

    def connection_made(self, transport):
        self.mark("made")
        self.transport = transport
        if self.pauses:
            transport.pause_reading()

    def data_received(self, data):
        self.mark("data")
        self.received += data

    def eof_received(self):
        self.mark("end")

    def connection_lost(self, error):
        self.mark("lost")
        self.is_lost, self.lost = True, error


async def turn(condition):
    while not condition():
        await asyncio.sleep(0.0002)


async def protected_connection(pauses=False, **limits):
    client, server, _ = contexts()
    loop = asyncio.get_running_loop()
    served = Probe(pauses)
    listener = await loop.create_server(lambda: served, "127.0.0.1", 0, ssl=server, **limits)
    _, near = await loop.create_connection(
        Probe, "127.0.0.1", listener.sockets[0].getsockname()[1], ssl=client, server_hostname="localhost", **limits)
    await turn(lambda: served.transport)
    return near, served


def set_timers():
    return sum(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)


async def refusal(port, context, probe, **limits):
    loop = asyncio.get_running_loop()
    try:
        await loop.create_connection(
            lambda: probe, "127.0.0.1", port, ssl=context, server_hostname="localhost", **limits)
    except OSError as error:
        return error
    return None


@on_loop("149")
async def _(seen):
    near, served = await protected_connection()
    seen("client's calls", near.trail)
    seen("server's calls", served.trail)
    seen("version", near.transport.get_extra_info("ssl_object").version())


@on_loop("149-failure")
async def _(seen):
    _, server, stranger = contexts()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    served, probe = Probe(), Probe()
    listener = await loop.create_server(lambda: served, "127.0.0.1", 0, ssl=server)
    error = await refusal(listener.sockets[0].getsockname()[1], stranger, probe)
    seen("the certificate is refused", isinstance(error, ssl.SSLCertVerificationError))
    await asyncio.sleep(0.05)
    seen("client's calls", probe.trail)
    seen("server's calls", served.trail)


async def plain_server(handler):
    listener = await asyncio.start_server(handler, "127.0.0.1", 0)
    return listener.sockets[0].getsockname()[1]


@on_loop("149-timeout")
async def _(seen):
    async def silent(reader, writer):
        await asyncio.sleep(3600)

    probe = Probe()
    error = await refusal(await plain_server(silent), contexts()[0], probe, ssl_handshake_timeout=0.05)
    seen("it ends in time", isinstance(error, ConnectionAbortedError))
    seen("calls", probe.trail)


@on_loop("149-loss")
async def _(seen):
    async def going(reader, writer):
        writer.close()

    probe = Probe()
    error = await refusal(await plain_server(going), contexts()[0], probe)
    seen("the caller is told", error is not None)
    seen("calls", probe.trail)


@on_loop("150")
async def _(seen):
    client, server, _ = contexts()
    loop = asyncio.get_running_loop()
    served = Probe()
    listener = await loop.create_server(lambda: served, "127.0.0.1", 0)
    near, probe = await loop.create_connection(Probe, "127.0.0.1", listener.sockets[0].getsockname()[1])
    near.write(b"upgrade")
    await turn(lambda: len(served.received) == 7)
    starting = asyncio.ensure_future(loop.start_tls(served.transport, served, server, server_side=True))
    near = await loop.start_tls(near, probe, client, server_hostname="localhost")
    far = await starting
    seen("protected", far.get_extra_info("ssl_object") is not None)
    near.write(b" and on")
    await turn(lambda: len(served.received) == 14)
    seen("received", served.received.decode())
    seen("server's calls", served.trail)


@on_loop("151")
async def _(seen):
    near, served = await protected_connection()
    near.transport.write(bytes(1_000_000))
    near.transport.close()
    await turn(lambda: near.is_lost and served.is_lost)
    seen("received", len(served.received))
    seen("server's calls", served.trail)
    seen("the server's reason", {None: "nil"}.get(served.lost, served.lost))
    seen("the client's reason", {None: "nil"}.get(near.lost, near.lost))


@on_loop("152")
async def _(seen):
    near, served = await protected_connection(pauses=True, ssl_shutdown_timeout=0.05)
    near.transport.close()
    await turn(lambda: near.is_lost)
    seen("client's calls", near.trail)


@on_loop("153")
async def _(seen):
    near, served = await protected_connection(pauses=True)
    near.transport.write(bytes(50_000))
    near.transport.close()
    await asyncio.sleep(0.05)
    seen("held back", served.trail)
    served.transport.resume_reading()
    await turn(lambda: served.is_lost)
    seen("received", len(served.received))
    seen("server's calls", served.trail)


@on_loop("154")
async def _(seen):
    near, served = await protected_connection()
    near.transport.pause_reading()
    served.transport.write(b"nobody reads this")
    await asyncio.sleep(0.05)
    near.transport.close()
    await turn(lambda: near.is_lost and served.is_lost)
    seen("client's calls", near.trail)


@on_loop("155")
async def _(seen):
    near, _ = await protected_connection()
    seen("can write the end", near.transport.can_write_eof())


@on_loop("156")
async def _(seen):
    before = set_timers()
    near, served = await protected_connection()
    seen("none after the handshake", set_timers() == before)
    near.transport.close()
    await turn(lambda: near.is_lost and served.is_lost)
    await turn(lambda: set_timers() == before)
    seen("none after the close", True)
