from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.errors import Refused
from edgevpn.config.ranges import address_range, network

REFUSED = {
    "": "is neither a range of addresses nor a network",
    "office": "is neither a range of addresses nor a network",
    "10.9.0.1-": "is neither a range of addresses nor a network",
    "10.9.0.1-10.9.0.2-10.9.0.3": "is neither a range of addresses nor a network",
    "10.9.0.9-10.9.0.1": "ends before it begins",
    "10.9.0.9-fd09::1": "begins with one IP version and ends with the other",
    "fe80::1%eth0": "has a zone index",
    "10.9.0.1/24": "has bits set behind its prefix",
    "10.9.0.0/33": "is not a network",
}


@pytest.mark.parametrize(
    ("text", "first", "last", "size"),
    [
        ("10.9.0.0/24", "10.9.0.1", "10.9.0.254", 254),
        ("10.9.0.0/30", "10.9.0.1", "10.9.0.2", 2),
        ("10.9.0.0/31", "10.9.0.0", "10.9.0.1", 2),
        ("10.9.0.7/32", "10.9.0.7", "10.9.0.7", 1),
        ("fd09::/126", "fd09::1", "fd09::3", 3),
        ("fd09::/127", "fd09::", "fd09::1", 2),
        ("192.168.1.200 - 192.168.1.230", "192.168.1.200", "192.168.1.230", 31),
        ("192.168.1.200", "192.168.1.200", "192.168.1.200", 1),
        ("fd01::1000-fd01::1fff", "fd01::1000", "fd01::1fff", 4096),
    ],
)
def test_addresses_for_hosts(text: str, first: str, last: str, size: int) -> None:
    """Not those of the network itself and of broadcast, where there are such."""
    addresses = address_range(text)
    assert (addresses.first, addresses.last) == (ip_address(first), ip_address(last))
    assert addresses.size == size
    assert addresses.version == ip_address(first).version


def test_a_network_is_claimed_whole() -> None:
    low, high = address_range("10.9.0.0/24").bounds
    assert (low, high) == (int(ip_address("10.9.0.0")), int(ip_address("10.9.0.255")))
    assert address_range("10.9.0.1-10.9.0.2").bounds == (low + 1, low + 2)


def test_membership() -> None:
    addresses = address_range("10.9.0.0/24")
    assert ip_address("10.9.0.254") in addresses
    assert ip_address("10.9.0.255") not in addresses
    assert ip_address("::a09:1") not in addresses


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        address_range(text)
    assert refusal.value.fault == REFUSED[text]


def test_cures() -> None:
    with pytest.raises(Refused) as refusal:
        address_range("10.9.0.9-10.9.0.1")
    assert refusal.value.cure == 'did you mean "10.9.0.1-10.9.0.9"?'


@given(st.ip_addresses(), st.integers(0, 128))
def test_text_is_read_again(address: object, bits: int) -> None:
    first = ip_address(str(address))
    subnet = ip_network(f"{first}/{min(bits, first.max_prefixlen)}", strict=False)
    for text in (str(subnet), f"{subnet.network_address}-{subnet.broadcast_address}", str(first)):
        assert address_range(str(address_range(text))) == address_range(text)
    assert network(str(subnet)) == subnet
