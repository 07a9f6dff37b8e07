"""What is asked of one certificate by itself: RFC 5280 §4.2, §6.1.3 (a)(2), §6.1.4, §6.1.5 and RFC 4945 §5.1.3 for IKE.

Each function raises CertificateRefused, or returns and has nothing against the certificate.
"""

from __future__ import annotations

from enum import Enum

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from edgevpn.pki.certificate import extension, not_after, not_before, subject_of
from edgevpn.pki.clock import Moment
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.keys import weakness
from edgevpn.pki.signed import weak_hash

IKE_INTERMEDIATE = ObjectIdentifier("1.3.6.1.5.5.8.2.2")
IPSEC_IKE = ObjectIdentifier("1.3.6.1.5.5.7.3.17")

# RFC 4945 §5.1.3.12 wants IPSEC_IKE or any; what Windows, Apple and public CAs put there are the purposes of TLS.
FOR_IKE = frozenset({IPSEC_IKE, IKE_INTERMEDIATE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

PROCESSED = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)


class Purpose(Enum):
    """What the peer is to us, and so which extended key usage fits."""

    DEVICE = "a device that calls"
    SERVER = "a gateway that is called"
    SITE = "the gateway of a site"


FITTING = {
    Purpose.DEVICE: FOR_IKE | {ExtendedKeyUsageOID.CLIENT_AUTH},
    Purpose.SERVER: FOR_IKE | {ExtendedKeyUsageOID.SERVER_AUTH},
    Purpose.SITE: FOR_IKE | {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH},
}


def check_time(certificate: x509.Certificate, now: Moment) -> None:
    """It is valid now (§4.1.2.5)."""
    begin, end = not_before(certificate), not_after(certificate)
    if now.is_after(end):
        cure = "issue a new one" if now.clock_set else "issue a new one; this device's clock is not even set"
        raise _refused(Reason.EXPIRED, certificate, "validity.notAfter", f"{end:%Y-%m-%d %H:%M} UTC", cure)
    if now.is_before(begin):
        detail = f"{begin:%Y-%m-%d %H:%M} UTC; the clock here says {now.at:%Y-%m-%d %H:%M}"
        raise _refused(Reason.NOT_YET_VALID, certificate, "validity.notBefore", detail, "check both clocks")


def check_key(certificate: x509.Certificate, key: object) -> None:
    """Its key is of a kind and a strength that may be relied on."""
    if fault := weakness(key):
        raise _refused(Reason.WEAK_KEY, certificate, "subjectPublicKeyInfo", fault)


def check_signature_hash(certificate: x509.Certificate) -> None:
    """Nobody can make a second certificate with the same signature."""
    if fault := weak_hash(certificate):
        raise _refused(Reason.WEAK_SIGNATURE, certificate, "signatureAlgorithm", fault, "issue it anew with SHA-256")


def check_extensions(certificate: x509.Certificate) -> None:
    """All that is critical in it is understood (§4.2), and it asks for no check that we do not make."""
    for each in certificate.extensions:
        if each.critical and each.oid not in PROCESSED:
            raise _refused(Reason.UNKNOWN_CRITICAL_EXTENSION, certificate, "extensions", each.oid.dotted_string)
    policies = extension(certificate, x509.PolicyConstraints)
    if policies is not None and policies.require_explicit_policy is not None:
        raise _refused(Reason.POLICY_REQUIRED, certificate, "policyConstraints.requireExplicitPolicy")


def check_ca(certificate: x509.Certificate) -> None:
    """It may sign certificates (§6.1.4 (k), (n))."""
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca:
        raise _refused(Reason.NOT_A_CA, certificate, "basicConstraints.cA", "not set")
    if usage is not None and not usage.key_cert_sign:
        raise _refused(Reason.NOT_A_CA, certificate, "keyUsage.keyCertSign", "not set")


def check_ca_purpose(certificate: x509.Certificate, purpose: Purpose) -> None:
    """A CA with extended key usages issues for those alone: not in RFC 5280, but what Windows and OpenSSL do."""
    _check_eku(certificate, purpose)


def check_leaf(certificate: x509.Certificate, purpose: Purpose) -> None:
    """It may prove in IKE_AUTH who the peer is (RFC 4945 §5.1.3.2, §5.1.3.12)."""
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise _refused(Reason.WRONG_KEY_USAGE, certificate, "keyUsage", "neither digitalSignature nor nonRepudiation")
    _check_eku(certificate, purpose)


def _check_eku(certificate: x509.Certificate, purpose: Purpose) -> None:
    eku = extension(certificate, x509.ExtendedKeyUsage)
    if eku is not None and FITTING[purpose].isdisjoint(eku):
        detail = f"{', '.join(oid.dotted_string for oid in eku)}; it has to serve {purpose.value}"
        raise _refused(Reason.WRONG_EKU, certificate, "extendedKeyUsage", detail)


def _refused(
    reason: Reason, certificate: x509.Certificate, field: str, detail: str = "", cure: str = ""
) -> CertificateRefused:
    return CertificateRefused(reason, subject_of(certificate), field, detail, cure)
