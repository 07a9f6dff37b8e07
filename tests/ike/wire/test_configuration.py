"""edgevpn.ike.wire.configuration."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ConfigAttribute, ConfigType
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.configuration import Attribute, Configuration
from tests.support.strategies import configurations, near_misses

REQUEST = Configuration(
    ConfigType.REQUEST,
    (
        Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS),
        Attribute(ConfigAttribute.INTERNAL_IP4_DNS),
        Attribute(ConfigAttribute.INTERNAL_IP6_ADDRESS),
        Attribute(ConfigAttribute(23456)),
    ),
)
REPLY = Configuration(
    ConfigType.REPLY,
    (
        Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, b"\xc0\x00\x02\x05"),
        Attribute(ConfigAttribute.INTERNAL_IP4_DNS, b"\xc0\x00\x02\x01"),
        Attribute(ConfigAttribute.INTERNAL_IP4_DNS, b"\xc0\x00\x02\x02"),
        Attribute(ConfigAttribute.INTERNAL_IP6_ADDRESS, bytes.fromhex("20010db8000000000000000000000005 40")),
        Attribute(ConfigAttribute.INTERNAL_DNS_DOMAIN, b"lan"),
    ),
)


def test_configuration_octets() -> None:
    request = bytes.fromhex("01 000000  0001 0000  0003 0000  0008 0000  5ba0 0000")
    reply = bytes.fromhex(
        "02 000000  0001 0004 c0000205  0003 0004 c0000201  0003 0004 c0000202"
        "0008 0011 20010db8000000000000000000000005 40  0019 0003 6c616e"
    )
    assert REQUEST.encode() == request
    assert REPLY.encode() == reply
    assert Configuration.decode(Reader(request)) == REQUEST
    assert Configuration.decode(Reader(reply)) == REPLY
    assert Configuration.decode(Reader(bytes.fromhex("04 000000"))) == Configuration(ConfigType.ACK)


def test_values_of_one_type() -> None:
    assert REPLY.of_type(ConfigAttribute.INTERNAL_IP4_DNS) == (b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02")
    assert REPLY.of_type(ConfigAttribute.INTERNAL_IP6_DNS) == ()


def test_reserved_bits_are_ignored() -> None:
    octets = bytes.fromhex("01 c0ffee 8001 0000  8003 0000 8008 0000 dba0 0000")
    assert Configuration.decode(Reader(octets)) == REQUEST


VALUE_SIZES = {
    ConfigAttribute.INTERNAL_IP4_ADDRESS: {0, 4},
    ConfigAttribute.INTERNAL_IP4_NETMASK: {0, 4},
    ConfigAttribute.INTERNAL_IP4_DNS: {0, 4},
    ConfigAttribute.INTERNAL_IP4_NBNS: {0, 4},
    ConfigAttribute.INTERNAL_IP4_DHCP: {0, 4},
    ConfigAttribute.INTERNAL_IP6_ADDRESS: {0, 17},
    ConfigAttribute.INTERNAL_IP6_DNS: {0, 16},
    ConfigAttribute.INTERNAL_IP6_DHCP: {0, 16},
    ConfigAttribute.INTERNAL_IP4_SUBNET: {0, 8},
    ConfigAttribute.INTERNAL_IP6_SUBNET: {0, 17},
    ConfigAttribute.SUPPORTED_ATTRIBUTES: set(range(0, 20, 2)),
    ConfigAttribute.APPLICATION_VERSION: set(range(20)),
    ConfigAttribute(23456): set(range(20)),
}


@pytest.mark.parametrize(("attribute_type", "sizes"), VALUE_SIZES.items())
def test_value_sizes(attribute_type: ConfigAttribute, sizes: set[int]) -> None:
    """The table of RFC 7296 §3.15.1."""
    accepted = set()
    for size in range(20):
        with suppress(InvalidSyntax):
            Attribute.decode(Reader(Attribute(attribute_type, bytes(size)).encode()))
            accepted.add(size)
    assert accepted == sizes


REFUSED = {
    "no type": "",
    "reserved octets cut": "01 0000",
    "attribute cut": "01 000000 0001 00",
    "attribute longer than its payload": "01 000000 0019 0004 6c616e",
    "left over": "01 000000 0001 0000 00",
    "IPv4 address of 5": "01 000000 0001 0005 c000020500",
    "IPv6 address without prefix length": "01 000000 0008 0010" + "00" * 16,
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_configuration_refuses(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        Configuration.decode(Reader(bytes.fromhex(octets)))


def test_attributes_are_bounded() -> None:
    many = Configuration(ConfigType.REQUEST, (Attribute(ConfigAttribute.INTERNAL_IP4_DNS),) * 256)
    assert Configuration.decode(Reader(many.encode())) == many
    with pytest.raises(InvalidSyntax):
        Configuration.decode(Reader(many.encode() + Attribute(ConfigAttribute.INTERNAL_IP4_DNS).encode()))


@given(near_misses(configurations()))
def test_damaged_configuration(body: bytes) -> None:
    """Damage is refused as InvalidSyntax, or the same is read again from what we would send."""
    with suppress(InvalidSyntax):
        read = Configuration.decode(Reader(body))
        assert len(read.encode()) == len(body)
        assert Configuration.decode(Reader(read.encode())) == read
