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


def test_rest_of_a_run_that_was_cut_off(tmp_path: Path) -> None:
    """kill -9 between the write and the rename: the old file stands, and the next write is not hindered."""
    path = tmp_path / "ca.pem"
    files.write(path, b"one")
    (tmp_path / ".ca.pem.new").write_bytes(b"tw")
    assert files.read(path) == b"one"
    files.write(path, b"three")
    assert files.read(path) == b"three"


def test_link_is_not_followed(tmp_path: Path) -> None:
    """What waits in the place of the new file is removed, not written through."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".ca.pem.new").symlink_to(victim)
    files.write(tmp_path / "ca.pem", b"key")
    assert victim.read_bytes() == b"precious"


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    files.write(path, b"one")
    (tmp_path / ".ca.pem.new").mkdir()
    with pytest.raises(StoreError) as refusal:
        files.write(path, b"two")
    assert refusal.value.reason is Reason.FILE_FAILED
    assert files.read(path) == b"one"


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
