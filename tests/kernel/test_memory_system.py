"""edgevpn.kernel.memory_system: what is its own; what it has in common with the real kernel is in test_contract."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.kernel.errors import NotSupported
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.sysctl import Setting


@pytest.fixture
def kernel() -> Iterator[MemoryKernel]:
    kernel = MemoryKernel()
    yield kernel
    kernel.close()


def test_settings_as_a_kernel_has_them(kernel: MemoryKernel) -> None:
    assert kernel.read_setting(Setting(4, "all", "send_redirects")) == 1
    assert kernel.read_setting(Setting(6, "uplink", "forwarding")) == 0


def test_drops(kernel: MemoryKernel) -> None:
    kernel.drops = {"XfrmInStateProtoError": 3}
    assert kernel.statistics() == {"XfrmInStateProtoError": 3}
    kernel.drops = None
    with pytest.raises(NotSupported, match="built without XFRM_STATISTICS"):
        kernel.statistics()


def test_connections(kernel: MemoryKernel) -> None:
    lan, lan6 = ip_address("10.1.0.1"), ip_address("fd00:1::1")
    kept = (ip_address("10.9.0.1"), ip_address("10.2.0.1"))
    kernel.connections = [(lan, ip_address("10.2.0.1")), kept, (lan6, ip_address("fd00:2::1"))]
    pairs = [("10.1.0.0/24", "10.2.0.0/16"), ("fd00:1::/64", "fd00:2::/64")]
    assert kernel.forget_connections([(ip_network(ours), ip_network(theirs)) for ours, theirs in pairs]) == 2
    assert kernel.connections == [kept]
