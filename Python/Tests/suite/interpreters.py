"""Finds versions of Python, and makes an environment for each, with the package and with what uvloop's tests import."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import sys
import tarfile

# The version decides which tests there are, so it is named.
UVLOOP = "0.23.0"
# What its tests import, and what its source distribution needs for its metadata.
IMPORTED = ("aiohttp", "psutil", "pyOpenSSL", "setuptools", "wheel", "packaging")

PROBE = """
import json, sys, importlib.util
try:
    tests = list(importlib.util.find_spec("test.test_asyncio").submodule_search_locations)
except (ImportError, AttributeError):
    tests = []
try:
    extension = list(importlib.util.find_spec("swift_asyncio").submodule_search_locations)
except (ImportError, AttributeError):
    extension = []
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2], "full": sys.version.split()[0],
    "executable": sys.executable, "base": sys.base_prefix, "tests": tests, "extension": extension,
}))
"""


def refuse(message):
    """What is missing on this machine ends the program with a status of its own."""
    print(message, file=sys.stderr)
    raise SystemExit(2)


def probe(path):
    """What an interpreter says of itself; None if it does not run."""
    try:
        said = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=60, cwd="/")
        return json.loads(said.stdout) if said.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def candidates(version):
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield pathlib.Path(folder) / f"python{version}"
    root = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    found = root.glob(f"versions/{version}.*/bin/python{version}")
    yield from sorted(found, key=lambda path: [int(n) for n in path.parts[-3].split(".") if n.isdigit()], reverse=True)


def find(version, needs_tests=True):
    """The first interpreter of a version that has the tests; without one, any that runs; None if none does."""
    first = None
    for path in candidates(version):
        about = probe(path) if path.exists() else None
        if about and about["version"] == version:
            if about["tests"] or not needs_tests:
                return about
            first = first or about
    return first


def require(version, needs_tests):
    about = find(version, needs_tests)
    if about is None:
        refuse(f"Python {version}: there is no python{version} on PATH or in pyenv that runs. Install one, or give "
               "--python with a version that is there.")
    if needs_tests and not about["tests"]:
        refuse(f"Python {version}: {about['executable']} comes without test.test_asyncio. On Debian, install "
               f"libpython{version}-testsuite; elsewhere, a Python with its tests, such as one that pyenv built.")
    return about


def run(*command, **options):
    """A step of the preparation; what it says is of interest only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        print(done.stdout[-8000:], file=sys.stderr)
        refuse(f"{' '.join(map(str, command))}: ended with status {done.returncode}")
    return done.stdout


def environment(about, folder):
    """The path of the Python of a virtual environment, made anew if it belongs to another installation."""
    python = folder / "bin/python"
    there = probe(python)
    if there is None or (there["base"], there["full"]) != (about["base"], about["full"]):
        print(f"{folder}: made with {about['executable']} {about['full']}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        run(about["executable"], "-m", "venv", folder)
    return python


def pip(python, *arguments):
    return run(python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments)


def newest(*folders):
    """When a source of the package was changed last; its tests and what a build leaves are not sources."""
    times = [0.0]
    for folder in folders:
        for base, inner, names in os.walk(folder):
            inner[:] = [n for n in inner if n not in ("Tests", "build", "dist", ".build", "__pycache__")
                        and not n.endswith(".egg-info")]
            times += [os.stat(os.path.join(base, name)).st_mtime for name in names]
    return max(times)


def install_package(python, home, build):
    """Installs the package unless the installed extension is newer than every source."""
    package = home / "Python"
    if not any((package / name).exists() for name in ("pyproject.toml", "setup.py")):
        refuse(f"{package}: there is no package to install. Only --loop stock runs without it.")
    extensions = [so.stat().st_mtime for at in probe(python)["extension"] for so in pathlib.Path(at).glob("*.so")]
    if build or not extensions or min(extensions) < newest(package, home / "Sources"):
        print(f"{package}: is built and installed for {python}", flush=True)
        if reaches_registry(python):
            pip(python, "install", "--force-reinstall", "--no-deps", package)
        else:
            print("the registry of packages cannot be reached: setup.py installs it, without pip", flush=True)
            where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))").strip()
            run(python, "setup.py", "--quiet", "build", "--force", "--build-lib", where, cwd=package)


def reaches_registry(python):
    """Whether pip gets what it builds packages with; without it, a virtual environment's own setuptools will do."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout",
                   "20", "download", "--quiet", "--no-deps", "--dest", folder, "setuptools"]
        return subprocess.run(command, capture_output=True).returncode == 0


def check_loop(python, name):
    """A loop that cannot be made here would fail each test with the same words."""
    code = f"import swift_asyncio; swift_asyncio.{name}().close()"
    made = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd="/")
    if made.returncode:
        print(made.stderr[-4000:], file=sys.stderr)
        refuse(f"swift_asyncio.{name} cannot be made with {python}; status {made.returncode}")


def install_uvloop(python, builds):
    """Installs uvloop and what its tests import; returns the folder that has `tests` in it."""
    asks = "import importlib.metadata as m, sys; print(m.version('uvloop'), *(m.version(n) for n in sys.argv[1:]))"
    there = subprocess.run([python, "-c", asks, *IMPORTED], capture_output=True, text=True, cwd="/")
    if there.stdout.split(" ")[0] != UVLOOP:
        print(f"uvloop {UVLOOP} and what its tests import: installed for {python}", flush=True)
        pip(python, "install", "--upgrade", f"uvloop=={UVLOOP}", *IMPORTED)
    folder = builds / f"uvloop-{UVLOOP}"
    if not (folder / "tests/__init__.py").exists():
        # Without isolation the metadata needs nothing but what is installed already.
        pip(python, "download", "--no-deps", "--no-build-isolation", "--no-binary", ":all:",
            "--dest", folder, f"uvloop=={UVLOOP}")
        unpack_tests(next(folder.glob("uvloop-*.tar.gz")), folder)
    return folder


def unpack_tests(archive, folder):
    """Unpacks only the tests: the package's sources beside them would hide the one that is installed."""
    with tarfile.open(archive) as tar:
        top = archive.name.removesuffix(".tar.gz")
        for member in tar.getmembers():
            if member.name.startswith(f"{top}/tests/") and (member.isfile() or member.isdir()):
                member.name = member.name.removeprefix(f"{top}/")
                tar.extract(member, folder)
