"""Event loops over Swift's.

What waits, what moves a byte and what calls back is Swift's: scheduling, timers, watches, transports, connecting,
accepting. CPython's classes are the base for what is Python's own: futures and tasks, the check of arguments, the
executor, asynchronous generators, the signal module. They call what is overridden here.
"""

import os
import selectors
import signal
import sys
import threading
from asyncio import events, sslproto, unix_events

from . import _core, _helpers  # noqa: F401  (the helpers introduce themselves to _core)
from ._connect import Connecting
from ._files import Files
from ._processes import Processes
from ._sockets import Sockets
from ._transports import DatagramTransport, ReadPipeTransport, StreamTransport, WritePipeTransport


class _NoSelector:
    """What the base class believes to be its selector: Swift waits."""

    def close(self):
        pass

    def get_map(self):
        return {}

    def get_key(self, fileobj):
        raise KeyError(fileobj)

    def select(self, timeout=None):
        raise RuntimeError("the loop waits by itself, and has no selector")

    register = modify = unregister = select


class Loop(_core.Loop, Connecting, Files, Processes, Sockets, unix_events._UnixSelectorEventLoop):
    """An event loop of swift-asyncio.

    mechanism is a name that the library knows: "selector" (epoll), "proactor" (io_uring), "poll". None takes the one
    that ASYNCIO_EVENT_LOOP names, or the platform's.
    """

    _mechanism = None

    def __init__(self, mechanism=None):
        try:
            _core.Loop.__init__(self, mechanism or self._mechanism)
        except BaseException:
            self._closed = True  # It never was open, and its end is told nobody.
            raise
        self._acceptors = {}
        self._made_by = os.getpid()
        unix_events._UnixSelectorEventLoop.__init__(self, _NoSelector())

    def __repr__(self):
        state = "closed" if self.is_closed() else "running" if self.is_running() else "idle"
        return f"<{type(self).__name__} {state} debug={self.get_debug()} over {self.mechanism}>"

    # --- running

    def run_forever(self):
        """Run until stop() is called."""
        self._check_closed()
        self._check_running()
        hooks = sys.get_asyncgen_hooks()
        self._set_coroutine_origin_tracking(self._debug)
        wakeup = self._watch_signals()
        try:
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook)
            events._set_running_loop(self)
            self._run()
        finally:
            self._thread_id = None
            events._set_running_loop(None)
            self._set_coroutine_origin_tracking(False)
            sys.set_asyncgen_hooks(*hooks)
            self._unwatch_signals(wakeup)

    def _check_running(self):
        super()._check_running()
        if self._made_by != os.getpid() and self.mechanism == "io_uring":
            # The queues of io_uring are not the child's.
            raise RuntimeError("This event loop was made before a fork: make a new one in the child")

    def _watch_signals(self):
        """Let signals end waits of the main thread, whichever thread gets them. Returns what was set before."""
        if threading.current_thread() is not threading.main_thread():
            return None
        before = signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)
        if before >= 0 and before != self._csock.fileno():
            # A program's own.
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            return None
        return before

    def _unwatch_signals(self, before):
        # A handler of the loop's keeps it, as in asyncio.
        if before is not None and not self._signal_handlers:
            signal.set_wakeup_fd(before)

    def close(self):
        """Close the loop for good."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        super().close()
        for acceptor in self._acceptors.values():
            acceptor.close()
        self._acceptors.clear()
        self._close()

    def set_debug(self, enabled):
        """Set debug mode: threads and callbacks are checked, slow callbacks logged."""
        super().set_debug(enabled)
        self._set_debug(enabled)

    # --- what the base class does with its selector and its queue

    def _write_to_self(self):
        pass  # What is posted wakes Swift's loop.

    def _add_callback(self, handle):
        if not handle._cancelled:
            self.call_soon(handle._run)

    def _process_events(self, event_list):
        raise RuntimeError("the loop has no selector")

    # --- transports

    def _make_socket_transport(self, sock, protocol, waiter=None, *, extra=None, server=None):
        return StreamTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self, rawsock, protocol, sslcontext, waiter=None, *, server_side=False, server_hostname=None, extra=None,
        server=None, ssl_handshake_timeout=None, ssl_shutdown_timeout=None,
    ):  # fmt: skip
        ssl_protocol = sslproto.SSLProtocol(
            self, protocol, sslcontext, waiter, server_side, server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
        StreamTransport(self, rawsock, ssl_protocol, None, extra, server)
        return ssl_protocol._app_transport

    def _make_datagram_transport(self, sock, protocol, address=None, waiter=None, extra=None):
        return DatagramTransport(self, sock, protocol, address, waiter, extra)

    def _make_read_pipe_transport(self, pipe, protocol, waiter=None, extra=None):
        return ReadPipeTransport(self, pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(self, pipe, protocol, waiter=None, extra=None):
        return WritePipeTransport(self, pipe, protocol, waiter, extra)


class SelectorEventLoop(Loop):
    """A loop over epoll, or over the mechanism of a selector of the selectors module: epoll or poll."""

    _mechanism = "selector"

    def __init__(self, selector=None):
        mechanism = None
        if selector is not None:
            mechanism = "poll" if isinstance(selector, (selectors.PollSelector, selectors.SelectSelector)) else None
            selector.close()
        super().__init__(mechanism)


class ProactorEventLoop(Loop):
    """A loop over io_uring, which has to be available: see python -m swift_asyncio."""

    _mechanism = "proactor"
