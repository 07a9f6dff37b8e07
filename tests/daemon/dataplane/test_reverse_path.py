"""edgevpn.daemon.dataplane.reverse_path; tests/lab/test_selectors.py sees it with a strict WAN."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from edgevpn.daemon.dataplane.reverse_path import LOOSE, STRICT, ReversePath
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.sysctl import Setting

PEER = ip_address("198.51.100.2")
UPLINK, EVERYWHERE = Setting(4, "uplink", "rp_filter"), Setting(4, "all", "rp_filter")

# As it was on the uplink and everywhere, and as it is on the uplink then.
CHECKS = {
    "none": (0, 0, 0),
    "strict": (STRICT, 0, LOOSE),
    "strict everywhere": (0, STRICT, LOOSE),
    "loose": (LOOSE, STRICT, LOOSE),
    "loose everywhere": (STRICT, LOOSE, STRICT),
}


@pytest.mark.parametrize(("uplink", "everywhere", "then"), CHECKS.values(), ids=CHECKS)
def test_only_the_strict_check_is_loosened(uplink: int, everywhere: int, then: int) -> None:
    kernel = MemoryKernel()
    kernel.change_settings({UPLINK: uplink, EVERYWHERE: everywhere})
    reverse_path = ReversePath(kernel)
    for _ in range(2):
        reverse_path.admit(PEER)
        assert kernel.read_setting(UPLINK) == then
    reverse_path.close()
    assert (kernel.read_setting(UPLINK), kernel.read_setting(EVERYWHERE)) == (uplink, everywhere)


def test_where_there_is_nothing_to_check() -> None:
    """IPv6, and a peer that no way leads to."""
    kernel = MemoryKernel()
    kernel.change_settings({UPLINK: STRICT})
    kernel.set_path(ip_network("0.0.0.0/0"), None)
    reverse_path = ReversePath(kernel)
    reverse_path.admit(PEER)
    reverse_path.admit(ip_address("2001:db8:9::9"))
    assert kernel.read_setting(UPLINK) == STRICT
