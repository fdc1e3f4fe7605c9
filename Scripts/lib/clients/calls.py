"""What clients see of grpc-echo: the C core of gRPC, by Python's grpcio, and this repository's own `grpc-echo call`."""

import json
import pathlib
import sys

from .programs import Process, require, run, wait_until

CLIENT = pathlib.Path(__file__).parent / "grpcio_client.py"


def python(given):
    """An interpreter that has grpcio; None without one."""
    for name in [given] if given else [sys.executable, "/usr/bin/python3"]:
        if run([name, "-c", "import grpc"], status=None).returncode == 0:
            return name
    return None


def command(site, server, what):
    return [site.python, CLIENT, what, server.port, *([server.certificate] if server.certificate else [])]


def called(site, server):
    seen = json.loads(run(command(site, server, "calls")).stdout)
    require(len(seen) > 15, f"the client made {len(seen)} calls")
    return seen


def plain(site):
    """All kinds of calls, plain, on one loop."""
    return called(site, site.echo)


def protected(site):
    """The same in TLS, on two loops."""
    return called(site, site.secure_echo)


def crowded(site):
    """More calls at a time than a connection takes, plain and in TLS."""
    return [json.loads(run(command(site, server, "crowd")).stdout) for server in (site.echo, site.secure_echo)]


def own(site):
    """This repository's client, on this loop and on NIO's: a call for each message, and in TLS a long call."""
    for loop in dict.fromkeys([site.loop, "nio"]):
        for server, more in [
            (site.echo, []),
            (site.secure_echo, ["--certificate", site.secure_echo.certificate, "--bidirectional", "--size", 20_000]),
        ]:
            said = run([site.bin / "grpc-echo", "call", "--loop", loop, "--port", server.port, "--count", 200,
                        "--streams", 10, *more]).stdout.decode()
            require(said.startswith("200 messages in "), f"grpc-echo call said {said!r}")


def ended(site, server):
    """SIGTERM in the middle of a call: the listener closes, the call comes to its end, and the process ends."""
    client = Process(command(site, server, "open"), server.folder)
    try:
        client.wait_for(rb"open\n")
        server.terminate()
        wait_until(lambda: not server.listens(), "the listener closes")
        client.write(b"go\n", closes=True)
        seen = json.loads(client.end().split(b"\n", 1)[1])
    finally:
        client.kill()
    require(seen["answers"] == ["first", "second"] and seen["code"] == "OK", f"grpcio saw {seen}")
    server.end()
    return seen


CHECKS = [plain, protected, crowded, own]
