"""A program on callgrind's processor, and what callgrind says of it.

It counts the instructions of a process in user space, simulates caches where that is asked for, and notes who calls
whom and how often. So the calls of the C library's allocator can be told apart by the file that they come from: of a
server over TLS, what OpenSSL allocates and what everything else does.

Traps:
- Callgrind 3.19 gives up on Swift's debug information, so a copy without it runs. It knows no io_uring.
- Unless told, the caches are those of the machine at hand, and the counts would be as well. These are the same
  everywhere: 32 KiB of instructions and of data, and 8 MiB for both. Nothing is fetched ahead, and other processes and
  the kernel leave no trace in them: misses compare programs, they are not what a processor would count.
- The profile is a line for each thing: `ob=` names the file of the code that follows, `cfn=` the function that it
  calls, and `calls=` how often. A name that comes again is a number in parentheses only.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .bench import Bench
from .model import Failure, NotOffered

ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"})
CACHES = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64")
INSTRUCTIONS = "Ir"
FIRST_LEVEL = ("I1mr", "D1mr", "D1mw")
LAST_LEVEL = ("ILmr", "DLmr", "DLmw")

_NAME = re.compile(r"(ob|cob|fn|cfn)=\((\d+)\)(?: (.*))?$")


@contextlib.contextmanager
def stripped(bench: Bench, program: str, name: str) -> Iterator[Path]:
    """A copy of a program without debug information, as long as the body runs."""
    copy = bench.logs / f"{name}.stripped"
    status, _ = bench.output(["strip", "--strip-debug", "-o", str(copy), program])
    if status != 0:
        raise NotOffered(f"{program} cannot be stripped")
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def command(bench: Bench, said: Path, program: Sequence[str], profile: Path | None = None,
            caches: bool = False) -> list[str]:
    """The command that runs a program on callgrind's processor. The profile tells who calls whom."""
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile or '/dev/null'}", f"--log-file={said}",
            *(CACHES if caches else ()), *bench.program(program)]


def collected(said: Path) -> Counter[str]:
    """What was counted, by callgrind's names."""
    return counted(said.read_text(), said.stem)


def counted(text: str, name: str) -> Counter[str]:
    """The same from what callgrind wrote at its end: the names of the events in one line, the numbers in another."""
    events = re.search(r"Events +: (.*)", text)
    numbers = re.search(r"Collected : ([\d ]+)", text)
    if not events or not numbers:
        raise Failure(f"callgrind gave no count for {name}")
    return Counter(dict(zip(events.group(1).split(), map(int, numbers.group(1).split()))))


def allocations(lines: Iterable[str]) -> Counter[str]:
    """The number of allocations by the file whose code asked for them."""
    result: Counter[str] = Counter()
    objects: dict[str, str] = {}
    functions: dict[str, str] = {}
    caller = callee = ""
    for line in lines:
        match = _NAME.match(line.rstrip("\n"))
        if match:
            what, number, name = match.groups()
            names = objects if what.endswith("ob") else functions
            if name is not None:
                names[number] = name
            if what == "ob":
                caller = names.get(number, "")
            elif what == "cfn":
                callee = names.get(number, "")
        elif line.startswith("calls=") and callee in ALLOCATORS:
            result[caller] += int(line[len("calls="):].split()[0])
    return result


def allocations_in(profile: Path) -> Counter[str]:
    """The same of a file that callgrind wrote."""
    with open(profile) as lines:
        return allocations(lines)
