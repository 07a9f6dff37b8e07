"""edgevpn.daemon.estate: homes in a kernel in memory, keepers whose core and machine a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.base.options import Ports, StartFailed
from edgevpn.daemon.dataplane.homes import homes, site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.estate import Estate
from edgevpn.ike.contract import Initiate
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory import MemoryKernel
from tests.support.configs import OFFICE, config
from tests.support.keepers import HERE, World

BRANCH = OFFICE | {"remote_id": "branch.example", "remote_networks": "10.9.0.0/24", "start": "wait"}


class Land:
    """An estate, and what it stands on."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        self.world = World()
        self.world.names["office.example.org"] = (HERE,)
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.estate = Estate(Dataplane(self.kernel, lambda: 0.0), self.world, self.world, Ports(), self.begin)

    def begin(self, work: Callable[[], Awaitable[None]], what: str) -> asyncio.Task[None]:
        async def go_on() -> None:
            await work()

        self.tasks[what] = asyncio.get_running_loop().create_task(go_on())
        return self.tasks[what]

    def apply(self, wanted: Config, *, anew: bool = False) -> None:
        """As a gateway does, if no tunnel has to go."""
        at_homes = {home.name: home for home in homes(wanted)}
        self.estate.reduce(at_homes, ())
        self.estate.complete(at_homes, {site_home(site).name: site for site in wanted.sites}, anew=anew)

    @property
    def links(self) -> list[str]:
        return [link.name for link in self.kernel.list_links()]


@pytest.fixture
async def land() -> Land:
    return Land()


def written(**keys: Any) -> Config:
    return config(office=OFFICE | keys, branch=BRANCH)


async def test_sites_get_homes_and_keepers(land: Land) -> None:
    """The one that starts by itself is called."""
    land.apply(written(), anew=True)
    assert land.links == ["evpn-office", "evpn-branch"]
    assert list(land.estate.keepers) == ["office", "branch"]
    assert isinstance(await land.world.next(), Initiate)


async def test_who_is_gone_leaves_nothing(land: Land) -> None:
    land.apply(written(), anew=True)
    land.estate.closed = {"office", "branch"}
    land.apply(config(office=OFFICE))
    await asyncio.sleep(0)
    assert land.links == ["evpn-office"]
    assert list(land.estate.keepers) == ["office"]
    assert land.estate.closed == {"office"}
    assert land.tasks["site branch"].cancelled()


async def test_who_stays_is_the_same_with_new_settings(land: Land) -> None:
    land.apply(written(), anew=True)
    keeper = land.estate.keepers["office"]
    land.apply(written(mtu=1300))
    assert land.estate.keepers["office"] is keeper
    assert keeper.site.mtu == 1300
    assert land.kernel.get_link("evpn-office").mtu == 1300


async def test_tunnels_that_do_not_outlive_a_change_are_made_anew(land: Land) -> None:
    land.apply(written(), anew=True)
    keeper, at_homes = land.estate.keepers["office"], {home.name: home for home in homes(written())}
    land.estate.reduce(at_homes, {"site office"})
    assert land.links == ["evpn-branch"]
    land.apply(written())
    assert land.estate.keepers["office"] is not keeper


async def test_what_its_owner_has_closed_is_closed_when_it_is_made_anew(land: Land) -> None:
    land.apply(written(), anew=True)
    await land.world.next()
    land.estate.closed = {"office"}
    land.estate.reduce({home.name: home for home in homes(written())}, {"site office"})
    land.apply(written())
    assert land.estate.closed == {"office"}
    assert not land.estate.keepers["office"].is_trying


async def test_a_kernel_that_refuses(land: Land) -> None:
    land.kernel.fail_next("add_link", KernelError("add link", 95, cure="install kmod-xfrm-interface"))
    with pytest.raises(StartFailed, match="install kmod-xfrm-interface"):
        land.apply(written(), anew=True)
