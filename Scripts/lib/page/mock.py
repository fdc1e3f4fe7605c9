"""A server that stands for `asyncio inspect PID --web`: it serves the page's files, and made-up snapshots that move on.

`WORLDS` names what can be seen: a busy server, a loop that hangs, a crowd, a deadlock, hostile names, nothing at all,
fields of wrong types, many loops, a process that has gone.
"""

import http.server
import json
import math
import random
import threading
import time

KEY = "7f3a9c51e0b24d68"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HOSTILE = "<img src=x onerror=alert(1)>"
FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
PLACES = ["Server.swift:41", "Session.swift:112", "Cache.swift:77", "main.swift:18"]


def bounded(shown, count=None):
    return {"count": len(shown) if count is None else count, "shown": shown}


def tasks(age, count=24):
    rows = [
        {"id": 1, "name": "main", "state": "waiting", "age": age, "place": "main.swift:9", "awaitedBy": [],
         "waits": {"what": "serve", "for": age - 0.2, "place": "main.swift:31"}},
        {"id": 2, "name": "serve", "state": "waiting", "age": age - 0.1, "place": "main.swift:14", "awaitedBy": [1],
         "waits": {"what": "a client to connect", "for": age % 3, "place": "Server.swift:22"}},
        {"id": 3, "name": "expire sessions", "state": "waiting", "age": age - 0.1, "place": "main.swift:18",
         "awaitedBy": [1], "waits": {"what": "a sleep", "for": age % 5, "place": "Cache.swift:77"}},
    ]  # fmt: skip
    for number in range(4, count + 1):
        kind = number % 5
        peer = f"127.0.0.1:{52000 + number}"
        state, waits = "waiting", {"what": f"to read from {peer}", "for": (age * 1.7 + number) % 9, "place": PLACES[1]}
        if kind == 0:
            state, waits = "ready", None
        elif kind == 1:
            waits = {"what": "a lock", "for": 0.02 * number, "place": "Cache.swift:80"}
        rows.append({"id": number, "name": f"Task-{number}", "state": state, "age": age * (1 - number / (count + 9)),
                     "place": PLACES[number % 3], "waits": waits, "awaitedBy": [2]})  # fmt: skip
    return rows


def connections(age, count=18):
    rows = [{"number": 7, "kind": "listener", "local": "127.0.0.1:7000", "peer": None, "received": None, "sent": None,
             "roundTrip": None, "isReading": True, "isWriting": False, "tls": None}]  # fmt: skip
    for number in range(8, 8 + count):
        rate = 20_000 * (number % 5 + 1) * (1 + 0.4 * math.sin(age / 7 + number))
        received = int(rate * age * 0.3 + 5e6 * (1 + math.sin(age / 9)))
        rows.append({"number": number, "kind": "stream", "local": "127.0.0.1:7000",
                     "peer": f"127.0.0.1:{52000 + number}", "received": received, "sent": int(rate * age * 1.4),
                     "roundTrip": 0.00004 * (number % 4 + 1), "isReading": number % 5 != 0,
                     "isWriting": number % 7 == 0, "tls": "TLS 1.3" if number % 3 == 0 else None})  # fmt: skip
    return rows


def busy_loop(age, number=1):
    """Returns a loop of a server that has something to do."""
    turns = 900 * age + 4000 * (1 + math.sin(age / 11 + number))
    durations = [0, 3, 40, 700, 2600, 9000, 21000, 16000, 7000, 2400, 800, 240, 80, 30, 9, 4, 2, 1, 1, 1] + [0] * 8
    slow = [
        {"what": "callback", "task": None, "place": PLACES[i % 4], "took": 0.31 / (i + 1), "ago": 2 + 17 * i + age % 9}
        for i in range(5)
    ]
    slow[1].update(what="job", task="Task-9")
    return {
        "number": number, "name": "ProactorEventLoop", "backend": "io_uring", "state": "running", "isDebug": False,
        "answers": True,
        "thread": {"number": 4711 + number, "state": "running", "cpu": age * 0.38, "call": None},
        "turns": {"count": int(turns), "busy": 0.42 * age + 1.3 * math.sin(age / 6) + 3, "watched": age,
                  "longest": 0.31, "durations": [int(n * age / 60) for n in durations]},
        "ready": int(5 + 3 * math.sin(age / 4) + 1.5 * math.sin(age * 1.9)),
        "now": {"what": "job", "task": "Task-8", "place": PLACES[1], "about": None, "for": 0.00012},
        "slow": slow, "tasks": bounded(tasks(age)),
        "connections": bounded(connections(age, 16 + int(4 * math.sin(age / 8)))),
        "timers": bounded([{"in": 0.4 + 1.7 * i, "what": what, "place": PLACES[i % 4]}
                           for i, what in enumerate(["a time limit", "a sleep", "a callback", "a time limit"])]),
        "pool": {"threads": 3, "maximum": 8, "idle": 1, "queued": 10},
        "children": bounded([{"pid": 4800, "age": 3.5 + age}]),
        "locks": bounded([
            {"kind": "lock", "place": "Cache.swift:12", "owner": "Task-5", "waiters": ["Task-6", "Task-11", "Task-16"]},
            {"kind": "semaphore", "place": "Server.swift:8", "owner": None, "waiters": ["Task-21"]},
        ]),
    }  # fmt: skip


def snapshot(age, loops):
    return {
        "format": 1,
        "process": {"pid": 4711, "program": "chat-server", "age": age},
        "clock": 1000 + age,
        "loops": loops,
    }


def busy(age):
    return snapshot(age, [busy_loop(age)])


def hung(age):
    """A loop that stopped to answer eight seconds after the beginning, beside one that goes on."""
    loops = [busy_loop(min(age, 68)), busy_loop(age, 2)]
    since = age - 68
    if since > 0:
        loops[0].update(
            answers=False, connections=None, timers=None,
            thread={"number": 4712, "state": "sleeping", "cpu": 26.1, "call": "nanosleep"},
            now={"what": "callback", "task": "Task-7", "place": "Session.swift:112", "for": since,
                 "about": "the connection from 127.0.0.1:52011"},
        )  # fmt: skip
    return snapshot(age, loops)


def crowd(age):
    loop = busy_loop(age)
    loop.update(tasks=bounded(tasks(age, 1000), 1200), connections=bounded(connections(age, 999), 64000))
    return snapshot(age, [loop])


def deadlock(age):
    loop = busy_loop(age)
    rows = loop["tasks"]["shown"]
    for first, second in ((5, 6), (6, 7), (7, 5)):
        row = rows[first - 1]
        row.update(state="waiting", waits={"what": "a lock", "for": age - 50, "place": "Cache.swift:80"})
        row.update(awaitedBy=[])
        name = f"Task-{second}"
        loop["locks"]["shown"].append(
            {"kind": "lock", "place": f"Cache.swift:{second}", "owner": name, "waiters": [f"Task-{first}"]}
        )
    # And two that await each other.
    rows[9].update(awaitedBy=[11], waits={"what": "Task-11", "for": 12, "place": None})
    rows[10].update(awaitedBy=[10], waits={"what": "Task-10", "for": 12, "place": None})
    loop["locks"] = bounded(loop["locks"]["shown"][2:])
    return snapshot(age, [loop])


def hostile(age):
    """Names that are HTML, that turn the direction of what follows, and that are long."""
    loop = busy_loop(age)
    turned, long = "Task-\u202e7 ydaer\u0007", "x" * 5000
    loop.update(name=HOSTILE, backend=HOSTILE, state=HOSTILE)
    loop["thread"].update(state=HOSTILE, call="\"><script>alert(2)</script>")
    for row, name in zip(loop["tasks"]["shown"], (HOSTILE, turned, long, "</td></table><h1>out</h1>", "__proto__")):
        row.update(name=name, place=HOSTILE, waits={"what": HOSTILE, "for": 1, "place": HOSTILE}, state=HOSTILE)
    loop["tasks"]["shown"][5].update(id="__proto__", awaitedBy=["constructor", "__proto__"])
    for row in loop["connections"]["shown"][:3]:
        row.update(peer=HOSTILE, local=HOSTILE, kind=HOSTILE, tls=HOSTILE)
    loop["locks"]["shown"][0].update(owner=HOSTILE, waiters=[HOSTILE, long], kind=HOSTILE, place=HOSTILE)
    loop["slow"][0].update(what=HOSTILE, task=HOSTILE, place=HOSTILE)
    loop["timers"]["shown"][0].update(what=HOSTILE, place=HOSTILE)
    loop["now"].update(what=HOSTILE, task=HOSTILE, place=HOSTILE, about=HOSTILE)
    loop["answers"] = False
    answer = snapshot(age, [loop])
    answer["process"]["program"] = HOSTILE
    return answer


def empty(age):
    return snapshot(age, [])


def bare(age):
    """A loop that says nothing but its number."""
    return snapshot(age, [{"number": 1}])


def many(age):
    return snapshot(age, [busy_loop(age + number, number) for number in range(1, 25)])


def huge(age):
    loop = busy_loop(age)
    loop["turns"].update(count=int(1e18 * age), busy=1e12, longest=1e9, durations=[10**15] * 28)
    loop.update(ready=10**15)
    loop["tasks"].update(count=10**12)
    for row in loop["connections"]["shown"]:
        row.update(received=int(1e21 * age), sent=10**300, roundTrip=1e9)
    loop["pool"].update(threads=10**9, maximum=10**9, idle=0, queued=10**18)
    for row in loop["tasks"]["shown"]:
        row.update(age=1e12, id=row["id"] * 10**16)
    return snapshot(age, [loop])


def broken(age):
    """A snapshot of which each field may be missing, null or of another type; other ones each time."""
    dice = random.Random(int(age * 1000))
    strange = [None, "", "text", -1, 1e300, True, [], {}, [None], {"shown": 3}, {"count": "x", "shown": [None, 7, {}]}]

    def damage(value):
        if dice.random() < 0.08:
            return dice.choice(strange)
        if isinstance(value, dict):
            return {key: damage(one) for key, one in value.items() if dice.random() > 0.05}
        return [damage(one) for one in value] if isinstance(value, list) else value

    answer = snapshot(age, [busy_loop(age), busy_loop(age, 2)])
    return {key: damage(value) for key, value in answer.items()} | {"clock": 1000 + age}


def simulation(count, hosts, seconds, seed="4711", notes=("accepts a client", "tries again")):
    """Returns a simulated world as the page of `asyncio simulate` takes it, with what went wrong in it."""
    dice = random.Random(7)
    events = []
    for _ in range(count):
        host = dice.randrange(len(hosts))
        event = {"t": dice.random() * seconds, "host": host, "to": None, "arrives": None, "count": 1}
        kind = dice.random()
        if kind < 0.85:
            lost, flight = dice.random() < 0.05, dice.uniform(0.01, 0.06) * min(seconds, 2)
            event.update(kind="message", to=(host + dice.randrange(1, len(hosts))) % len(hosts))
            event.update(text=dice.choice(["HELLO anna", "64 bytes", "4096 bytes", "the end of the stream"]))
            event.update(count=dice.choice([1, 1, 9]))
            event.update(arrives=None if lost else event["t"] + flight)
        elif kind < 0.9:
            event.update(kind="fault", host=dice.choice([host, None]))
            event.update(text=dice.choice(["a reset of the connection", "a short read", "the link is clogged"]))
        else:
            event.update(kind="note", text=dice.choice(notes))
        events.append(event)
    failure = "always: each message arrives once\nseen twice: HELLO anna"
    events.append({"t": seconds * 0.97, "host": 1, "kind": "failure", "to": None, "arrives": None, "text": failure})
    return {"scenario": "chat", "seed": seed, "duration": seconds, "failure": failure, "hosts": hosts, "events": events}


def with_world(template, world):
    """Returns the page of a simulated world, as the program that writes it makes it of the template."""
    return template.replace('"WORLD"</script>', json.dumps(world).replace("<", "\\u003c") + "</script>")


WORLDS = {
    one.__name__: one for one in (busy, hung, crowd, deadlock, hostile, empty, bare, many, huge, broken)
}  # fmt: skip


class Mock:
    """A server on a port of its own. `world`, `error` and `speed` may be changed while it runs."""

    def __init__(self, folder, world="busy", speed=1, age=60):
        self.folder, self.world, self.speed, self.age = folder, world, speed, age
        self.error = None
        self.began = time.monotonic()
        self.asked = self.refused = self.inside = self.most = 0
        self.delay = 0
        mock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    mock.serve(self)
                except ConnectionError:
                    pass  # The page was closed in between.

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/#{KEY}"

    def answer(self, handler):
        """Returns status, type and body for a request."""
        path = handler.path
        if path in FILES:
            name, kind = FILES[path]
            return 200, f"{kind}; charset=utf-8", (self.folder / name).read_bytes()
        if path != "/snapshot.json":
            return 404, "text/plain", b"there is no such page"
        if handler.headers.get("X-Asyncio-Key") != KEY:
            self.refused += 1
            return 403, "application/json", b'{"error": "the key is wrong"}'
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(self.delay)
        self.inside -= 1
        if self.error:
            return 502, "application/json", json.dumps({"error": self.error}).encode()
        age = self.age + (time.monotonic() - self.began) * self.speed
        return 200, "application/json", json.dumps(WORLDS[self.world](age)).encode()

    def serve(self, handler):
        status, kind, body = self.answer(handler)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Security-Policy", POLICY)
        handler.send_header("X-Content-Type-Options", "nosniff")
        handler.send_header("Cache-Control", "no-store")
        handler.end_headers()
        handler.wfile.write(body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
