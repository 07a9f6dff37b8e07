"""edgevpn.ike.wire.selector."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given

from edgevpn.ike.errors import InvalidSyntax, TsUnacceptable
from edgevpn.ike.iana import TsType
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.selector import ANY_PORTS, OPAQUE_PORTS, TrafficSelector, icmp_ports
from tests.support.strategies import near_misses, selectors

TCP, UDP, ICMP = 6, 17, 1
EVERYWHERE = ip_network("0.0.0.0/0")
LAN = TrafficSelector.from_network(ip_network("192.0.2.0/24"))
WORLD = TrafficSelector.from_network(EVERYWHERE)
WORLD_6 = TrafficSelector.from_network(ip_network("::/0"))


def span(start: str, end: str, protocol: int = 0, ports: tuple[int, int] = ANY_PORTS) -> TrafficSelector:
    """A selector of the IPv4 or IPv6 addresses from `start` to `end`."""
    first, last = ip_address(start), ip_address(end)
    ts_type = TsType.IPV4_ADDR_RANGE if first.version == 4 else TsType.IPV6_ADDR_RANGE
    return TrafficSelector(ts_type, protocol, *ports, first, last)


def web(network: str) -> TrafficSelector:
    return TrafficSelector.from_network(ip_network(network), TCP, (80, 443))


OCTETS = {
    "07 00 0010 0000 ffff c0000200 c00002ff": LAN,
    "07 06 0010 0050 01bb c0000200 c00002ff": web("192.0.2.0/24"),
    "07 32 0010 ffff 0000 00000000 ffffffff": TrafficSelector.from_network(EVERYWHERE, 50, OPAQUE_PORTS),
    "07 01 0010 0800 08ff 00000000 ffffffff": TrafficSelector.from_network(EVERYWHERE, ICMP, icmp_ports(8)),
    "07 01 0010 0304 0304 00000000 ffffffff": TrafficSelector.from_network(EVERYWHERE, ICMP, icmp_ports(3, 4)),
    "08 00 0028 0000 ffff 20010db8000000000000000000000000 20010db8000000000000000000000001": span(
        "2001:db8::", "2001:db8::1"
    ),
}


@pytest.mark.parametrize(("octets", "selector"), OCTETS.items())
def test_selector_octets(octets: str, selector: TrafficSelector) -> None:
    assert selector.encode() == bytes.fromhex(octets)
    assert TrafficSelector.decode(Reader(bytes.fromhex(octets))) == selector


REFUSED = {
    "unknown type": "09 00 0010 0000 ffff c0000200 c00002ff",
    "IPv4 type, IPv6 length": "07 00 0028 0000 ffff 20010db8000000000000000000000000 20010db8000000000000000000000001",
    "IPv6 type, IPv4 length": "08 00 0010 0000 ffff c0000200 c00002ff",
    "length zero": "07 00 0000 0000 ffff c0000200 c00002ff",
    "cut": "07 00 0010 0000 ffff c0000200 c00002",
    "addresses reversed": "07 00 0010 0000 ffff c0000201 c0000200",
    "ports reversed": "07 06 0010 0002 0001 c0000200 c00002ff",
    "nearly OPAQUE": "07 06 0010 ffff 0001 c0000200 c00002ff",
    "ports without protocol": "07 00 0010 0050 01bb c0000200 c00002ff",
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_selector_refuses(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        TrafficSelector.decode(Reader(bytes.fromhex(octets)))


@given(near_misses(selectors()))
def test_damaged_selector(body: bytes) -> None:
    """Damage is refused as InvalidSyntax, or what was read is exactly what was sent."""
    with suppress(InvalidSyntax):
        reader = Reader(body)
        selector = TrafficSelector.decode(reader)
        assert selector.encode() + reader.rest() == body


INTERSECTIONS = {
    "a LAN in the world": (WORLD, LAN, LAN),
    "overlap": (span("10.0.0.0", "10.0.0.9"), span("10.0.0.5", "10.0.0.20"), span("10.0.0.5", "10.0.0.9")),
    "one address shared": (span("10.0.0.0", "10.0.0.5"), span("10.0.0.5", "10.0.0.9"), span("10.0.0.5", "10.0.0.5")),
    "disjoint": (span("10.0.0.0", "10.0.0.4"), span("10.0.0.5", "10.0.0.9"), None),
    "another family": (WORLD, WORLD_6, None),
    "a protocol out of any": (LAN, web("0.0.0.0/0"), web("192.0.2.0/24")),
    "another protocol": (web("0.0.0.0/0"), TrafficSelector.from_network(EVERYWHERE, UDP, (80, 443)), None),
    "ports overlap": (
        web("192.0.2.0/24"),
        TrafficSelector.from_network(ip_network("192.0.2.0/24"), TCP, (400, 500)),
        TrafficSelector.from_network(ip_network("192.0.2.0/24"), TCP, (400, 443)),
    ),
    "ports disjoint": (
        web("192.0.2.0/24"),
        TrafficSelector.from_network(ip_network("192.0.2.0/24"), TCP, (444, 500)),
        None,
    ),
    "OPAQUE is part of ANY": (
        LAN,
        span("192.0.2.0", "192.0.2.255", UDP, OPAQUE_PORTS),
        span("192.0.2.0", "192.0.2.255", UDP, OPAQUE_PORTS),
    ),
    "OPAQUE with itself": (
        span("192.0.2.0", "192.0.2.7", UDP, OPAQUE_PORTS),
        span("192.0.2.0", "192.0.2.255", UDP, OPAQUE_PORTS),
        span("192.0.2.0", "192.0.2.7", UDP, OPAQUE_PORTS),
    ),
    "OPAQUE is no port": (
        span("192.0.2.0", "192.0.2.255", TCP, OPAQUE_PORTS),
        web("192.0.2.0/24"),
        None,
    ),
    "an ICMP code out of its type": (
        span("10.0.0.0", "10.0.0.9", ICMP, icmp_ports(3)),
        span("10.0.0.0", "10.0.0.9", ICMP, icmp_ports(3, 4)),
        span("10.0.0.0", "10.0.0.9", ICMP, icmp_ports(3, 4)),
    ),
}


@pytest.mark.parametrize(("one", "other", "common"), INTERSECTIONS.values(), ids=INTERSECTIONS)
def test_intersection(one: TrafficSelector, other: TrafficSelector, common: TrafficSelector | None) -> None:
    assert one.intersection(other) == common
    assert other.intersection(one) == common


@given(selectors(), selectors())
def test_intersection_is_contained_in_both(one: TrafficSelector, other: TrafficSelector) -> None:
    common = one.intersection(other)
    if common is not None:
        assert one.contains(common)
        assert other.contains(common)


def test_of_host() -> None:
    for address in ("192.0.2.7", "2001:db8::7"):
        assert TrafficSelector.of_host(ip_address(address)) == TrafficSelector.from_network(ip_network(address))


def test_what_lies_within_is_shared() -> None:
    """Thousands of sessions have the selector of our side between them, once."""
    assert WORLD.intersection(LAN) is LAN
    assert LAN.intersection(WORLD) is LAN


def test_contains() -> None:
    assert WORLD.contains(LAN)
    assert not LAN.contains(WORLD)
    assert LAN.contains(LAN)
    assert LAN.contains(web("192.0.2.128/25"))
    assert not web("0.0.0.0/0").contains(LAN)
    assert not WORLD.contains(WORLD_6)


def test_from_network() -> None:
    assert LAN.start_address == IPv4Address("192.0.2.0")
    assert LAN.end_address == IPv4Address("192.0.2.255")
    host = TrafficSelector.from_network(ip_network("2001:db8::1/128"))
    assert host == span("2001:db8::1", "2001:db8::1")
    assert host.start_address == IPv6Address("2001:db8::1")


def test_networks() -> None:
    assert LAN.networks() == (ip_network("192.0.2.0/24"),)
    assert span("10.0.0.1", "10.0.0.4").networks() == (
        ip_network("10.0.0.1/32"),
        ip_network("10.0.0.2/31"),
        ip_network("10.0.0.4/32"),
    )
    assert WORLD_6.networks() == (ip_network("::/0"),)


def test_networks_are_bounded() -> None:
    """The worst IPv4 range is served; an IPv6 range of more than 64 networks is not."""
    assert len(span("0.0.0.1", "255.255.255.254").networks()) == 62
    assert len(span("::1", "::ffff:ffff:ffff:ffff").networks()) == 64
    with pytest.raises(TsUnacceptable):
        span("::1", "::1:ffff:ffff:ffff:ffff").networks()
