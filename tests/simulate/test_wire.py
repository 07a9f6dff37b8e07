"""edgevpn.simulate.wire: two sockets, and the marker on one of them."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address

from edgevpn.ike.state import Address, Path
from edgevpn.simulate.wire import KEEPALIVE, NON_ESP_MARKER, Wire

HERE = IPv4Address("127.0.0.1")


def gateway() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((str(HERE), 0))
    return sock


async def test_both_ports() -> None:
    """Each message goes to the port of its path, and comes back by it, wherever it was sent from; ESP has one port."""
    came: asyncio.Queue[tuple[Path, bytes]] = asyncio.Queue()
    esp: asyncio.Queue[bytes] = asyncio.Queue()
    with gateway() as ike, gateway() as nat:
        ports = ike.getsockname()[1], nat.getsockname()[1]
        wire = Wire(HERE, ports, lambda path, octets: came.put_nowait((path, octets)), esp.put_nowait)
        try:
            first, second = (Path(Address(HERE, port), Address(HERE, port)) for port in ports)
            assert wire.path == first

            wire.send(first, b"plain")
            octets, from_ike = ike.recvfrom(100)
            assert octets == b"plain"
            wire.send(second, b"marked")
            octets, from_nat = nat.recvfrom(100)
            assert octets == NON_ESP_MARKER + b"marked"
            wire.send(second, KEEPALIVE)
            assert nat.recv(100) == KEEPALIVE

            ike.sendto(b"answer", from_ike)
            assert await came.get() == (first, b"answer")
            nat.sendto(KEEPALIVE, from_nat)
            nat.sendto(b"\1\2\3\4 ESP", from_nat)
            nat.sendto(NON_ESP_MARKER + b"answer", from_nat)
            assert await came.get() == (second, b"answer")
            assert (await esp.get(), esp.empty()) == (b"\1\2\3\4 ESP", True)
            wire.send_esp(b"\4\3\2\1 ESP")
            assert nat.recv(100) == b"\4\3\2\1 ESP"
        finally:
            wire.close()
