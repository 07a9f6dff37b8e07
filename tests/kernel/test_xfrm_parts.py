"""edgevpn.kernel.xfrm_parts."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.kernel.netlink import NetlinkError
from edgevpn.kernel.spec import Direction, IpAddress, Limits, Mark, Offload, PortMask, Selector, UdpEncap
from edgevpn.kernel.xfrm_parts import (
    any_network,
    encapsulation_attributes,
    family,
    limit_values,
    offload_attributes,
    read_address,
    read_encapsulation,
    read_limits,
    read_mark,
    read_offload,
    read_selector,
    selector_values,
    tag_attributes,
)
from edgevpn.kernel.xfrm_wire import LIFETIME_CFG, SELECTOR
from tests.support.kernel import selectors


@given(st.ip_addresses())
def test_addresses(address: IpAddress) -> None:
    octets = address.packed.ljust(16, b"\xaa")  # the kernel leaves what it likes behind an IPv4 address
    assert read_address(octets, family(address)) == address


def test_address_of_another_family() -> None:
    with pytest.raises(ValueError, match="address family 17"):
        read_address(bytes(16), socket.AF_PACKET)


def test_selector_octets() -> None:
    """struct xfrm_selector: destination, source, ports and masks in network order, family, lengths, protocol."""
    selector = Selector(
        ip_network("10.1.0.0/24"), ip_network("10.2.0.0/16"), 17, PortMask(500), PortMask(0x100, 0xFF00)
    )
    values = {name.removeprefix("sel_"): value for name, value in selector_values(selector).items()}
    assert SELECTOR.pack(values) == bytes.fromhex(
        f"0a020000 {'00' * 12} 0a010000 {'00' * 12} 0100ff00 01f4ffff"
    ) + struct.pack("=HBBB3xiI", socket.AF_INET, 16, 24, 17, 0, 0)


@given(selectors())
def test_selectors_come_back(selector: Selector) -> None:
    values = {name.removeprefix("sel_"): value for name, value in selector_values(selector).items()}
    assert read_selector(SELECTOR.unpack(SELECTOR.pack(values)), "") == selector


def test_no_selector() -> None:
    assert selector_values(None) == {}


def test_bits_beyond_a_prefix_are_dropped() -> None:
    """An SA or policy of somebody else may have them."""
    values = SELECTOR.unpack(
        SELECTOR.pack({"daddr": b"\x0a\x02\x03\x04", "family": socket.AF_INET, "prefixlen_d": 8, "prefixlen_s": 0})
    )
    assert read_selector(values, "") == Selector(ip_network("0.0.0.0/0"), ip_network("10.0.0.0/8"))


def test_any_network() -> None:
    assert [str(any_network(each)) for each in (socket.AF_INET, socket.AF_INET6)] == ["0.0.0.0/0", "::/0"]


COUNTS = st.none() | st.integers(1, (1 << 64) - 2)


@given(st.builds(Limits, COUNTS, COUNTS, COUNTS), st.builds(Limits, COUNTS, COUNTS, COUNTS))
def test_limits_come_back(soft: Limits, hard: Limits) -> None:
    values = LIFETIME_CFG.unpack(LIFETIME_CFG.pack({**limit_values(soft, "soft"), **limit_values(hard, "hard")}))
    assert (read_limits(values, "soft"), read_limits(values, "hard")) == (soft, hard)


def test_no_limit_is_infinite() -> None:
    """XFRM_INF for octets and packets, 0 for times."""
    infinite = LIFETIME_CFG.pack({**limit_values(Limits(), "soft"), **limit_values(Limits(), "hard")})
    assert infinite == b"\xff" * 32 + bytes(32)


def test_tags() -> None:
    assert tag_attributes(0, None) == []
    assert tag_attributes(7, Mark(5, 0xFF)) == [("XFRMA_IF_ID", 7), ("XFRMA_MARK", {"v": 5, "m": 0xFF})]
    assert read_mark({"XFRMA_MARK": {"v": 5, "m": 0xFF}}) == Mark(5, 0xFF)
    assert read_mark({}) is None


def test_encapsulation() -> None:
    assert encapsulation_attributes(None) == []
    ((name, values),) = encapsulation_attributes(UdpEncap(4500, 61000))
    assert values == {"encap_type": 2, "encap_sport": b"\x11\x94", "encap_dport": b"\xee\x48"}
    assert read_encapsulation({name: values}) == UdpEncap(4500, 61000)
    assert read_encapsulation({}) is None


OFFLOADS = {
    Offload("lo", Direction.OUT): 0,
    Offload("lo", Direction.IN): 2,
    Offload("lo", Direction.OUT, packet=True): 4,
    Offload("lo", Direction.IN, packet=True): 6,
}


@pytest.mark.parametrize(("offload", "flags"), OFFLOADS.items())
def test_offload(offload: Offload, flags: int) -> None:
    ((name, values),) = offload_attributes(offload)
    assert values == {"ifindex": socket.if_nametoindex("lo"), "flags": flags}
    assert read_offload({name: values}) == offload


def test_no_offload() -> None:
    assert offload_attributes(None) == []
    assert read_offload({}) is None
    with pytest.raises(NetlinkError) as caught:
        offload_attributes(Offload("no-such-thing", Direction.IN))
    assert caught.value.errno == errno.ENODEV
