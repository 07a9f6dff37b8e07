"""Answers DHCPINFORM that comes through tunnels: a socket on the interface of each pool that has split tunnels.

Only who was lent an address is answered, at that address, with what it was told when it logged in. Nothing that it
sends chooses where the answer goes.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network

from edgevpn.config.model import Config, Pool
from edgevpn.config.pool import TunnelMode
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.peers import router_of
from edgevpn.daemon.transport import from_address
from edgevpn.daemon.visitors.dhcp import CLIENT_PORT, SERVER_PORT, NotInform, Told, decode, encode
from edgevpn.daemon.visitors.sessions import Visit
from edgevpn.frozen import dataclass

LONGEST = 0x1000
BATCH = 16  # requests read at once, before others have their turn

log = logging.getLogger("edgevpn.dhcp")


@dataclass(frozen=True, slots=True)
class Door:
    """A pool whose devices may ask, the interface that they ask at, and who answers."""

    pool: str
    interface: str
    server: IPv4Address


def doors(config: Config) -> tuple[Door, ...]:
    """The pools with split tunnels in which we have an IPv4 address to answer from."""
    found = ((pool, router_of(pool)) for pool in config.pools if _is_split(pool, config))
    return tuple(Door(pool.name, pool.interface, server) for pool, server in found if server is not None)


def told(visit: Visit) -> Told:
    """What a visitor may hear: what it was told at its login, as far as it is of IPv4."""
    settings = visit.ike.lent.settings
    return Told(
        dns=tuple(each for each in settings.dns if isinstance(each, IPv4Address)),
        domain=settings.domains[0] if settings.domains else "",
        networks=tuple(each for each in settings.networks if isinstance(each, IPv4Network)),
    )


def answer(octets: bytes, sender: IPv4Address, door: Door, at: Callable[[IPv4Address], Visit | None]) -> bytes:
    """What is sent back to `sender`. Raises NotInform where nothing is."""
    asked = decode(octets)
    visit = at(sender)
    if asked.client != sender or visit is None or visit.pool != door.pool:
        raise NotInform("it comes from no visitor of this pool")
    return encode(asked, door.server, told(visit))


class Informer:
    """The sockets. `at` gives the visitor that was lent an address."""

    def __init__(self, at: Callable[[IPv4Address], Visit | None]) -> None:
        self._at = at
        self._socks: list[socket.socket] = []

    def serve(self, wanted: Iterable[Door]) -> None:
        """Listen at these doors from now on, and at no others. A door that cannot be opened is told of."""
        self.close()
        for door in wanted:
            try:
                sock = _opened(door.interface)
            except OSError as error:
                level = logging.DEBUG if error.errno == errno.ENODEV else logging.WARNING  # a kernel in memory has none
                note(log, level, "dhcp_not_served", pool=door.pool, interface=door.interface, why=error.strerror)
                continue
            self._socks.append(sock)
            asyncio.get_running_loop().add_reader(sock, self._read, sock, door)

    def close(self) -> None:
        """Close all."""
        for sock in self._socks:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._socks = []

    def _read(self, sock: socket.socket, door: Door) -> None:
        for _ in range(BATCH):
            try:
                octets, (host, _port) = sock.recvfrom(LONGEST)
                reply = answer(octets, IPv4Address(host), door, self._at)
                sock.sendmsg([reply], [from_address(door.server)], 0, (host, CLIENT_PORT))
            except NotInform as why:
                note(log, logging.DEBUG, "dhcp_not_answered", pool=door.pool, remote=host, why=why)
            except OSError:  # nothing more, or it cannot leave now: the client asks again
                return
            else:
                note(log, logging.DEBUG, "dhcp_answered", pool=door.pool, remote=host)


def _is_split(pool: Pool, config: Config) -> bool:
    return TunnelMode.SPLIT in (pool.mode, *(each.mode for each in config.devices if each.pool == pool.name))


def _opened(interface: str) -> socket.socket:
    """A socket for what comes in there; another DHCP server of this machine, on other interfaces, is not in the way."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind(("", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock
