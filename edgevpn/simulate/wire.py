"""Two UDP sockets to one gateway, from ports that the system picks: as a client behind a NAT is seen.

The core is told that it speaks from the ports of IKE, so that both sides find out that there is something in between
(RFC 7296 §2.23). No right beyond that of any program is needed, and a gateway on the same machine is not in the way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import Address, Path

NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"
LONGEST = 0x10000

Deliver = Callable[[Path, bytes], None]
DeliverEsp = Callable[[bytes], None]


class Wire:
    """The sockets; `deliver` gets each IKE message without its marker, `deliver_esp` each packet of ESP (RFC 3948).

    `ports`: the gateway's, for IKE and behind NAT. `local` is the address to speak from, None for the one that the
    system takes. Raises OSError where nothing leads to the gateway.
    """

    def __init__(
        self,
        gateway: IpAddress,
        ports: tuple[int, int],
        deliver: Deliver,
        deliver_esp: DeliverEsp,
        local: IpAddress | None = None,
    ) -> None:
        self._ports = ports
        self._deliver = deliver
        self._deliver_esp = deliver_esp
        self._socks: dict[int, socket.socket] = {}
        try:
            for port in ports:
                self._socks[port] = _connected(gateway, port, local)
        except OSError:
            self.close()
            raise
        here = ip_address(self._socks[ports[0]].getsockname()[0])
        self._hosts = here, gateway
        for port, sock in self._socks.items():
            asyncio.get_running_loop().add_reader(sock, self._read, port)

    @property
    def path(self) -> Path:
        """From here to the gateway, at the port that a conversation begins with."""
        return self._path(self._ports[0])

    def send(self, path: Path, octets: bytes) -> None:
        """Send an IKE message to the port of a path; OSError if it cannot leave now."""
        port = path.remote.port
        marked = port == self._ports[1] and octets != KEEPALIVE
        self._socks[port].send(NON_ESP_MARKER + octets if marked else octets)

    def send_esp(self, octets: bytes) -> None:
        """Send a packet of ESP in UDP; OSError if it cannot leave now."""
        self._socks[self._ports[1]].send(octets)

    def close(self) -> None:
        """Close both sockets."""
        for sock in self._socks.values():
            if sock.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(sock)
            sock.close()

    def _path(self, port: int) -> Path:
        here, there = self._hosts
        return Path(Address(here, port), Address(there, port))

    def _read(self, port: int) -> None:
        try:
            octets = self._socks[port].recv(LONGEST)
        except OSError:  # an ICMP error about something that was sent: it is sent again
            return
        if port == self._ports[0]:
            self._deliver(self._path(port), octets)
        elif octets.startswith(NON_ESP_MARKER):
            self._deliver(self._path(port), octets[len(NON_ESP_MARKER) :])
        elif octets != KEEPALIVE:
            self._deliver_esp(octets)


def _connected(gateway: IpAddress, port: int, local: IpAddress | None) -> socket.socket:
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if local is not None:
            sock.bind((str(local), 0))
        sock.connect((str(gateway), port))
    except OSError:
        sock.close()
        raise
    return sock
