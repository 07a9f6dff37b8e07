from __future__ import annotations

import argparse
import io
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from edgevpn.cli.files import read_octets, read_text, write_artifact, write_private
from edgevpn.config.errors import Refused

OPTIONS = argparse.Namespace(json=False)


def test_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, b"after")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o600)


def test_what_was_there_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    """The last backup may be the only one."""
    path = tmp_path / "x"
    path.write_bytes(b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(Refused, match="x cannot be written: File too large"):
            write_private(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_what_is_no_file_keeps_its_rights(tmp_path: Path) -> None:
    """As /dev/null, which everybody needs."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        write_private(pipe, b"through")
        assert reader.read() == b"through"
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o644


def test_nobody_else_says_where_it_goes(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        write_private(tmp_path / "x", b"secret")
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_that_leads_elsewhere_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_artifact({"name": "../../x.bin", "media_type": "", "base64": True, "content": "/wA="}, OPTIONS, None)
    assert (tmp_path / "x.bin").read_bytes() == b"\xff\x00"


def test_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes("é".encode())
    assert read_text(tmp_path / "x") == "é"
    (tmp_path / "x").write_bytes(b"\xff")
    assert read_octets(tmp_path / "x") == b"\xff"
    with pytest.raises(Refused, match="is not UTF-8 text"):
        read_text(tmp_path / "x")
    with pytest.raises(Refused, match="cannot be read"):
        read_octets(tmp_path / "missing")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"typed")))
    assert read_text(Path("-")) == "typed"
