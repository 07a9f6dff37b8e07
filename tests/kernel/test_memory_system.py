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
    kernel.connections = [ip_address(text) for text in ("10.2.0.1", "10.3.0.1", "fd00:2::1")]
    assert kernel.forget_connections([ip_network("10.2.0.0/16"), ip_network("fd00:2::/64")]) == 2
    assert kernel.connections == [ip_address("10.3.0.1")]
