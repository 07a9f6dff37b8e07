import errno
import os
import stat
from pathlib import Path

import pytest

from edgevpn.files import remove_unfinished, replace_file


def test_a_new_file_is_private(tmp_path: Path) -> None:
    replace_file(tmp_path / "keys", b"secret")
    assert (tmp_path / "keys").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_mode_as_asked(tmp_path: Path) -> None:
    replace_file(tmp_path / "certificate", b"public", 0o644)
    assert stat.S_IMODE((tmp_path / "certificate").stat().st_mode) == 0o644


def test_who_reads_the_old_file_goes_on_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_nothing_else_is_left(tmp_path: Path) -> None:
    replace_file(tmp_path / "state", b"one")
    replace_file(tmp_path / "state", b"two")
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_what_a_power_cut_leaves(tmp_path: Path) -> None:
    for name in ("state", ".state.x7", ".other.x7"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path / "state")
    assert {each.name for each in tmp_path.iterdir()} == {"state", ".other.x7"}


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """What cannot be replaced: a folder has the name."""
    path = tmp_path / "state"
    path.mkdir()
    (path / "content").write_bytes(b"old")
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"new")
    assert (path / "content").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system names no file: we do."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as failed:
        replace_file(tmp_path / "state", b"new")
    assert failed.value.filename == str(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "state", b"new")


@pytest.mark.parametrize("cut", range(1, 8))
def test_killed_at_any_moment(tmp_path: Path, cut: int) -> None:
    """A process that dies in any of the system calls that change something leaves the old file or the new one."""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        _die_at(path, cut)
    assert path.read_bytes() in (b"old", b"new")


def _die_at(path: Path, cut: int) -> None:
    """Replace the file, and end without a trace at the n-th audited operation on files."""
    import sys

    left = cut

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("open", "tempfile.mkstemp", "os.chmod", "os.chown", "os.rename", "os.remove"):
            left -= 1
            if left == 0:
                os._exit(1)

    sys.addaudithook(count)
    replace_file(path, b"new")
    os._exit(0)
