"""The works over TLS: echo in two sizes, full and resumed handshakes, memory of idle connections.

Everybody has the same certificate (ECDSA, P-256), which is made for the run, and the load offers TLS 1.3 with one
cipher and one group: so all encrypt and agree on keys in the same way, and what differs is the library and the program
around it. What was agreed on is in the log of the load.

nginx cannot echo. It takes part in the handshakes, with a text that it sends and a goodbye instead of an echo.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

from .bench import Bench
from .certificate import certificate
from .model import MEMORY, P50, P99, RATE, Subject, Work
from .servers import Driven, check_descriptors, wait_until_up
from .sets import FULL
from .subjects import OURS

# The arguments of a server that is written for this alone, and our options.
WORDS = ("{chain}", "{key}", "{port}")
CERTIFICATE = ("--tls-cert", "{chain}", "--tls-key", "{key}")

OPENSSL = Subject("openssl", "bare OpenSSL on epoll (C)", ("floor_tls", *WORDS), "tls", kind="floor")


def _protected(subject: Subject) -> Subject:
    """One form of `asyncio echo`, with its certificate before the port. Of io_uring there is no floor with TLS."""
    *command, port = subject.command
    return dataclasses.replace(subject, command=(*command, *CERTIFICATE, port, "{port}"), floor=None)


ASYNCIO = tuple(map(_protected, OURS))

PEERS = (
    Subject("tokio-openssl", "tokio, OpenSSL", ("tokio_openssl", *WORDS), "tokio-tls"),
    Subject("tokio-rustls", "tokio, rustls", ("tokio_rustls", *WORDS), "tokio-tls"),
    Subject("asio", "asio, OpenSSL", ("asio_tls", *WORDS), "asio-tls"),
    Subject("uvloop", "uvloop (Python), OpenSSL", ("uvloop_tls", *WORDS), "uvloop"),
    Subject("go", "Go, crypto/tls", ("go_tls", *WORDS), "go"),
    Subject("nio", "SwiftNIO, BoringSSL", ("nio_tls", *WORDS), "nio-tls"),
)
NGINX = Subject("nginx", "nginx, OpenSSL", ("nginx", "-e", "stderr", "-p", "{directory}", "-c", "{nginx}"), "nginx",
                options={"load": {"anyanswer": 1}})

ECHO = (OPENSSL, *ASYNCIO, *PEERS)
HANDSHAKES = (*ECHO, NGINX)

NGINX_CONFIGURATION = """daemon off;
master_process off;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
pid {directory}/nginx-{port}.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
stream {{
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    tcp_nodelay on;
    return "{text}";
  }}
}}
"""


@contextlib.contextmanager
def open_protected(bench: Bench, work: Work, subject: Subject) -> Iterator[Driven]:
    """A server with the certificate, driven by the load over TLS."""
    check_descriptors(bench, work)
    chain, key = certificate(bench)
    port, log = bench.free_port(), f"{work.name}-{subject.name}"
    nginx = bench.logs / f"nginx-{port}.conf"
    names = {"chain": chain, "key": key, "port": port, "directory": bench.logs, "nginx": nginx}
    if subject.component == "nginx":
        nginx.write_text(NGINX_CONFIGURATION.format(text="x" * 64, **names))
    with bench.running([word.format(**names) for word in subject.command], log=log) as child:
        wait_until_up(bench, child, port, log)
        yield Driven(bench, child, port, {**work.options, **_more_load(subject)})


def _more_load(subject: Subject) -> Mapping[str, object]:
    more = subject.options.get("load", {})
    assert isinstance(more, Mapping)
    return more


def _work(name: str, title: str, about: str, unit: str, load: Mapping[str, object], **more: object) -> Work:
    return Work(name=f"tls-{name}", title=f"TLS: {title}", about=about, unit=unit, sets=FULL, component="tls",
                open=open_protected, options={"program": "load_tls", **load}, **more)  # type: ignore[arg-type]


def _echo(size: int, short: str, connections: int) -> Work:
    title = {64: "64 bytes", 16_384: "16 KiB"}[size]
    return _work(
        f"echo-{short}-c{connections}", f"echo of {title}, {connections:,} connections",
        "One message to the server and back. Closed loop: each connection has one message on its way, which is one "
        "record.", "message", {"mode": "echo", "size": size, "connections": connections},
        subjects=ECHO, columns=(RATE, P50, P99),
        # To make 1,000 connections takes longer than the slice.
        rounds=5 if connections == 1000 else None)


def _handshake(name: str, title: str, about: str, **load: object) -> Work:
    return _work(
        f"handshake-{name}", f"{title}, 64 at a time", about, "handshake",
        {"mode": "handshake", "size": 64, "connections": 64, **load}, subjects=HANDSHAKES, columns=(RATE, P50, P99))


def works() -> list[Work]:
    return [
        *(_echo(size, short, connections)
          for size, short in ((64, "64"), (16_384, "16k")) for connections in (64, 1000)),
        _handshake("full", "full handshakes",
                   "Connect, handshake, exchange 64 bytes, reset. The server signs and agrees on keys."),
        _handshake("resumed", "resumed handshakes",
                   "As a full one, but from a ticket of an earlier connection: keys are agreed on, nothing is signed.",
                   resume=1),
        _work("idle-2k", "2,000 idle connections: memory of each",
              "Resident bytes that 2,000 connections added which echoed 64 bytes each, divided by them. The kernel's "
              "part is not in it.", "connection", {"mode": "idle", "size": 64, "connections": 2000},
              subjects=ECHO, figure=MEMORY, absolute=True, fresh=True, rounds=2),
    ]
