"""The opinion of others on our certificates: openssl, and the linter pkilint, run on files that a test made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def openssl(*arguments: str | Path, given: str = "") -> str:
    """What openssl prints, errors last; `given` is its standard input. Raises where it fails."""
    done = subprocess.run(  # noqa: S603 - arguments of our own
        ["/usr/bin/openssl", *map(str, arguments)],
        input=given,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise OpensslFailed(done.stdout + done.stderr)
    return done.stdout + done.stderr


class OpensslFailed(Exception):  # noqa: N818 - what is the case
    """openssl ended with an error, and this is what it said."""


def lint(file: Path, *, crl: bool = False) -> list[tuple[str, str]]:
    """What pkilint finds of weight WARNING and above: code and message of each."""
    program, options = ("lint_crl", ["-t", "CRL", "-p", "PKIX"]) if crl else ("lint_pkix_cert", [])
    command = [
        sys.executable,
        "-m",
        f"pkilint.bin.{program}",
        "lint",
        *options,
        "-s",
        "WARNING",
        "-f",
        "JSON",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    results = json.loads(done.stdout)["results"]
    return [
        (finding["code"], finding.get("message") or "")
        for result in results
        for finding in result["finding_descriptions"]
    ]
