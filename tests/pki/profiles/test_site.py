import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from edgevpn.config.reader import parse
from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.profile import Ppk, PskLogin
from edgevpn.pki.profiles.site import End, card, edgevpn_toml, routeros, strongswan
from tests.support import swanctl as conf
from tests.support.profiles import AUTHORITY, P12_PASSWORD, PSK, site_peer


def test_edgevpn() -> None:
    [made] = edgevpn_toml(site_peer())
    [(_, site)] = tomllib.loads(made.octets.decode())["site"].items()
    assert made.secret
    assert (site["remote"], site["remote_id"]) == ("vpn.example.org", "vpn.example.org")
    assert (site["local_id"], site["psk"]) == ("branch.example.org", PSK)
    [child] = site["child"].values()
    assert child["local_networks"] == ["10.2.0.0/16", "fd00:2::/64"]
    assert child["remote_networks"] == ["192.168.1.0/24"]


def test_edgevpn_with_certificates() -> None:
    made, certificate, key, ca = edgevpn_toml(site_peer(certificate=True))
    [(_, site)] = tomllib.loads(made.octets.decode())["site"].items()
    assert site["auth"] == "certificate"
    assert "psk" not in site
    assert [Path(site[each]).name for each in ("cert", "key", "ca")] == [certificate.name, key.name, ca.name]
    assert bundle_of(read_parts(certificate.octets), read_parts(key.octets)).chain == (AUTHORITY.certificate,)
    assert x509.load_pem_x509_certificate(ca.octets) == AUTHORITY.certificate


@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("certificate", [True, False])
def test_edgevpn_reads_its_own(certificate: bool, called: bool) -> None:
    """The other end's configuration takes the table as it is."""
    [made, *_] = edgevpn_toml(site_peer(certificate=certificate, called=called))
    [site] = parse(made.octets.decode(), made.name).sites
    assert str(site.local_id) == "branch.example.org"
    assert str(site.remote_id) == "vpn.example.org"
    assert [str(each) for child in site.children for each in child.remote_networks] == ["192.168.1.0/24"]


PPK = Ppk("winter", b"\xff" * 32)


@pytest.mark.parametrize("certificate", [True, False])
def test_post_quantum_key(certificate: bool) -> None:
    peer = replace(site_peer(certificate=certificate), ppk=PPK)
    [site] = parse(edgevpn_toml(peer)[0].octets.decode(), "").sites
    assert (site.ppk and site.ppk.octets, site.ppk_id, site.ppk_required) == (b"\xff" * 32, "winter", True)
    read = conf.parse(strongswan(peer)[0].octets.decode())
    assert read["secrets"]["ppk-home"] == {"id": "winter", "secret": f"0x{'ff' * 32}"}
    (found,) = read["connections"].values()
    assert (found["ppk_id"], found["ppk_required"]) == ("winter", "yes")
    assert f"PPK (RFC 8784): 0x{'ff' * 32}" in card(peer)[0].octets.decode()
    with pytest.raises(PkiError, match="RouterOS"):
        routeros(peer)
    optional = replace(peer, ppk=replace(PPK, required=False))
    assert "ppk_required = false" in edgevpn_toml(optional)[0].octets.decode()
    assert routeros(optional)


def test_edgevpn_waits_for_one_without_an_address() -> None:
    [made] = edgevpn_toml(site_peer(called=False))
    assert tomllib.loads(made.octets.decode())["site"]["home"]["remote"] == "any"


def test_strongswan() -> None:
    [made] = strongswan(site_peer())
    assert made.folder == "", "it is shown as text"
    read = conf.parse(made.octets.decode())
    [(_, found)] = read["connections"].items()
    assert (found["remote_addrs"], found["keyingtries"]) == ("vpn.example.org", "0")
    assert (found["local"]["id"], found["remote"]["id"]) == ("branch.example.org", "vpn.example.org")
    [child] = found["children"].values()
    assert child["local_ts"] == "10.2.0.0/16, fd00:2::/64"
    assert child["remote_ts"] == "192.168.1.0/24"
    assert child["start_action"] == "start"
    [secret] = read["secrets"].values()
    assert secret == {"id-here": "branch.example.org", "id-there": "vpn.example.org", "secret": PSK}


def test_strongswan_with_certificates() -> None:
    made, *files = strongswan(site_peer(certificate=True, called=False))
    read = conf.parse(made.octets.decode())
    [(_, found)] = read["connections"].items()
    assert found["remote_addrs"] == "%any"
    assert found["local"]["certs"] == files[0].name
    assert found["remote"]["cacerts"] == files[2].name
    assert "secrets" not in read
    assert [each.folder for each in (made, *files)] == ["conf.d", "x509", "private", "x509ca"]
    assert "unzip -o home.zip -d /etc/swanctl && swanctl --load-all" in made.octets.decode()
    [child] = found["children"].values()
    assert child["start_action"] == "none"


WORD = re.compile(r'^(?:[a-z0-9-]+=)?(?:"(?:[^"\\$]|\\["\\$])*"|[A-Za-z0-9./:,_$-]+)$')


def words(line: str) -> list[str]:
    """The words of a RouterOS command; quotes hold them together."""
    return re.findall(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', line)


def test_routeros() -> None:
    [made] = routeros(site_peer())
    *lines, note = made.octets.decode().splitlines()
    assert "ipsec-policy=out,none" in note
    for line in lines:
        assert line.startswith("/ip ")
        assert all(WORD.match(word) for word in words(line.removeprefix("/"))), line
    identity = next(line for line in lines if "identity add" in line)
    assert r'secret="kq8Z\"x\$ye\\3bW9-mH27dLpQ5"' in identity
    assert 'my-id="fqdn:branch.example.org"' in identity
    policies = [line for line in lines if "policy add" in line]
    assert len(policies) == 1, "a policy has one network of the same family at each end"
    assert "src-address=10.2.0.0/16 dst-address=192.168.1.0/24" in policies[0]


@pytest.mark.parametrize(
    ("identity", "written"),
    [("192.0.2.7", "address:192.0.2.7"), ("gw@example.org", "user-fqdn:gw@example.org"), ("gw", "fqdn:gw")],
)
def test_routeros_identities(identity: str, written: str) -> None:
    assert f'my-id="{written}"' in routeros(site_peer(identity=identity))[0].octets.decode()


def test_routeros_with_certificates() -> None:
    made, pkcs12 = routeros(site_peer(certificate=True))
    text = made.octets.decode()
    assert text.count(f"/certificate import file-name={pkcs12.name}") == 2
    assert P12_PASSWORD not in text
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03" in pkcs12.octets, "PBE with SHA-1 and 3DES"
    assert bundle_of(read_parts(pkcs12.octets, P12_PASSWORD)).chain == (AUTHORITY.certificate,)


def test_routeros_needs_an_address() -> None:
    with pytest.raises(PkiError) as refusal:
        routeros(site_peer(called=False))
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_card() -> None:
    [made] = card(site_peer())
    text = made.octets.decode()
    for said in ("vpn.example.org", "branch.example.org", PSK, "10.2.0.0/16, fd00:2::/64", "192.168.1.0/24", "IKEv2"):
        assert said in text
    made, *files = card(site_peer(certificate=True))
    assert "certificates" in made.octets.decode()
    assert len(files) == 3


def test_ends_are_checked() -> None:
    end = site_peer().here
    for wrong in (
        {"name": "a\nb"},
        {"address": "two words"},
        {"identity": "a\n[site.evil]"},
        {"networks": ()},
    ):
        with pytest.raises(PkiError):
            replace(end, **wrong)
    assert End("x", "", "x", end.networks).address == ""


def test_secrets_do_not_show() -> None:
    peer = site_peer()
    assert PSK not in repr(peer)
    assert PSK not in repr(edgevpn_toml(peer))
    assert replace(peer, login=PskLogin(PSK)) == peer
