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

HERE, OFFICE, ELSEWHERE = (ip_address(text) for text in ("192.0.2.1", "10.2.0.7", "198.51.100.7"))
HERE6, OFFICE6 = ip_address("2001:db8::1"), ip_address("fd00:2::7")
NETWORKS = [ip_network("10.2.0.0/16"), ip_network("fd00:2::/64")]


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


def flow(destination: IpAddress) -> bytes:
    """What CTA_TUPLE_ORIG holds: addresses, then a protocol."""
    source, numbers = (HERE, (1, 2)) if destination.version == 4 else (HERE6, (3, 4))
    addresses = b"".join(map(attribute, numbers, (source.packed, destination.packed)))
    return attribute(0x8001, addresses) + attribute(0x8002, attribute(1, b"\x11"))


def entry(destination: IpAddress, number: bytes, zone: bytes = b"") -> bytes:
    """A connection as ctnetlink shows it: both directions, status, perhaps a zone, id."""
    family = bytes([2 if destination.version == 4 else 10, 0, 0, 0])
    reply, status = attribute(0x8002, b""), attribute(3, bytes(4))
    original = attribute(0x8001, flow(destination))
    return message(0x100, 1, family + original + reply + status + zone + attribute(12, number), 2)


def test_those_to_a_network_are_forgotten(wires: Wires) -> None:
    """What names an entry goes back as it came: tuple, zone and id. One was gone by itself meanwhile."""
    zone = attribute(18, b"\0\7")
    entries = entry(OFFICE, b"id 1", zone) + entry(ELSEWHERE, b"id 2"), entry(OFFICE6, b"id 3")
    wires.laid[0] = (*entries, done(1), ack(2), ack(3, errno.ENOENT))

    assert forget_connections(NETWORKS, wires.open) == 1

    (wire,) = wires.opened
    assert (wire.family_opened, wire.fileno()) == (NETLINK_NETFILTER, -1)
    dump, *deletions = wire.sent()
    assert (dump.type, dump.octets[HEADER.size :]) == (CtMsg.GET, bytes(4))
    assert [each.type for each in deletions] == [CtMsg.DELETE] * 2
    assert deletions[0].octets[HEADER.size :] == b"\2\0\0\0" + attribute(1, flow(OFFICE)) + zone + attribute(
        12, b"id 1"
    )
    assert deletions[1].octets[HEADER.size :] == b"\x0a\0\0\0" + attribute(1, flow(OFFICE6)) + attribute(12, b"id 3")


def test_nothing_is_tracked(wires: Wires) -> None:
    wires.laid[0] = (done(1),)
    assert forget_connections(NETWORKS, wires.open) == 0


def test_entry_may_not_be_forgotten(wires: Wires) -> None:
    wires.laid[0] = (entry(OFFICE, b"id 1"), done(1), ack(2, errno.EPERM))
    with pytest.raises(NotPermitted, match=r"cannot forget a connection to 10\.2\.0\.7"):
        forget_connections(NETWORKS, wires.open)
    assert wires.opened[0].fileno() == -1


def test_kernel_does_not_track(wires: Wires) -> None:
    """Either netfilter's sockets are missing, or its part that speaks of connections."""
    wires.laid[0] = (ack(1, errno.EINVAL),)
    with pytest.raises(NotSupported, match="install kmod-nf-conntrack-netlink"):
        forget_connections(NETWORKS, wires.open)
    wires.refused.add(NETLINK_NETFILTER)
    with pytest.raises(NotSupported, match="install kmod-nf-conntrack-netlink"):
        forget_connections(NETWORKS, wires.open)


NO_SENSE = {
    "nothing": b"",
    "no tuple": attribute(3, bytes(4)),
    "an empty tuple": attribute(1, b""),
    "no addresses": attribute(1, attribute(1, b"")),
    "no destination": attribute(1, attribute(1, attribute(1, HERE.packed))),
    "a short address": attribute(1, attribute(1, attribute(2, b"\x0a\2"))),
}


@pytest.mark.parametrize("attributes", NO_SENSE.values(), ids=NO_SENSE)
def test_answer_makes_no_sense(wires: Wires, attributes: bytes) -> None:
    wires.laid[0] = (message(0x100, 1, bytes([2, 0, 0, 0]) + attributes, 2), done(1))
    with pytest.raises(KernelError, match="cannot read connections: the kernel's answer makes no sense"):
        forget_connections(NETWORKS, wires.open)


@pytest.mark.netns
@pytest.mark.parametrize("version", [4, 6])
def test_flows_of_the_real_kernel(version: int) -> None:
    """Those to the office are forgotten, the other stays."""
    from tests.lab.namespace import Namespace
    from tests.support.kernel import kernel_in

    family = socket.AF_INET if version == 4 else socket.AF_INET6
    office, other = ("127.2.0.7", "127.3.0.7") if version == 4 else ("fd00:2::7", "fd00:3::7")
    namespace = Namespace("flows")
    namespace.ip(*(f"address add {address}/128 dev lo nodad" for address in (office, other) if version == 6))
    namespace.nft("table inet t {\nchain c {\ntype filter hook output priority 0;\nct state new counter\n}\n}")
    kernel = kernel_in(namespace)
    with namespace.socket(family, socket.SOCK_DGRAM) as sock:
        for port, address in ((9, office), (10, office), (9, other)):
            sock.sendto(b"", (address, port))
    network = ip_network(f"{office}/{16 if version == 4 else 64}", strict=False)

    assert kernel.forget_connections([network]) == 2
    assert kernel.forget_connections([network]) == 0
    assert kernel.forget_connections([ip_network("0.0.0.0/0"), ip_network("::/0")]) == 1

    kernel.close()
    namespace.close()
