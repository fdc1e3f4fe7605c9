"""A certificate for servers over TLS: ECDSA on P-256, signed by itself, made for one run by the command openssl."""

from __future__ import annotations

from pathlib import Path

from .bench import LOAD_CORES, Bench
from .model import Failure


def certificate(bench: Bench) -> tuple[Path, Path]:
    """The files of the certificate and of its key, among the logs of the run. Made at the first call."""
    chain, key = bench.logs / "chain.pem", bench.logs / "key.pem"
    if not chain.exists():
        status, _ = bench.output(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", str(key), "-out", str(chain)], LOAD_CORES, log="certificate")
        if status != 0:
            raise Failure(f"openssl made no certificate: {bench.last_line('certificate')}")
    return chain, key
