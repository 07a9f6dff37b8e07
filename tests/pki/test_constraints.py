from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from edgevpn.pki.constraints import NO_LIMITS
from edgevpn.pki.errors import CertificateRefused, Reason
from tests.support.certificates import Made, ca, certificate, leaf, name

ROOT = ca("root")


def dns(value: str) -> x509.DNSName:
    return x509.DNSName(value)


def email(value: str) -> x509.RFC822Name:
    return x509.RFC822Name(value)


def uri(value: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(value)


def address(value: str) -> x509.IPAddress:
    return x509.IPAddress(ip_address(value))


def network(value: str) -> x509.IPAddress:
    return x509.IPAddress(ip_network(value))


def directory(*parts: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in parts]))


INSIDE: list[tuple[x509.GeneralName, x509.GeneralName]] = [
    (dns("example.org"), dns("example.org")),
    (dns("gw.Example.ORG"), dns("example.org")),
    (dns("gw.example.org"), dns(".example.org")),
    (dns("gw.example.org"), dns("")),
    (email("carol@example.org"), email("carol@Example.org")),
    (email("carol@example.org"), email("example.org")),
    (email("carol@mail.example.org"), email(".example.org")),
    (uri("https://gw.example.org/x"), uri("gw.example.org")),
    (uri("https://gw.example.org:8443/x"), uri(".example.org")),
    (address("192.0.2.7"), network("192.0.2.0/24")),
    (address("2001:db8::7"), network("2001:db8::/32")),
    (directory("it", "VPN  gateways"), directory("IT", "vpn gateways")),
    (directory("it", "vpn"), directory("it")),
]

OUTSIDE: list[tuple[x509.GeneralName, x509.GeneralName]] = [
    (dns("notexample.org"), dns("example.org")),
    (dns("example.org"), dns(".example.org")),
    (dns("example.org.evil.example"), dns("example.org")),
    (email("Carol@example.org"), email("carol@example.org")),
    (email("carol@mail.example.org"), email("example.org")),
    (email("carol@example.org"), email(".example.org")),
    (uri("https://evil.example/gw.example.org"), uri("gw.example.org")),
    (uri("https://gw.example.org@evil.example/"), uri("gw.example.org")),
    (uri("https://192.0.2.1/"), uri("192.0.2.1")),
    (uri("urn:uuid:1"), uri("gw.example.org")),
    (uri("https://[::1"), uri("gw.example.org")),
    (address("192.0.3.7"), network("192.0.2.0/24")),
    (address("2001:db8::7"), network("0.0.0.0/0")),
    (directory("hr", "it"), directory("it")),
]


def limited(permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None = None) -> Made:
    return ca("limited", ROOT, [(x509.NameConstraints(permitted, excluded), True)])


def check(below: Made, *above: Made) -> None:
    limits = NO_LIMITS
    for each in above:
        limits = limits.narrowed(each.certificate)
    limits.check(below.certificate)


@pytest.mark.parametrize(("given", "limit"), INSIDE, ids=str)
def test_inside(given: x509.GeneralName, limit: x509.GeneralName) -> None:
    below = certificate(x509.Name([]), ROOT, [(x509.SubjectAlternativeName([given]), True)])
    check(below, limited([limit]))
    with pytest.raises(CertificateRefused) as refusal:
        check(below, limited(None, [limit]))
    assert refusal.value.reason is Reason.NAME_NOT_PERMITTED
    assert refusal.value.field == "subjectAltName"


@pytest.mark.parametrize(("given", "limit"), OUTSIDE, ids=str)
def test_outside(given: x509.GeneralName, limit: x509.GeneralName) -> None:
    below = certificate(x509.Name([]), ROOT, [(x509.SubjectAlternativeName([given]), True)])
    with pytest.raises(CertificateRefused) as refusal:
        check(below, limited([limit]))
    assert refusal.value.reason is Reason.NAME_NOT_PERMITTED


def test_a_name_of_another_kind_is_free() -> None:
    check(leaf("gw", ROOT, email("carol@example.org")), limited([dns("example.org")], [network("0.0.0.0/0")]))


def test_each_ca_narrows() -> None:
    wide, narrow = limited([dns("example.org")]), limited([dns("it.example.org")])
    check(leaf("gw", ROOT, dns("gw.it.example.org")), wide, narrow)
    for order in ((wide, narrow), (narrow, wide)):
        with pytest.raises(CertificateRefused):
            check(leaf("gw", ROOT, dns("gw.example.org")), *order)


def test_every_name_counts() -> None:
    with pytest.raises(CertificateRefused) as refusal:
        check(leaf("gw", ROOT, dns("gw.example.org"), dns("evil.example")), limited([dns("example.org")]))
    assert refusal.value.detail == "evil.example is not among what a CA above it may name"


def test_mail_address_in_the_subject_counts_where_there_is_no_san() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "carol@example.org")])
    limit = limited([email("example.com")])
    with pytest.raises(CertificateRefused) as refusal:
        check(certificate(subject, ROOT), limit)
    assert refusal.value.field == "subject.emailAddress"
    check(leaf(subject, ROOT, dns("gw")), limit)


def test_kinds_that_cannot_be_compared_are_refused() -> None:
    """RFC 5280 §4.2.1.10: process the limit or reject the certificate."""
    upn = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a")
    with pytest.raises(CertificateRefused) as refusal:
        check(leaf("gw", ROOT, upn), limited([upn]))
    assert refusal.value.reason is Reason.NAME_NOT_PERMITTED
    check(leaf("gw", ROOT, dns("gw")), limited([upn]))


def test_directory_name_is_the_subject_too() -> None:
    with pytest.raises(CertificateRefused) as refusal:
        check(leaf(name("gw"), ROOT), limited([directory("it")]))
    assert refusal.value.field == "subject"
