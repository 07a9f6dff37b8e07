from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from edgevpn.pki import rules
from edgevpn.pki.clock import moment
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.rules import IKE_INTERMEDIATE, IPSEC_IKE, Purpose
from tests.support.certificates import DAY, NOW, ca, certificate, leaf, rsa_key, usage

ROOT = ca("root")
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
TLS_SERVER, TLS_CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def refused(check: Callable[[], None]) -> tuple[Reason, str, str]:
    with pytest.raises(CertificateRefused) as refusal:
        check()
    return refusal.value.reason, refusal.value.field, refusal.value.detail


def test_time() -> None:
    made = certificate("gw", begins=NOW - DAY, ends=NOW + DAY).certificate
    rules.check_time(made, moment(NOW))
    rules.check_time(made, moment(NOW + DAY))
    assert refused(lambda: rules.check_time(made, moment(NOW + 2 * DAY))) == (
        Reason.EXPIRED,
        "validity.notAfter",
        "2027-03-02 12:00 UTC",
    )
    assert refused(lambda: rules.check_time(made, moment(NOW - 2 * DAY))) == (
        Reason.NOT_YET_VALID,
        "validity.notBefore",
        "2027-02-28 12:00 UTC; the clock here says 2027-02-27 12:00",
    )


def test_time_after_2038() -> None:
    made = certificate("gw", begins=datetime(2037, 1, 1, tzinfo=UTC), ends=datetime(2090, 1, 1, tzinfo=UTC)).certificate
    rules.check_time(made, moment(datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)))
    rules.check_time(made, moment(datetime(2089, 1, 1, tzinfo=UTC)))


def test_time_without_a_clock() -> None:
    """What ended before the newest known date is refused, what begins after it is not."""
    unset = moment(datetime(1970, 1, 1, tzinfo=UTC), NOW)
    rules.check_time(certificate("gw", begins=NOW + DAY, ends=NOW + 2 * DAY).certificate, unset)
    ended = certificate("gw", begins=NOW - 2 * DAY, ends=NOW - DAY).certificate
    assert refused(lambda: rules.check_time(ended, unset))[0] is Reason.EXPIRED


def test_key() -> None:
    rules.check_key(ROOT.certificate, ROOT.key.public_key())
    weak = refused(lambda: rules.check_key(ROOT.certificate, rsa_key(1024).public_key()))
    assert weak == (Reason.WEAK_KEY, "subjectPublicKeyInfo", "RSA of 1024 bits; 2048 to 8192 are used")
    assert refused(lambda: rules.check_key(ROOT.certificate, None))[0] is Reason.WEAK_KEY


def test_signature_hash() -> None:
    rules.check_signature_hash(ROOT.certificate)
    weak = certificate("gw", key=rsa_key(2048), algorithm=hashes.SHA224()).certificate
    assert refused(lambda: rules.check_signature_hash(weak)) == (Reason.WEAK_SIGNATURE, "signatureAlgorithm", "sha224")


def test_extensions() -> None:
    rules.check_extensions(certificate("gw", ROOT, [(UNKNOWN, False)]).certificate)
    critical = certificate("gw", ROOT, [(UNKNOWN, True)]).certificate
    assert refused(lambda: rules.check_extensions(critical)) == (
        Reason.UNKNOWN_CRITICAL_EXTENSION,
        "extensions",
        "1.2.3.4",
    )
    policies = certificate("gw", ROOT, [(x509.PolicyConstraints(0, None), True)]).certificate
    assert refused(lambda: rules.check_extensions(policies))[0] is Reason.POLICY_REQUIRED


def test_ca() -> None:
    rules.check_ca(ROOT.certificate)
    rules.check_ca(certificate("ca", None, [(x509.BasicConstraints(True, None), True)]).certificate)
    no_basic = certificate("gw", ROOT).certificate
    assert refused(lambda: rules.check_ca(no_basic)) == (Reason.NOT_A_CA, "basicConstraints.cA", "not set")
    no_usage = certificate("gw", ROOT, [(x509.BasicConstraints(True, None), True), (usage(digital=True), True)])
    assert refused(lambda: rules.check_ca(no_usage.certificate))[1] == "keyUsage.keyCertSign"


def test_key_usage() -> None:
    """RFC 4945 §5.1.3.2."""
    rules.check_leaf(certificate("gw", ROOT, [(usage(digital=True), True)]).certificate, Purpose.SITE)
    other = certificate("gw", ROOT, [(usage(encipher=True), True)]).certificate
    assert refused(lambda: rules.check_leaf(other, Purpose.SITE))[0] is Reason.WRONG_KEY_USAGE


FITS = {
    Purpose.DEVICE: {TLS_CLIENT, IPSEC_IKE, IKE_INTERMEDIATE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE},
    Purpose.SERVER: {TLS_SERVER, IPSEC_IKE, IKE_INTERMEDIATE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE},
    Purpose.SITE: {TLS_CLIENT, TLS_SERVER, IPSEC_IKE, IKE_INTERMEDIATE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE},
}
USAGES = {*FITS[Purpose.SITE], ExtendedKeyUsageOID.CODE_SIGNING}


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("oid", sorted(USAGES, key=str), ids=lambda oid: oid.dotted_string)
def test_extended_key_usage(purpose: Purpose, oid: ObjectIdentifier) -> None:
    """RFC 4945 §5.1.3.12, and what Windows, Apple and public CAs write."""
    made = leaf("gw", ROOT, eku=[ExtendedKeyUsageOID.EMAIL_PROTECTION, oid]).certificate
    for check in (rules.check_leaf, rules.check_ca_purpose):
        if oid in FITS[purpose]:
            check(made, purpose)
        else:
            with pytest.raises(CertificateRefused) as refusal:
                check(made, purpose)
            assert refusal.value.reason is Reason.WRONG_EKU


def test_without_extended_key_usage_every_purpose_will_do() -> None:
    for purpose in Purpose:
        rules.check_leaf(leaf("gw", ROOT).certificate, purpose)
