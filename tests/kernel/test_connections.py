"""edgevpn.kernel.connections."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.kernel.connections import CtMsg, forget_connections
from edgevpn.kernel.errors import KernelError, NotPermitted, NotSupported
from edgevpn.kernel.netlink import HEADER, NETLINK_NETFILTER, attribute
from edgevpn.kernel.spec import IpAddress
from tests.support.netlink import Wires, ack, done, message

LAN, WAN, OFFICE, ELSEWHERE = map(ip_address, ("10.1.0.7", "192.0.2.1", "10.2.0.7", "198.51.100.7"))
LAN6, WAN6, OFFICE6 = map(ip_address, ("fd00:1::7", "2001:db8::1", "fd00:2::7"))
PAIRS = [
    (ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16")),
    (ip_network("fd00:1::/64"), ip_network("fd00:2::/64")),
]
SRC_NAT, DST_NAT, OFFLOAD = 1 << 4, 1 << 5, 1 << 14
SEEN_REPLY_AND_CONFIRMED = 0xA


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


def ends(source: IpAddress, destination: IpAddress) -> bytes:
    """What a tuple holds: addresses, then a protocol."""
    numbers = (1, 2) if destination.version == 4 else (3, 4)
    addresses = b"".join(map(attribute, numbers, (source.packed, destination.packed)))
    return attribute(0x8001, addresses) + attribute(0x8002, attribute(1, b"\x11"))


def entry(
    there: tuple[IpAddress, IpAddress],
    back: tuple[IpAddress, IpAddress],
    number: bytes,
    status: int = SRC_NAT,
    zone: bytes = b"",
) -> bytes:
    """A connection as ctnetlink shows it: both directions, status, perhaps a zone, id."""
    family = bytes([2 if there[0].version == 4 else 10, 0, 0, 0])
    tuples = attribute(0x8001, ends(*there)) + attribute(0x8002, ends(*back))
    told = attribute(3, (status | SEEN_REPLY_AND_CONFIRMED).to_bytes(4, "big"))
    return message(0x100, 1, family + tuples + told + zone + attribute(12, number), 2)


MASQUERADED, MASQUERADED6 = ((LAN, OFFICE), (OFFICE, WAN)), ((LAN6, OFFICE6), (OFFICE6, WAN6))


def test_what_goes_around_a_tunnel_is_forgotten(wires: Wires) -> None:
    """What names an entry goes back as it came: tuple, zone and id. One was gone by itself meanwhile."""
    zone = attribute(18, b"\0\7")
    elsewhere = entry((LAN, ELSEWHERE), (ELSEWHERE, WAN), b"id 2")
    entries = entry(*MASQUERADED, b"id 1", zone=zone) + elsewhere, entry(*MASQUERADED6, b"id 3")
    wires.laid[0] = (*entries, done(1), ack(2), ack(3, errno.ENOENT))

    assert forget_connections(PAIRS, wires.open) == 1

    (wire,) = wires.opened
    assert (wire.family_opened, wire.fileno()) == (NETLINK_NETFILTER, -1)
    dump, *deletions = wire.sent()
    assert (dump.type, dump.octets[HEADER.size :]) == (CtMsg.GET, bytes(4))
    assert [each.type for each in deletions] == [CtMsg.DELETE] * 2
    tuples = (attribute(1, ends(*there)) for there, _ in (MASQUERADED, MASQUERADED6))
    heads = (b"\2\0\0\0", b"\x0a\0\0\0")
    rests = (zone + attribute(12, b"id 1"), attribute(12, b"id 3"))
    expected = [head + each + rest for head, each, rest in zip(heads, tuples, rests, strict=True)]
    assert [each.octets[HEADER.size :] for each in deletions] == expected


# Both directions as they are tracked, status, and whether it is forgotten.
FLOWS = {
    "masqueraded": (MASQUERADED, SRC_NAT, True),
    "offloaded": (((LAN, OFFICE), (OFFICE, LAN)), OFFLOAD, True),
    "routed packet by packet": (((LAN, OFFICE), (OFFICE, LAN)), 0, False),
    "of the gateway itself": (((WAN, OFFICE), (OFFICE, WAN)), SRC_NAT, False),
    "from there, by a forwarded port": (((OFFICE, WAN), (LAN, OFFICE)), DST_NAT, True),
    "from there, to the gateway": (((OFFICE, WAN), (WAN, OFFICE)), DST_NAT, False),
    "from elsewhere": (((ELSEWHERE, WAN), (LAN, ELSEWHERE)), DST_NAT, False),
    "IPv6": (MASQUERADED6, SRC_NAT, True),
}


@pytest.mark.parametrize(("ends", "status", "forgotten"), FLOWS.values(), ids=FLOWS)
def test_which_are_forgotten(
    wires: Wires, ends: tuple[tuple[IpAddress, IpAddress], tuple[IpAddress, IpAddress]], status: int, forgotten: bool
) -> None:
    wires.laid[0] = (entry(*ends, b"id 1", status), done(1), *([ack(2)] if forgotten else []))
    assert forget_connections(PAIRS, wires.open) == forgotten


def test_nothing_is_tracked(wires: Wires) -> None:
    wires.laid[0] = (done(1),)
    assert forget_connections(PAIRS, wires.open) == 0


def test_entry_may_not_be_forgotten(wires: Wires) -> None:
    wires.laid[0] = (entry(*MASQUERADED, b"id 1"), done(1), ack(2, errno.EPERM))
    with pytest.raises(NotPermitted, match=r"cannot forget a connection to 10\.2\.0\.7"):
        forget_connections(PAIRS, wires.open)
    assert wires.opened[0].fileno() == -1


def test_kernel_does_not_track(wires: Wires) -> None:
    """Either netfilter's sockets are missing, or its part that speaks of connections."""
    wires.laid[0] = (ack(1, errno.EINVAL),)
    with pytest.raises(NotSupported, match="install kmod-nf-conntrack-netlink"):
        forget_connections(PAIRS, wires.open)
    wires.refused.add(NETLINK_NETFILTER)
    with pytest.raises(NotSupported, match="install kmod-nf-conntrack-netlink"):
        forget_connections(PAIRS, wires.open)


NO_SENSE = {
    "nothing": b"",
    "no tuple": attribute(3, bytes(4)),
    "an empty tuple": attribute(1, b""),
    "no addresses": attribute(1, attribute(1, b"")),
    "no destination": attribute(1, attribute(1, attribute(1, LAN.packed))),
    "no way back": attribute(1, ends(LAN, OFFICE)),
    "a short address": attribute(1, attribute(1, attribute(2, b"\x0a\2"))),
}


@pytest.mark.parametrize("attributes", NO_SENSE.values(), ids=NO_SENSE)
def test_answer_makes_no_sense(wires: Wires, attributes: bytes) -> None:
    wires.laid[0] = (message(0x100, 1, bytes([2, 0, 0, 0]) + attributes, 2), done(1))
    with pytest.raises(KernelError, match="cannot read connections: the kernel's answer makes no sense"):
        forget_connections(PAIRS, wires.open)


@pytest.mark.netns
@pytest.mark.parametrize("version", [4, 6])
def test_flows_of_the_real_kernel(version: int) -> None:
    """Those that are translated on their way to the office are forgotten, the others stay."""
    from tests.lab.namespace import Namespace
    from tests.support.kernel import kernel_in

    family = socket.AF_INET if version == 4 else socket.AF_INET6
    office, other = ("127.2.0.7", "127.3.0.7") if version == 4 else ("fd00:2::7", "fd00:3::7")
    lan, wan = ("127.1.0.7", "127.9.0.7") if version == 4 else ("fd00:1::7", "fd00:9::7")
    namespace = Namespace("flows")
    namespace.ip(*(f"address add {each}/128 dev lo nodad" for each in (office, other, lan, wan) if version == 6))
    to = f"{'ip' if version == 4 else 'ip6'} saddr {lan} udp dport 9 snat to {wan}"
    namespace.nft(
        f"table {'ip' if version == 4 else 'ip6'} t {{\nchain c {{\ntype nat hook postrouting priority 0;\n{to}\n}}\n}}"
    )
    kernel = kernel_in(namespace)
    with namespace.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((lan, 0))
        for port, address in ((9, office), (10, office), (9, other)):
            sock.sendto(b"", (address, port))
    near, far = (ip_network(f"{each}/{16 if version == 4 else 64}", strict=False) for each in (lan, office))
    everything = ip_network("0.0.0.0/0" if version == 4 else "::/0")

    assert kernel.forget_connections([(near, far)]) == 1
    assert kernel.forget_connections([(near, far)]) == 0
    assert kernel.forget_connections([(everything, everything)]) == 1

    kernel.close()
    namespace.close()
