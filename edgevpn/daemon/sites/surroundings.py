"""What keepers of sites ask of the machine: names, addresses, chance, and routes to their peers."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import socket
from collections.abc import Callable
from ipaddress import ip_address

from edgevpn.daemon.base.logs import note
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.sites.keeper import IpAddress, NotCalled
from edgevpn.daemon.transport import Transport, source_for
from edgevpn.kernel.errors import KernelError

log = logging.getLogger("edgevpn")


class Surroundings:
    """The world of all keepers."""

    def __init__(
        self,
        dataplane: Dataplane,
        transport: Transport,
        read: asyncio.Event,
        changed: Callable[[str], None],
        not_called: Callable[[str, NotCalled], None],
    ) -> None:
        """`read` is set once all certificates are.

        `changed` is told of each site of which something else is known by now, `not_called` of each that has nothing to
        call.
        """
        self._dataplane = dataplane
        self._transport = transport
        self._read = read
        self.changed = changed
        self.not_called = not_called

    async def resolve(self, name: str) -> tuple[IpAddress, ...]:
        """The addresses of a name, of the IP versions that we serve; OSError if there are none."""
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        addresses = dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found)
        usable = tuple(address for address in addresses if address.version in self._transport.versions)
        if not usable:
            raise OSError(errno.EAFNOSUPPORT, "no address of an IP version that gateway.listen has")
        return usable

    def source_for(self, remote: IpAddress) -> IpAddress | None:
        """The address that packets to `remote` leave from."""
        return source_for(remote)

    def serves(self, local: IpAddress) -> bool:
        """Whether we speak IKE from this address of ours."""
        return self._transport.serves(local)

    async def certificates_read(self) -> None:
        """Wait until all certificates that there are have been read."""
        await self._read.wait()

    def chance(self) -> float:
        """A number from 0 to 1."""
        return random.random()  # noqa: S311 - spreads retries, keeps nothing secret

    def met(self, site: str, addresses: tuple[IpAddress, ...]) -> None:
        """A site's peer will be called at these addresses."""
        try:
            self._dataplane.meet(site, addresses)
        except KernelError as error:
            note(log, logging.ERROR, "routes_not_set", site=site, why=error)

    def set_traps(self, site: str, local: IpAddress, remote: IpAddress) -> None:
        """Have the kernel tell of packets for the site's children."""
        try:
            self._dataplane.set_traps(site, local, remote)
        except KernelError as error:
            note(log, logging.ERROR, "site_not_trapped", site=site, why=error)
