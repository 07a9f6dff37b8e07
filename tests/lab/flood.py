"""What strangers might send:  python -m tests.lab.flood KIND TARGET --rate N --seconds N. Prints how many it sent.

The octets are made once, and little of them is changed for each datagram, so that the sender takes little of the time
that it is to take from the gateway. Forged addresses are out of a network that the lab's internet swallows.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from pathlib import Path
from random import Random

from edgevpn.ike.iana import Encr, ExchangeType, Flag, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.wire.message import Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation
from edgevpn.ike.wire.proposal import Proposal, Transform

FORGED, PRESENT = IPv4Network("198.18.0.0/16"), IPv4Network("198.19.0.0/16")
"""RFC 2544, for measurements. The internet swallows what goes to the first; all of the second are its own addresses."""
IKE = 500
IP_UDP = struct.Struct(">BBHHHBBH4s4sHHHH")
SOURCE = slice(12, 16)
SPI_I = slice(28, 36)
LONGEST = 65_507
"""Octets of a datagram of UDP over IPv4."""
PAUSE = 0.002
"""Seconds between two looks at the clock."""
PATIENCE = 1.0
"""Seconds for an answer."""
T = TransformType
TRANSFORMS = (
    Transform(T.ENCR, Encr.AES_GCM_16, 128),
    Transform(T.PRF, Prf.HMAC_SHA2_256),
    Transform(T.KE, Ke.CURVE25519),
)
OF_NO_USE = (Transform(T.ENCR, Encr.DES), *TRANSFORMS[1:])

Send = Callable[[], object]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.flood", description="What strangers might send.")
    parser.add_argument("kind", choices=("first", "foreign", "junk", "again", "cookies"))
    parser.add_argument("target", type=IPv4Address)
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--octets", type=Path, help="what is sent again")
    parser.add_argument("--source", type=IPv4Address, help="as if from there")
    options = parser.parse_args(words)
    target, enough = options.target, time.monotonic() + options.seconds
    match options.kind:
        case "first":
            print(pour(spoofing(target, init_request(TRANSFORMS)), options.rate, enough))
        case "foreign":
            print(pour(spoofing(target, init_request(OF_NO_USE)), options.rate, enough))
        case "junk":
            print(pour(plainly(target, os.urandom(LONGEST)), options.rate, enough))
        case "again":
            print(pour(repeating(target, options.source, options.octets.read_bytes()), options.rate, enough))
        case "cookies":
            print(sum(half_open(target, source, enough) for source in islice(PRESENT.hosts(), options.rate)))


# --- what is sent ----------------------------------------------------------------------------------------------------


def init_request(transforms: tuple[Transform, ...], *more: Payload, nonce: bytes = b"n" * 32) -> bytes:
    """An IKE_SA_INIT request that a gateway would agree to."""
    proposal = Proposal(1, ProtocolId.IKE, b"", transforms)
    payloads = (*more, SecurityAssociation((proposal,)), KeyExchange(Ke.CURVE25519, b"\x09" * 32), Nonce(nonce))
    return encode_message(Header(nonce[:8], bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0), payloads)


def half_open(target: IPv4Address, source: IPv4Address, enough: float) -> bool:
    """Asks for an IKE SA from an address that is really there, shows a cookie if it must, and goes away."""
    nonce = os.urandom(32)
    if time.monotonic() > enough:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, suppress(TimeoutError):
        sock.settimeout(PATIENCE)
        sock.bind((str(source), 0))
        sock.connect((str(target), IKE))
        answer: tuple[Payload, ...] = ()
        for _ in range(2):
            sock.send(init_request(TRANSFORMS, *answer, nonce=nonce))
            octets = sock.recv(LONGEST)
            answer = decode_message(Header.decode(octets), octets)
            if any(isinstance(payload, KeyExchange) for payload in answer):
                return True
    return False


# --- how it is sent --------------------------------------------------------------------------------------------------


def spoofing(target: IPv4Address, octets: bytes) -> Send:
    """Sends an IKE_SA_INIT request, each time from another address and with another SPI."""
    packet, raw = bytearray(_packet(FORGED.network_address, target, octets)), _raw()
    first, chance = int(FORGED.network_address), Random(1)

    def send() -> None:
        number = chance.getrandbits(64)
        packet[SOURCE] = (first | number >> 48).to_bytes(4)
        packet[SPI_I] = number.to_bytes(8)
        raw.sendto(packet, (str(target), 0))

    return send


def repeating(target: IPv4Address, source: IPv4Address, octets: bytes) -> Send:
    """Sends the same message as if it came from its sender again."""
    packet, raw = _packet(source, target, octets), _raw()
    return lambda: raw.sendto(packet, (str(target), 0))


def plainly(target: IPv4Address, octets: bytes) -> Send:
    """Sends the same datagram from our own address, in fragments if it is long."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.connect((str(target), IKE))
    return lambda: sock.send(octets)


def pour(send: Send, rate: int, enough: float) -> int:
    """Send at a rate, as far as it can be kept; how many were sent."""
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic()) < enough:
        for _ in range(min(int((now - begun) * rate) - sent, rate)):
            send()
            sent += 1
        time.sleep(PAUSE)
    return sent


def _raw() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _packet(source: IPv4Address, target: IPv4Address, octets: bytes) -> bytes:
    """IP and UDP around a message; the kernel fills in what is zero, and UDP over IPv4 needs no checksum."""
    length = 8 + len(octets)
    head = (0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, source.packed, target.packed, IKE, IKE, length, 0)
    return IP_UDP.pack(*head) + octets


if __name__ == "__main__":
    main()
