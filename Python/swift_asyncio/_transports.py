"""Transports as programs see them: what is rare of them, over the extension module's type."""

import os
import socket
import sys
import threading
from asyncio import constants, transports, trsock
from asyncio.log import logger

from . import _core

_STREAM, _READ_PIPE, _WRITE_PIPE, _DATAGRAM = range(4)


def _checked_limits(high, low):
    """Return both limits of flow control, as asyncio fills them in."""
    if high is None:
        high = 64 * 1024 if low is None else 4 * low
    if low is None:
        low = high // 4
    if not high >= low >= 0:
        raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
    return int(min(high, sys.maxsize)), int(min(low, sys.maxsize))


class _Transport(_core.Transport):
    """What all transports share."""

    def __init__(self, kind, loop, number, file, protocol, waiter, extra, server=None, address=None):
        super().__init__(kind, loop, number, file, protocol, waiter, extra, server, address)

    def get_extra_info(self, name, default=None):
        """Return what is known about the transport under a name."""
        extra = self._extra
        if extra is not None and name in extra:
            return extra[name]
        return default

    def set_write_buffer_limits(self, high=None, low=None):
        """Set when the protocol is asked to pause and to go on writing, in bytes that wait."""
        self._set_limits(*_checked_limits(high, low))

    def _fatal_error(self, exc, message="Fatal error on transport"):
        if isinstance(exc, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=True)
        else:
            self._loop.call_exception_handler(
                {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
            )
        self._force_close(exc)

    def __repr__(self):
        words = [type(self).__name__]
        loop = self._loop
        # Reports of other threads say what can be said there.
        is_mine = loop is None or loop._thread_id in (None, threading.get_ident())
        if self._lost:
            words.append("closed" if self._ended else "was open when its loop was closed")
        elif is_mine and self.is_closing():
            words.append("closing")
        words.append(f"fd={self._number()}")
        if loop is not None and is_mine and not self._lost and self._kind_reads:
            words.append("read=polling" if self.is_reading() else "read=idle")
        return f"<{' '.join(words)}>"

    _kind_reads = False

    def _begin(self, kind, loop, pipe, protocol, waiter, extra):
        """Begin with a number of the loop's own for a pipe, whose file object stays the program's until the end."""
        number = os.dup(pipe.fileno())
        try:
            _Transport.__init__(self, kind, loop, number, pipe, protocol, waiter, extra)
        except BaseException:
            os.close(number)
            raise


class StreamTransport(_Transport):
    """A connected stream socket. Answers the transport of asyncio's create_connection."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE
    _kind_reads = True

    def __init__(self, loop, sock, protocol, waiter=None, extra=None, server=None):
        super().__init__(_STREAM, loop, sock.fileno(), sock, protocol, waiter, extra, server)

    def get_extra_info(self, name, default=None):
        extra = self._extra
        if extra is None:
            extra = self._extra = {}
        if name not in extra:
            if name == "socket":
                sock = self._socket()
                if sock is None:
                    return default
                extra[name] = trsock.TransportSocket(sock)
            elif name in ("sockname", "peername"):
                extra[name] = self._name(name == "peername")
        return extra.get(name, default)

    def _socket(self):
        """Return a socket object for the number, which stays the transport's."""
        if self._sock is None and self._number() >= 0:
            self._sock = socket.socket(fileno=self._number())
        return self._sock

    def can_write_eof(self):
        """Return True."""
        return True


class ReadPipeTransport(_Transport):
    """The reading end of a pipe. Answers the transport of asyncio's connect_read_pipe."""

    _kind_reads = True

    def __init__(self, loop, pipe, protocol, waiter=None, extra=None):
        extra = dict(extra or ())
        extra["pipe"] = pipe
        self._begin(_READ_PIPE, loop, pipe, protocol, waiter, extra)


class WritePipeTransport(_Transport):
    """The writing end of a pipe. Answers the transport of asyncio's connect_write_pipe."""

    def __init__(self, loop, pipe, protocol, waiter=None, extra=None):
        extra = dict(extra or ())
        extra["pipe"] = pipe
        self._begin(_WRITE_PIPE, loop, pipe, protocol, waiter, extra)

    def can_write_eof(self):
        """Return True."""
        return True


class DatagramTransport(_Transport, transports.DatagramTransport):
    """A socket for datagrams. Answers the transport of asyncio's create_datagram_endpoint."""

    def __init__(self, loop, sock, protocol, address=None, waiter=None, extra=None):
        extra = dict(extra or ())
        extra["socket"] = trsock.TransportSocket(sock)
        for name, ask in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
            try:
                extra.setdefault(name, ask())
            except OSError:
                extra.setdefault(name, None)
        super().__init__(_DATAGRAM, loop, sock.fileno(), sock, protocol, waiter, extra, address=address)
