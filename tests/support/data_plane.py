"""What a kernel does for a gateway whose kernel is in memory: ESP in UDP is opened, pings are answered; by scapy.

Clients speak to the relay's ports, and through it to the gateway's. It shares no code with what it is there to try.
"""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from edgevpn.daemon.base.options import Ports
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.spec import OURS_MARK, Aead, SaSpec
from tests.support.ports import free_ports
from tests.support.simulated import Home

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
    from scapy.layers.ipsec import ESP
    from scapy.layers.ipsec import SecurityAssociation as EspSa

HOST, MARKER, KEEPALIVE = "127.0.0.1", bytes(4), b"\xff"
LONGEST = 0x10000
CIPHERS = {
    "rfc4106(gcm(aes))": "AES-GCM",
    "rfc7539esp(chacha20,poly1305)": "CHACHA20-POLY1305",
    "cbc(aes)": "AES-CBC",
    "rfc3686(ctr(aes))": "AES-CTR",
}
INTEGRITIES = {"hmac(sha1)": "HMAC-SHA1-96", "hmac(sha256)": "SHA2-256-128", "hmac(sha384)": "SHA2-384-192"}
INTEGRITIES["hmac(sha512)"] = "SHA2-512-256"


@dataclass
class DataPlane:
    """The SAs of a kernel, as scapy has them; the newest that sends is the one that answers go by.

    `router`, if it is set, says of every host that it cannot be reached.
    `seen`: the SPIs of what came.
    """

    kernel: MemoryKernel
    router: str = ""
    seen: list[bytes] = field(default_factory=list)
    associations: dict[int, Any] = field(default_factory=dict)

    def answer(self, octets: bytes) -> bytes | None:
        """What goes back to a packet of ESP, if anything does."""
        spi = int.from_bytes(octets[:4])
        sas = {key.spi: state.spec for key, state in self.kernel._sas.items()}  # with keys, of which it tells nobody
        if spi not in sas:
            return None
        inside = self._association(sas[spi]).decrypt(IP() / ESP(octets))
        self.seen.append(octets[:4])
        back = unreachable(inside, self.router) if self.router else reply(inside)
        out = [sa for sa in sas.values() if sa.output_mark == OURS_MARK]
        if back is None or not out:
            return None
        return bytes(self._association(out[-1]).encrypt(back)[ESP])

    def _association(self, sa: SaSpec) -> Any:
        if sa.spi not in self.associations:
            self.associations[sa.spi] = EspSa(
                ESP,
                spi=sa.spi,
                crypt_algo=CIPHERS[sa.cipher.name],
                crypt_key=sa.cipher.key,
                crypt_icv_size=sa.cipher.icv_bits // 8 if isinstance(sa.cipher, Aead) else None,
                auth_algo=INTEGRITIES[sa.integrity.name] if sa.integrity else None,
                auth_key=sa.integrity.key if sa.integrity else None,
                tunnel_header=IP(src=HOST, dst=HOST),
                esn_en=sa.esn,
            )
        return self.associations[sa.spi]


def reply(inside: Any) -> Any:
    """The answer to an echo request; None to all else."""
    if IP in inside and ICMP in inside and inside[ICMP].type == 8:
        message = ICMP(type=0, id=inside[ICMP].id, seq=inside[ICMP].seq) / inside[ICMP].payload
        return IP(src=inside[IP].dst, dst=inside[IP].src) / message
    if ICMPv6EchoRequest in inside:
        asked = inside[ICMPv6EchoRequest]
        message = ICMPv6EchoReply(id=asked.id, seq=asked.seq, data=asked.data)
        return IPv6(src=inside[IPv6].dst, dst=inside[IPv6].src) / message
    return None


def unreachable(inside: Any, router: str) -> Any:
    """What a router says of a packet of IPv4 to a host that is not there."""
    return IP(src=router, dst=inside.src) / ICMP(type=3, code=1) / inside


@contextmanager
def carrying(at: Home) -> Iterator[tuple[Home, DataPlane]]:
    """For the length of a block, the same gateway, but at other ports and with a data plane."""
    relay = free_ports()
    with relayed(at.here.kernel, at.ports, relay) as plane:
        yield replace(at, ports=relay), plane


@contextmanager
def relayed(kernel: MemoryKernel, gateway: Ports, relay: Ports) -> Iterator[DataPlane]:
    """For the length of a block, the gateway can be called at the relay's ports, with a data plane behind it."""
    plane = DataPlane(kernel)
    ways = [_Way(relay.ike, gateway.ike, lambda octets: None), _Way(relay.nat, gateway.nat, plane.answer)]
    try:
        yield plane
    finally:
        for way in ways:
            way.close()


class _Way:
    """From one port of the relay to one of the gateway, and back to whoever called; `answer` is asked about ESP."""

    def __init__(self, here: int, there: int, answer: Callable[[bytes], bytes | None]) -> None:
        self._there = there
        self._answer = answer
        self._front = _bound(here)
        self._backs: dict[tuple[str, int], socket.socket] = {}
        asyncio.get_running_loop().add_reader(self._front, self._called)

    def close(self) -> None:
        for sock in (self._front, *self._backs.values()):
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()

    def _called(self) -> None:
        octets, caller = self._front.recvfrom(LONGEST)
        back = self._answer(octets) if not octets.startswith(MARKER) and octets != KEEPALIVE else None
        if back is not None:
            self._front.sendto(back, caller)
            return
        self._back(caller).sendto(octets, (HOST, self._there))

    def _back(self, caller: tuple[str, int]) -> socket.socket:
        if caller not in self._backs:
            sock = self._backs[caller] = _bound(0)
            asyncio.get_running_loop().add_reader(sock, self._answered, sock, caller)
        return self._backs[caller]

    def _answered(self, back: socket.socket, caller: tuple[str, int]) -> None:
        self._front.sendto(back.recv(LONGEST), caller)


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind((HOST, port))
    return sock
