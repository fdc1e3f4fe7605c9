"""What the components need on this machine, and how to get it."""

from __future__ import annotations

import dataclasses
import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program on PATH or a file, and the Debian package that has it; no package where Debian has none."""

    what: str  # "gcc", or "/usr/include/uv.h", in which * stands for anything
    package: str | None
    advice: str = ""

    @property
    def is_there(self) -> bool:
        return bool(glob.glob(self.what)) if self.what.startswith("/") else shutil.which(self.what) is not None


GCC = Tool("gcc", "gcc")
SWIFT = Tool("swift", None, "Swift 6.3, in /opt/swift or on PATH")
LIBSSL = Tool("/usr/include/openssl/ssl.h", "libssl-dev")
OPENSSL = Tool("openssl", "openssl")
H2LOAD = Tool("h2load", "nghttp2-client")
TOOLS: dict[str, Sequence[Tool]] = {
    "load": (GCC,),
    "floors": (GCC, Tool("/usr/include/liburing.h", "liburing-dev")),
    "tls": (GCC, LIBSSL, OPENSSL),
    "libuv": (GCC, Tool("/usr/include/uv.h", "libuv1-dev")),
    "asio": (Tool("g++", "g++"), Tool("/usr/include/asio.hpp", "libasio-dev")),
    "asio-tls": (Tool("g++", "g++"), Tool("/usr/include/asio.hpp", "libasio-dev"), LIBSSL),
    "tokio": (Tool("cargo", "cargo"), Tool("/usr/share/cargo/registry/tokio-1.*", "librust-tokio-dev")),
    "tokio-tls": (Tool("cargo", "cargo"), LIBSSL,
                  Tool("/usr/share/cargo/registry/tokio-openssl-0.6.*", "librust-tokio-openssl-dev"),
                  Tool("/usr/share/cargo/registry/tokio-rustls-0.23.*", "librust-tokio-rustls-dev"),
                  Tool("/usr/share/cargo/registry/rustls-pemfile-1.*", "librust-rustls-pemfile-dev")),
    "hyper": (Tool("cargo", "cargo"), Tool("/usr/share/cargo/registry/tokio-1.*", "librust-tokio-dev"),
              Tool("/usr/share/cargo/registry/hyper-0.14.*", "librust-hyper-dev")),
    "go": (Tool("go", "golang-go"),),
    "uvloop": (Tool("python3", "python3"), Tool("/usr/lib/python3*/ensurepip", "python3-venv")),
    "nio": (SWIFT,),
    "nio-tls": (SWIFT,),
    "channels": (SWIFT, H2LOAD),
    "frameworks": (SWIFT, H2LOAD),
    "swift": (SWIFT,),
    "asyncio": (SWIFT,),
    "micro": (SWIFT,),
    "busy": (SWIFT,),
    "start": (SWIFT,),
    "socat": (Tool("socat", "socat"),),
    "nginx": (Tool("nginx", "nginx-light"),
              Tool("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream")),
    "strace": (Tool("strace", "strace"),),
    "valgrind": (Tool("valgrind", "valgrind"),),
    "openssl": (OPENSSL,),
}

# Of these there is nothing to build.
ONLY_TOOLS = frozenset({"socat", "nginx", "strace", "valgrind", "openssl"})


def extend_path() -> None:
    """Adds the places where Swift and nginx are, though they may not be on PATH."""
    places = ["/opt/swift/usr/bin", "/usr/sbin"]
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *places])


def missing(components: Iterable[str]) -> dict[str, list[Tool]]:
    """The tools that are not there, by component."""
    result = {}
    for component in components:
        absent = [tool for tool in TOOLS[component] if not tool.is_there]
        if absent:
            result[component] = absent
    return result


def apt_line(absent: dict[str, list[Tool]]) -> str:
    """The command that installs what Debian has of it; empty where it has nothing."""
    packages = {tool.package for tools in absent.values() for tool in tools if tool.package}
    return f"apt-get install --no-install-recommends {' '.join(sorted(packages))}" if packages else ""


def install(line: str) -> None:
    """Runs the apt-get line, as root or through sudo. Services of the packages are not started."""
    words = line.split()
    command = [words[0], words[1], "--yes", "--quiet", *words[2:]]
    if os.geteuid() != 0:
        command = ["sudo", *command]
    print(f"$ {' '.join(command)}", flush=True)
    policy = "/usr/sbin/policy-rc.d"
    made_policy = os.geteuid() == 0 and not os.path.exists(policy)
    if made_policy:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        status = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}).returncode
    finally:
        if made_policy:
            os.remove(policy)
    if status != 0:
        print(f"apt-get ended with status {status}; what is missing stays out", file=sys.stderr)
