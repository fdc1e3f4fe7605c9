"""The programs of Frameworks/ and their clients as processes: what they print, and how they end."""

import os
import re
import select
import signal
import subprocess
import time

# A loopback address must not be asked for at a proxy.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
LISTENING = re.compile(rb"^[\w-]+ on 127\.0\.0\.1:(\d+)$", re.MULTILINE)
# How long anything may take that takes a moment on an idle machine.
LIMIT = 60


class Failed(Exception):
    """A check that does not hold, whatever the reference sees."""


def require(holds, text):
    if not holds:
        raise Failed(text)


def run(command, input=None, status=0, limit=LIMIT):
    """Run a client to its end; its output. Another status fails the check, None allows each."""
    try:
        done = subprocess.run(
            [str(word) for word in command], input=input, capture_output=True, env=ENVIRONMENT, timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end within {limit} s")
    said = (done.stderr or done.stdout)[-600:].decode(errors="replace").strip()
    require(status is None or done.returncode == status, f"{command[0]} ended with {done.returncode}: {said}")
    return done


class Process:
    """A process whose output is waited for."""

    def __init__(self, command, folder):
        self.name = os.path.basename(str(command[0]))
        self.errors = open(os.path.join(folder, f"{self.name}-{time.monotonic_ns()}"), "w+b")
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=ENVIRONMENT)
        self.output = b""

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-600:].decode(errors="replace").strip()

    def wait_for(self, pattern):
        """Wait until the output has a pattern; its match."""
        end = time.monotonic() + LIMIT
        while not (found := re.search(pattern, self.output)):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            self.output += more
            require(more, f"{self.name} {'ended' if ready else 'stays'} without {pattern!r}: {self.said()}")
        return found

    def write(self, data, closes=False):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        if closes:
            self.process.stdin.close()

    def end(self, status=0):
        """Wait for its end, with a status; the rest of its output."""
        if self.process.stdin.closed:
            self.process.stdin = None
        try:
            self.output += self.process.communicate(timeout=LIMIT)[0]
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {LIMIT} s")
        code = self.process.returncode
        require(code == status, f"{self.name} ended with {code}: {self.said()}")
        return self.output

    def kill(self):
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            if file:
                file.close()


class Server(Process):
    """A program that listens on a port that the system chose."""

    def __init__(self, program, folder, loop, threads, certificate, key, is_protected):
        command = [program, "--loop", loop, "--port", 0, "--threads", threads]
        if is_protected:
            command += ["--certificate", certificate, "--key", key]
        super().__init__(command, folder)
        self.certificate = certificate if is_protected else None
        try:
            self.port = int(self.wait_for(LISTENING)[1])
        except Failed:
            self.kill()
            raise
        # Not "localhost": the programs listen on IPv4 alone.
        self.url = f"{'https' if is_protected else 'http'}://127.0.0.1:{self.port}"

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def connections(self):
        """How many connections it has that are open on both sides."""
        local = f"0100007F:{self.port:04X}"
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table]
        return sum(1 for row in rows if row[1] == local and row[3] == "01")

    def listens(self):
        local = f"0100007F:{self.port:04X}"
        with open("/proc/net/tcp") as table:
            return any(row[1] == local and row[3] == "0A" for row in map(str.split, table))


def wait_until(holds, what):
    """Wait for what only the system's tables show."""
    end = time.monotonic() + LIMIT
    while not holds():
        require(time.monotonic() < end, f"within {LIMIT} s not: {what}")
        time.sleep(0.005)
