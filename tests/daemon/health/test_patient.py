"""edgevpn.daemon.health.patient: a gateway on loopback answers."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from edgevpn.kernel.contract import Features
from tests.support.gateways import running
from tests.support.ports import free_ports
from tests.support.visitors import gateway


async def test_what_a_gateway_tells(tmp_path: Path) -> None:
    """A kernel in memory forwards nothing until it is told to, and has lost nothing."""
    ports = free_ports()
    async with running(gateway(), ports, folder=tmp_path) as here:
        patient = here.gateway.patient
        assert patient.ports == ports
        assert patient.served() == (ip_address("127.0.0.1"),)
        assert isinstance(patient.features(), Features)
        assert patient.unmet() == {}
        assert patient.unforwarded() == {4, 6}
        assert patient.kernel_lacks() == ()
        assert await patient.firewall_lacks() == ()  # its rules are somebody else's


async def test_what_the_kernel_has_lost_is_named(tmp_path: Path) -> None:
    async with running(gateway(), free_ports(), folder=tmp_path) as here:
        here.kernel.delete_link("evpn-road")
        assert any("evpn-road" in each for each in here.gateway.patient.kernel_lacks())
