"""The programs that are compared, by family. Of each family the first is the reference.

A command's first word is a program that `SideBySide/build` made, or one on PATH. What a family adds to it is in the
family's module: an echo server gets its port as the last argument.
"""

from __future__ import annotations

from .model import Subject

EPOLL = Subject("epoll", "bare epoll (C)", ("floor_epoll",), "floors", kind="floor")
IO_URING = Subject("io_uring", "bare io_uring (C)", ("floor_io_uring",), "floors", kind="floor")


def asyncio_echo(loop: str, api: str, *more: str, name: str | None = None, title: str | None = None) -> Subject:
    """One form of `asyncio echo`."""
    return Subject(
        name or f"asyncio-{loop}-{api}", title or f"AsyncIO {loop}, {api}",
        ("asyncio", "echo", "--loop", loop, "--api", api, *more, "--port"), "asyncio", kind="ours",
        floor="io_uring" if loop == "proactor" else None)


PEERS = (
    Subject("libuv", "libuv", ("libuv_echo",), "libuv"),
    Subject("asio", "asio", ("asio_echo",), "asio"),
    Subject("tokio", "tokio", ("tokio_echo",), "tokio"),
    Subject("go", "Go", ("go_echo",), "go"),
    Subject("nio", "SwiftNIO, channel handler", ("nio_echo",), "nio"),
    Subject("nio-async", "SwiftNIO, async channel", ("nio_async_echo",), "nio"),
    Subject("uvloop", "uvloop (Python)", ("uvloop_echo",), "uvloop"),
)

OURS = tuple(asyncio_echo(loop, api) for loop in ("selector", "proactor") for api in ("sync", "streams", "protocol"))

ECHO = (EPOLL, IO_URING, *OURS, *PEERS)
