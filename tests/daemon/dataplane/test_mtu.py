"""Six ways to wrap a packet. Each figure is worked out beside it, from an Ethernet of 1500 octets."""

import pytest

from edgevpn.daemon.dataplane.mtu import Wrapping, tunnel_mtu
from edgevpn.ike.crypto.suite import ChildSuite
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.peer import Mode

GCM = ChildSuite(Encr.AES_GCM_16, 256, Integ.NONE, esn=True)
CBC = ChildSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, esn=True)

CASES = {
    "GCM over IPv4": (GCM, 4, False, 1446),  # 1500 - 20 - 8 - 8 - 16 = 1448; less 2
    "GCM in UDP over IPv4": (GCM, 4, True, 1438),  # less 8
    "GCM over IPv6": (GCM, 6, False, 1426),  # less 20
    "GCM in UDP over IPv6": (GCM, 6, True, 1418),
    "CBC over IPv4": (CBC, 4, False, 1438),  # 1500 - 20 - 8 - 16 - 16 = 1440 = 90 blocks; less 2
    "CBC in UDP over IPv6": (CBC, 6, True, 1406),  # 1500 - 40 - 8 - 8 - 16 - 16 = 1412 -> 88 blocks = 1408; less 2
}


@pytest.mark.parametrize(("suite", "version", "in_udp", "mtu"), CASES.values(), ids=CASES)
def test_what_fits(suite: ChildSuite, version: int, in_udp: bool, mtu: int) -> None:
    assert tunnel_mtu(1500, Wrapping(version, in_udp, suite), inner_ipv6=False) == mtu


def test_transport_mode_has_no_second_header() -> None:
    assert tunnel_mtu(1500, Wrapping(4, False, GCM, Mode.TRANSPORT), inner_ipv6=False) == 1466


@pytest.mark.parametrize(("inner_ipv6", "mtu"), [(False, 1226), (True, 1280)])
def test_ipv6_has_what_it_needs(inner_ipv6: bool, mtu: int) -> None:
    """On a path of 1280 octets the outer packet must be cut, or IPv6 would not run at all."""
    assert tunnel_mtu(1280, Wrapping(4, False, GCM), inner_ipv6) == mtu
