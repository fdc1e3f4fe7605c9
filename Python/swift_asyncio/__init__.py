"""asyncio on the event loops of swift-asyncio: epoll, and io_uring.

    import swift_asyncio
    swift_asyncio.run(main())

or, for programs that make their loops themselves, swift_asyncio.install().
"""

import sys
import sysconfig

if sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 13):
    raise ImportError(
        f"swift_asyncio is tested with CPython 3.11 to 3.13, and this is {sys.implementation.name} "
        f"{sys.version.split()[0]}: use one of those"
    )
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise ImportError(
        "swift_asyncio is not tested with free-threaded builds of CPython: use one with the GIL, or asyncio's own loop"
    )

from ._core import Handle, TimerHandle, proactor_refusal  # noqa: E402
from ._loop import Loop, ProactorEventLoop, SelectorEventLoop  # noqa: E402
from ._policy import EventLoopPolicy, install, new_event_loop, run  # noqa: E402

__all__ = [
    "EventLoopPolicy", "Handle", "Loop", "ProactorEventLoop", "SelectorEventLoop", "TimerHandle", "install",
    "new_event_loop", "proactor_refusal", "run",
]  # fmt: skip
__version__ = "0.1.0"
