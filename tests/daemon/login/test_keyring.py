"""Keys and trust of a configuration, from files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from edgevpn.config.model import Config
from edgevpn.daemon.login.keyring import POOLS, Keyring, open_keyring, prepare, server_names
from edgevpn.ike.crypto.signature import OLD_ECDSA, RSA_SHA1, KeyKind, verify
from edgevpn.ike.iana import IdType
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.certificate import der_of, pem_of
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.keys import KeyKind as PkiKind
from edgevpn.pki.keys import pkcs8, public_of, spki
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder
from edgevpn.pki.revocation import Crl, read_crl
from edgevpn.pki.store import Store
from tests.support.certificates import DAY, YEAR, Made, ca, certificate, crl, listed_at
from tests.support.configs import OFFICE, Table
from tests.support.configs import config as configured
from tests.support.visitors import gateway

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
LAPTOP = Identification(IdType.RFC822_ADDR, b"laptop@example.org")
VISITORS = ("road/password", "road/certificate", "road/psk")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Our CA with the gateway's certificate."""
    office = Office(Store(tmp_path / "pki"))
    prepare(office, gateway().pki, NOW)
    return office


def opened(office: Office, config: Config | None = None) -> Keyring:
    return open_keyring(config or gateway(), office, NOW)


def test_the_gateway_proves_itself(office: Office) -> None:
    keyring = opened(office)
    proof = keyring.proofs[POOLS]
    (credential,) = proof.signing.credentials
    assert (credential.kind, len(credential.chain), len(credential.authority)) == (KeyKind.P256, 1, 20)
    assert proof.certified.authorities == (credential.authority,)

    signature = keyring.sign(credential.name, OLD_ECDSA[KeyKind.P256], b"octets")
    assert signature is not None
    server = office.server(PkiKind.ECDSA_P256)
    assert server is not None
    assert verify(spki(public_of(server.key)), OLD_ECDSA[KeyKind.P256], signature, b"octets") is KeyKind.P256


def test_what_cannot_be_signed(office: Office) -> None:
    keyring = opened(office)
    (name,) = keyring.keys
    assert keyring.sign("nobody", OLD_ECDSA[KeyKind.P256], b"octets") is None
    assert keyring.sign(name, RSA_SHA1, b"octets") is None


def test_a_device_is_verified(office: Office) -> None:
    bundle = office.enrol_device("laptop", "laptop@example.org", NOW)
    verdict = opened(office).verify(VISITORS, LAPTOP, bundle.sent, NOW)
    assert (verdict.peer, verdict.public_key) == ("road/password", spki(public_of(bundle.key)))


def test_refusals(office: Office) -> None:
    """Each with its reason."""
    bundle = office.enrol_device("laptop", "laptop@example.org", NOW)
    keyring = opened(office)
    other = Identification(IdType.RFC822_ADDR, b"other@example.org")
    strange = Identification(IdType.DER_ASN1_GN, b"?")
    office.revoke(Holder.DEVICE, "laptop", NOW)
    refusals = {
        Reason.MISSING: (keyring, LAPTOP, ()),
        Reason.WRONG_NAME: (keyring, other, bundle.sent),
        Reason.REVOKED_LEAF: (opened(office), LAPTOP, bundle.sent),
    }
    for reason, (ring, identity, certificates) in refusals.items():
        with pytest.raises(PkiError) as refused:
            ring.verify(VISITORS, identity, certificates, NOW)
        assert refused.value.reason in (reason, Reason.BLOCKED)
    with pytest.raises(PkiError) as refused:
        keyring.verify(VISITORS, strange, bundle.sent, NOW)
    assert refused.value.reason is Reason.WRONG_NAME
    with pytest.raises(PkiError):
        keyring.verify(("stranger",), LAPTOP, bundle.sent, NOW)


def test_nothing_is_made_without_a_name(tmp_path: Path) -> None:
    office = Office(Store(tmp_path / "pki"))
    config = configured(office=OFFICE)
    prepare(office, config.pki, NOW)
    assert not office.has_authority
    assert server_names(config.pki) is None
    keyring = opened(office, config)
    assert (keyring.proofs, keyring.judges) == ({}, {})


def site(tmp_path: Path, **keys: object) -> Config:
    table: Table = {key: value for key, value in OFFICE.items() if key != "psk"}
    return configured(office=table | {"auth": "certificate"} | keys)


def test_a_site_with_files_of_its_own(office: Office, tmp_path: Path) -> None:
    names = server_names(gateway().pki)
    assert names is not None
    bundle = office.enrol_site("office", names, NOW)
    for name, octets in (("cert", pem_of(bundle.certificate)), ("key", pkcs8(bundle.key))):
        (tmp_path / name).write_bytes(octets)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "ca").write_bytes(pem_of(office.authority.certificate))
    files = {name: str(tmp_path / name) for name in ("cert", "key")}
    keyring = open_keyring(site(tmp_path, ca=[str(tmp_path / "ca")], signature="pss", **files), office, NOW)
    assert keyring.proofs["office"].signing.pss
    (credential,) = keyring.proofs["office"].signing.credentials
    assert (credential.name, credential.chain[0]) == ("site office", der_of(bundle.certificate))
    assert keyring.judges["office"].trust.anchors == (office.authority.certificate,)


def test_files_of_no_use_are_told_of(office: Office, tmp_path: Path) -> None:
    """The site stays out; everybody else comes in."""
    (tmp_path / "bad").write_text("no certificate")
    (tmp_path / "bad").chmod(0o600)
    bad, gone = str(tmp_path / "bad"), str(tmp_path / "gone")
    config = site(tmp_path, cert=bad, key=bad, ca=[gone])
    keyring = open_keyring(config, Office(Store(tmp_path / "none")), NOW)
    assert "office" not in keyring.proofs
    assert len(keyring.faults) == 2


def test_a_certificate_from_elsewhere(office: Office, tmp_path: Path) -> None:
    """With its key in another file; while it is of no use there is none."""
    names = server_names(gateway().pki)
    assert names is not None
    bundle = office.enrol_site("gateway", names, NOW)
    (tmp_path / "cert").write_bytes(pem_of(bundle.certificate))
    (tmp_path / "key").write_bytes(pkcs8(bundle.key))
    pki = {
        "public_name": "vpn.example.org",
        "certificate": str(tmp_path / "cert"),
        "certificate_key": str(tmp_path / "key"),
        "trust": [str(tmp_path / "cert")],
        "crl_files": [str(tmp_path / "key")],
    }
    keyring = opened(office, gateway(pki=pki))
    assert list(keyring.keys) == ["gateway"]
    assert len(keyring.faults) == 2  # what is trusted is no CA, and the CRL none
    (tmp_path / "key").write_bytes(b"")
    assert POOLS not in opened(office, gateway(pki=pki)).proofs


def pointing(root: Made, identity: str, point: str) -> Made:
    """A device's certificate that says where the list of its CA is."""
    extensions = [(x509.SubjectAlternativeName([x509.RFC822Name(identity)]), False), listed_at(point)]
    return certificate("laptop", root, extensions, begins=NOW - YEAR, ends=NOW + YEAR)


@pytest.mark.parametrize("mode", ["strict", "soft", "off"])
def test_lists_that_certificates_point_to(office: Office, tmp_path: Path, mode: str) -> None:
    """They are asked for where there is none, and decide; where none is to be had, strict refuses and soft does not."""
    root = ca("another root", begins=NOW - YEAR, ends=NOW + YEAR)
    laptop = pointing(root, "laptop@example.org", "http://pki.example.org/root.crl")
    (tmp_path / "root.pem").write_bytes(pem_of(root.certificate))
    keyring = opened(office, gateway(pki={"trust": [str(tmp_path / "root.pem")], "revocation": mode}))
    asked: list[str] = []

    def verdict(*lists: bytes) -> Reason | None:
        def fetch(uris: Sequence[str]) -> tuple[Crl, ...]:
            asked.extend(uris)
            return tuple(map(read_crl, lists))

        try:
            keyring.verify_asking(("road/certificate",), LAPTOP, (laptop.der,), NOW, fetch)
        except PkiError as error:
            return error.reason
        return None

    assert verdict(crl(root, issued=NOW - DAY, due=NOW + DAY)) is None
    assert verdict(crl(root, laptop, issued=NOW - DAY, due=NOW + DAY)) is (
        Reason.REVOKED_LEAF if mode != "off" else None
    )
    assert verdict() is (Reason.REVOCATION_UNKNOWN if mode == "strict" else None)
    assert set(asked) == ({"http://pki.example.org/root.crl"} if mode != "off" else set())


@pytest.mark.parametrize("mode", ["strict", "soft", "off"])
def test_who_is_in_is_asked_about_again(office: Office, tmp_path: Path, mode: str) -> None:
    """A list that names it is its end; that none is to be had is not, though with strict it would not come in anew."""
    root = ca("another root", begins=NOW - YEAR, ends=NOW + YEAR)
    laptop = pointing(root, "laptop@example.org", "http://pki.example.org/root.crl")
    (tmp_path / "root.pem").write_bytes(pem_of(root.certificate))
    pki = {"trust": [str(tmp_path / "root.pem")], "revocation": mode}
    good, bad = (crl(root, *named, issued=NOW - DAY, due=NOW + DAY) for named in ((), (laptop,)))
    keyring, peer = opened(office, gateway(pki=pki)), "road/certificate"
    verified = keyring.verify((peer,), LAPTOP, (laptop.der,), NOW, (read_crl(good),)).verified

    def why(*lists: bytes) -> Reason | None:
        found = keyring.revoked(peer, verified, NOW, lambda uris: tuple(map(read_crl, lists)))
        return found.reason if found else None

    assert why() is why(good) is None
    assert why(bad) is (Reason.REVOKED_LEAF if mode != "off" else None)


def test_nothing_is_fetched_for_a_stranger(office: Office) -> None:
    """Whose certificate none of our CAs answers for."""
    root = ca("a stranger's root", begins=NOW - YEAR, ends=NOW + YEAR)
    stranger = pointing(root, "laptop@example.org", "http://10.0.0.1/secret")

    def asked(uris: Sequence[str]) -> tuple[Crl, ...]:
        raise AssertionError(uris)

    with pytest.raises(PkiError):
        opened(office).verify_asking(("road/certificate",), LAPTOP, (stranger.der,), NOW, asked)
