import os
import stat
from pathlib import Path

import pytest

from edgevpn.pki import files
from edgevpn.pki.errors import Reason, StoreError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.prepare(tmp_path / "a" / "pki")
        files.write(tmp_path / "a" / "pki" / "ca.pem", b"key")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a" / "pki") == 0o700
    assert mode(tmp_path / "a" / "pki" / "ca.pem") == 0o600


def test_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    files.prepare(tmp_path)
    assert mode(tmp_path) == 0o700


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    assert files.read(path) is None
    files.write(path, b"one")
    files.write(path, b"two")
    assert files.read(path, secret=True) == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["ca.pem"]


def test_state_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "issued.json"
    for octets in (b"one", b"two", b"three"):
        files.write(path, octets, kept=True)
    assert files.read(path) == b"three"
    assert files.read(files.previous(path)) == b"two"
    files.remove(path)
    assert list(tmp_path.iterdir()) == []
    files.remove(path)


def test_nothing_is_written_that_could_not_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "issued.json"
    files.write(path, b"one")
    files.previous(path).mkdir()
    with pytest.raises(StoreError) as refusal:
        files.write(path, b"two", kept=True)
    assert refusal.value.reason is Reason.FILE_FAILED
    assert files.read(path) == b"one"


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.mkdir()
    (path / "old").write_bytes(b"one")
    with pytest.raises(StoreError) as refusal:
        files.write(path, b"two")
    assert refusal.value.reason is Reason.FILE_FAILED
    assert refusal.value.subject == str(path)
    assert (path / "old").read_bytes() == b"one"


def test_secret_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    files.write(path, b"key")
    path.chmod(0o640)
    assert files.read(path) == b"key"
    with pytest.raises(StoreError) as refusal:
        files.read(path, secret=True)
    assert refusal.value.reason is Reason.UNSAFE
    assert refusal.value.cure.startswith(f"chmod 600 {path}")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        files.read(tmp_path / "folder")
    with pytest.raises(StoreError):
        files.read(Path(os.devnull))
    with pytest.raises(StoreError):
        files.prepare(tmp_path / "fifo")
