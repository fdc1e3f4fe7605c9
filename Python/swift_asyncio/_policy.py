"""Policies and the short ways to run a program."""

import asyncio
from asyncio import unix_events

from ._loop import Loop, ProactorEventLoop, SelectorEventLoop

_KINDS = {"selector": SelectorEventLoop, "proactor": ProactorEventLoop}


def new_event_loop(mechanism=None):
    """Return a new loop: over "selector", "proactor" or "poll"; by ASYNCIO_EVENT_LOOP, or the platform's, for None."""
    kind = _KINDS.get(mechanism)
    return Loop(mechanism) if kind is None else kind()


class EventLoopPolicy(unix_events._UnixDefaultEventLoopPolicy):
    """A policy whose loops are swift-asyncio's."""

    def __init__(self, mechanism=None):
        super().__init__()
        self._mechanism = mechanism

    def _loop_factory(self):
        return new_event_loop(self._mechanism)


def install(mechanism=None):
    """Make all loops of the process swift-asyncio's from here on."""
    asyncio.set_event_loop_policy(EventLoopPolicy(mechanism))


def run(main, *, mechanism=None, debug=None):
    """Run a coroutine on a new loop, as asyncio.run does."""
    with asyncio.Runner(debug=debug, loop_factory=lambda: new_event_loop(mechanism)) as runner:
        return runner.run(main)
