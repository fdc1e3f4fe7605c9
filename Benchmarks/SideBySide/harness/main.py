"""The command `side-by-side`: arguments, then tools, build, rounds and report."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import building, machine, report, rounds, tables, tools
from .bench import LOAD_CORES, SERVER_CORES, Bench
from .model import Subject, Work
from .works import UnknownName, all_subjects, all_works, check_subjects, choose_subjects, choose_works

# Unless told: rounds of works whose slices are of some seconds, rounds of works by count, and those seconds.
DEFAULTS = {"quick": (5, 3, 0.25), "full": (12, 12, 0.6)}

Chosen = Sequence[tuple[Work, Sequence[Subject]]]


def _positive(kind: type, text: str, least: float):
    value = kind(text)
    if not least <= value < 1e6:
        raise ValueError
    return value


def number_of_rounds(text: str) -> int:
    try:
        return _positive(int, text, 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of rounds; use 1 or more') from None


def seconds(text: str) -> float:
    try:
        return _positive(float, text, 0.05)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no time of a slice; use 0.05 seconds or more') from None


def per_cent(text: str) -> float:
    try:
        return _positive(float, text, 0.1) / 100
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no width; use 0.1 per cent or more') from None


def names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("names are expected, with commas between them; --list has them all")
    return found


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="side-by-side", description="Measures our loops beside bare C and other libraries' on the same work.",
        epilog="Names may be patterns: --works 'echo-64-*' --subjects 'asyncio-*,tokio'.", allow_abbrev=False)
    result.add_argument("--set", choices=("quick", "full"), default="quick",
                        help="which works; quick takes some minutes, full an hour or two (default: quick)")
    result.add_argument("--works", type=names, default=[], help="only these works, of either set")
    result.add_argument("--subjects", type=names, default=[],
                        help="only these subjects; the floors that they are compared to always take part")
    result.add_argument("--rounds", type=number_of_rounds,
                        help="rounds of each work (default: 5, or 3 of works by count; 12 in the full set)")
    result.add_argument("--width", type=per_cent, metavar="PERCENT",
                        help="instead of rounds: measures each work until the interval of each ratio is as narrow")
    result.add_argument("--limit", type=seconds, default=600.0, metavar="SECONDS",
                        help="with --width: a work is not measured for longer than that (default: 600)")
    result.add_argument("--seconds", type=seconds, help="length of a slice (default: 0.25; 0.6 in the full set)")
    result.add_argument("--out", type=Path, help="directory of the report (default: a new one in Benchmarks/.build)")
    result.add_argument("--list", action="store_true", help="names works and subjects, and ends")
    result.add_argument("--install", action="store_true", help="installs missing Debian packages by apt-get")
    result.add_argument("--no-build", action="store_true", help="measures what was built before")
    return result


def list_all() -> None:
    print("works (Q: in the quick set, F: in the full one)")
    for work in all_works():
        sets = "".join(letter if name in work.sets else "-" for name, letter in (("quick", "Q"), ("full", "F")))
        print(f"  {work.name:22} {sets}  {work.title}")
    print("\nsubjects")
    for subject in all_subjects():
        print(f"  {subject.name:26} {subject.title}")


def prepare_tools(components: Sequence[str], install: bool) -> None:
    """Says what is missing, and installs it if it may."""
    absent = tools.missing(components)
    if not absent:
        return
    line = tools.apt_line(absent)
    if install and line:
        tools.install(line)
        absent = tools.missing(components)
    for component, missing in absent.items():
        print(f"missing for {component}: {', '.join(tool.advice or tool.what for tool in missing)}", file=sys.stderr)
    line = tools.apt_line(absent)
    if line:
        print(f"to get it: {line}\n(or --install); what needs it is left out", file=sys.stderr)


def check_machine() -> None:
    if sys.platform != "linux":
        sys.exit("side-by-side: it measures on Linux only")
    needed = set(SERVER_CORES) | set(LOAD_CORES)
    if not needed <= os.sched_getaffinity(0):
        sys.exit(f"side-by-side: servers and load need the cores {sorted(needed)}, "
                 f"and this process may use {sorted(os.sched_getaffinity(0))}")


def choose(arguments: argparse.Namespace) -> Chosen:
    check_subjects(arguments.subjects)
    pairs = [(work, choose_subjects(work, arguments.subjects))
             for work in choose_works(arguments.works, arguments.set)]
    pairs = [(work, subjects) for work, subjects in pairs if subjects]
    if not pairs:
        raise UnknownName("none of these subjects takes part in any of these works; --list names them all")
    return pairs


def default_directory(now: datetime.datetime) -> Path:
    return building.BUILT / "reports" / now.strftime("%Y-%m-%d-%H%M%S")


def measure(chosen: Chosen, arguments: argparse.Namespace, directory: Path, how: report.Circumstances) -> bool:
    """Runs all works and writes the report. False if a subject failed."""
    by_time, by_count, usual_seconds = DEFAULTS[arguments.set]
    results: list[rounds.Result] = []
    with Bench(building.BUILT / "bin", directory / "logs") as bench:
        for work, subjects in chosen:
            missing = {s.name: how.left_out[s.component] for s in subjects if s.component in how.left_out}
            if work.component in how.left_out:
                missing = dict.fromkeys((s.name for s in subjects), how.left_out[work.component])
            usual_rounds = by_count if work.amount else by_time
            patience = rounds.Patience(arguments.rounds or usual_rounds, arguments.width, arguments.limit)
            result = rounds.run(bench, work, subjects, missing, patience,
                                max(arguments.seconds or usual_seconds, work.least_seconds))
            results.append(result)
            print(f"\n{tables.as_text(result)}", flush=True)
            report.write(directory, results, how)
    if len(results) > 1:
        print(f"\n{tables.overview_text(results)}")
    return not any(row.remark.startswith("failed") for result in results for row in result.rows)


def run(arguments: argparse.Namespace, words: Sequence[str]) -> int:
    check_machine()
    tools.extend_path()
    chosen = choose(arguments)
    components = building.components_of(chosen)
    prepare_tools(components, arguments.install)
    now = datetime.datetime.now().astimezone()
    directory = (arguments.out or default_directory(now)).absolute()
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    left_out = building.absent(components) if arguments.no_build else building.build(components, directory / "logs")
    how = report.Circumstances(
        now.strftime("%Y-%m-%d %H:%M %Z"), shlex.join(["Benchmarks/side-by-side", *words]), machine.describe(),
        machine.versions(c for c in components if c not in left_out), left_out)
    print("\n".join(how.lines()))
    all_well = measure(chosen, arguments, directory, how)
    print(f"\nreport: {directory}/report.md, .svg, .txt, .json; what the subjects said: {directory}/logs")
    return 0 if all_well else 1


def stop(*_: object) -> None:
    sys.exit(143)


def main(words: Sequence[str]) -> int:
    """The exit status: 0, 1 if a subject failed, 2 for bad arguments, 130 and 143 if a signal ended it."""
    signal.signal(signal.SIGTERM, stop)
    arguments = parser().parse_args(words)
    try:
        if arguments.list:
            list_all()
            sys.stdout.flush()
            return 0
        return run(arguments, words)
    except BrokenPipeError:
        # The reader has seen enough; nothing is left to write when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UnknownName as error:
        print(f"side-by-side: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"side-by-side: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nside-by-side: interrupted; its servers have ended", file=sys.stderr)
        return 130
