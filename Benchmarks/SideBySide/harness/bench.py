"""The bench that works are measured on: where what was built is, cores, ports, and processes that never stay behind.

Traps:
- Every process is started with its cores already set; setting them afterwards misses the threads that it made by then.
- A child gets a session of its own, so that Ctrl-C reaches only this program, which then ends its children in order.
  Should this program be killed, the kernel ends them (PR_SET_PDEATHSIG).
- Only groups that were started here are ended, by their number, and each child is waited for.
- Ports are below the ephemeral range: else a probe of a port where nobody listens yet can connect to itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from .model import NotOffered

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

SERVER_CORES = (0,)
LOAD_CORES = (1,)


def raise_file_limit() -> int:
    """Takes as many descriptors as this user may have, for this process and its children. Gives the limit."""
    wanted = 65_536
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Bench:
    """Starts the programs of one run. Use it as a context manager; its end ends all of them."""

    def __init__(self, built: Path, logs: Path) -> None:
        self.built = built  # the directory of the programs that `SideBySide/build` made
        self.logs = logs  # what subjects print goes there, a file for each
        self.file_limit = raise_file_limit()
        self._port = 10_000 + os.getpid() % 10_000
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(list(self._running))

    def program(self, command: Sequence[str]) -> list[str]:
        """The command with its first word looked up: among what was built, then on PATH."""
        name = command[0]
        built = self.built / name
        if built.exists():
            return [str(built), *command[1:]]
        found = shutil.which(name)
        if found is None:
            raise NotOffered(f"{name} is not there")
        return [found, *command[1:]]

    def free_port(self) -> int:
        """A port of 127.0.0.1 on which nobody listens."""
        while True:
            self._port = 10_000 + (self._port - 9_999) % 20_000
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", self._port))
                    return self._port

    def start(self, command: Sequence[str], cores: Iterable[int], log: str | None = None,
              stdout: int | IO[str] | None = None) -> subprocess.Popen[str]:
        """Starts a program on some cores; its output goes to the log unless stdout takes it."""
        allowed = set(cores)
        if not allowed <= os.sched_getaffinity(0):
            raise NotOffered(f"it needs the cores {sorted(allowed)}, and this process may use "
                             f"{sorted(os.sched_getaffinity(0))}")
        parent = os.getpid()

        def in_child() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, allowed)
            if os.getppid() != parent:
                os._exit(1)

        with contextlib.ExitStack() as files:
            output: IO[bytes] | int = subprocess.DEVNULL
            if log is not None:
                output = files.enter_context(open(self.logs / f"{log}.log", "ab"))
            child = subprocess.Popen(
                self.program(command), stdin=subprocess.DEVNULL, stdout=output if stdout is None else stdout,
                stderr=output, text=True, start_new_session=True, preexec_fn=in_child)
        self._running.append(child)
        return child

    def end(self, children: Sequence[subprocess.Popen[str]], patience: float = 3) -> None:
        """Ends programs that this bench started: SIGTERM to their groups, SIGKILL where it doesn't help."""
        for child in children:
            self._signal(child, signal.SIGTERM)
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
            # Also the rest of the group: a server may have left children of its own.
            self._signal(child, signal.SIGKILL)
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
            if child in self._running:
                self._running.remove(child)

    @contextlib.contextmanager
    def running(self, command: Sequence[str], cores: Iterable[int] = SERVER_CORES,
                log: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """A program that runs as long as the body."""
        child = self.start(command, cores, log)
        try:
            yield child
        finally:
            self.end([child])

    def output(self, command: Sequence[str], cores: Iterable[int] = LOAD_CORES, limit: float = 120,
               log: str | None = None) -> tuple[int, str]:
        """Runs a program to its end. Gives its exit status and what it printed."""
        child = self.start(command, cores, log, stdout=subprocess.PIPE)
        try:
            printed, _ = child.communicate(timeout=limit)
            return child.returncode, printed
        except subprocess.TimeoutExpired:
            print(f"{' '.join(command)}: no end within {limit:.0f} s", file=sys.stderr)
            return -1, ""
        finally:
            self.end([child], patience=0.2)

    def last_line(self, log: str) -> str:
        """The last thing that a program said, for the report."""
        with contextlib.suppress(OSError):
            lines = (self.logs / f"{log}.log").read_text(errors="replace").split("\n")
            return next((line.strip()[:150] for line in reversed(lines) if line.strip()), "")
        return ""

    @staticmethod
    def _signal(child: subprocess.Popen[str], number: signal.Signals) -> None:
        # The group has the child's number. It exists as long as a member does, even after the child was waited for.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
