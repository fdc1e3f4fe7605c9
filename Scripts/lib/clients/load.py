"""Many requests at a time, by wrk and h2load: each is answered, and no connection is lost."""

import re
import struct
import tempfile

from .programs import Process, require, run, wait_until


def wrk(server, path="/"):
    """Requests on 64 connections for a second; nothing but 2xx."""
    said = run(["wrk", "-t", "2", "-c", "64", "-d", "1s", server.url + path]).stdout.decode()
    found = re.search(r"(\d+) requests in", said)
    require(found and int(found[1]) > 64, f"wrk did next to nothing: {said}")
    for bad in ("Socket errors", "Non-2xx"):
        require(bad not in said, "wrk: " + "".join(line for line in said.splitlines() if bad in line).strip())


def h2load(server, path, count, *options):
    """This many requests, all answered with 2xx."""
    said = run(["h2load", "-t", "1", "-n", count, *options, server.url + path]).stdout.decode()
    all = f"requests: {count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout"
    require(all in said, "h2load: " + "".join(re.findall("^requests: .*$", said, re.MULTILINE)))
    require(f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in said, "h2load: " + said[said.find("status codes"):])
    return re.findall(r"^Application protocol: (.*)$", said, re.MULTILINE)


def many(site):
    """wrk on one loop."""
    wrk(site.hello)


def many_protected(site):
    """wrk in TLS on two loops."""
    wrk(site.secure)


def load(site):
    """HTTP/1 by h2load, plain and in TLS."""
    seen = h2load(site.hello, "/json", 1000, "--h1", "-c", "32")
    return seen + h2load(site.secure, "/json", 500, "--h1", "-c", "16")


def load_second(site):
    """HTTP/2 by h2load, in TLS: small answers, larger ones, and bodies that come back."""
    seen = h2load(site.secure, "/", 1000, "-c", "8", "-m", "20")
    require(seen == ["h2"], f"h2load spoke {seen}")
    h2load(site.secure, "/bytes/100000", 100, "-c", "4", "-m", "5")
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(20_000))
        file.flush()
        h2load(site.secure, "/echo", 200, "-c", "4", "-m", "10", "-d", file.name)
    return seen


def load_calls(site):
    """gRPC calls by h2load, plain on one loop and in TLS on two."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(struct.pack(">BI", 0, 100) + bytes(100))
        file.flush()
        options = ["-m", "10", "-d", file.name, "-H", "content-type: application/grpc", "-H", "te: trailers"]
        seen = h2load(site.echo, "/echo.Echo/Once", 500, "-c", "8", *options)
        return seen + h2load(site.secure_echo, "/echo.Echo/Once", 300, "-c", "8", *options)


def ended_under_load(site):
    """SIGTERM while wrk asks on 64 connections."""
    server = site.start("hello-service", threads=2)
    client = Process(["wrk", "-t", "1", "-c", "64", "-d", "30s", server.url + "/"], server.folder)
    try:
        wait_until(lambda: server.connections() >= 64, "64 connections are open")
        server.terminate()
        server.end()
    finally:
        client.kill()


CHECKS = [many, many_protected, load, load_second, load_calls, ended_under_load]
