from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgevpn.api.records import Applied, Plan, Reloaded
from edgevpn.config.changes import Documents, add_site, remove_site, set_key
from edgevpn.config.errors import ConfigError, Refused
from edgevpn.config.model import Config
from edgevpn.config.reader import load
from edgevpn.config.store import Change, Store
from edgevpn.daemon.base.options import StartFailed
from edgevpn.daemon.keeping.configuration import Configuration, NotNow, recover
from edgevpn.daemon.keeping.holdings import Holdings, Places
from tests.support.gateways import until
from tests.support.shapes import misfits

TEXT = """\
# ours
[site.office]   # the first
remote = "office.example.org"
psk = "a key that is long enough for a test"
local_networks = "10.1.0.0/24"
remote_networks = "10.2.0.0/24"
"""
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHOP = {"remote": "shop.example.org", "local_networks": "10.1.0.0/24", "remote_networks": "10.3.0.0/24"}


class Gateway:
    """Puts nothing in force, and says what it was told to."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.reopened = 0
        self.refused: set[str] = set()

    def apply(self, config: Config) -> None:
        if any(site.name in self.refused for site in config.sites):
            raise StartFailed("the interface is taken")
        self.config = config

    def would_drop(self, config: Config) -> tuple[str, ...]:
        kept = {site.name for site in config.sites}
        return tuple(site.name for site in self.config.sites if site.name not in kept)

    def reopen(self) -> None:
        self.reopened += 1


class World:
    """A configuration at work, with its files."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "edgevpn.toml"
        self.path.write_text(TEXT)
        self.path.chmod(0o600)
        self.store = Store(self.path, {})
        self.holdings = Holdings(Places(self.path, folder / "pki", folder / "state"))
        config = load(self.path)
        self.gateway = Gateway(config)
        self.configuration = Configuration(self.store, self.holdings, self.gateway, config)
        self.told: list[Reloaded] = []
        self.configuration.told = self.told.append

    @property
    def sites(self) -> list[str]:
        """Those in force; what is on the disk, what is told and what the gateway has agree."""
        names = [site.name for site in self.gateway.config.sites]
        assert self.gateway.config == self.configuration.running == load(self.path)
        return names


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    task = asyncio.create_task(world.configuration.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with working(tmp_path) as made:
        yield made


def shop(documents: Documents) -> Documents:
    return add_site(documents, "shop", SHOP, {"psk": "another key that is long enough"}, NOW)


def no_office(documents: Documents) -> Documents:
    return remove_site(documents, "office")


def text(written: str) -> Change:
    return lambda old: replace(old, config=written)


async def test_a_change_stands_at_once(world: World) -> None:
    applied = await world.configuration.change(shop)
    assert misfits(applied, Applied) == []
    assert applied["confirm_before"] is None
    assert [change["path"] for change in applied["plan"]["changes"]] == [
        "site.shop.remote",
        "site.shop.local_networks",
        "site.shop.remote_networks",
    ]
    assert world.sites == ["office", "shop"]
    assert world.path.read_text().startswith(TEXT)
    assert world.told == [
        {"added": ["shop"], "changed": [], "removed": [], "unchanged": ["office"], "others": [], "warnings": []}
    ]
    (version,) = world.configuration.versions()
    assert version["number"] == 1


async def test_a_plan_changes_nothing(world: World) -> None:
    plan = await world.configuration.plan(no_office)
    assert misfits(plan, Plan) == []
    assert plan["drops"] == ["office"]
    assert {(each["path"], each["before"]) for each in plan["changes"]} >= {("site.office.psk", '"***"')}
    assert (world.sites, world.told) == (["office"], [])


async def test_a_bad_change_changes_nothing(world: World) -> None:
    with pytest.raises(Refused):
        await world.configuration.change(lambda old: set_key(old, ("gateway", "log_level"), "loud"))
    with pytest.raises(ConfigError):
        await world.configuration.change(text("[site.office]\nremote = 3\n"), 60, anew=True)
    assert (world.sites, world.told) == (["office"], [])
    assert not world.holdings.undo_waits


async def test_what_cannot_be_put_in_force_is_not_written(world: World) -> None:
    world.gateway.refused = {"shop"}
    with pytest.raises(StartFailed, match="the interface is taken"):
        await world.configuration.change(shop, 60)
    assert (world.sites, world.told, world.configuration.versions()) == (["office"], [], [])
    assert not world.holdings.undo_waits


async def test_what_cannot_be_written_is_not_in_force(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("edgevpn.config.store.replace_file", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            await world.configuration.change(shop)
    assert (world.sites, world.told) == (["office"], [])


async def test_reload(world: World) -> None:
    world.path.write_text(TEXT + TEXT.replace("office", "branch").replace("10.2.", "10.3."))
    reloaded = await world.configuration.reload()
    assert misfits(reloaded, Reloaded) == []
    assert reloaded["added"] == ["branch"]
    assert world.sites == ["office", "branch"]
    world.path.write_text("[")
    with pytest.raises(ConfigError):
        await world.configuration.reload()
    assert [site.name for site in world.gateway.config.sites] == ["office", "branch"]


async def test_a_change_beside_what_somebody_has_written(world: World) -> None:
    """The plan is against what is in force, whatever is in the file."""
    world.path.write_text(TEXT.replace("10.2.", "10.9."))
    applied = await world.configuration.change(shop)
    assert applied["plan"]["changes"][0]["path"] == "site.office.child.office.remote_networks"
    assert world.sites == ["office", "shop"]


async def test_a_file_that_is_no_file_is_replaced_as_a_whole(world: World) -> None:
    world.path.write_text("[")
    with pytest.raises(ConfigError):
        await world.configuration.change(shop)
    await world.configuration.change(text(TEXT), anew=True)
    assert world.sites == ["office"]


# --- to be confirmed


async def test_what_is_confirmed_stands(world: World) -> None:
    applied = await world.configuration.change(shop, 60)
    assert applied["confirm_before"] is not None
    assert world.holdings.undo_waits
    await world.configuration.confirm()
    assert not world.holdings.undo_waits
    assert world.sites == ["office", "shop"]
    with pytest.raises(NotNow, match=r"^nothing waits to be confirmed$"):
        await world.configuration.confirm()


async def test_what_is_not_confirmed_is_undone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await world.configuration.change(shop, 0.001)
    await until(lambda: len(world.told) == 2)
    with pytest.raises(NotNow, match="the last change was not confirmed in time, and was undone"):
        await world.configuration.confirm()
    assert world.told[1]["removed"] == ["shop"]
    assert world.sites == ["office"]
    assert world.path.read_text() == TEXT
    assert not world.holdings.undo_waits
    assert "not_confirmed" in caplog.text


async def test_one_change_waits_at_a_time(world: World) -> None:
    await world.configuration.change(shop, 60)
    with pytest.raises(NotNow, match="another change waits to be confirmed"):
        await world.configuration.change(no_office)
    with pytest.raises(NotNow, match="go back to version 1"):
        await world.configuration.rollback(2)
    applied = await world.configuration.rollback(1)
    assert applied["confirm_before"] is None
    assert world.sites == ["office"]
    await world.configuration.change(no_office)
    assert world.sites == []


async def test_a_start_undoes_what_nobody_has_confirmed(tmp_path: Path) -> None:
    """The daemon was killed, or the power went."""
    async with working(tmp_path) as world:
        await world.configuration.change(shop, 60)
    assert recover(world.holdings)
    assert world.path.read_text() == TEXT
    assert not recover(world.holdings)


# --- going back


async def test_back_to_a_version(world: World) -> None:
    await world.configuration.change(shop)
    await world.configuration.change(no_office)
    assert world.sites == ["shop"]
    await world.configuration.rollback(2)
    assert world.sites == ["office"]
    with pytest.raises(Refused, match="there is no version 9"):
        await world.configuration.rollback(9)


# --- backups


async def test_a_backup_takes_the_place_of_everything(world: World) -> None:
    held = world.holdings.read()
    await world.configuration.change(shop)
    applied = await world.configuration.restore({**held, "pki/ca.pem": b"another CA"})
    assert applied["plan"]["drops"] == ["shop"]
    assert world.sites == ["office"]
    assert world.gateway.reopened == 1
    assert world.holdings.read()["pki/ca.pem"] == b"another CA"


async def test_a_backup_that_is_not_confirmed_is_undone_with_all_that_was_in_it(world: World) -> None:
    held = world.holdings.read()
    await world.configuration.change(shop)
    before = world.holdings.read()
    await world.configuration.restore({**held, "pki/ca.pem": b"another CA"}, 0.001)
    await until(lambda: len(world.told) == 3)
    assert world.holdings.read() == before
    assert world.sites == ["office", "shop"]
    assert world.gateway.reopened == 2


async def test_a_backup_that_cannot_be_put_in_force_changes_nothing(world: World) -> None:
    held = world.holdings.read()
    await world.configuration.change(shop)
    before = world.holdings.read()
    world.gateway.refused = {"office"}
    with pytest.raises(ConfigError):
        await world.configuration.restore({**held, "edgevpn.toml": b"[site.x]\n"})
    assert world.holdings.read() == before
    assert not world.holdings.undo_waits


@pytest.mark.parametrize("confirm", [0, 60])
@pytest.mark.parametrize("number", range(0, 40, 3))
async def test_a_backup_for_which_there_is_no_room_is_forgotten(world: World, number: int, confirm: int) -> None:
    """The disk is full from some moment on; what is changed once it has room again outlives the next start."""
    held = world.holdings.read()
    await world.configuration.change(shop)
    before = world.holdings.read()
    with pytest.MonkeyPatch.context() as patch:
        full_from(number, patch)
        try:
            await world.configuration.restore({**held, "pki/ca.pem": b"another CA"}, confirm)
        except OSError:
            done = False
        else:
            done = True
    if done or world.holdings.read() != before:
        return  # all of it has come, or the next start takes back what has
    assert not world.holdings.undo_waits
    await world.configuration.change(no_office)
    assert not recover(world.holdings)
    assert world.sites == ["shop"]


def full_from(number: int, patch: pytest.MonkeyPatch) -> None:
    """From the call of that number on nothing can be made or filled; what is there can be renamed and removed."""
    left = number

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def made(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*args, **kwargs)

        return made

    for name in ("mkdir", "fsync", "fchmod"):
        patch.setattr(os, name, counted(getattr(os, name)))
