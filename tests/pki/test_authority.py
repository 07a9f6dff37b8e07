from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgevpn.pki.authority import (
    BACKDATED,
    CA_LIFETIME,
    SERVER_LIFETIME,
    Authority,
    Revoked,
    ServerNames,
    create_authority,
    issue_crl,
    issue_device,
    issue_server,
    issue_site,
    renew_authority,
)
from edgevpn.pki.certificate import extension, not_after, not_before, pem_of
from edgevpn.pki.errors import CertificateRefused, PkiError, Reason, WishRefused
from edgevpn.pki.keys import PrivateKey
from edgevpn.pki.revocation import Revocation, read_crl
from edgevpn.pki.rules import IKE_INTERMEDIATE, Purpose
from edgevpn.pki.validate import Trust, verify
from tests.support.certificates import DAY, NOW, ca, leaf, p256, rsa_key
from tests.support.x509_tools import OpensslFailed, lint, openssl

HOME = ServerNames(("vpn.example.org",))
BARE = ServerNames((), (ip_address("192.0.2.1"), ip_address("2001:db8::1")))
KINDS: dict[str, PrivateKey] = {"RSA": rsa_key(3072), "ECDSA": p256()}
DEVICE_KEY = rsa_key(2048).public_key()


def authority(kind: str = "ECDSA") -> Authority:
    return create_authority("Zuhause 家", KINDS[kind], NOW)


def names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    found = extension(certificate, x509.SubjectAlternativeName)
    assert found is not None
    return list(found)


def file(folder: Path, name: str, certificate: x509.Certificate | x509.CertificateRevocationList) -> Path:
    path = folder / name
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def test_server_has_what_every_client_looks_for() -> None:
    server = issue_server(authority("RSA"), rsa_key(2048).public_key(), HOME, NOW)
    assert names_of(server) == [x509.DNSName("vpn.example.org")]
    assert list(extension(server, x509.ExtendedKeyUsage) or ()) == [ExtendedKeyUsageOID.SERVER_AUTH, IKE_INTERMEDIATE]
    assert not_before(server) == NOW - BACKDATED
    assert not_after(server) == NOW + SERVER_LIFETIME
    assert not_after(server) - not_before(server) <= timedelta(days=825)


def test_address_stands_twice() -> None:
    """Apple and Android compare the iPAddress, Windows a dNSName with what was typed."""
    server = issue_server(authority(), DEVICE_KEY, BARE, NOW)
    assert names_of(server) == [
        x509.DNSName("192.0.2.1"),
        x509.DNSName("2001:db8::1"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
    ]


def test_authority_lives_ten_years_and_makes_no_other() -> None:
    root = authority().certificate
    assert not_after(root) == NOW + CA_LIFETIME
    assert extension(root, x509.BasicConstraints) == x509.BasicConstraints(True, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies(kind: str, tmp_path: Path) -> None:
    home = authority(kind)
    root = file(tmp_path, "ca.pem", home.certificate)
    server = file(tmp_path, "server.pem", issue_server(home, DEVICE_KEY, HOME, NOW))
    bare = file(tmp_path, "bare.pem", issue_server(home, DEVICE_KEY, BARE, NOW))
    device = file(tmp_path, "device.pem", issue_device(home, DEVICE_KEY, "電話", "anna@vpn.example.org", NOW))
    site = file(tmp_path, "site.pem", issue_site(home, DEVICE_KEY, ServerNames(("branch.example.org",)), NOW))
    at = ("-attime", str(int(NOW.timestamp())))
    strict = ("verify", "-x509_strict", "-check_ss_sig", *at, "-CAfile", root)
    assert "OK" in openssl(*strict, "-purpose", "sslserver", "-verify_hostname", "vpn.example.org", server)
    assert "OK" in openssl(*strict, "-purpose", "sslserver", "-verify_ip", "192.0.2.1", bare)
    assert "OK" in openssl(*strict, "-purpose", "sslserver", "-verify_hostname", "2001:db8::1", bare)
    assert "OK" in openssl(*strict, "-purpose", "sslclient", "-verify_email", "anna@vpn.example.org", device)
    assert "OK" in openssl(*strict, "-purpose", "sslclient", site)
    with pytest.raises(OpensslFailed, match=r"[Hh]ostname mismatch"):
        openssl(*strict, "-verify_hostname", "evil.example.org", server)


def test_openssl_heeds_the_crl(tmp_path: Path) -> None:
    home = authority()
    root = file(tmp_path, "ca.pem", home.certificate)
    gone, kept = (issue_device(home, DEVICE_KEY, name, "a@b", NOW) for name in ("gone", "kept"))
    crl = file(tmp_path, "crl.pem", issue_crl(home, 1, [Revoked(gone.serial_number, NOW)], NOW))
    check = ("verify", "-crl_check", "-attime", str(int(NOW.timestamp())), "-CAfile", root, "-CRLfile", crl)
    assert "OK" in openssl(*check, file(tmp_path, "kept.pem", kept))
    with pytest.raises(OpensslFailed, match="certificate revoked"):
        openssl(*check, file(tmp_path, "gone.pem", gone))


@pytest.mark.parametrize("kind", KINDS)
def test_linter_finds_nothing(kind: str, tmp_path: Path) -> None:
    home = authority(kind)
    revoked = [Revoked(5, NOW), Revoked(6, NOW, x509.ReasonFlags.key_compromise)]
    made = {
        "ca": home.certificate,
        "server": issue_server(home, DEVICE_KEY, HOME, NOW),
        "long": issue_server(home, DEVICE_KEY, ServerNames((f"{'a' * 60}.{'b' * 60}.example.org",)), NOW),
        "device": issue_device(home, DEVICE_KEY, "Annas Telefon 電話", "anna.vpn.example.org", NOW),
        "mail": issue_device(home, DEVICE_KEY, "Anna", "anna@vpn.example.org", NOW),
        "site": issue_site(home, DEVICE_KEY, ServerNames(("branch.example.org",)), NOW),
        "renewed": renew_authority(home, NOW + DAY).certificate,
    }
    for name, certificate in made.items():
        assert lint(file(tmp_path, name, certificate)) == [], name
    assert lint(file(tmp_path, "crl", issue_crl(home, 7, revoked, NOW)), crl=True) == []


def test_linter_finds_the_addresses_that_windows_wants_as_names(tmp_path: Path) -> None:
    """An address is no domain name, and only there does Windows look for it. Nothing else is found."""
    server = issue_server(authority(), DEVICE_KEY, BARE, NOW)
    assert lint(file(tmp_path, "server", server)) == [
        ("pkix.invalid_domain_name_syntax", f'Invalid domain name syntax: "{address}"') for address in BARE.addresses
    ]


def test_our_own_validator_takes_them() -> None:
    home = authority("RSA")
    crl = read_crl(issue_crl(home, 1, [], NOW).public_bytes(Encoding.DER))
    trust = Trust((home.certificate,), crls=(crl,), revocation=Revocation.STRICT)
    server = issue_server(home, DEVICE_KEY, HOME, NOW).public_bytes(Encoding.DER)
    device = issue_device(home, DEVICE_KEY, "phone", "phone.example.org", NOW).public_bytes(Encoding.DER)
    site = issue_site(home, DEVICE_KEY, HOME, NOW).public_bytes(Encoding.DER)
    assert verify([server], trust, NOW, Purpose.SERVER).subject == "CN=vpn.example.org"
    assert verify([device], trust, NOW, Purpose.DEVICE).subject == "CN=phone"
    assert verify([site], trust, NOW, Purpose.SITE).subject == "CN=vpn.example.org"


def test_renewed_authority_answers_for_what_the_old_one_issued() -> None:
    old = authority()
    new = renew_authority(old, NOW + 9 * 365 * DAY)
    later = NOW + 9 * 365 * DAY
    phone = issue_device(old, DEVICE_KEY, "phone", "phone", later - DAY).public_bytes(Encoding.DER)
    tablet = issue_device(new, DEVICE_KEY, "tablet", "tablet", later).public_bytes(Encoding.DER)
    assert verify([phone], Trust((new.certificate,)), later, Purpose.DEVICE).subject == "CN=phone"
    assert verify([tablet], Trust((old.certificate,)), later, Purpose.DEVICE).subject == "CN=tablet"
    assert not_after(new.certificate) == later + CA_LIFETIME


def test_nothing_outlives_the_authority() -> None:
    short = create_authority("short", p256(), NOW, timedelta(days=10))
    assert not_after(issue_server(short, DEVICE_KEY, HOME, NOW)) == NOW + 10 * DAY
    with pytest.raises(PkiError) as refusal:
        issue_server(short, DEVICE_KEY, HOME, NOW + 11 * DAY)
    assert refusal.value.reason is Reason.EXPIRED


def test_expiry_of_a_device_is_the_owners() -> None:
    ends = NOW + 7 * DAY
    assert not_after(issue_device(authority(), DEVICE_KEY, "guest", "guest", NOW, ends)) == ends
    with pytest.raises(WishRefused, match="expiry of the device"):
        issue_device(authority(), DEVICE_KEY, "guest", "guest", NOW, NOW - DAY)


def test_who_is_no_ca_issues_nothing() -> None:
    made = leaf("phone", ca("root"))
    with pytest.raises(CertificateRefused) as refusal:
        issue_server(Authority(made.certificate, made.key), DEVICE_KEY, HOME, NOW)
    assert refusal.value.reason is Reason.NOT_A_CA


def test_authority_below_another() -> None:
    root = ca("root")
    made = ca("ours", root)
    ours = Authority(made.certificate, made.key, (root.certificate,))
    assert ours.root == root.certificate
    device = issue_device(ours, DEVICE_KEY, "phone", "phone", NOW)
    chain = [each.public_bytes(Encoding.DER) for each in (device, ours.certificate)]
    assert verify(chain, Trust((root.certificate,)), NOW, Purpose.DEVICE).subject == "CN=phone"
    with pytest.raises(PkiError) as refusal:
        renew_authority(ours, NOW)
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_serial_numbers_are_random_and_positive() -> None:
    serials = {issue_server(authority(), DEVICE_KEY, HOME, NOW).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert all(0 < serial < 2**159 for serial in serials)


def test_names_that_cannot_be() -> None:
    with pytest.raises(WishRefused, match="public name"):
        ServerNames(("*.example.org",))
    with pytest.raises(PkiError, match="public name is missing"):
        ServerNames()
    with pytest.raises(WishRefused, match="name of the CA"):
        create_authority("a\nb", p256(), NOW)


def test_no_key_is_shown() -> None:
    assert "key" not in repr(authority())
    assert b"PRIVATE" not in pem_of(authority().certificate)
