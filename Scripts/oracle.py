#!/usr/bin/env python3
"""Holds the conformance list against CPython itself.

Runs `asyncio conformance --format json`, runs for each line that can be compared the same scenario in this Python,
and compares what was seen under the same names:

    agree       both saw the same
    published   they differ, and the check says so (Deviations in the documentation)
    DIFFERS     they differ, and nothing says so; the exit status is 1
    skipped     this version of Python does not have what the line is about

A scenario is a function in the registry, named by the check ("41-nan"), in a process of its own. It calls
`seen(name, value)` with the names that the check uses in Swift.

Usage: Scripts/oracle.py [--loop NAME] [--line N ...] [--command PATH]
"""

import argparse
import json
import os
import subprocess
import sys

# The scenarios are beside this file, a module for each theme.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle"))

LIMIT = 20

# The classes of Python's errors that answer the codes and names of Swift's.
ANSWERS = {
    "closed": {"RuntimeError"},
    "alreadyRunning": {"RuntimeError"},
    "anotherLoopRunning": {"RuntimeError"},
    "noRunningLoop": {"RuntimeError"},
    "noCurrentLoop": {"RuntimeError"},
    "wrongThread": {"RuntimeError"},
    "stoppedBeforeCompletion": {"RuntimeError"},
    "foreignLoop": {"ValueError", "RuntimeError"},
    "executorShutDown": {"RuntimeError"},
    "busy": {"RuntimeError"},
    "invalidArgument": {"ValueError", "TypeError", "RuntimeError"},
    "invalidState": {"RuntimeError", "InvalidStateError"},
    "CancellationError": {"CancelledError"},
    "EBADF": {"ValueError"},
}


def registry():
    """All scenarios by the name of their check."""
    import callbacks
    import descriptors
    import life
    import policies
    import processes
    import protection
    import runners
    import signals
    import streams
    import tasks
    import threads

    scenarios = {}
    modules = (policies, life, callbacks, threads, descriptors, signals, tasks, runners, streams, processes, protection)
    for module in modules:
        scenarios.update(module.scenarios)
    return scenarios


def run_here(name):
    """One scenario, in this process; prints what it saw."""
    from scenario import Skipped

    seen = {}
    try:
        registry()[name](lambda key, value: seen.__setitem__(key, text(value)))
    except Skipped as reason:
        seen = {"skipped": str(reason)}
    sys.stdout.write("\n" + json.dumps(seen))
    sys.stdout.flush()
    # Loops that a scenario leaves running or open are not a finding.
    os._exit(0)


def text(value):
    """A value as Swift writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(json.dumps(v) if isinstance(v, str) else text(v) for v in value) + "]"
    return str(value)


def run_scenario(name):
    """What CPython sees; an error as text; None if it does not end."""
    try:
        child = subprocess.run(
            [sys.executable, "-W", "ignore", os.path.abspath(__file__), "--scenario", name],
            capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return None
    if child.returncode != 0:
        return f"ended with {child.returncode}: {child.stderr.strip().splitlines()[-1:]}"
    return json.loads(child.stdout.rsplit("\n", 1)[1])


def equal(swift, python):
    """Whether two values mean the same."""
    return swift == python or python in ANSWERS.get(swift, ())


def compare(check, python):
    """The verdict on one check, and the differences as text."""
    if python is None:
        return ("published" if check["deviation"] else "DIFFERS"), [f"CPython did not end within {LIMIT} s"]
    if isinstance(python, str):
        return "DIFFERS", [f"CPython {python}"]
    if "skipped" in python:
        return "skipped", [python["skipped"]]
    swift = check["seen"]
    unknown = [f"the check has no observation '{key}'" for key in python if key not in swift]
    if unknown or not python:
        return "DIFFERS", unknown or ["the scenario saw nothing"]
    differences = [
        f"{key}: {swift[key]} here, {value} in CPython"
        for key, value in python.items()
        if not equal(swift[key], value)
    ]
    if not differences:
        return "agree", []
    return ("published" if check["deviation"] else "DIFFERS"), differences


def report_of(command, loop, lines):
    """The report of the conformance command."""
    arguments = [command, "conformance", "--format", "json"]
    if loop:
        arguments += ["--loop", loop]
    if lines:
        arguments += ["--line"] + lines
    child = subprocess.run(arguments, stdout=subprocess.PIPE, text=True)
    try:
        return json.loads(child.stdout)
    except ValueError:
        sys.exit(f"{' '.join(arguments)} gave no report; status {child.returncode}")


def main():
    parser = argparse.ArgumentParser(description="Holds the conformance list against CPython.")
    parser.add_argument("--loop", help="the event loop kind to compare")
    parser.add_argument("--line", nargs="+", default=[], help="only these lines")
    parser.add_argument("--command", default=".build/debug/asyncio", help="the command asyncio")
    parser.add_argument("--scenario", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.scenario:
        run_here(arguments.scenario)

    report = report_of(arguments.command, arguments.loop, arguments.line)
    print(f"loop {report['loop']} against {sys.implementation.name} {sys.version.split()[0]}\n")
    counts = dict.fromkeys(("agree", "published", "DIFFERS", "skipped"), 0)
    compared = set()
    scenarios = registry()
    for check in report["results"]:
        name = str(check["line"]) + (f"-{check['facet']}" if check["facet"] else "")
        scenario = scenarios.pop(name, None)
        if scenario is None or check["result"] == "not offered":
            continue
        verdict, details = compare(check, run_scenario(name))
        counts[verdict] += 1
        if verdict != "skipped":
            compared.add(check["line"])
        print(f"{check['group'] + name:14} {verdict:10} {check['title']}")
        for detail in details:
            print(f"{'':25} {detail}")
    if not arguments.line:
        lines = {str(check["line"]) for check in report["results"]}
        for name in scenarios:
            # A line of which there is no check at all has none yet; another facet of one is a slip of the pen.
            verdict = "DIFFERS" if name.split("-")[0] in lines else "skipped"
            counts[verdict] += 1
            print(f"{name:14} {verdict:10} there is no such check")
    print(f"\n{len(compared)} lines compared: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    sys.exit(1 if counts["DIFFERS"] else 0)


if __name__ == "__main__":
    main()
