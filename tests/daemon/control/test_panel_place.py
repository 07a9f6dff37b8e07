from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgevpn.config.reader import parse
from edgevpn.daemon.control.panel_place import names, places, shown
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec
from tests.support.certificates import NOW

WEB = parse("", "e.toml", {}).web


@pytest.fixture
def kernel() -> MemoryKernel:
    kernel = MemoryKernel()
    for interface, address in (
        ("lo", "192.168.1.1/24"),  # stands for the LAN
        ("lo", "fd00:1::1/64"),
        ("lo", "fe80::1/64"),
        ("lo", "127.0.0.1/8"),
        ("uplink", "192.168.178.20/24"),
        ("uplink", "198.51.100.7/24"),
    ):
        kernel.add_address(AddressSpec(interface, ip_interface(address)))
    return kernel


def test_places_of_the_lan(kernel: MemoryKernel) -> None:
    assert [str(each) for each in places(WEB, kernel, {"uplink"})] == ["192.168.1.1", "fd00:1::1", "127.0.0.1"]


def test_places_that_the_owner_names(kernel: MemoryKernel) -> None:
    web = parse('[web]\nlisten = "192.168.1.9"\n', "e.toml", {}).web
    assert places(web, kernel, {"uplink"}) == (ip_address("192.168.1.9"),)


def test_names() -> None:
    web = parse('[web]\nhosts = ["panel.example.org", "192.168.1.5"]\n', "e.toml", {}).web
    made = names(web, "Router.example.org", [ip_address("192.168.1.1")])
    assert made.hosts == (
        "router",
        "router.example.org",
        "router.lan",
        "router.local",
        "localhost",
        "panel.example.org",
    )
    assert [str(each) for each in made.addresses] == ["192.168.1.1", "192.168.1.5", "127.0.0.1"]


def test_names_that_no_certificate_can_hold() -> None:
    made = names(WEB, "my_router", [])
    assert made.hosts == ("localhost",)


def test_a_certificate_that_browsers_take(tmp_path: Path) -> None:
    """Kept as long as it is good; of the same CA when it is made anew."""
    wanted = names(WEB, "router", [ip_address("192.168.1.1")])
    first = shown(tmp_path / "panel", wanted, NOW)
    certificate = x509.load_pem_x509_certificate(first.certificate.encode())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in usage
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ip_address("192.168.1.1") in held.get_values_for_type(x509.IPAddress)
    assert "router.lan" in held.get_values_for_type(x509.DNSName)
    assert first.certificate.count("BEGIN") == 1
    assert shown(tmp_path / "panel", wanted, NOW) == first

    later = shown(tmp_path / "panel", wanted, NOW + timedelta(days=390))
    assert later.certificate != first.certificate
    assert x509.load_pem_x509_certificate(later.certificate.encode()).issuer == certificate.issuer
    assert "PRIVATE" not in repr(later)
