from __future__ import annotations

import asyncio
import itertools
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgevpn.daemon.base.state_file import Content, StateFile


class Counted:
    """A content that says how often it was asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_asked = asyncio.Event()

    def __call__(self) -> Content:
        self.asked += 1
        self.is_asked.set()
        return {"leases": {"10.9.0.1": "phone"}, "asked": self.asked}


def state_file(path: Path, version: int = 1, quiet: float = 60.0) -> StateFile:
    return StateFile(path, version, Counted(), quiet)


async def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "leases.json"
    state_file(path).write()
    assert state_file(path).load() == {"version": 1, "leases": {"10.9.0.1": "phone"}, "asked": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_yet(tmp_path: Path) -> None:
    assert state_file(tmp_path / "leases.json").load() == {}


DAMAGED = {
    "cut": b'{"version": 1, "leases": {"10.9',
    "empty": b"",
    "not text": b"\xff\xfe",
    "too deep": b"[" * 100_000,
    "another version": b'{"version": 7}',
    "no record": b"[1]",
}


@pytest.mark.parametrize("octets", DAMAGED.values(), ids=DAMAGED)
def test_damage_is_put_aside(tmp_path: Path, octets: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The service starts with nothing, the owner can look at what there was."""
    path = tmp_path / "leases.json"
    path.write_bytes(octets)
    assert state_file(path).load() == {}
    assert (tmp_path / "leases.json.damaged").read_bytes() == octets
    assert "state_not_read" in caplog.text


async def test_many_changes_one_write(tmp_path: Path) -> None:
    path = tmp_path / "leases.json"
    content = Counted()
    file = StateFile(path, 1, content, quiet=0.01)
    for _ in range(100):
        file.touch()
    assert not path.exists()
    await asyncio.wait_for(content.is_asked.wait(), 5)
    assert content.asked == 1
    assert path.exists()


async def test_what_must_not_be_forgotten_does_not_wait(tmp_path: Path) -> None:
    """It takes along what was to be written later."""
    content = Counted()
    file = StateFile(tmp_path / "leases.json", 1, content, quiet=3600.0, soon=0.01)
    file.touch()
    file.touch(soon=True)
    file.touch()
    await asyncio.wait_for(content.is_asked.wait(), 5)
    assert content.asked == 1


async def test_a_slow_disk_has_its_rest(tmp_path: Path) -> None:
    """Ten thousand leases take a while to write: the daemon has other things to do before the next time."""
    content, seconds = Counted(), itertools.count(step=100)
    file = StateFile(tmp_path / "leases.json", 1, content, soon=0.0, clock=lambda: next(seconds))
    file.write()
    file.touch(soon=True)
    for _ in range(3):
        await asyncio.sleep(0)
    assert content.asked == 1


async def test_disk_that_takes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; written when it is possible again."""
    folder = tmp_path / "state"
    folder.write_text("a file where the folder should be")
    file = StateFile(folder / "leases.json", 1, Counted(), quiet=60.0)
    file.write()
    file.write()
    assert caplog.text.count("state_not_written") == 1
    folder.unlink()
    file.write()
    assert (folder / "leases.json").exists()


WRITER = """
import sys
from pathlib import Path
from edgevpn.daemon.base.state_file import StateFile

number = 0
file = StateFile(Path(sys.argv[1]), 1, lambda: {"number": number, "leases": ["10.9.0.2"] * 5000})
while True:
    number += 1
    file.write()
    print(number, flush=True)
"""


def test_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    """Whoever writes is killed in the middle of it: what is there is whole, and no older than what was written last."""
    path = tmp_path / "leases.json"
    for stop_after in (1, 2, 5, 9):
        command = (sys.executable, "-c", WRITER, str(path))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603
            assert writer.stdout is not None
            written = [int(writer.stdout.readline()) for _ in range(stop_after)][-1]
            writer.kill()
        content = StateFile(path, 1, dict).load()
        assert content["number"] >= written
        assert len(content["leases"]) == 5000
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()
