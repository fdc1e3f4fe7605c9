"""Child processes: subprocess.Popen starts them, and the loop waits for their ends and moves their bytes.

Popen, because what a program may ask for (preexec_fn, pass_fds, a user) runs Python's own code between fork and exec.
The end of a child makes a descriptor readable (Linux 5.3); where that is not allowed, a thread waits.
"""

import os
import threading
from asyncio import unix_events
from asyncio.log import logger


class Processes:
    """A mixin of loops."""

    async def _make_subprocess_transport(
        self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=None, **kwargs
    ):
        self._check_closed()
        waiter = self.create_future()
        transport = unix_events._UnixSubprocessTransport(
            self, protocol, args, shell, stdin, stdout, stderr, bufsize, waiter=waiter, extra=extra, **kwargs
        )
        self._watch_child(transport)
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport

    def _watch_child(self, transport):
        pid = transport.get_pid()
        try:
            number = os.pidfd_open(pid)
        except (AttributeError, OSError):
            thread = threading.Thread(target=self._wait_in_thread, args=(transport, pid), daemon=True)
            thread.start()
            return
        self._add_reader(number, self._child_ended, transport, pid, number)

    def _child_ended(self, transport, pid, number):
        self._remove_reader(number)
        os.close(number)
        transport._process_exited(_take_status(pid))

    def _wait_in_thread(self, transport, pid):
        code = _take_status(pid)
        try:
            self.call_soon_threadsafe(transport._process_exited, code)
        except RuntimeError:
            logger.warning("the loop was closed before child %d ended, with %d", pid, code)


def _take_status(pid):
    """Return the exit code of a child that has ended, or will."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        # Somebody else has taken it; asyncio's number for that.
        logger.warning("child process pid %d exit status already read: will report returncode 255", pid)
        return 255
    return unix_events.waitstatus_to_exitcode(status)
