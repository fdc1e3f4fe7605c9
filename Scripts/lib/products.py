"""What the compiler needs to use the modules that `swift build` has built: one answer for all scripts."""

import json
import pathlib
import subprocess
import sys

HOME = pathlib.Path(__file__).resolve().parent.parent.parent


def output(*command):
    """Returns what a command prints; ends the script with status 2 if the command fails."""
    try:
        result = subprocess.run(command, cwd=HOME, text=True, stdout=subprocess.PIPE, check=False)
    except FileNotFoundError:
        print(f"there is no {command[0]} on PATH", file=sys.stderr)
        sys.exit(2)
    if result.returncode != 0:
        print(f"{' '.join(map(str, command))}: status {result.returncode}", file=sys.stderr)
        sys.exit(2)
    return result.stdout.strip()


def target_info():
    """Returns what the compiler says of its target, and of where its own files are."""
    return json.loads(output("swiftc", "-print-target-info"))


def built_folder(given=None, configuration="debug"):
    """Returns the folder of products: the one given, or this package's for a configuration."""
    return (pathlib.Path(given) if given else HOME / ".build" / configuration).resolve()


def require(module, built):
    """Ends the script with status 2 if a module is not built."""
    if not (built / f"Modules/{module}.swiftmodule").exists():
        print(f"{built}: {module} is not built here; run swift build first", file=sys.stderr)
        sys.exit(2)


def import_flags(built):
    """Returns the options that find this package's modules, its C modules, and those of the packages it depends on."""
    flags = ["-target", target_info()["target"]["triple"], "-I", str(built / "Modules")]
    for path in sorted(built.glob("*.build/module.modulemap")):
        flags += ["-Xcc", f"-fmodule-map-file={path}"]
    for path in sorted((built.parent.parent / "checkouts").glob("*/Sources/*/include/module.modulemap")):
        flags += ["-I", str(path.parent)]
    return flags


def testing_flags():
    """Returns the options that find Testing's macros."""
    resources = pathlib.Path(target_info()["paths"]["runtimeResourcePath"])
    return ["-plugin-path", str(resources / "host/plugins/testing")]
