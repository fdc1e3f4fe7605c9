"""The sock_ calls: a socket object of the program's, without a transport.

Each tries the call first and waits only if it would block, on the loop's own watches. Bytes are received when the
descriptor can be read, not before: a call that is cancelled has taken nothing.
"""

import socket
from asyncio import base_events


def _wake(done):
    if not done.done():
        done.set_result(None)


class Sockets:
    """A mixin of loops."""

    def _check_socket(self, sock):
        base_events._check_ssl_socket(sock)
        if self._debug and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")

    async def _until_done(self, sock, writer, attempt):
        """Return what the attempt returns, when it does not block."""
        while True:
            try:
                return attempt()
            except (BlockingIOError, InterruptedError):
                await self._until_ready(sock, writer)

    async def _until_ready(self, sock, writer):
        """Return when an attempt is worth it. The attempt is the task's own: what a cancel meets has taken nothing."""
        number = sock.fileno()
        add, remove = (self._add_writer, self._remove_writer) if writer else (self._add_reader, self._remove_reader)
        done = self.create_future()
        # One handle for a descriptor and direction: a later call has replaced this one's.
        handle = add(number, _wake, done)
        try:
            await done
        finally:
            if not handle.cancelled():
                remove(number)

    async def sock_recv(self, sock, n):
        """Receive up to n bytes."""
        self._check_socket(sock)
        return await self._until_done(sock, False, lambda: sock.recv(n))

    async def sock_recv_into(self, sock, buf):
        """Receive bytes into a buffer, and return their number."""
        self._check_socket(sock)
        return await self._until_done(sock, False, lambda: sock.recv_into(buf))

    async def sock_recvfrom(self, sock, bufsize):
        """Receive a datagram of up to bufsize bytes, and its sender."""
        self._check_socket(sock)
        return await self._until_done(sock, False, lambda: sock.recvfrom(bufsize))

    async def sock_recvfrom_into(self, sock, buf, nbytes=0):
        """Receive a datagram into a buffer, and return the number of bytes and the sender."""
        self._check_socket(sock)
        if not nbytes:
            nbytes = len(buf)
        return await self._until_done(sock, False, lambda: sock.recvfrom_into(buf, nbytes))

    async def sock_sendall(self, sock, data):
        """Send all the bytes."""
        self._check_socket(sock)
        view = memoryview(data)
        if view.ndim != 1 or view.itemsize != 1:
            view = view.cast("B")
        sent = 0

        def send():
            nonlocal sent
            while sent < len(view):
                sent += sock.send(view[sent:])

        await self._until_done(sock, True, send)

    async def sock_sendto(self, sock, data, address):
        """Send a datagram, and return the number of bytes."""
        self._check_socket(sock)
        return await self._until_done(sock, True, lambda: sock.sendto(data, address))

    async def sock_accept(self, sock):
        """Accept a connection, and return its socket and address."""
        self._check_socket(sock)

        def accept():
            connection, address = sock.accept()
            connection.setblocking(False)
            return connection, address

        return await self._until_done(sock, False, accept)

    async def sock_connect(self, sock, address):
        """Connect a socket to an address; a host that is a name is looked up."""
        self._check_socket(sock)
        if sock.family == socket.AF_INET or (base_events._HAS_IPv6 and sock.family == socket.AF_INET6):
            found = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            address = found[0][4]
        begun = False

        def connect():
            nonlocal begun
            if not begun:
                begun = True
                sock.connect(address)
                return
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, f"Connect call failed {address}")

        await self._until_done(sock, True, connect)

