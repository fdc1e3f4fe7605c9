"""python -m swift_asyncio: which loop a program would get here, and why."""

import os
import platform
import sys

import swift_asyncio


def main():
    asked = os.environ.get("ASYNCIO_EVENT_LOOP")
    refusal = swift_asyncio.proactor_refusal()
    try:
        loop = swift_asyncio.new_event_loop()
    except (RuntimeError, OSError, ValueError) as error:
        sys.exit(f"swift_asyncio: {error}")
    mechanism = loop.mechanism
    loop.close()
    print(f"swift_asyncio {swift_asyncio.__version__}, Python {platform.python_version()}, {platform.platform()}")
    why = f"ASYNCIO_EVENT_LOOP is {asked}" if asked else "ASYNCIO_EVENT_LOOP is not set: the platform's loop"
    print(f"a new loop waits with {mechanism}: {why}")
    ways = 'available, by new_event_loop("proactor") or ASYNCIO_EVENT_LOOP=proactor'
    print(f"io_uring: {refusal or ways}")


if __name__ == "__main__":
    main()
