"""Sends what strangers might, at a rate: the octets are made once, and little of them is changed for each datagram.

Source addresses are made up, out of a network that the lab's internet swallows.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from edgevpn.ike.iana import Encr, ExchangeType, Flag, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.wire.message import Header, encode_message
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation
from edgevpn.ike.wire.proposal import Proposal, Transform

MADE_UP = IPv4Network("198.18.0.0/16")
"""RFC 2544: for measurements."""
IKE = 500
IP_UDP = struct.Struct(">BBHHHBBH4s4sHHHH")
SOURCE = slice(12, 16)
SPI_I = slice(28, 36)
LONGEST = 65_507
"""Octets of a datagram of UDP over IPv4."""
BURST = 0.005
"""Seconds between two looks at the clock."""
T = TransformType
TRANSFORMS = (
    Transform(T.ENCR, Encr.AES_GCM_16, 128),
    Transform(T.PRF, Prf.HMAC_SHA2_256),
    Transform(T.KE, Ke.CURVE25519),
)

Send = Callable[[], object]


def init_request(transforms: tuple[Transform, ...] = TRANSFORMS) -> bytes:
    """An IKE_SA_INIT request that a gateway would agree to."""
    proposal = Proposal(1, ProtocolId.IKE, b"", transforms)
    payloads = (SecurityAssociation((proposal,)), KeyExchange(Ke.CURVE25519, os.urandom(32)), Nonce(os.urandom(32)))
    return encode_message(Header(os.urandom(8), bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0), payloads)


def spoofing(target: IPv4Address, octets: bytes) -> Send:
    """Sends an IKE message, each time from another address and, if it is a first one, with another SPI."""
    head = IP_UDP.pack(
        0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4), target.packed, IKE, IKE, 8 + len(octets), 0
    )
    packet = bytearray(head + octets)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sources = int(MADE_UP.network_address)
    number = int.from_bytes(os.urandom(8))

    def send() -> None:
        nonlocal number
        number = (number * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        packet[SOURCE] = (sources | number >> 48).to_bytes(4)
        packet[SPI_I] = number.to_bytes(8)
        raw.sendto(packet, (str(target), 0))

    return send


def plainly(target: IPv4Address, octets: bytes) -> Send:
    """Sends the same datagram from our own address."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.connect((str(target), IKE))
    return lambda: sock.send(octets)


def pour(send: Send, rate: int, seconds: float) -> int:
    """Send at a rate, as far as it can be kept; how many were sent."""
    begun = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - begun) < seconds:
        for _ in range(int(passed * rate) - sent):
            send()
            sent += 1
            if sent % 64 == 0 and time.monotonic() - begun >= seconds:
                break
        time.sleep(BURST)
    return sent
