"""What curl sees of hello-service. A check takes the site of a loop and returns what is to be the same on each loop."""

import hashlib
import json
import os
import re
import tempfile

from .programs import Process, require, run, wait_until

HELLO = b"Hello, world!\n"
GREETING = b'{"message": "Hello, world!", "primes": [2, 3, 5, 7]}'
TRANSFER = re.compile(rb"\x1e(.*?)\x1e(.*?)\x1f", re.DOTALL)
MEBIBYTE = bytes(range(256)) * 4096
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def curl(server, *options, paths=("/",), input=None, status=0):
    """Run curl for some paths; what it saw of each: status, version, headers, body, and whether it had to connect."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["curl", "-sS", "--max-time", "50", "-w", "\x1e%{json}\x1e%{header_json}\x1f", *options]
        if server.certificate:
            command += ["--cacert", server.certificate]
        for number, path in enumerate(paths):
            command += ["-o", f"{folder}/{number}", server.url + path]
        done = run(command, input, status)
        seen = [seen_of(*found.groups(), folder) for found in TRANSFER.finditer(done.stdout)]
    require(len(seen) == len(paths), f"curl did {len(seen)} of {len(paths)} transfers")
    return [what for _, what in sorted(seen, key=lambda pair: pair[0])]


def seen_of(about, headers, folder):
    about, headers = json.loads(about), json.loads(headers)
    path = f"{folder}/{about['urlnum']}"
    body = b""
    if os.path.exists(path):
        with open(path, "rb") as file:
            body = file.read()
    if headers.get("content-type", [""])[0].startswith("application/json"):
        # The order of an object's members is not of interest.
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    date = "".join(headers.get("date", []))
    if about["method"] == "HEAD":
        # What curl writes then are the headers once more.
        body = b""
    return about["urlnum"], {
        "status": about["http_code"],
        "version": about["http_version"],
        "connects": about["num_connects"],
        "headers": {**headers, **({"date": ["a date"]} if DATE.fullmatch(date) else {})},
        "body": f"{len(body)} bytes, {hashlib.sha256(body).hexdigest()[:16]}",
        "bytes": len(body),
    }


def body_of(data):
    return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()[:16]}"


def numbered(count):
    return bytes(number % 251 for number in range(251)) * (count // 251) + bytes(range(count % 251))


def expect(seen, statuses, bodies=None, version=None):
    """What has to hold on the reference as well, or there would be nothing to compare."""
    require([one["status"] for one in seen] == statuses, f"statuses {[one['status'] for one in seen]}")
    for one, body in zip(seen, bodies or []):
        require(one["body"] == body_of(body), f"a body of {one['body']} instead of {body_of(body)}")
    for one in seen:
        require(version in (None, one["version"]), f"HTTP/{one['version']} instead of HTTP/{version}")
    return seen


def kept(site):
    """Several requests on one connection."""
    seen = curl(site.hello, paths=["/", "/json", "/bytes/1000", "/"])
    expect(seen, [200] * 4, [HELLO, GREETING, numbered(1000), HELLO], "1.1")
    require([one["connects"] for one in seen] == [1, 0, 0, 0], "the connection was not kept")
    return seen


def posted(site):
    """A body of 1 MiB that is announced by its length."""
    seen = curl(site.hello, "-H", "Expect:", "--data-binary", "@-", paths=["/echo"], input=MEBIBYTE)
    return expect(seen, [200], [MEBIBYTE])


def chunked(site):
    """The same in chunks."""
    seen = curl(site.hello, "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                paths=["/echo"], input=MEBIBYTE)
    return expect(seen, [200], [MEBIBYTE])


def expecting(site):
    """A client that asks before it sends, and sends after a while if nothing comes."""
    seen = curl(site.hello, "-H", "Expect: 100-continue", "--expect100-timeout", "0.1", "--data-binary", "@-",
                paths=["/echo"], input=b"body" * 1000)
    return expect(seen, [200], [b"body" * 1000])


def large(site):
    """An answer that fills every buffer on its way."""
    return expect(curl(site.hello, paths=["/bytes/5000000"]), [200], [numbered(5_000_000)])


def old(site):
    """A client of HTTP/1.0."""
    return expect(curl(site.hello, "--http1.0"), [200], [HELLO])


def old_kept(site):
    """HTTP/1.0 of a client that asks to keep the connection."""
    seen = curl(site.hello, "--http1.0", "-H", "Connection: keep-alive", paths=["/", "/json"])
    return expect(seen, [200, 200], [HELLO])


def closing(site):
    """A client that wants the connection closed after an answer."""
    seen = curl(site.hello, "-H", "Connection: close", paths=["/", "/"])
    expect(seen, [200, 200], [HELLO, HELLO])
    require([one["connects"] for one in seen] == [1, 1], "the connection was kept")
    return seen


def head(site):
    """HEAD: the headers of an answer without its body."""
    seen = curl(site.hello, "--head", paths=["/", "/bytes/1000"])
    expect(seen, [200, 200])
    require(seen[1]["headers"].get("content-length") == ["1000"], "HEAD does not say the length")
    return seen


def errors(site):
    """A path that is not there, a method, a number that is refused; then the connection serves on."""
    seen = curl(site.hello, paths=["/nowhere", "/bytes/-1", "/"])
    expect(seen, [404, 400, 200])
    return seen + expect(curl(site.hello, "--request", "DELETE"), [404])


def prior_knowledge(site):
    """A client that begins with HTTP/2 where HTTP/1 is spoken: refused, and the next one is served."""
    command = ["curl", "-sS", "--max-time", "50", "--http2-prior-knowledge", site.hello.url + "/"]
    done = run(command, status=None)
    require(done.returncode != 0 and not done.stdout, "it has an answer")
    return [{"curl ends with": done.returncode}, *expect(curl(site.hello), [200], [HELLO])]


def abandoned(site):
    """A client that goes away when it sees how large the answer is; the next one is served."""
    curl(site.hello, "--max-filesize", "1000", paths=["/bytes/100000000"], status=63)
    return expect(curl(site.hello), [200], [HELLO])


def parallel(site):
    """Many connections at a time."""
    paths = [f"/bytes/{number * 5000}" for number in range(40)]
    seen = curl(site.hello, "--parallel", "--parallel-immediate", "--parallel-max", "20", paths=paths)
    expect(seen, [200] * 40, [numbered(number * 5000) for number in range(40)])
    return [{**one, "connects": None} for one in seen]


def protected(site):
    """HTTP/1 in TLS, by a client that does not know HTTP/2."""
    seen = curl(site.secure, "--http1.1", paths=["/", "/json", "/bytes/1000000"])
    expect(seen, [200] * 3, [HELLO], "1.1")
    echo = curl(site.secure, "--http1.1", "-H", "Expect:", "--data-binary", "@-", paths=["/echo"], input=MEBIBYTE)
    return seen + expect(echo, [200], [MEBIBYTE])


def second(site):
    """HTTP/2 by negotiation: requests on one connection, bodies both ways, HEAD, 404."""
    seen = curl(site.secure, "--http2", paths=["/", "/json", "/bytes/1000000", "/nowhere"])
    expect(seen, [200, 200, 200, 404], [HELLO], "2")
    require([one["connects"] for one in seen] == [1, 0, 0, 0], "the connection was not kept")
    echo = curl(site.secure, "--http2", "--data-binary", "@-", paths=["/echo"], input=MEBIBYTE)
    expect(echo, [200], [MEBIBYTE], "2")
    return seen + echo + expect(curl(site.secure, "--http2", "--head"), [200], version="2")


def multiplexed(site):
    """Many requests at a time on one connection."""
    paths = [f"/bytes/{number * 5000}" for number in range(40)]
    seen = curl(site.secure, "--http2", "--parallel", "--parallel-max", "20", paths=paths)
    expect(seen, [200] * 40, [numbered(number * 5000) for number in range(40)], "2")
    require(sum(one["connects"] for one in seen) == 1, "more than one connection")
    return [{**one, "connects": None} for one in seen]


def untrusted(site):
    """A client that does not trust the certificate goes away in the handshake; the next one is served."""
    done = run(["curl", "-sS", "--max-time", "50", site.secure.url + "/"], status=None)
    require(done.returncode != 0, "it has an answer")
    return [{"curl ends with": done.returncode}, *expect(curl(site.secure), [200], [HELLO])]


def ended(server, *options):
    """SIGTERM in the middle of an answer: the listener closes, the answer comes to its end, and the process ends."""
    # More than the buffers between both sides take, and curl waits for the reader of its output.
    count = 12_000_000
    command = ["curl", "-sSN", "--max-time", "50", *options, "-w", "%{http_version} %{http_code}"]
    if server.certificate:
        command += ["--cacert", server.certificate]
    client = Process([*command, f"{server.url}/bytes/{count}"], server.folder)
    try:
        client.wait_for(rb"^.")
        server.terminate()
        wait_until(lambda: not server.listens(), "the listener closes")
        require(server.process.poll() is None, f"the program ended before its answer, with {server.process.returncode}")
        seen = client.end()
    finally:
        client.kill()
    require(seen[:count] == numbered(count), f"curl got {len(seen)} bytes, not those that were to come")
    server.end()
    return seen[count:].decode()


CHECKS = [
    kept, posted, chunked, expecting, large, old, old_kept, closing, head, errors, prior_knowledge, abandoned, parallel,
    protected, second, multiplexed, untrusted,
]  # fmt: skip
