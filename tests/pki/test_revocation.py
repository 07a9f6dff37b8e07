from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edgevpn.pki.clock import moment
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.revocation import LARGEST_CRL, Status, distribution_points, read_crl, status
from tests.support.certificates import DAY, NOW, Extensions, ca, certificate, crl, leaf, usage

ROOT = ca("root")
OTHER = ca("other")
PHONE = leaf("phone", ROOT)
TABLET = leaf("tablet", ROOT)
HERE = moment(NOW)

UNKNOWN_CRITICAL: Extensions = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]


def scope(**given: object) -> Extensions:
    """The issuingDistributionPoint of a CRL."""
    nothing = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return [(x509.IssuingDistributionPoint(**(nothing | given)), True)]  # type: ignore[arg-type]


def test_good_and_revoked() -> None:
    octets = crl(ROOT, PHONE)
    assert status(TABLET.certificate, [ROOT.certificate], [read_crl(octets)], HERE) == (Status.GOOD, "")
    verdict = status(PHONE.certificate, [ROOT.certificate], [read_crl(octets)], HERE)
    assert verdict == (Status.REVOKED, "in the CRL of its issuer: keyCompromise")


def test_pem_is_read_too() -> None:
    pem = read_crl(crl(ROOT, PHONE)).value.public_bytes(Encoding.PEM)
    assert status(PHONE.certificate, [ROOT.certificate], [read_crl(pem)], HERE)[0] is Status.REVOKED


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (crl(OTHER, TABLET), "no CRL of its issuer"),
        (crl(ROOT, due=NOW - DAY / 2), "the CRL's nextUpdate was 2027-03-01"),
        (crl(ROOT, issued=NOW + DAY, due=NOW + 2 * DAY), "the CRL's thisUpdate is 2027-03-02"),
        (crl(ROOT, extensions=UNKNOWN_CRITICAL), "the CRL has the unknown critical extension 1.2.3.4"),
        (
            crl(ROOT, PHONE, entry_extensions=UNKNOWN_CRITICAL),
            "an entry of the CRL has the unknown critical extension 1.2.3.4",
        ),
        (crl(ROOT, extensions=scope(only_contains_ca_certs=True)), "no CRL of its issuer"),
        (crl(ROOT, extensions=scope(only_contains_attribute_certs=True)), "no CRL of its issuer"),
        (crl(ROOT, extensions=scope(indirect_crl=True)), "no CRL of its issuer"),
        (crl(ROOT, extensions=[(x509.DeltaCRLIndicator(1), True)]), "no CRL of its issuer"),
    ],
)
def test_unknown(octets: bytes, why: str) -> None:
    assert status(TABLET.certificate, [ROOT.certificate], [read_crl(octets)], HERE) == (Status.UNKNOWN, why)


def test_user_certificates_alone() -> None:
    about_users = read_crl(crl(ROOT, extensions=scope(only_contains_user_certs=True)))
    assert status(TABLET.certificate, [ROOT.certificate], [about_users], HERE)[0] is Status.GOOD
    intermediate = ca("intermediate", ROOT)
    assert status(intermediate.certificate, [ROOT.certificate], [about_users], HERE)[0] is Status.UNKNOWN


def test_revoked_stays_revoked() -> None:
    """An entry counts though the CRL is out of date or not understood."""
    for octets in (crl(ROOT, PHONE, due=NOW - DAY / 2), crl(ROOT, PHONE, extensions=UNKNOWN_CRITICAL)):
        assert status(PHONE.certificate, [ROOT.certificate], [read_crl(octets)], HERE)[0] is Status.REVOKED


def test_only_the_issuer_may_say_so() -> None:
    """A CRL that bears the issuer's name and not its signature, and one of a CA that may sign no CRLs."""
    forged = ca("root")
    assert status(PHONE.certificate, [ROOT.certificate], [read_crl(crl(forged, PHONE))], HERE) == (
        Status.UNKNOWN,
        "the CRL is not signed by its issuer",
    )
    without = certificate("root", None, [(usage(sign=True, crl=False), True)])
    phone = leaf("phone", without)
    assert status(phone.certificate, [without.certificate], [read_crl(crl(without, phone))], HERE)[0] is Status.UNKNOWN


def test_distribution_point_of_the_crl_is_one_of_the_certificate() -> None:
    here, there = ([x509.UniformResourceIdentifier(f"http://{host}.example.org/crl")] for host in ("here", "there"))
    points = x509.CRLDistributionPoints([x509.DistributionPoint(here, None, None, None)])
    phone = certificate("phone", ROOT, [(points, False)])
    for names, expected in ((here, Status.REVOKED), (there, Status.UNKNOWN)):
        octets = crl(ROOT, phone, extensions=scope(full_name=names))
        assert status(phone.certificate, [ROOT.certificate], [read_crl(octets)], HERE)[0] is expected


def test_distribution_point_below_the_issuers_name() -> None:
    """nameRelativeToCRLIssuer, RFC 5280 §4.2.1.13: the same name, written relative here and whole there."""
    below = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "CRL 1")])
    whole = x509.DirectoryName(x509.Name([*ROOT.name.rdns, below]))
    points = x509.CRLDistributionPoints([x509.DistributionPoint([whole], None, None, None)])
    phone = certificate("phone", ROOT, [(points, False)])
    octets = crl(ROOT, phone, extensions=scope(relative_name=below))
    assert status(phone.certificate, [ROOT.certificate], [read_crl(octets)], HERE)[0] is Status.REVOKED


def test_without_a_clock_dates_of_a_crl_lock_nobody_out() -> None:
    """The known date is after thisUpdate or not: the CRL may be in force. That it ended before is certain."""
    unset = moment(datetime(1970, 1, 1, tzinfo=UTC), NOW)
    to_come = read_crl(crl(ROOT, issued=NOW + DAY, due=NOW + 2 * DAY))
    assert status(TABLET.certificate, [ROOT.certificate], [to_come], unset)[0] is Status.GOOD
    gone = read_crl(crl(ROOT, due=NOW - DAY / 2))
    assert status(TABLET.certificate, [ROOT.certificate], [gone], unset)[0] is Status.UNKNOWN


def test_where_crls_are_to_be_had() -> None:
    uris = ["http://a.example.org/crl", "ldap://b.example.org/crl", "http://c.example.org/crl", "file:///etc/passwd"]
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(uri) for uri in uris], None, None, None),
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://d")], None, None, [x509.DirectoryName(ROOT.name)]
        ),
    ]
    made = certificate("phone", ROOT, [(x509.CRLDistributionPoints(points), False)])
    assert distribution_points(made.certificate) == ("http://a.example.org/crl", "http://c.example.org/crl")
    assert distribution_points(PHONE.certificate) == ()


def test_what_is_no_crl() -> None:
    for octets, reason in (
        (b"", Reason.UNREADABLE),
        (ROOT.der, Reason.UNREADABLE),
        (bytes(LARGEST_CRL + 1), Reason.TOO_MUCH),
    ):
        with pytest.raises(CertificateRefused) as refusal:
            read_crl(octets)
        assert refusal.value.reason is reason
