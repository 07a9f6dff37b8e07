"""What a configuration asks for, as it stands: the home of each site and pool, and who keeps each site."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from edgevpn.config.model import Site
from edgevpn.daemon.base.options import Ports, StartFailed
from edgevpn.daemon.dataplane.homes import Home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.sites.keeper import Core, Keeper, World
from edgevpn.ike.contract import Terminate
from edgevpn.kernel.errors import KernelError


class Estate:
    """Homes by their names, keepers by those of their sites; `closed` are the sites that their owner has taken down.

    `begin` has work go on until it is cancelled, and says so by its name should it fail.
    """

    def __init__(
        self,
        dataplane: Dataplane,
        core: Core,
        world: World,
        ports: Ports,
        begin: Callable[[Callable[[], Awaitable[None]], str], asyncio.Task[None]],
    ) -> None:
        self._dataplane = dataplane
        self._core = core
        self._world = world
        self._ports = ports
        self._begin = begin
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.homes: dict[str, Home] = {}
        self.keepers: dict[str, Keeper] = {}
        self.closed: set[str] = set()

    def reduce(self, wanted: Collection[str], dropped: Collection[str]) -> None:
        """Take down the homes that are not wanted any more, and those whose tunnels do not outlive the change.

        What its owner has closed is closed all the same when it is made anew.
        """
        doomed = [self.homes.pop(name) for name in list(self.homes) if name not in wanted or name in dropped]
        for home in doomed:
            if keeper := self.keepers.pop(home.peers[0], None):
                stays_closed = home.name in wanted and keeper.site.name in self.closed
                keeper.down()
                if not stays_closed:
                    self.closed.discard(keeper.site.name)
                self._tasks.pop(keeper.site.name).cancel()
            for sa in [sa for peer in home.peers for sa in self._core.sas_of(peer)]:
                self._core.feed(Terminate(sa.spi))
        if doomed:
            self._dataplane.remove(*doomed)

    def complete(self, wanted: Mapping[str, Home], sites: Mapping[str, Site], *, anew: bool) -> None:
        """Make what is not there yet, and bring the rest up to date. `sites` by their homes. Raises StartFailed.

        With `anew` there are none yet but what a predecessor has left that was killed.
        """
        kept = set(self.homes)
        self._make([home for name, home in wanted.items() if name not in kept], anew=anew)
        for name, home in wanted.items():
            if name in kept:
                self._renew(home, sites.get(name))
            elif (site := sites.get(name)) is not None:
                self._keep(site)

    def _make(self, homes: Collection[Home], *, anew: bool) -> None:
        try:
            (self._dataplane.begin if anew else self._dataplane.add)(*homes)
        except KernelError as error:
            raise StartFailed(str(error)) from error
        self.homes |= {home.name: home for home in homes}

    def _keep(self, site: Site) -> None:
        closed = site.name in self.closed
        keeper = self.keepers[site.name] = Keeper(site, self._core, self._world, self._ports, closed=closed)
        self._tasks[site.name] = self._begin(keeper.run, f"site {site.name}")
        keeper.start()

    def _renew(self, home: Home, site: Site | None) -> None:
        """What has changed holds for tunnels to come, or at once where it can; those that are up stay up."""
        if home != self.homes[home.name]:
            try:
                self._dataplane.renew(self.homes[home.name], home)
            except KernelError as error:
                raise StartFailed(f"{home.name}: {error}") from error
            self.homes[home.name] = home
        keeper = self.keepers.get(home.peers[0])
        if site is not None and keeper is not None and keeper.site != site:
            keeper.site = site
            keeper.start()
