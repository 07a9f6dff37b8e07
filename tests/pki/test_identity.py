from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.iana import IdType
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.identity import IkeId, Kind, ids_of, prove
from tests.support.certificates import ca, certificate, name, p256

ROOT = ca("root")
KEY = p256()
IDENTIFIER = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())
NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("GW.example.org"),
        x509.DNSName("*.wild.example.org"),
        x509.DNSName("192.0.2.9"),
        x509.RFC822Name("Carol@example.org"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
    ]
)
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example AG"),
        x509.NameAttribute(NameOID.COMMON_NAME, "gw"),
    ]
)
GW = certificate(SUBJECT, ROOT, [(NAMES, False), (IDENTIFIER, False)], key=KEY).certificate


def fqdn(text: str) -> IkeId:
    return IkeId(Kind.FQDN, text.encode())


def mail(text: str) -> IkeId:
    return IkeId(Kind.RFC822_ADDR, text.encode())


def key_id(data: bytes) -> IkeId:
    return IkeId(Kind.KEY_ID, data)


def dn(name: x509.Name) -> IkeId:
    return IkeId(Kind.DER_ASN1_DN, name.public_bytes())


def v4(text: str) -> IkeId:
    return IkeId(Kind.IPV4_ADDR, ip_address(text).packed)


def v6(text: str) -> IkeId:
    return IkeId(Kind.IPV6_ADDR, ip_address(text).packed)


PROVED = [
    fqdn("gw.example.org"),
    fqdn("GW.EXAMPLE.ORG."),
    fqdn("192.0.2.9"),
    mail("Carol@Example.org"),
    v4("192.0.2.1"),
    v6("2001:db8::1"),
    dn(SUBJECT),
    key_id(IDENTIFIER.digest),
    key_id(b"Carol@example.org"),
]

NOT_PROVED = [
    fqdn("example.org"),
    fqdn("gw.example.org.evil.example"),
    fqdn("a.wild.example.org"),
    fqdn("gw"),
    fqdn(""),
    IkeId(Kind.FQDN, b"gw.example.org\0.evil.example"),
    IkeId(Kind.FQDN, b"\xff"),
    mail("carol@example.org"),
    mail("gw.example.org"),
    v4("192.0.2.9"),
    v6("::ffff:192.0.2.1"),
    IkeId(Kind.IPV4_ADDR, b""),
    dn(name("gw")),
    dn(x509.Name([])),
    IkeId(Kind.DER_ASN1_DN, b"\x30"),
    key_id(b""),
    key_id(b"gw"),
]


@pytest.mark.parametrize("claimed", PROVED, ids=str)
def test_certificate_proves(claimed: IkeId) -> None:
    prove(GW, claimed)


@pytest.mark.parametrize("claimed", NOT_PROVED, ids=str)
def test_certificate_does_not_prove(claimed: IkeId) -> None:
    """RFC 4945 §3.1: the whole of it, without wildcards."""
    with pytest.raises(CertificateRefused) as refusal:
        prove(GW, claimed)
    assert refusal.value.reason is Reason.WRONG_NAME
    assert str(refusal.value).isprintable()


def test_refusal_names_both_sides() -> None:
    with pytest.raises(CertificateRefused) as refusal:
        prove(GW, fqdn("vpn.example.org"))
    assert refusal.value.detail == (
        "it claims to be vpn.example.org,"
        " and the certificate names GW.example.org, Carol@example.org, 192.0.2.1, 2001:db8::1"
    )


def test_case_and_spaces_of_a_subject_do_not_count() -> None:
    given_name = [("C", "ch"), ("O", "EXAMPLE   ag"), ("CN", "GW")]
    oids = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
    prove(GW, dn(x509.Name([x509.NameAttribute(oids[short], value) for short, value in given_name])))


def test_ids_that_a_certificate_proves() -> None:
    """A wildcard is no identity, and neither is an address written as a name."""
    assert ids_of(GW) == (
        fqdn("GW.example.org"),
        mail("Carol@example.org"),
        v4("192.0.2.1"),
        v6("2001:db8::1"),
        dn(SUBJECT),
    )
    for each in ids_of(GW):
        prove(GW, each)


def test_kinds_have_their_names_and_numbers_from_the_registry() -> None:
    assert {kind.name: kind.value for kind in Kind}.items() <= {each.name: each.value for each in IdType}.items()


@given(st.sampled_from(Kind), st.binary(max_size=80))
def test_whatever_is_claimed(kind: Kind, data: bytes) -> None:
    """It is shown as one printable line, and nobody is let in for it."""
    claimed = IkeId(kind, data)
    assert str(claimed).isprintable()
    with pytest.raises(CertificateRefused):
        prove(ROOT.certificate, claimed)
