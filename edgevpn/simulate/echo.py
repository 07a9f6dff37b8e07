"""Echo requests of ICMP and ICMPv6 as whole packets, and what comes back about them: RFC 792, RFC 4443."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct, unpack

from edgevpn.frozen import dataclass
from edgevpn.ike.peer import IpAddress

IPV4_HEAD, IPV6_HEAD = Struct(">BBHHHBBH4s4s"), Struct(">IHBB16s16s")
ECHO_HEAD = Struct(">BBHHH")
ICMP, ICMPV6 = 1, 58
ECHO, ECHO_REPLY, UNREACHABLE, TIME_EXCEEDED = 8, 0, 3, 11
ECHO_V6, ECHO_REPLY_V6 = 128, 129
FIRST_ANSWER_V6 = 128  # of ICMPv6, what is below tells an error
ERROR_HEAD = 8  # octets before the packet that an error is about

# Our own choices.
HOPS = 64
PAYLOAD = bytes(range(56))


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back about an echo request. `answers`: its target did; else `sender` says that it is not reached."""

    sender: IpAddress
    identifier: int
    number: int
    answers: bool


def request(source: IpAddress, target: IpAddress, identifier: int, number: int) -> bytes:
    """An echo request from one address to another of the same family; both numbers have 16 bits."""
    if target.version == 4:
        message = _summed(ECHO_HEAD.pack(ECHO, 0, 0, identifier, number) + PAYLOAD)
        return _ipv4(source, target, message)
    message = ECHO_HEAD.pack(ECHO_V6, 0, 0, identifier, number) + PAYLOAD
    message = _summed(message, _pseudo_head(source, target, len(message)))
    return IPV6_HEAD.pack(6 << 28, len(message), ICMPV6, HOPS, source.packed, target.packed) + message


def heard(packet: bytes) -> Heard | None:
    """What a packet says about an echo request; None if it is whole and does not, or is not whole."""
    version = packet[0] >> 4 if packet else 0
    read: dict[int, Callable[[bytes], Heard | None]] = {4: _heard_v4, 6: _heard_v6}
    return read[version](packet) if version in read else None


def ends_of(packet: bytes) -> tuple[IpAddress, IpAddress] | None:
    """Source and destination of a packet of IP; None if it has none."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= IPV4_HEAD.size:
        return IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    if version == 6 and len(packet) >= IPV6_HEAD.size:
        return IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
    return None


def _ipv4(source: IpAddress, target: IpAddress, message: bytes) -> bytes:
    length = IPV4_HEAD.size + len(message)
    head = IPV4_HEAD.pack(0x45, 0, length, 0, 0, HOPS, ICMP, 0, source.packed, target.packed)
    return head[:10] + _checksum(head).to_bytes(2) + head[12:] + message


def _heard_v4(packet: bytes) -> Heard | None:
    ends, message = ends_of(packet), _message_v4(packet)
    if ends is None or len(message) < ECHO_HEAD.size or _checksum(message):
        return None
    kind, _, _, identifier, number = ECHO_HEAD.unpack_from(message)
    if kind == ECHO_REPLY:
        return Heard(ends[0], identifier, number, answers=True)
    if kind in (UNREACHABLE, TIME_EXCEEDED):
        return _of_error(ends[0], _message_v4(message[ERROR_HEAD:]), ECHO)
    return None


def _message_v4(packet: bytes) -> bytes:
    """The ICMP message of a packet, or of its beginning; empty if there is none."""
    if len(packet) < IPV4_HEAD.size or packet[9] != ICMP:
        return b""
    return packet[(packet[0] & 0x0F) * 4 : int.from_bytes(packet[2:4])]


def _heard_v6(packet: bytes) -> Heard | None:
    ends, message = ends_of(packet), _message_v6(packet)
    if ends is None or len(message) < ECHO_HEAD.size or _checksum(_pseudo_head(*ends, len(message)) + message):
        return None
    kind, _, _, identifier, number = ECHO_HEAD.unpack_from(message)
    if kind == ECHO_REPLY_V6:
        return Heard(ends[0], identifier, number, answers=True)
    if kind < FIRST_ANSWER_V6:
        return _of_error(ends[0], _message_v6(message[ERROR_HEAD:]), ECHO_V6)
    return None


def _message_v6(packet: bytes) -> bytes:
    if len(packet) < IPV6_HEAD.size or packet[6] != ICMPV6:
        return b""
    return packet[IPV6_HEAD.size : IPV6_HEAD.size + int.from_bytes(packet[4:6])]


def _of_error(sender: IpAddress, about: bytes, kind: int) -> Heard | None:
    """An error is about a request of ours if it cites one."""
    if len(about) < ECHO_HEAD.size or about[0] != kind:
        return None
    _, _, _, identifier, number = ECHO_HEAD.unpack_from(about)
    return Heard(sender, identifier, number, answers=False)


def _pseudo_head(source: IpAddress, target: IpAddress, length: int) -> bytes:
    """What the checksum of ICMPv6 covers besides, RFC 8200 §8.1."""
    return source.packed + target.packed + length.to_bytes(4) + bytes([0, 0, 0, ICMPV6])


def _summed(message: bytes, before: bytes = b"") -> bytes:
    """The message with its checksum in its place."""
    return message[:2] + _checksum(before + message).to_bytes(2) + message[4:]


def _checksum(octets: bytes) -> int:
    """The one's complement of the sum of all 16-bit words, RFC 1071; 0 over what bears a right one."""
    octets += bytes(len(octets) % 2)
    total: int = sum(unpack(f">{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
