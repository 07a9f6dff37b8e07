"""What strangers might send:  python -m tests.lab.flood KIND TARGET --rate N --seconds N.

Prints a line when it begins, then as JSON how many it sent, in how many seconds, and how much of the processor it had.

The octets are made once, and little of them is changed for each datagram, so that the sender takes little of the time
that it is to take from the gateway. Forged addresses are out of a network that the lab's internet swallows.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from itertools import cycle
from pathlib import Path
from random import Random

from edgevpn.ike.cookies import COOKIE_SIZE
from edgevpn.ike.iana import Encr, ExchangeType, Flag, Ke, NotifyType, Prf, ProtocolId, TransformType
from edgevpn.ike.wire.message import Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation
from edgevpn.ike.wire.proposal import Proposal, Transform
from tests.lab.ring import Ring, link_to

FORGED, PRESENT = IPv4Network("198.18.0.0/16"), IPv4Network("198.19.0.0/16")
"""RFC 2544, for measurements. The internet swallows what goes to the first; all of the second are its own addresses."""
IKE = 500
IP, UDP = struct.Struct(">BBHHHBBH4s4s"), struct.Struct(">HHHH")
CHECKSUM, HOST, SPI_I, COOKIE = slice(10, 12), slice(14, 16), slice(28, 36), slice(64, 72)
"""Where a packet has the checksum of its IP header, the last two octets of its source, the initiator's SPI, and where a
cookie begins."""
BEGUN = "begun"
LONGEST = 65_507
"""Octets of a datagram of UDP over IPv4."""
PAUSE = 0.004
"""Seconds between two looks at the clock."""
AT_ONCE = 200
"""Datagrams between them at most: who was kept from sending for a while does not make up for it at one go."""
CALLERS, PATIENCE = 10, 1.0
"""Callers between them at most, and the seconds that each waits for an answer."""
T = TransformType
TRANSFORMS = (
    Transform(T.ENCR, Encr.AES_GCM_16, 128),
    Transform(T.PRF, Prf.HMAC_SHA2_256),
    Transform(T.KE, Ke.CURVE25519),
)
OF_NO_USE = (Transform(T.ENCR, Encr.DES), *TRANSFORMS[1:])

Send = Callable[[int], int]
"""Sends so many datagrams; how many it did send."""


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.flood", description="What strangers might send.")
    parser.add_argument("kind", choices=("first", "guessed", "foreign", "junk", "again", "cookies"))
    parser.add_argument("target", type=IPv4Address)
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--octets", type=Path, help="what is sent again")
    parser.add_argument("--source", type=IPv4Address, help="as if from there")
    options = parser.parse_args(words)
    send, begun = sender(options), time.monotonic()
    print(BEGUN, flush=True)
    sent = pour(send, options.rate, begun + options.seconds)
    print(json.dumps({"sent": sent, "took": time.monotonic() - begun, "sender_cpu": time.process_time()}))


def sender(options: argparse.Namespace) -> Send:
    """What sends that kind."""
    target = options.target
    match options.kind:
        case "first":
            return spoofing(target, init_request(TRANSFORMS))
        case "guessed":
            return spoofing(target, init_request(TRANSFORMS, Notify(NotifyType.COOKIE, bytes(COOKIE_SIZE))), COOKIE)
        case "foreign":
            return spoofing(target, init_request(OF_NO_USE))
        case "junk":
            return plainly(target, os.urandom(LONGEST))
        case "again":
            return repeating(target, options.source, options.octets.read_bytes())
    return half_opening(target)


# --- what is sent ----------------------------------------------------------------------------------------------------


def init_request(transforms: tuple[Transform, ...], *more: Payload, nonce: bytes = b"n" * 32) -> bytes:
    """An IKE_SA_INIT request that a gateway would agree to."""
    proposal = Proposal(1, ProtocolId.IKE, b"", transforms)
    payloads = (*more, SecurityAssociation((proposal,)), KeyExchange(Ke.CURVE25519, b"\x09" * 32), Nonce(nonce))
    return encode_message(Header(nonce[:8], bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0), payloads)


def half_open(target: IPv4Address, source: IPv4Address) -> bool:
    """Asks for an IKE SA from an address that is really there, shows a cookie if it must, and goes away."""
    nonce = os.urandom(32)
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


def spoofing(target: IPv4Address, octets: bytes, *changed: slice) -> Send:
    """Sends an IKE_SA_INIT request, each time from another address, with another SPI and what else is to change."""
    packet, chance = _packet(FORGED.network_address, target, octets), Random(1)
    rest = 0xFFFF - int.from_bytes(packet[CHECKSUM])  # the sum of all words but the one that is changed

    def change(body: memoryview) -> None:
        host, number = chance.getrandbits(16), chance.getrandbits(64)
        body[HOST] = host.to_bytes(2)
        body[CHECKSUM] = _checksum(rest + host).to_bytes(2)
        for place in (SPI_I, *changed):
            body[place] = number.to_bytes(8)

    return Ring(link_to(target), packet, change).send


def repeating(target: IPv4Address, source: IPv4Address, octets: bytes) -> Send:
    """Sends the same message as if it came from its sender again."""
    return Ring(link_to(target), _packet(source, target, octets)).send


def plainly(target: IPv4Address, octets: bytes) -> Send:
    """Sends the same datagram from our own address, in fragments if it is long."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.connect((str(target), IKE))

    def send(count: int) -> int:
        for _ in range(count):
            sock.send(octets)
        return count

    return send


def half_opening(target: IPv4Address) -> Send:
    """Leaves IKE SAs half-open, each from another address."""
    sources = cycle(PRESENT.hosts())

    def send(count: int) -> int:
        return sum(half_open(target, next(sources)) for _ in range(min(count, CALLERS)))

    return send


def pour(send: Send, rate: int, enough: float) -> int:
    """Send at a rate, as far as it can be kept; how many were sent."""
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic()) < enough:
        sent += send(min(int((now - begun) * rate) - sent, AT_ONCE))
        time.sleep(PAUSE)
    return sent


def _packet(source: IPv4Address, target: IPv4Address, octets: bytes) -> bytes:
    """IP and UDP around a message; UDP over IPv4 needs no checksum."""
    length = 8 + len(octets)
    words = (0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0, source.packed, target.packed)
    checksum = _checksum(sum(struct.unpack(">10H", IP.pack(*words))))
    words = (*words[:7], checksum, *words[8:])
    return IP.pack(*words) + UDP.pack(IKE, IKE, length, 0) + octets


def _checksum(total: int) -> int:
    """That of a header whose words have this sum (RFC 1071)."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


if __name__ == "__main__":
    main()
