"""Two sites that know each other by certificates; and long ones, on a path that takes neither them nor IP fragments."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, load_pem_private_key, pkcs12

from tests.lab.capture import Kind, capturing
from tests.lab.certificates import Authority, authority
from tests.lab.conftest import Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.peer import eventually
from tests.lab.sites import Family, site_to_site

NARROW = 1280  # octets that the path takes
NAMES = 240  # in a certificate: it has 6 kB


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
@pytest.mark.parametrize("kind", ["ecdsa256", "ecdsa384", "rsa2048", "rsa3072", "ed25519"])
def test_kinds_of_keys(tunnels: Tunnels, site: Connection, ca: Authority, kind: str) -> None:
    a, b = ca.issue(site.local_id, kind), ca.issue(site.remote_id, kind)
    tunnel = tunnels.between(replace(site, auth=a), site.mirrored(auth=b))

    tunnel.up()

    tunnel.assert_carries()


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_one_file_of_pkcs12(tunnels: Tunnels, site: Connection, ca: Authority, tmp_path: Path) -> None:
    """Our certificate and its key, without a password, as no setting holds one."""
    a, b = ca.issue(site.local_id), ca.issue(site.remote_id)
    key = load_pem_private_key(a.key.read_bytes(), None)
    own = x509.load_pem_x509_certificate(a.certificate.read_bytes())
    both = tmp_path / "both.p12"
    both.touch(0o600)
    both.write_bytes(
        pkcs12.serialize_key_and_certificates(None, key, own, None, NoEncryption())  # type: ignore[arg-type]
    )
    tunnel = tunnels.between(replace(site, auth=replace(a, certificate=both, key=both)), site.mirrored(auth=b))

    tunnel.up()

    tunnel.assert_carries()


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_another_authority(tunnels: Tunnels, site: Connection, ca: Authority, tmp_path: Path) -> None:
    """The peer's certificate is good, but not by an authority that we know."""
    (tmp_path / "other").mkdir()
    other = authority(tmp_path / "other")
    a, b = ca.issue(site.local_id), replace(other.issue(site.remote_id), authority=ca.file)
    tunnel = tunnels.between(replace(site, auth=a), site.mirrored(auth=b))

    tunnel.initiator.begin()

    tunnel.initiator.logged("AUTHENTICATION_FAILED")
    eventually(lambda: not tunnel.ours.status(), within=5, what="no IKE SA")


@pytest.fixture
def narrow(network: Network, internet: Node) -> Iterator[None]:
    """The internet takes no packet longer than this towards the gateways, and no fragments at all."""
    internet.ip(*(f"link set dev {link} mtu {NARROW}" for link in ("a", "b")))
    internet.nft("""
        table inet narrow {
            chain forward {
                type filter hook prerouting priority -450
                ip frag-off & 0x3fff != 0 counter drop
                exthdr frag exists counter drop
            }
        }
    """)
    yield
    internet.nft("delete table inet narrow\n")
    internet.ip(*(f"link set dev {link} mtu 1500" for link in ("a", "b")))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
@pytest.mark.parametrize("outer", [4, 6])
def test_long_certificates_on_a_narrow_path(
    network: Network, tunnels: Tunnels, internet: Node, ca: Authority, outer: Family
) -> None:
    """RFC 7383: IKE_AUTH goes in pieces that need no help of IP."""
    site = site_to_site(network, outer=outer)
    a, b = ca.issue(site.local_id, more_names=NAMES), ca.issue(site.remote_id, more_names=NAMES)
    tunnel = tunnels.between(replace(site, auth=a), site.mirrored(auth=b))

    with capturing(internet, "a") as seen:
        tunnel.up()

    tunnel.assert_carries()
    assert not seen.of(Kind.FRAGMENT)
    assert sum(len(frame.octets) for frame in seen.of(Kind.ISAKMP)) > 2 * 6000
