"""Where and with what a run was made: machine, kernel, versions."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence

from .building import BUILT, HERE


def describe() -> dict[str, str]:
    """The machine, in a few lines."""
    model, memory = "unknown", 0
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1024
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return {
        "processor": f"{model}, {os.cpu_count()} cores" + (", virtual" if _is_virtual() else ""),
        "memory": f"{memory:,} MiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "system": system,
    }


def _is_virtual() -> bool:
    with open("/proc/cpuinfo") as file:
        return any(line.startswith("flags") and " hypervisor" in line for line in file)


def _said(command: Sequence[str], pattern: str) -> str:
    """What a program says of its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=HERE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(pattern, done.stdout + done.stderr) if done.returncode == 0 else None
    return match.group(1) if match else ""


def _package_version(package: str) -> str:
    return re.sub(r"^\d+:|[-+].*$", "", _said(["dpkg-query", "--show", "--showformat=${Version}", package], r"(\S+)"))


def _taken(built: str) -> dict[str, str]:
    """The versions of packages that the package manager has taken for a build."""
    state = json.loads((BUILT / built / "workspace-state.json").read_text())
    return {entry["packageRef"]["identity"]: entry["state"]["checkoutState"]["version"]
            for entry in state["object"]["dependencies"] if "checkoutState" in entry["state"]}


def _nio_tls() -> str:
    with contextlib.suppress(OSError, ValueError, LookupError):
        taken = _taken("nio-tls")
        return f"{taken['swift-nio-ssl']} on SwiftNIO {taken['swift-nio']}"
    return ""


def _nio() -> str:
    """What the package manager says that it has taken; the pins beside the package may be of another build."""
    for built in ("nio", "nio-static"):
        with contextlib.suppress(OSError, ValueError, LookupError):
            return _taken(built)["swift-nio"]
    with contextlib.suppress(OSError, ValueError, LookupError):
        pins = json.loads((HERE / "peers" / "nio" / "Package.resolved").read_text())["pins"]
        return next(pin["state"]["version"] for pin in pins if pin["identity"] == "swift-nio")
    return ""


def _crate(name: str) -> str:
    found = sorted(glob.glob(f"/usr/share/cargo/registry/{name}-[0-9]*"))
    return found[-1].rsplit("-", 1)[1] if found else "?"


def _tokio() -> str:
    rust = _said(["rustc", "--version"], r"rustc (\S+)")
    return f"{_crate('tokio')} (Rust {rust})"


def _tokio_tls() -> str:
    return f"tokio {_crate('tokio')} with openssl {_crate('openssl')}, rustls {_crate('rustls')}"


def _swift() -> str:
    return _said(["swift", "--version"], r"Swift version (\S+)")


def _floors() -> str:
    compiler = _said(["gcc", "-dumpfullversion"], r"(\S+)")
    return f"gcc {compiler}, liburing {_package_version('liburing-dev')}"


def _ours() -> str:
    return _said(["git", "describe", "--always", "--dirty"], r"(\S+)")


OURS = ("AsyncIO", lambda: f"{_ours() or 'of unknown version'}, Swift {_swift()}")

VERSIONS = {
    "floors": ("C", _floors),
    "tls": ("OpenSSL", lambda: _said(["openssl", "version"], r"OpenSSL (\S+)")),
    "asyncio": OURS,
    "micro": OURS,
    "busy": OURS,
    "start": OURS,
    "libuv": ("libuv", lambda: _said(["pkg-config", "--modversion", "libuv"], r"(\S+)")),
    "asio": ("asio", lambda: _package_version("libasio-dev")),
    "asio-tls": ("asio", lambda: _package_version("libasio-dev")),
    "tokio": ("tokio", _tokio),
    "tokio-tls": ("crates over TLS", _tokio_tls),
    "hyper": ("hyper", lambda: f"{_crate('hyper')} on tokio {_crate('tokio')}"),
    "go": ("Go", lambda: _said(["go", "version"], r"go(\d\S+)")),
    "nio": ("SwiftNIO", _nio),
    "nio-tls": ("NIOSSL", _nio_tls),
    "swift": ("Swift", _swift),
    "uvloop": ("uvloop", lambda: " on Python ".join(_uvloop())),
    "socat": ("socat", lambda: _said(["socat", "-V"], r"socat version (\S+)")),
    "nginx": ("nginx", lambda: _said(["nginx", "-v"], r"nginx/(\S+)")),
}


def _uvloop() -> list[str]:
    said = _said([str(BUILT / "uvloop/bin/python"), "-c",
                  "import uvloop, platform; print(uvloop.__version__ + '/' + platform.python_version())"], r"(\S+/\S+)")
    return said.split("/") if said else []


def versions(components: Iterable[str]) -> dict[str, str]:
    """Title and version of each component that has one."""
    result = {}
    for component in components:
        if component in VERSIONS:
            title, find = VERSIONS[component]
            result[title] = find() or "unknown"
    return result
