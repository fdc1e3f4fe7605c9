"""Sending files: by Swift over a transport, by os.sendfile over a socket of the program's."""

import errno
import os
from asyncio import exceptions

from . import _core
from ._transports import StreamTransport


def _regular_file(file):
    """Return the number and the size of a file that the system can send."""
    try:
        number = file.fileno()
        return number, os.fstat(number).st_size
    except (AttributeError, OSError):
        raise exceptions.SendfileNotAvailableError("not a regular file") from None


class Files:
    """A mixin of loops."""

    async def _sendfile_native(self, transp, file, offset, count):
        if not isinstance(transp, StreamTransport):
            raise exceptions.SendfileNotAvailableError(f"sendfile is not offered over {transp!r}")
        number, size = _regular_file(file)
        if not size:
            return 0  # An empty file.
        done = self.create_future()
        operation = _core.sendfile(self, done, transp, number, offset, -1 if count is None else count)
        transp._sending_file = True
        try:
            return await done
        except exceptions.CancelledError:
            operation.cancel()
            raise
        finally:
            transp._sending_file = False

    async def _sock_sendfile_native(self, sock, file, offset, count):
        number, size = _regular_file(file)
        sent = 0
        end = None if count is None else offset + count

        def send():
            nonlocal sent
            while True:
                position = offset + sent
                block = min(size if end is None else end - position, 1 << 30)
                if block <= 0:
                    return sent
                try:
                    n = os.sendfile(sock.fileno(), number, position, block)
                except OSError as error:
                    if sent == 0 and error.errno == errno.ENOTCONN and not isinstance(error, ConnectionError):
                        raise ConnectionError("socket is not connected", errno.ENOTCONN) from error
                    if sent == 0 and not isinstance(error, (BlockingIOError, InterruptedError, ConnectionError)):
                        raise exceptions.SendfileNotAvailableError("os.sendfile call failed") from error
                    raise
                if n == 0:
                    return sent
                sent += n

        if not size:
            return 0
        try:
            return await self._until_done(sock, True, send)
        finally:
            if sent:
                os.lseek(number, offset + sent, os.SEEK_SET)
