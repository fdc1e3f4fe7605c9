"""What the extension module calls in Python: words, reports and checks, where speed does not matter."""

import asyncio
import atexit
import socket
import sys
from asyncio import base_events, format_helpers
from asyncio.log import logger

from . import _core


def describe_handle(handle):
    """Return the repr of a handle, in asyncio's words."""
    words = [type(handle).__name__]
    if handle._cancelled:
        words.append("cancelled")
    if isinstance(handle, _core.TimerHandle):
        words.append(f"when={handle._when}")
    if handle._callback is not None:
        words.append(format_helpers._format_callback_source(handle._callback, handle._args))
    if handle._source_traceback:
        frame = handle._source_traceback[-1]
        words.append(f"created at {frame[0]}:{frame[1]}")
    return f"<{' '.join(words)}>"


def report_callback(handle, exception):
    """Tell the loop's exception handler that a callback has raised."""
    callback = format_helpers._format_callback_source(handle._callback, handle._args)
    context = {"message": f"Exception in callback {callback}", "exception": exception, "handle": handle}
    if handle._source_traceback:
        context["source_traceback"] = handle._source_traceback
    handle._loop.call_exception_handler(context)


def report_slow(handle, seconds):
    """Log a callback that took too long."""
    base_events.logger.warning("Executing %s took %.3f seconds", base_events._format_handle(handle), seconds)


def check_call(loop, name, callback):
    """In debug mode: refuse another thread, and what is not a callback."""
    loop._check_closed()
    if name != "call_soon_threadsafe":
        loop._check_thread()
    loop._check_callback(callback, name)


def note_origin(handle):
    """In debug mode: keep where a handle was made."""
    handle._source_traceback = format_helpers.extract_stack(sys._getframe(1))


def several_errors(errors):
    """Return one error for a connection that has failed at several addresses, as asyncio words it."""
    first = str(errors[0])
    if all(str(error) == first for error in errors):
        return errors[0]
    error = OSError("Multiple exceptions: {}".format(", ".join(str(error) for error in errors)))
    error.attempts = errors
    return error


_LEVELS = ("debug", "info", "warning", "error")


def log(level, message):
    """Log what the library reports."""
    getattr(logger, _LEVELS[level])("%s", message)


def missing_method(protocol, name):
    """Return a function that says, when it is called, which method the protocol lacks."""

    def missing(*args):
        return getattr(protocol, name)(*args)

    return missing


def resolve_datagram(address, family):
    """Look an address up whose host is a name."""
    host, port, *rest = address
    # The names that the socket module has for all interfaces and for a broadcast.
    host = {"": "::" if family == socket.AF_INET6 else "0.0.0.0", "<broadcast>": "255.255.255.255"}.get(host, host)
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)[0][4]
    return (*found[:2], *(rest or found[2:]))


_core.set_helpers(
    buffered_protocol=asyncio.BufferedProtocol,
    gaierror=socket.gaierror,
    not_available=asyncio.SendfileNotAvailableError,
    describe_handle=describe_handle,
    report_callback=report_callback,
    report_slow=report_slow,
    check_call=check_call,
    note_origin=note_origin,
    several_errors=several_errors,
    log=log,
    missing_method=missing_method,
    resolve_datagram=resolve_datagram,
)
atexit.register(_core.end)
