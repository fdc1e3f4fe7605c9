"""The command `instructions`: counts the user instructions of an operation and compares them with a file of thresholds.

Time on a shared machine says little; the same binary executes the same instructions everywhere. A work is done N times
and three times N, each in a process of its own under callgrind, and the difference is divided by the difference of
operations: start and end are not in it. `callgrind.py` names the traps of callgrind. More of them:

- The C library picks its functions by the processor, so a copy may cost some instructions more or less elsewhere: the
  tolerance is for that, not for chance.
- Swift seeds its hashing anew in each process; here it is told not to.
- Most of a message over TLS is OpenSSL's, whose next version may take more or fewer: the tolerance of these works is
  wider. What a handshake takes differs from one to the next, by less than a message in a hundred of what is counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import building, callgrind, lockstep, micro, tools
from .bench import Bench
from .certificate import certificate
from .model import Failure, NotOffered
from .servers import wait_until_up
from .subjects import asyncio_echo

FILE = building.HERE.parent / "Thresholds" / "instructions.tsv"
COMPONENTS = ("asyncio", "micro")
OPENSSL = re.compile(r"lib(ssl|crypto)\.")
TOLERANCE = 3.0  # per cent, of works that are not in the file yet

# How many timers are due in a turn, and how many posts it finds, is a matter of time even here: their tolerance in the
# file is larger.


@dataclasses.dataclass(frozen=True)
class MicroWork:
    """A work of `micro`, and how often it is done in the shorter run."""

    name: str
    count: int

    def instructions(self, bench: Bench) -> float:
        short, long = (self._collected(bench, self.count * factor) for factor in (1, 3))
        return (long - short) / (2 * micro.operations(self.name, self.count))

    def _collected(self, bench: Bench, count: int) -> int:
        said = bench.logs / f"{self.name}-{count}.callgrind"
        command = callgrind.command(bench, said, ["micro.stripped", self.name, str(count)])
        status, _ = bench.output(command, sorted(os.sched_getaffinity(0)), log=self.name)
        if status != 0:
            raise Failure(f"{self.name} ended with status {status}: {bench.last_line(self.name)}")
        return callgrind.collected(said)[callgrind.INSTRUCTIONS]


@dataclasses.dataclass(frozen=True)
class EchoWork:
    """Messages of 64 bytes to an echo server on the selector and back, 64 connections in lockstep; perhaps over TLS.

    Over TLS it is also looked at who allocates: `Benchmarks/allocations` goes by what OpenSSL says is its own.
    """

    api: str
    tls: bool = False
    rounds: int = 300

    @property
    def name(self) -> str:
        return f"tls_{self.api}" if self.tls else f"echo_{self.api}"

    def instructions(self, bench: Bench) -> float:
        short, long = (self._collected(bench, self.rounds * factor) for factor in (1, 3))
        if self.tls:
            self._check_allocations(bench)
        return (long - short) / self._messages

    @property
    def _messages(self) -> int:
        return 2 * self.rounds * lockstep.CONNECTIONS

    def _collected(self, bench: Bench, rounds: int) -> int:
        said, port = bench.logs / f"{self.name}-{rounds}.callgrind", bench.free_port()
        server, context = asyncio_echo("selector", self.api).command[1:], None
        if self.tls:
            chain, key = certificate(bench)
            server = ("echo", "--tls-cert", str(chain), "--tls-key", str(key), *server[1:])
            context = lockstep.client_context(chain)
        profile = self._profile(bench, rounds) if self.tls else None
        command = callgrind.command(bench, said, ["asyncio.stripped", *server, str(port)], profile)
        with bench.running(command, log=self.name) as child:
            wait_until_up(bench, child, port, self.name)
            lockstep.exchange(child.pid, port, rounds, context)
        return callgrind.collected(said)[callgrind.INSTRUCTIONS]

    def _profile(self, bench: Bench, rounds: int) -> Path:
        return bench.logs / f"{self.name}-{rounds}.profile"

    def _check_allocations(self, bench: Bench) -> None:
        """OpenSSL allocates its buffers for each record, and nobody else anything."""
        short, long = (callgrind.allocations_in(self._profile(bench, self.rounds * factor)) for factor in (1, 3))
        long.subtract(short)
        own = {path: count / self._messages for path, count in long.items() if not OPENSSL.match(Path(path).name)}
        # On a busy machine a message is now and then in two pieces, which costs something of its own.
        if any(count > 0.02 for count in own.values()):
            found = ", ".join(f"{count:.3f} by {Path(path).name}" for path, count in own.items() if count)
            raise Failure(f"{self.name}: a message allocates outside of OpenSSL: {found}")


Counted = MicroWork | EchoWork

WORKS: tuple[Counted, ...] = (
    MicroWork("chain", 10_000),
    MicroWork("batch", 100_000),
    MicroWork("timer_cancel", 10_000),
    MicroWork("timer_fire", 10_000),
    MicroWork("timer_rearm", 20_000),
    MicroWork("spawn", 10_000),
    MicroWork("suspend", 10_000),
    MicroWork("yield", 10_000),
    MicroWork("continuation", 10_000),
    MicroWork("sleep", 5_000),
    MicroWork("literal", 5_000),
    MicroWork("burst1", 10_000),
    EchoWork("streams"),
    EchoWork("sync"),
    EchoWork("protocol"),
    EchoWork("streams", tls=True, rounds=50),
    EchoWork("sync", tls=True, rounds=50),
    EchoWork("protocol", tls=True, rounds=50),
)


@dataclasses.dataclass(frozen=True)
class Threshold:
    instructions: float
    tolerance: float = TOLERANCE  # per cent

    @property
    def most(self) -> float:
        return self.instructions * (1 + self.tolerance / 100)

    @property
    def least(self) -> float:
        return self.instructions * (1 - self.tolerance / 100)


HEADER = "work\tinstructions\ttolerance_percent"


def read(path: Path) -> dict[str, Threshold]:
    """Raises ValueError with the line that is not a threshold."""
    if not path.exists():
        return {}
    result = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == HEADER or not line:
            continue
        fields = line.split("\t")
        try:
            name, instructions, tolerance = fields
            result[name] = Threshold(float(instructions), float(tolerance))
        except ValueError:
            raise ValueError(f"{path}, line {number}: a work, its instructions and per cent are expected, with tabs "
                             f"between them, not: {line}") from None
    return result


def write(path: Path, thresholds: dict[str, Threshold]) -> None:
    order = {work.name: place for place, work in enumerate(WORKS)}
    lines = [f"{name}\t{value.instructions:.0f}\t{value.tolerance:g}"
             for name, value in sorted(thresholds.items(), key=lambda item: order.get(item[0], len(order)))]
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def measure(works: Iterable[Counted], built: Path) -> dict[str, float]:
    """The instructions of an operation of each work, printed as they come."""
    os.environ["SWIFT_DETERMINISTIC_HASHING"] = "1"
    values = {}
    with tempfile.TemporaryDirectory(prefix="instructions-") as directory:
        logs = Path(directory)
        for program in ("asyncio", "micro"):
            # Valgrind up to 3.19 cannot read the debug information of Swift 6.3.
            subprocess.run(["strip", "--strip-debug", "-o", logs / f"{program}.stripped", built / program], check=True)
        with Bench(logs, logs) as bench:
            for work in works:
                values[work.name] = work.instructions(bench)
                print(f"  {work.name:<16}{values[work.name]:>12,.0f}", flush=True)
    return values


def compare(values: dict[str, float], thresholds: dict[str, Threshold]) -> bool:
    """Prints the table. False if a work is above its threshold, or has none."""
    print(f"\n{'work':<16}{'instructions':>14}{'threshold':>12}{'difference':>12}{'allowed':>10}")
    above, below = [], []
    for name, value in values.items():
        threshold = thresholds.get(name)
        if threshold is None:
            above.append(name)
            print(f"{name:<16}{value:>14,.0f}{'none':>12}  FAILED: it has no threshold")
            continue
        difference = (value / threshold.instructions - 1) * 100
        verdict = ""
        if value > threshold.most:
            above.append(name)
            verdict = "  FAILED: above"
        elif value < threshold.least:
            below.append(name)
            verdict = "  below"
        print(f"{name:<16}{value:>14,.0f}{threshold.instructions:>12,.0f}{difference:>+11.1f}%"
              f"{threshold.tolerance:>9.1f}%{verdict}")
    if below:
        print(f"\ncheaper than the file says: {', '.join(below)}. Keep it that way:\n"
              f"  Benchmarks/instructions --update {' '.join(below)}")
    if above:
        print(f"\nmore instructions than allowed, or no threshold: {', '.join(above)}. Find the change that made it "
              f"so; callgrind_annotate\nsays where they go (CONTRIBUTING.md, \"Measure\"). If the price is right, say "
              f"in the commit why, and:\n  Benchmarks/instructions --update {' '.join(above)}")
    return not above


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="instructions", allow_abbrev=False,
        description="Counts user instructions of an operation under callgrind and compares them with "
                    "Benchmarks/Thresholds/instructions.tsv. Status 1 if a work is above its threshold.")
    names = [work.name for work in WORKS]
    result.add_argument("works", nargs="*", metavar="WORK", help=f"all unless named: {' '.join(names)}")
    result.add_argument("--update", action="store_true", help="writes what was counted into the file")
    result.add_argument("--no-build", action="store_true", help="counts what was built before")
    return result


def choose(names: Sequence[str]) -> list[Counted]:
    unknown = set(names) - {work.name for work in WORKS}
    if unknown:
        parser().error(f"there is no work {', '.join(sorted(unknown))}; --help names them")
    return [work for work in WORKS if not names or work.name in names]


def check_tools(build: bool) -> None:
    absent = tools.missing((*(COMPONENTS if build else ()), "valgrind", "openssl"))
    if absent:
        line = tools.apt_line(absent)
        what = ", ".join(tool.advice or tool.what for missing in absent.values() for tool in missing)
        sys.exit(f"instructions: missing: {what}" + (f"\nto get it: {line}" if line else ""))


def main(words: Sequence[str]) -> int:
    """The exit status: 0, 1 if a work is above its threshold or failed, 2 for bad arguments."""
    arguments = parser().parse_args(words)
    works = choose(arguments.works)
    tools.extend_path()
    check_tools(not arguments.no_build)
    try:
        thresholds = read(FILE)
        if not arguments.no_build:
            subprocess.run([building.HERE / "build", *COMPONENTS], check=True)
        values = measure(works, building.BUILT / "bin")
    except (Failure, NotOffered, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    if arguments.update:
        tolerances = {name: threshold.tolerance for name, threshold in thresholds.items()}
        thresholds.update({name: Threshold(value, tolerances.get(name, TOLERANCE)) for name, value in values.items()})
        write(FILE, thresholds)
        print(f"\nwritten: {FILE}")
        return 0
    return 0 if compare(values, thresholds) else 1
