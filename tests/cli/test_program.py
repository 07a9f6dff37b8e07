from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD

Output = pytest.CaptureFixture[str]


def test_output_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `edgevpn version | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["version"]) == FAILED


def test_what_is_refused_is_one_line(tmp_path: Path, capsys: Output) -> None:
    assert main(["config", "unset", "gateway.id", "-c", str(tmp_path / "e.toml")]) == FAILED
    assert capsys.readouterr() == ("", "edgevpn: gateway.id is not set\n")


def test_what_is_wrong_with_the_file_is_a_line_for_each(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "e.toml"
    path.write_text("[pond]\n[lake]\n")
    assert main(["device", "list", "-c", str(path)]) == BAD_CONFIG
    assert capsys.readouterr() == ("", f"{path}:1: pond: is not a key here\n{path}:2: lake: is not a key here\n")


def loaded(*arguments: str) -> set[str]:
    """The modules of ours, and of others that are large, that a command loads."""
    program = (
        "import sys; from edgevpn.cli import main; status = main(sys.argv[1:]);"
        "print(*(name for name in sys.modules), file=sys.stderr); sys.exit(status)"
    )
    words = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return set(done.stderr.split())


def test_only_what_a_verb_needs_is_loaded() -> None:
    """A router takes its time over every module."""
    assert not {"edgevpn.config", "edgevpn.daemon", "edgevpn.ike", "tomlkit", "cryptography"} & loaded("version")
    assert not {"edgevpn.daemon", "edgevpn.ike", "cryptography"} & loaded("config", "explain")


DAEMON = """
import sys
from edgevpn.cli.daemon import _daemon
_daemon()
import asyncio, hashlib, hmac
from pathlib import Path
assert asyncio.base_events.ssl is None
assert "libssl" not in Path("/proc/self/maps").read_text()
assert not {"html", "http.client", "aiohttp"} & {*sys.modules}
assert hashlib.sha1(b"abc").hexdigest() == "a9993e364706816aba3e25717850c26c9cd0d89d"
assert hmac.digest(b"key", b"data", "sha384") == hmac.new(b"key", b"data", hashlib.sha384).digest()
"""


def test_what_the_daemon_does_without() -> None:
    """Python's OpenSSL: its own hashes and MACs are as good, and TLS is spoken by the panel alone."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", DAEMON], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")


def test_good_is_zero() -> None:
    assert (GOOD, FAILED, BAD_CONFIG) == (0, 1, 2)
