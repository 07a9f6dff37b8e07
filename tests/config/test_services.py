from ipaddress import ip_address
from pathlib import Path

from edgevpn.config.credential import Secret
from edgevpn.config.services import Crypto, Firewall, Flow, KeyType, Manage, Offload, Pki, Revocation, Web
from edgevpn.config.values import HostName
from tests.support.configs import document, read

HASH = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


def test_services_as_they_come() -> None:
    config = read(document(gateway={}))
    assert (config.pki, config.crypto, config.firewall, config.web) == (Pki(), Crypto(), Firewall(), Web())


def test_pki_as_it_comes() -> None:
    """RSA, which every client can verify; a certificate that Apple takes."""
    pki = Pki()
    assert (pki.public_name, pki.local_ca, pki.key_type) == ((), True, KeyType.RSA_3072)
    assert pki.device_validity <= 825 * 86400
    assert pki.server_validity < pki.ca_validity
    assert (pki.certificate, pki.certificate_key, pki.trust, pki.crl_files) == (None, None, (), ())
    assert (pki.revocation, pki.sha1_signatures) == (Revocation.SOFT, True)


def test_pki_as_written() -> None:
    pki = read(document(pki={"public_name": ["vpn.example.org", "198.51.100.1"], "key_type": "ecdsa256"})).pki
    assert pki == Pki(public_name=(HostName("vpn.example.org"), ip_address("198.51.100.1")), key_type=KeyType.ECDSA_256)


def test_crypto_as_it_comes() -> None:
    assert (Crypto().order, Crypto().offload, Crypto().self_test) == ((), Offload.AUTO, True)


def test_firewall_as_it_comes() -> None:
    """Devices reach the LAN, the sites and the Internet; sites each other, as far as the networks of both allow."""
    firewall = Firewall()
    assert (firewall.manage, firewall.masquerade) == (Manage.AUTO, True)
    assert (firewall.mss_clamp, firewall.reject_v6) == (True, True)
    assert {Flow.POOL_LAN, Flow.POOL_SITE, Flow.POOL_WAN, Flow.SITE_LAN, Flow.SITE_SITE} <= set(firewall.forward)
    assert not {Flow.POOL_POOL, Flow.SITE_WAN} & set(firewall.forward)


def test_firewall_as_written() -> None:
    firewall = read(document(firewall={"forward": "pool-lan", "lan": ["br-lan", "br-guest"]})).firewall
    assert firewall == Firewall(forward=(Flow.POOL_LAN,), lan=("br-lan", "br-guest"))


def test_panel_as_it_comes() -> None:
    web = Web()
    assert (web.enabled, web.https, web.port, web.listen) == (True, True, 8443, ())
    assert (web.session_idle, web.session_life) == (1200, 43200)
    assert (web.password_hash, web.totp_secret, web.allow_listen_on_public_addresses) == (None, None, False)


def test_panel_as_written() -> None:
    keys = {"listen": "192.168.1.1", "hosts": "router.lan", "certificate": "/c.pem", "certificate_key": "/k.pem"}
    web = read(document(web=keys | {"password_hash": HASH, "totp_secret": "A" * 16})).web
    assert web == Web(
        listen=(ip_address("192.168.1.1"),),
        hosts=(HostName("router.lan"),),
        certificate=Path("/c.pem"),
        certificate_key=Path("/k.pem"),
        password_hash=Secret("password_hash", HASH),
        totp_secret=Secret("totp_secret", "A" * 16),
    )
    assert HASH not in repr(web)


def test_hash_of_the_panel_from_the_environment() -> None:
    assert read(document(web={"password_hash_env": "PANEL"}), PANEL=HASH).web.password_hash == Secret(
        "password_hash_env PANEL", HASH
    )
