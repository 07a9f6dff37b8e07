from ipaddress import ip_address
from pathlib import Path

import pytest

from edgevpn.config.credential import Secret
from edgevpn.config.model import Auth
from edgevpn.config.services import Offload
from tests.support.configs import OFFICE, config, document, office, read

BY_CERTIFICATE = {key: value for key, value in OFFICE.items() if key != "psk"} | {"auth": "certificate"}


def test_a_site_by_psk_has_no_other_proof() -> None:
    site = office()
    assert (site.auth, site.credential) == (Auth.PSK, site.psk)
    assert (site.cert, site.key, site.ca, site.eap_id) == (None, None, (), None)


def test_a_site_by_certificate() -> None:
    files = {"cert": "/etc/edgevpn/office.pem", "key": "/etc/edgevpn/office.key", "ca": "/etc/edgevpn/their-ca.pem"}
    (site,) = config(office=BY_CERTIFICATE | files).sites
    assert (site.auth, site.credential) == (Auth.CERTIFICATE, None)
    assert (site.cert, site.key) == (Path(files["cert"]), Path(files["key"]))
    assert site.ca == (Path(files["ca"]),)
    with pytest.raises(TypeError, match="site office has no pre-shared key"):
        _ = site.psk


def test_a_site_that_we_log_in_at() -> None:
    keys = {"auth": "eap", "eap_id": "branch7", "password": "correct horse", "virtual_ips": ["10.9.0.7", "::"]}
    (site,) = config(office=BY_CERTIFICATE | keys).sites
    assert (site.auth, site.eap_id, site.credential) == (Auth.EAP, "branch7", Secret("password", "correct horse"))
    assert site.virtual_ips == (ip_address("10.9.0.7"), ip_address("::"))


def test_crypto_is_the_gateways_unless_the_site_says_otherwise() -> None:
    crypto = {"order": ["aes128gcm16"], "offload": "off"}
    (site,) = read(document(site={"office": OFFICE}, crypto=crypto)).sites
    assert (site.cipher_order, site.offload) == (("aes128gcm16",), Offload.OFF)
    (site,) = read(document(site={"office": OFFICE | {"offload": "crypto"}}, crypto=crypto)).sites
    assert (site.cipher_order, site.offload) == (("aes128gcm16",), Offload.CRYPTO)
