"""What callgrind wrote about a program: how often each of its parts has allocated memory.

Callgrind notes who calls whom and how often. So the calls of the C library's allocator can be told apart by the file
that they come from: of a server over TLS, what OpenSSL allocates and what everything else does.

The form is a line for each thing: `ob=` names the file of the code that follows, `cfn=` the function that it calls, and
`calls=` how often. A name that comes again is a number in parentheses only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"})

_NAME = re.compile(r"(ob|cob|fn|cfn)=\((\d+)\)(?: (.*))?$")


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
