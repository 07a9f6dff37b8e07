from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from edgevpn.daemon.keeping.holdings import COMING, CONFIG, SECRETS, UNDO, Files, Holdings, Places, is_ours

OLD: Files = {
    CONFIG: b"# old\n",
    SECRETS: b"# old secrets\n",
    "pki/ca.pem": b"old CA",
    "pki/server.pem": b"old server",
    "pki/trusted/bank.pem": b"a bank",
    "state/leases.json": b"{}",
}
NEW: Files = {CONFIG: b"# new\n", "pki/ca.pem": b"new CA", "state/panel/ca.pem": b"the panel's CA"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "etc" / "box.toml", tmp_path / "etc" / "pki", tmp_path / "var" / "state")


@pytest.fixture
def holdings(places: Places) -> Holdings:
    """A gateway's files, by names of its owner."""
    places.config.parent.mkdir()
    made = Holdings(places)
    made.put(OLD, whole=True)
    return made


def test_everything_is_read(holdings: Holdings, places: Places) -> None:
    """What is not ours is left alone."""
    (places.pki / "notes.txt").write_text("x")
    assert holdings.read() == OLD
    assert holdings.read_config() == {CONFIG: b"# old\n", SECRETS: b"# old secrets\n"}
    assert places.config.read_text() == "# old\n"


def test_files_are_private(holdings: Holdings, places: Places) -> None:
    for path in (places.config, places.pki / "ca.pem", places.state / "leases.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(places.pki.stat().st_mode) == 0o700
    places.config.chmod(0o640)
    holdings.put(NEW, whole=False)
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o640


def test_some_are_replaced_or_all(holdings: Holdings, places: Places) -> None:
    holdings.put(NEW, whole=False)
    assert holdings.read() == {**OLD, **NEW}
    (places.pki / "notes.txt").write_text("x")
    holdings.put(NEW, whole=True)
    assert holdings.read() == NEW
    assert (places.pki / "notes.txt").exists()


def test_undo(holdings: Holdings) -> None:
    holdings.keep_for_undo(holdings.read(), whole=True)
    holdings.put(NEW, whole=True)
    assert holdings.undo_waits
    holdings.undo()
    assert holdings.read() == OLD
    assert not holdings.undo_waits


def test_what_is_confirmed_is_not_undone(holdings: Holdings, places: Places) -> None:
    holdings.keep_for_undo(holdings.read_config(), whole=False)
    holdings.put(NEW, whole=False)
    holdings.forget_undo()
    assert not holdings.undo_waits
    assert sorted(path.name for path in places.config.parent.iterdir()) == ["box.toml", "pki", "secrets.toml"]


def test_taken_back(holdings: Holdings) -> None:
    """Whether all of it had come, or nothing."""
    holdings.keep_for_undo(OLD, whole=True)
    holdings.put(NEW, whole=True)
    holdings.take_back(OLD)
    assert (holdings.read(), holdings.undo_waits) == (OLD, False)
    holdings.keep_for_undo(OLD, whole=True)
    holdings.take_back(OLD)
    assert (holdings.read(), holdings.undo_waits) == (OLD, False)


def test_what_is_kept_is_forgotten_on_a_full_disk(holdings: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has no room for a folder either."""

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    holdings.keep_for_undo(OLD, whole=True)
    monkeypatch.setattr(os, "mkdir", full)
    holdings.forget_undo()
    assert not holdings.undo_waits


STRANGE = (
    "/etc/passwd",
    "../x",
    "pki/../../x",
    "pki/./ca.pem",
    "pki//ca.pem",
    "pki/notes.txt",
    "pki/trusted/../ca.pem",
    "pki/trusted/deep/x.pem",
    "state/other.json",
    "whole",
    "",
    "pki",
    "pki/tru\nsted/x.pem",
    "pki/trusted/\0.pem",
)


@pytest.mark.parametrize("name", STRANGE)
def test_names_that_are_not_ours(holdings: Holdings, name: str) -> None:
    assert not is_ours(name)
    with pytest.raises(ValueError, match="is no file of a gateway"):
        holdings.put({**NEW, name: b"x"}, whole=True)
    assert holdings.read() == OLD


class Cut(Exception):  # noqa: N818 - what happens
    """The power has gone."""


def cut_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes at this call of the system's that changes a file or a folder."""
    left = number

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def made(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Cut
            return call(*args, **kwargs)

        return made

    for name in ("rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "fchmod"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("number", range(60))
def test_power_that_goes_at_any_moment_leaves_all_of_the_old_or_all_of_the_new(
    holdings: Holdings, places: Places, number: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut_at(number, patch)
        try:
            holdings.put(NEW, whole=True)
            done = True
        except Cut:
            done = False
    holdings = Holdings(places)
    holdings.recover()
    assert holdings.read() in ((NEW,) if done else (OLD, NEW))
    holdings.put(OLD, whole=True)
    seen = {path.name for path in places.config.parent.iterdir() if not path.name.startswith(".box.toml.")}
    assert seen == {"box.toml", "pki", "secrets.toml"}


@pytest.mark.parametrize("number", range(0, 70, 2))
def test_power_that_goes_while_something_is_undone(holdings: Holdings, places: Places, number: int) -> None:
    holdings.keep_for_undo(holdings.read(), whole=True)
    holdings.put(NEW, whole=True)
    with pytest.MonkeyPatch.context() as patch:
        cut_at(number, patch)
        with suppress(Cut):
            holdings.undo()
    holdings = Holdings(places)
    holdings.recover()
    if holdings.undo_waits:
        holdings.undo()
    assert holdings.read() == OLD
    assert not (places.config.parent / UNDO).exists()
    assert not (places.config.parent / COMING).exists()


def test_recovery_without_anything_to_recover(holdings: Holdings) -> None:
    holdings.recover()
    assert holdings.read() == OLD
