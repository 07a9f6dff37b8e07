"""UDP ports 500 and 4500: datagrams with both their addresses, the non-ESP marker, ESP in UDP left to the kernel.

RFC 7296 §2.23, RFC 3948. A socket may serve all addresses of a machine, so each datagram is asked, and told, which of
them it is for.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol, TypeAlias

from edgevpn.daemon.base.options import Ports, StartFailed
from edgevpn.daemon.crowd import Crowd
from edgevpn.daemon.repeats import Repeats
from edgevpn.daemon.valve import EVERYONE, Shares, Valve
from edgevpn.frozen import dataclass
from edgevpn.ike.cookies import Sieve, bears_tag, is_first
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.message import MAX_UNPROTECTED
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.ports import udp_port_owners
from edgevpn.kernel.spec import OURS_MARK

IpAddress: TypeAlias = IPv4Address | IPv6Address
Deliver = Callable[[Path, bytes], None]
Ancillary: TypeAlias = list[tuple[int, int, bytes]]

# From the RFCs.
NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"

# <linux/in.h>, <linux/in6.h>, <linux/ipv6.h>
IP_PKTINFO = 8
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0
IN_PKTINFO = struct.Struct("=i4s4s")
IN6_PKTINFO = struct.Struct("=16si")

# <asm-generic/socket.h>
SO_RCVBUFFORCE = 33

EVERYWHERE: dict[int, IpAddress] = {4: IPv4Address(0), 6: IPv6Address(0)}

# Our own choices.
LONGEST = 0x10000
BATCH = 64  # datagrams read from one socket before the others have their turn
MOMENT = 0.05  # seconds between two looks at how many wait, while not everyone is let in
TURN = 16  # first messages that are handed over between two looks at the sockets
HEARD = BATCH // 2  # of those that are not; more are read, so that who has an IKE SA never waits behind them
KEPT_PATHS = 256  # of the last datagrams
PROBE_PORT = 500  # to find a source address; nothing is sent


class Unprotected(Protocol):
    """What the kernel must do for sockets that speak IKE: see `Kernel`."""

    def bypass_socket(self, sock: socket.socket) -> None: ...

    def enable_udp_encapsulation(self, sock: socket.socket) -> None: ...


class Doorkeeper(Protocol):
    """Who asks for cookies: see `Endpoint`."""

    @property
    def sieves(self) -> tuple[Sieve, ...]: ...

    def challenge(self, octets: bytes, host: bytes, port: int, now: float) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Bound:
    """An address of the configuration, one of our two ports, and the socket that serves them.

    `marker`: what each IKE message on that port begins with.
    """

    address: IpAddress
    port: int
    sock: socket.socket
    valve: Valve
    marker: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """An IKE message and where it came from and to, as the kernel tells."""

    bound: Bound
    octets: bytes
    ancillary: Ancillary
    sender: tuple[str, int]

    @property
    def path(self) -> Path:
        return _path(self.local, self.bound.port, *self.sender[:2])

    @property
    def local(self) -> bytes:
        """Which of our addresses it was sent to, in its octets."""
        return _destination(self.ancillary) or self.bound.address.packed

    @property
    def host(self) -> bytes:
        """The sender's address, in its octets."""
        return socket.inet_pton(self.bound.sock.family, self.sender[0].partition("%")[0])


class Transport:
    """All sockets that speak IKE. `deliver` gets each IKE message, without its marker; `shed` hears of lost ones.

    Whoever asks for an IKE SA waits until those have been heard who have one, and if too many come, may not be heard
    at all: a flood of first messages takes the time that is left over, and never costs a peer its tunnel. Who was asked
    for a cookie and shows it waits apart from those who have shown nothing, or what is made up: it need not be lucky
    twice. The two are heard by turns. Where many of a kind wait, the kernel lets in so many of them, chosen by chance,
    as can be heard. Where all have to show a cookie, who shows none is asked for it right here.
    """

    def __init__(
        self,
        kernel: Unprotected,
        ports: Ports,
        doorkeeper: Doorkeeper,
        deliver: Deliver,
        shed: Callable[[int], None] = lambda count: None,
        buffer: int = LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`buffer`: octets that the kernel keeps for each socket until they are read."""
        self._kernel = kernel
        self._buffer = buffer
        self._ports = ports
        self._doorkeeper = doorkeeper
        self._deliver = deliver
        self._shed = shed
        self._clock = clock
        self._repeats = Repeats(clock)
        self._bound: dict[IpAddress, tuple[Bound, ...]] = {}
        self._waiting: Crowd[Arrived] = Crowd()
        self._returning: Crowd[Arrived] = Crowd()  # who shows a cookie has waited once already
        self._next_look: asyncio.TimerHandle | None = None  # while not everyone is let in
        self._untold = 0  # first messages that there was no room for, since the last look

    def listen(self, addresses: Iterable[IpAddress]) -> None:
        """Serve these addresses and no others; what is served already stays. Raises StartFailed, changing nothing.

        An address cannot be bound beside all of its family, so where one takes the place of the other, that goes first.
        """
        wanted = dict.fromkeys(addresses)
        new, gone = wanted.keys() - self._bound.keys(), self._bound.keys() - wanted.keys()
        in_the_way = {old for old in gone if any(_overlap(old, address) for address in new)}
        self._leave(in_the_way)
        try:
            self._bound |= self._opened(new)
        except StartFailed:
            self._bound |= self._opened(in_the_way)
            raise
        self._leave(gone - in_the_way)

    def _opened(self, addresses: Iterable[IpAddress]) -> dict[IpAddress, tuple[Bound, ...]]:
        """Sockets for all of these, being read. Raises StartFailed, and leaves none open then."""
        opened: dict[IpAddress, tuple[Bound, ...]] = {}
        try:
            for address in addresses:
                opened[address] = self._open(address)
        except StartFailed:
            _close(opened)
            raise
        loop = asyncio.get_running_loop()
        for bound in (each for pair in opened.values() for each in pair):
            loop.add_reader(bound.sock, self._read, bound)
        return opened

    def _leave(self, addresses: Iterable[IpAddress]) -> None:
        _close({address: self._bound.pop(address) for address in addresses})

    def served(self, hosts: Iterable[IpAddress]) -> tuple[IpAddress, ...]:
        """Which of these addresses of ours can be spoken to; those that are bound by themselves besides."""
        alone = (address for address in self._bound if not address.is_unspecified)
        return tuple(dict.fromkeys((*alone, *filter(self.serves, hosts))))

    def serves(self, host: IpAddress) -> bool:
        """Whether this address of ours can be spoken to: it is bound, or all of its version are."""
        return host in self._bound or EVERYWHERE[host.version] in self._bound

    @property
    def versions(self) -> frozenset[int]:
        """The IP versions of the addresses that can be spoken to."""
        return frozenset(address.version for address in self._bound)

    def send(self, path: Path, octets: bytes) -> None:
        """Send an IKE message from and to the addresses of a path. OSError if it cannot leave now."""
        bound = self._bound_for(path.local)
        marked = octets if octets == KEEPALIVE else bound.marker + octets
        host, port = path.remote.host, path.remote.port
        bound.sock.sendmsg([marked], [from_address(path.local.host)], 0, (str(host), port))

    @property
    def repeated(self) -> int:
        """How many datagrams came again at once, and were not looked at."""
        return self._repeats.count

    def close(self) -> None:
        """Close all sockets."""
        _close(self._bound)
        self._bound = {}
        self._waiting.clear()
        self._returning.clear()
        if self._next_look:
            self._next_look.cancel()
            self._next_look = None

    def _bound_for(self, local: Address) -> Bound:
        """The socket of that very address, else the one of all of its family."""
        for address in (local.host, EVERYWHERE[local.host.version]):
            for bound in self._bound.get(address, ()):
                if bound.port == local.port:
                    return bound
        raise OSError(errno.EADDRNOTAVAIL, f"{local.host} port {local.port} is not served")

    def _open(self, address: IpAddress) -> tuple[Bound, ...]:
        made: list[Bound] = []
        try:
            for port in (self._ports.ike, self._ports.nat):
                sock = _udp_socket(address, self._buffer)
                marker = NON_ESP_MARKER if port == self._ports.nat else b""
                made.append(Bound(address, port, sock, Valve(sock, len(marker)), marker))
                sock.bind((str(address), port))
                self._kernel.bypass_socket(sock)
                if port == self._ports.nat:
                    self._kernel.enable_udp_encapsulation(sock)
        except OSError as error:
            _close({address: tuple(made)})
            raise StartFailed(_not_bound(address, port, error)) from error
        except KernelError as error:
            _close({address: tuple(made)})
            raise StartFailed(str(error)) from error
        return tuple(made)

    def _read(self, bound: Bound) -> None:
        """Take what has come, a bounded number at a time."""
        for _ in range(BATCH):
            try:
                octets, ancillary, _flags, sender = bound.sock.recvmsg(LONGEST, 128)
            except (
                OSError
            ):  # nothing more, or an ICMP error about something that was sent: retransmission deals with it
                return
            if octets.startswith(bound.marker):  # else a keepalive, or ESP for nobody (RFC 3948 §2.2, §2.3)
                self._sort(Arrived(bound, octets[len(bound.marker) :], ancillary, sender))

    def _sort(self, arrived: Arrived) -> None:
        """Deliver it, or have it wait; what is too long to be read is refused at once, not kept."""
        if not is_first(arrived.octets) or len(arrived.octets) > MAX_UNPROTECTED:
            if not self._repeats.has(arrived.octets, arrived.sender):
                self._deliver(arrived.path, arrived.octets)
            return
        returns = bears_tag(arrived.octets, arrived.host, self._doorkeeper.sieves)
        crowd = self._returning if returns else self._waiting
        if not self._returning and not self._waiting:
            asyncio.get_running_loop().call_soon(self._admit)
        if not crowd.add(arrived):
            self._untold += 1
        if crowd.many and self._next_look is None:
            self._look()

    def _admit(self) -> None:
        """Hear some of those that wait, and the others after the next look at the sockets."""
        now, delivered = self._clock(), 0
        try:
            for number in range(min(HEARD, len(self._returning) + len(self._waiting))):
                crowds = (self._waiting, self._returning) if number % 2 else (self._returning, self._waiting)
                delivered += self._hear(next(crowd for crowd in crowds if crowd).take(), now)
                if delivered == TURN:
                    break
        finally:
            if self._returning or self._waiting:
                asyncio.get_running_loop().call_soon(self._admit)

    def _hear(self, arrived: Arrived, now: float) -> bool:
        """Ask for a cookie, or deliver a first message; whether it was delivered, which is far more work."""
        challenge = self._doorkeeper.challenge(arrived.octets, arrived.host, arrived.sender[1], now)
        if challenge is None:
            self._deliver(arrived.path, arrived.octets)
            return True
        bound = arrived.bound
        with suppress(OSError):  # as if it were lost: who means it asks again
            bound.sock.sendmsg([bound.marker + challenge], [_from(arrived.local)], 0, arrived.sender)
        return False

    def _look(self) -> None:
        """Have the kernel let in as many as can be heard, and tell how many it has dropped; until it lets in all."""
        self._returning.adjust()
        self._waiting.adjust()
        shares = Shares(self._returning.share, self._waiting.share)
        pressed = shares != EVERYONE
        self._next_look = asyncio.get_running_loop().call_later(MOMENT, self._look) if pressed else None
        sieves = self._doorkeeper.sieves
        dropped = sum(bound.valve.admit(shares, sieves) for pair in self._bound.values() for bound in pair)
        shed, self._untold = dropped + self._untold, 0
        if shed:
            self._shed(shed)


def source_for(remote: IpAddress) -> IpAddress | None:
    """The address of this machine that packets of ours to `remote` leave from; None if nothing leads there."""
    with socket.socket(family(remote), socket.SOCK_DGRAM) as probe, suppress(OSError):
        with suppress(PermissionError):  # then there are no rules either that ask for it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, OURS_MARK.value)
        probe.connect((str(remote), PROBE_PORT))
        return ip_address(probe.getsockname()[0])
    return None


def _udp_socket(address: IpAddress, buffer: int) -> socket.socket:
    """A socket that tells the destination of each datagram, and lets IP cut what is too long for a link."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
    except PermissionError:  # then as much of it as the machine lets everybody have
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if address.version == 4:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
    return sock


def _overlap(one: IpAddress, other: IpAddress) -> bool:
    """Whether one of the two stands for all addresses of the family that both are of."""
    return one.version == other.version and (one.is_unspecified or other.is_unspecified)


def family(address: IpAddress) -> socket.AddressFamily:
    """That of sockets for this address."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _destination(ancillary: Ancillary) -> bytes | None:
    """Which of our addresses a datagram was sent to, in its octets."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return bytes(IN_PKTINFO.unpack_from(data)[2])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return bytes(IN6_PKTINFO.unpack_from(data)[0])
    return None


@lru_cache(KEPT_PATHS)
def _path(local: bytes, port: int, host: str, remote_port: int) -> Path:
    """One record for all datagrams that come the same way: to make it takes long, and every IKE SA keeps one."""
    return Path(Address(ip_address(local), port), Address(ip_address(host), remote_port))


def from_address(local: IpAddress) -> tuple[int, int, bytes]:
    """The control message that fixes the source of a datagram."""
    return _from(local.packed)


def _from(local: bytes) -> tuple[int, int, bytes]:
    if len(local) == 4:
        return socket.IPPROTO_IP, IP_PKTINFO, IN_PKTINFO.pack(0, local, bytes(4))
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, IN6_PKTINFO.pack(local, 0)


def _not_bound(address: IpAddress, port: int, error: OSError) -> str:
    place = f"UDP port {port} of {address}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{place} is taken by {_owner(port)}: stop it, or change gateway.listen"
        case errno.EACCES | errno.EPERM:
            return f"{place} may not be opened: run edgevpn as root, or with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no address {address}: change gateway.listen"
        case errno.EAFNOSUPPORT:
            return f"this kernel has no IPv{address.version}: take {address} out of gateway.listen"
    return f"{place} cannot be opened: {error.strerror or error}"


def _owner(port: int) -> str:
    """Who has a UDP port, as far as we may know."""
    owners = udp_port_owners(port)
    others = [owner for owner in owners if owner.pid != os.getpid()] or owners  # we may have it on other addresses
    return " and ".join(dict.fromkeys(map(str, others))) or "another program"


def _close(bound: dict[IpAddress, tuple[Bound, ...]]) -> None:
    for pair in bound.values():
        for each in pair:
            with suppress(RuntimeError):  # no loop is running any more
                asyncio.get_running_loop().remove_reader(each.sock)
            each.sock.close()
