"""Connecting and serving: Swift looks names up, races addresses and accepts; TLS is CPython's, over its transports."""

import socket
from asyncio import base_events, constants, exceptions, sslproto

from . import _core
from ._transports import StreamTransport


class Connecting:
    """A mixin of loops."""

    async def create_connection(
        self, protocol_factory, host=None, port=None, *, ssl=None, family=0, proto=0, flags=0, sock=None,
        local_addr=None, server_hostname=None, ssl_handshake_timeout=None, ssl_shutdown_timeout=None,
        happy_eyeballs_delay=None, interleave=None, all_errors=False,
    ):  # fmt: skip
        """Connect to a host and port, and return the transport and the protocol."""
        if not self._connects(host, port, sock, local_addr):
            options = {"all_errors": all_errors} if _HAS_ALL_ERRORS or all_errors else {}
            return await super().create_connection(
                protocol_factory, host, port, ssl=ssl, family=family, proto=proto, flags=flags, sock=sock,
                local_addr=local_addr, server_hostname=server_hostname, ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout, happy_eyeballs_delay=happy_eyeballs_delay,
                interleave=interleave, **options,
            )  # fmt: skip
        hostname = _checked_tls(ssl, host, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        client = _Client(self, protocol_factory, ssl, hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        local_host, local_port = local_addr or (None, 0)
        done = self.create_future()
        operation = _core.connect(
            self, done, client.make, host or "", port, local_host, local_port, family, proto, flags,
            -1.0 if happy_eyeballs_delay is None else max(0.0, happy_eyeballs_delay), interleave or -1,
        )  # fmt: skip
        try:
            client.transport = await done
        except exceptions.CancelledError:
            operation.cancel()
            if not done.cancelled() and done.exception() is None:
                # It came with the connection, which nobody takes now.
                done.result().abort()
            raise
        except OSError as error:
            is_plain = error.errno is not None and not isinstance(error, socket.gaierror)
            if local_addr is not None and is_plain and str(local_addr) not in str(error):
                error = OSError(error.errno, f"{error.strerror} (local_addr is {local_addr})")
            if all_errors and not isinstance(error, socket.gaierror):
                raise ExceptionGroup("create_connection failed", getattr(error, "attempts", [error])) from None
            raise error
        return await client.finish()

    def _connects(self, host, port, sock, local_addr):
        """Return whether Swift can do the look-up: a program may have its own."""
        if sock is not None or not isinstance(host, (str, type(None))) or type(port) is not int:
            return False
        # CPython encodes a name of other alphabets for its look-up, and refuses what cannot be one.
        if not 0 <= port <= 0xFFFF or (host and ("\0" in host or not host.isascii())):
            return False
        if local_addr is not None:
            local_host, local_port = local_addr[:2]
            if type(local_port) is not int or not isinstance(local_host, (str, type(None))) or len(local_addr) != 2:
                return False
            if not 0 <= local_port <= 0xFFFF:
                return False
        return "getaddrinfo" not in self.__dict__ and type(self).getaddrinfo is base_events.BaseEventLoop.getaddrinfo

    # --- serving

    def _start_serving(
        self, protocol_factory, sock, sslcontext=None, server=None, backlog=100,
        ssl_handshake_timeout=constants.SSL_HANDSHAKE_TIMEOUT, ssl_shutdown_timeout=constants.SSL_SHUTDOWN_TIMEOUT,
    ):  # fmt: skip
        make = None
        if sslcontext:
            client = _Guest(self, protocol_factory, sslcontext, ssl_handshake_timeout, ssl_shutdown_timeout)
            make = client.make
        # A number of its own: the socket object stays the server's, which closes it.
        self._acceptors[sock] = _core.Acceptor(
            self, sock.fileno(), backlog, server, protocol_factory, StreamTransport, make
        )

    def _stop_serving(self, sock):
        acceptor = self._acceptors.pop(sock, None)
        if acceptor is not None:
            acceptor.close()
        super()._stop_serving(sock)


_HAS_ALL_ERRORS = "all_errors" in base_events.BaseEventLoop.create_connection.__code__.co_varnames


def _checked_tls(ssl, host, server_hostname, handshake_timeout, shutdown_timeout):
    """Return the name that the certificate must be for. Raises ValueError for options that need TLS."""
    if ssl:
        if server_hostname is None and not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        return host if server_hostname is None else server_hostname
    if server_hostname is not None:
        raise ValueError("server_hostname is only meaningful with ssl")
    if handshake_timeout is not None:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown_timeout is not None:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")
    return None


class _Client:
    """A connection that was asked for, from its protocol to its transport."""

    def __init__(self, loop, factory, ssl, hostname, handshake_timeout, shutdown_timeout):
        self.loop, self.factory, self.ssl, self.hostname = loop, factory, ssl, hostname
        self.timeouts = {"ssl_handshake_timeout": handshake_timeout, "ssl_shutdown_timeout": shutdown_timeout}
        self.transport = self.protocol = self.waiter = self.ssl_protocol = None

    def make(self):
        self.protocol = self.factory()
        if not self.ssl:
            return _core.prepare(StreamTransport, self.loop, self.protocol)
        context = None if isinstance(self.ssl, bool) else self.ssl
        self.waiter = self.loop.create_future()
        self.ssl_protocol = sslproto.SSLProtocol(
            self.loop, self.protocol, context, self.waiter, False, self.hostname, **self.timeouts
        )
        return _core.prepare(StreamTransport, self.loop, self.ssl_protocol)

    async def finish(self):
        """Begin the input, and return the transport and the protocol: after the handshake, if there is one."""
        self.transport._begin_input()
        if not self.ssl:
            return self.transport, self.protocol
        transport = self.ssl_protocol._app_transport
        try:
            await self.waiter
        except BaseException:
            transport.close()
            raise
        return transport, self.protocol


class _Guest:
    """Makes the transports of clients whose connections are protected."""

    def __init__(self, loop, factory, context, handshake_timeout, shutdown_timeout):
        self.loop, self.factory, self.context = loop, factory, context
        self.timeouts = {"ssl_handshake_timeout": handshake_timeout, "ssl_shutdown_timeout": shutdown_timeout}

    def make(self):
        protocol = self.factory()
        waiter = self.loop.create_future()
        ssl_protocol = sslproto.SSLProtocol(
            self.loop, protocol, self.context, waiter, True, **self.timeouts
        )
        transport = _core.prepare(StreamTransport, self.loop, ssl_protocol)
        waiter.add_done_callback(lambda waiter: self._done(waiter, transport, protocol))
        return transport

    def _done(self, waiter, transport, protocol):
        """Close a connection whose handshake has failed; debug mode reports it, as in asyncio."""
        if waiter.cancelled() or waiter.exception() is None:
            return
        transport.close()
        if self.loop.get_debug():
            self.loop.call_exception_handler({
                "message": "Error on transport creation for incoming connection",
                "exception": waiter.exception(), "protocol": protocol, "transport": transport,
            })  # fmt: skip
