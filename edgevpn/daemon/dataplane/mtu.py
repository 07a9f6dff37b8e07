"""How long a packet that goes into a tunnel may be, so that what comes out fits the path: RFC 4303 §2, RFC 3948."""

from __future__ import annotations

from collections.abc import Mapping

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.suite import CIPHERS, INTEGRITIES, ChildSuite
from edgevpn.ike.peer import Mode

# From the RFCs, in octets.
IP_HEADER: Mapping[int, int] = {4: 20, 6: 40}
UDP_HEADER = 8
ESP_HEADER = 8  # SPI and sequence number
ESP_TRAILER = 2  # pad length and next header, within the padded plaintext
ESP_ALIGNMENT = 4
LEAST: Mapping[int, int] = {4: 576, 6: 1280}  # what every link of that IP version must carry (RFC 791, RFC 8200 §5)


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What is put around a packet: outer IP version, whether ESP travels in UDP, cipher, and mode."""

    version: int
    in_udp: bool
    suite: ChildSuite
    mode: Mode = Mode.TUNNEL


def tunnel_mtu(path_mtu: int, wrapping: Wrapping, inner_ipv6: bool) -> int:
    """The most octets of an inner packet on a path of `path_mtu` octets.

    Never less than what IP itself demands of a link: a path that is too narrow even for that has to fragment.
    """
    cipher, integrity = CIPHERS[wrapping.suite.encr], INTEGRITIES[wrapping.suite.integ]
    icv = cipher.icv_length or integrity.icv_length
    around = IP_HEADER[wrapping.version] + UDP_HEADER * wrapping.in_udp + ESP_HEADER + cipher.iv_length + icv
    block = max(ESP_ALIGNMENT, cipher.block_length)
    room = (path_mtu - around) // block * block - ESP_TRAILER
    if wrapping.mode is Mode.TRANSPORT:
        room += IP_HEADER[wrapping.version]  # the packet's own header is the outer one
    return max(room, LEAST[6 if inner_ipv6 else 4])
