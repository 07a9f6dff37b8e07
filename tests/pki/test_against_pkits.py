"""The Public Key Interoperability Test Suite (NIST, 2011) against `validate`: every end-entity certificate of it.

PKITS gives the chain and its CRLs; each test runs as PKITS has it by default: any policy will do, every certificate
needs a current CRL. The names of its files say what is valid; why the others are not stands here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509

from edgevpn.dn import CanonicalName
from edgevpn.pki.certificate import der_of, read_certificate
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.names import canonical
from edgevpn.pki.revocation import Crl, Revocation, read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Judge, Trust, verify

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
AT = datetime(2027, 1, 15, tzinfo=UTC)

REFUSED = {
    Reason.BAD_SIGNATURE: """
        InvalidCASignatureTest2 InvalidEESignatureTest3""",
    Reason.NOT_YET_VALID: """
        InvalidCAnotBeforeDateTest1 InvalidEEnotBeforeDateTest2""",
    Reason.EXPIRED: """
        InvalidCAnotAfterDateTest5 InvalidEEnotAfterDateTest6 Invalidpre2000UTCEEnotAfterDateTest7""",
    Reason.UNKNOWN_ISSUER: """
        InvalidNameChainingTest1 InvalidNameChainingOrderTest2""",
    Reason.REVOKED_LEAF: """
        InvalidRevokedEETest3 InvalidUnknownCRLEntryExtensionTest8 InvalidUnknownCRLExtensionTest9
        InvalidLongSerialNumberTest18 InvalidSeparateCertificateandCRLKeysTest20 InvalidBasicSelfIssuedOldWithNewTest2
        InvalidBasicSelfIssuedNewWithOldTest5 InvalidBasicSelfIssuedCRLSigningKeyTest7 InvaliddistributionPointTest2
        InvaliddistributionPointTest6 InvaliddeltaCRLTest3 InvaliddeltaCRLTest6 InvaliddeltaCRLTest9""",
    Reason.REVOKED_INTERMEDIATE: """
        InvalidRevokedCATest2""",
    Reason.REVOCATION_UNKNOWN: """
        InvalidMissingCRLTest1 InvalidBadCRLSignatureTest4 InvalidBadCRLIssuerNameTest5 InvalidWrongCRLTest6
        InvalidUnknownCRLExtensionTest10 InvalidOldCRLnextUpdateTest11 Invalidpre2000CRLnextUpdateTest12
        InvalidSeparateCertificateandCRLKeysTest21 InvalidkeyUsageCriticalcRLSignFalseTest4
        InvalidkeyUsageNotCriticalcRLSignFalseTest5 InvaliddistributionPointTest3 InvaliddistributionPointTest8
        InvaliddistributionPointTest9 InvalidonlyContainsUserCertsTest11 InvalidonlyContainsCACertsTest12
        InvalidonlyContainsAttributeCertsTest14 InvalidonlySomeReasonsTest15 InvalidonlySomeReasonsTest16
        InvalidonlySomeReasonsTest17 InvalidonlySomeReasonsTest20 InvalidonlySomeReasonsTest21
        InvalidIDPwithindirectCRLTest23 InvalidIDPwithindirectCRLTest26 InvalidcRLIssuerTest27 InvalidcRLIssuerTest31
        InvalidcRLIssuerTest32 InvalidcRLIssuerTest34 InvalidcRLIssuerTest35 InvaliddeltaCRLIndicatorNoBaseTest1
        InvaliddeltaCRLTest10""",
    Reason.NOT_A_CA: """
        InvalidBasicSelfIssuedCRLSigningKeyTest8 InvalidMissingbasicConstraintsTest1 InvalidcAFalseTest2
        InvalidcAFalseTest3 InvalidkeyUsageCriticalkeyCertSignFalseTest1
        InvalidkeyUsageNotCriticalkeyCertSignFalseTest2""",
    Reason.PATH_TOO_LONG: """
        InvalidpathLenConstraintTest5 InvalidpathLenConstraintTest6 InvalidpathLenConstraintTest9
        InvalidpathLenConstraintTest10 InvalidpathLenConstraintTest11 InvalidpathLenConstraintTest12
        InvalidSelfIssuedpathLenConstraintTest16""",
    Reason.NAME_NOT_PERMITTED: """
        InvalidDNnameConstraintsTest2 InvalidDNnameConstraintsTest3 InvalidDNnameConstraintsTest7
        InvalidDNnameConstraintsTest8 InvalidDNnameConstraintsTest9 InvalidDNnameConstraintsTest10
        InvalidDNnameConstraintsTest12 InvalidDNnameConstraintsTest13 InvalidDNnameConstraintsTest15
        InvalidDNnameConstraintsTest16 InvalidDNnameConstraintsTest17 InvalidDNnameConstraintsTest20
        InvalidRFC822nameConstraintsTest22 InvalidRFC822nameConstraintsTest24 InvalidRFC822nameConstraintsTest26
        InvalidDNandRFC822nameConstraintsTest28 InvalidDNandRFC822nameConstraintsTest29
        InvalidDNSnameConstraintsTest31 InvalidDNSnameConstraintsTest33 InvalidDNSnameConstraintsTest38
        InvalidURInameConstraintsTest35 InvalidURInameConstraintsTest37""",
    Reason.UNKNOWN_CRITICAL_EXTENSION: """
        InvalidUnknownCriticalCertificateExtensionTest2""",
}

# PKITS 4.8 to 4.12. We know no policies, and refuse whoever requires one: the valid ones too, which is the safe side.
POLICY = """
    AllCertificatesSamePoliciesTest10 AllCertificatesSamePoliciesTest13 AllCertificatesanyPolicyTest11 AnyPolicyTest14
    DifferentPoliciesTest4 DifferentPoliciesTest5 DifferentPoliciesTest7 DifferentPoliciesTest8 DifferentPoliciesTest9
    DifferentPoliciesTest12 OverlappingPoliciesTest6 UserNoticeQualifierTest18 ValidrequireExplicitPolicyTest1
    ValidrequireExplicitPolicyTest2 InvalidrequireExplicitPolicyTest3 ValidrequireExplicitPolicyTest4
    InvalidrequireExplicitPolicyTest5 ValidSelfIssuedrequireExplicitPolicyTest6
    InvalidSelfIssuedrequireExplicitPolicyTest7 InvalidSelfIssuedrequireExplicitPolicyTest8 ValidPolicyMappingTest1
    InvalidPolicyMappingTest2 ValidPolicyMappingTest3 InvalidPolicyMappingTest4 ValidPolicyMappingTest5
    ValidPolicyMappingTest6 InvalidMappingFromanyPolicyTest7 InvalidMappingToanyPolicyTest8 ValidPolicyMappingTest9
    InvalidPolicyMappingTest10 ValidPolicyMappingTest11 ValidPolicyMappingTest12 ValidPolicyMappingTest13
    ValidPolicyMappingTest14 InvalidinhibitPolicyMappingTest1 ValidinhibitPolicyMappingTest2
    InvalidinhibitPolicyMappingTest3 ValidinhibitPolicyMappingTest4 InvalidinhibitPolicyMappingTest5
    InvalidinhibitPolicyMappingTest6 ValidSelfIssuedinhibitPolicyMappingTest7
    InvalidSelfIssuedinhibitPolicyMappingTest8 InvalidSelfIssuedinhibitPolicyMappingTest9
    InvalidSelfIssuedinhibitPolicyMappingTest10 InvalidSelfIssuedinhibitPolicyMappingTest11
    InvalidinhibitAnyPolicyTest1 ValidinhibitAnyPolicyTest2 inhibitAnyPolicyTest3 InvalidinhibitAnyPolicyTest4
    InvalidinhibitAnyPolicyTest5 InvalidinhibitAnyPolicyTest6 ValidSelfIssuedinhibitAnyPolicyTest7
    InvalidSelfIssuedinhibitAnyPolicyTest8 ValidSelfIssuedinhibitAnyPolicyTest9
    InvalidSelfIssuedinhibitAnyPolicyTest10"""

# Valid, and refused here, each for a limit that is meant: what is refused, and why that is right for IKE.
STRICTER = {
    # DSA is no signature method of RFC 8247.
    Reason.WEAK_KEY: "ValidDSASignaturesTest4 InvalidDSASignatureTest6",
    # Indirect CRLs, and CRLs for some reasons only, are not used: then nothing is known, and PKITS asks for knowledge.
    Reason.REVOCATION_UNKNOWN: """
        ValidIDPwithindirectCRLTest22 ValidIDPwithindirectCRLTest24 ValidIDPwithindirectCRLTest25 ValidcRLIssuerTest28
        ValidcRLIssuerTest29 ValidcRLIssuerTest30 ValidcRLIssuerTest33 ValidonlySomeReasonsTest18
        ValidonlySomeReasonsTest19""",
    # Put on hold by the CRL and released by a delta CRL, which is not used.
    Reason.REVOKED_LEAF: "ValiddeltaCRLTest5",
}

NOT_RUN = {
    "InvaliddeltaCRLTest4": "revoked by a delta CRL alone; those are optional (RFC 5280 §5.2.4) and not used",
    "ValidDSAParameterInheritanceTest5": "a DSA key without parameters, which cryptography does not read",
    "ValidNegativeSerialNumberTest14": "a serial number that RFC 5280 §4.1.2.2 forbids; cryptography ends reading them",
    "InvalidNegativeSerialNumberTest15": "the same",
}


def split(table: dict[Reason, str]) -> dict[str, Reason]:
    return {test: reason for reason, tests in table.items() for test in tests.split()}


EXPECTED = split(REFUSED) | split({Reason.POLICY_REQUIRED: POLICY}) | split(STRICTER)
TESTS = sorted(path.stem.removesuffix("EE") for path in (DATA / "certs").glob("*EE.crt"))
VALID = [test for test in TESTS if test not in EXPECTED and test not in NOT_RUN]


@cache
def certificates() -> dict[str, x509.Certificate]:
    """All of PKITS that can be read, by the names of their files."""
    read = {}
    for path in sorted((DATA / "certs").glob("*.crt")):
        if path.stem not in {"DSAParametersInheritedCACert", *(f"{test}EE" for test in NOT_RUN)}:
            read[path.stem] = read_certificate(path.read_bytes())
    return read


@cache
def crls() -> tuple[Crl, ...]:
    """All of them but that of the tests of negative serial numbers, which cryptography 41 does not read."""
    files = sorted((DATA / "crls").glob("*.crl"))
    return tuple(read_crl(path.read_bytes()) for path in files if path.stem != "NegativeSerialNumberCACRL")


@cache
def by_subject() -> dict[CanonicalName, list[x509.Certificate]]:
    """Them all, the root excepted, by whose they are."""
    found: dict[CanonicalName, list[x509.Certificate]] = {}
    for each in certificates().values():
        if each != certificates()["TrustAnchorRootCertificate"]:
            found.setdefault(canonical(each.subject), []).append(each)
    return found


def chain(test: str) -> list[x509.Certificate]:
    """The end entity, and whoever may have issued it or one of its issuers."""
    found = [certificates()[f"{test}EE"]]
    for each in found:
        found += [issuer for issuer in by_subject().get(canonical(each.issuer), ()) if issuer not in found]
    return found


def judge(test: str) -> None:
    links = chain(test)
    issuers = {canonical(each.issuer) for each in links}
    trust = Trust(
        anchors=(certificates()["TrustAnchorRootCertificate"],),
        crls=tuple(crl for crl in crls() if crl.issuer in issuers),
        revocation=Revocation.STRICT,
    )
    verify([der_of(each) for each in links], trust, AT, Purpose.DEVICE)
    with_issuers = Judge(replace(trust, intermediates=tuple(links[1:])), Purpose.DEVICE)
    assert with_issuers.verify([der_of(links[0])], AT) == with_issuers.verify([der_of(links[0])], AT)  # known by then


def test_every_test_is_accounted_for() -> None:
    """What is not expected to be refused is called valid by PKITS, or has no say in it because it is about policies."""
    about_policies = ("AllCertificates", "CPSPointer", "DifferentPolicies", "UserNotice")
    assert {*EXPECTED, *NOT_RUN} <= set(TESTS)
    assert all(test.startswith(("Valid", *about_policies)) for test in VALID)
    assert all(test.startswith("Invalid") for test in split(REFUSED))


@pytest.mark.parametrize("test", VALID)
def test_accepted(test: str) -> None:
    judge(test)


@pytest.mark.parametrize("test", EXPECTED)
def test_refused(test: str) -> None:
    with pytest.raises(CertificateRefused) as refusal:
        judge(test)
    assert refusal.value.reason is EXPECTED[test]
