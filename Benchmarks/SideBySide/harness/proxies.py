"""Proxies in front of the bare C echo server: ours, socat and nginx's stream module beside a bare C proxy.

The backend runs on the core of the load, so that the proxy has its own. A proxy moves each byte twice, and load and
backend together as often: throughput shows both cores' work, so CPU is the figure to trust. socat runs a process for
each connection; its CPU time is that of all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .bench import LOAD_CORES, Bench
from .model import P50, P99, RATE, Subject, Work
from .servers import Driven, serving, wait_until_up
from .subjects import EPOLL
from .sets import FULL, QUICK

BARE = Subject("proxy-epoll", "bare epoll proxy (C)", ("floor_proxy", "{backend}", "{port}"), "floors", kind="floor")


def _asyncio(loop: str) -> Subject:
    return Subject(
        f"proxy-asyncio-{loop}", f"AsyncIO proxy, {loop}",
        ("asyncio", "proxy", "--loop", loop, "--listen", "127.0.0.1:{port}", "--to", "127.0.0.1:{backend}"),
        "asyncio", kind="ours")


PROXIES = (
    BARE, _asyncio("selector"), _asyncio("proactor"),
    Subject("proxy-nginx", "nginx stream", ("nginx", "-e", "stderr", "-p", "{directory}", "-c", "{nginx}"), "nginx"),
    Subject("proxy-socat", "socat",
            ("socat", "-b", "65536", "TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=4096,nodelay",
             "TCP:127.0.0.1:{backend},nodelay"), "socat"),
)

NGINX = """daemon off;
master_process off;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
pid {directory}/nginx-{port}.pid;
error_log stderr;
events {{ worker_connections 8192; }}
stream {{
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_pass 127.0.0.1:{backend};
    proxy_buffer_size 64k;
    tcp_nodelay on;
  }}
}}
"""


@contextlib.contextmanager
def open_proxy(bench: Bench, work: Work, subject: Subject) -> Iterator[Driven]:
    """A proxy with a backend of its own."""
    port = bench.free_port()
    log = f"{work.name}-{subject.name}"
    with serving(bench, EPOLL, f"{log}-backend", cores=LOAD_CORES) as (_, backend):
        names = {"port": port, "backend": backend, "directory": bench.logs, "nginx": bench.logs / f"nginx-{port}.conf"}
        if subject.component == "nginx":
            names["nginx"].write_text(NGINX.format(**names))
        command = [word.format(**names) for word in subject.command]
        with bench.running(command, log=log) as child:
            wait_until_up(bench, child, port, log)
            yield Driven(bench, child, port, work.options)


def _work(name: str, title: str, size: int, connections: int, sets: frozenset[str]) -> Work:
    return Work(
        name=name, title=f"Proxy: {title}", about="One message through the proxy to an echo server, and back.",
        unit="message", subjects=PROXIES, open=open_proxy, columns=(RATE, P50, P99), sets=sets,
        cores="proxy on core 0, load and echo server on core 1",
        options={"mode": "echo", "size": size, "connections": connections})


def works() -> list[Work]:
    return [
        _work("proxy-64-c64", "64 bytes, 64 connections", 64, 64, FULL),
        _work("proxy-16k-c64", "16 KiB, 64 connections", 16_384, 64, QUICK),
        _work("proxy-1m-c4", "1 MiB, 4 connections", 1_048_576, 4, FULL),
    ]
