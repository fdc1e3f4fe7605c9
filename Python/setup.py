"""Builds the extension module with SwiftPM; everything else is in pyproject.toml."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).parent.resolve()


def swift():
    """Return the compiler's driver: on PATH, or where Swift's own image has it."""
    found = shutil.which("swift") or shutil.which("swift", path="/opt/swift/usr/bin:/usr/share/swift/usr/bin")
    if not found:
        sys.exit("swift-asyncio is built with Swift 6.3, which is not on PATH: see https://www.swift.org/install")
    return found


class SwiftBuild(build_ext):
    """Builds the library against the headers of the Python that runs this."""

    def build_extension(self, extension):
        include = sysconfig.get_path("include")
        if not (pathlib.Path(include) / "Python.h").exists():
            sys.exit(f"{include} has no Python.h: install the headers of this Python (Debian: python3-dev)")
        if not (HERE.parent / "Sources" / "AsyncIO").is_dir():
            sys.exit(f"{HERE} has to stand in a checkout of swift-asyncio, which it builds: clone the repository")
        # One folder for all versions of Python: only the files in C are built again for another one.
        scratch = HERE / ".build"
        environment = {**os.environ, "SWIFT_ASYNCIO_PYTHON_INCLUDE": include}
        command = [
            swift(), "build", "--configuration", "release", "--package-path", str(HERE), "--scratch-path",
            str(scratch), "--product", "swift_asyncio_core",
        ]  # fmt: skip
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(scratch / "release" / "libswift_asyncio_core.so", target)


setup(ext_modules=[Extension("swift_asyncio._core", [])], cmdclass={"build_ext": SwiftBuild})
