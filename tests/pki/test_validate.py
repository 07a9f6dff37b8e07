from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from edgevpn.pki.certificate import fingerprint
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.revocation import Revocation, read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import MOST_CERTIFICATES, Judge, Trust, VerifiedKey, check_anchor, verify
from tests.support.certificates import DAY, NOW, YEAR, Made, ca, certificate, crl, ed, leaf, name, rsa_key, usage

ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
PHONE = leaf("phone", MIDDLE, x509.DNSName("phone.example.org"))
TRUST = Trust((ROOT.certificate,))
SERVER_ONLY = [ExtendedKeyUsageOID.SERVER_AUTH]


def judged(chain: Sequence[Made], trust: Trust = TRUST, at: datetime = NOW) -> VerifiedKey:
    """The verdict, which is the same when the peer comes again."""
    judge, sent = Judge(trust, Purpose.DEVICE), [each.der for each in chain]
    verdict = judge.verify(sent, at)
    assert judge.verify(sent, at) == verdict
    return verdict


def refused(chain: Sequence[Made], trust: Trust = TRUST, at: datetime = NOW) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as refusal:
        judged(chain, trust, at)
    return refusal.value


def test_chain_with_an_intermediate() -> None:
    key = judged([PHONE, MIDDLE])
    assert key.public_key == PHONE.key.public_key()
    assert key.subject == "CN=phone"
    assert key.der == PHONE.der
    assert key.fingerprints == tuple(fingerprint(each.certificate) for each in (PHONE, MIDDLE, ROOT))
    assert key.clock_set


def test_intermediate_that_we_have_ourselves() -> None:
    assert refused([PHONE]).reason is Reason.UNKNOWN_ISSUER
    assert judged([PHONE], replace(TRUST, intermediates=(MIDDLE.certificate,))).subject == "CN=phone"


@pytest.mark.parametrize("key", [rsa_key(2048), ed()], ids=["RSA", "Ed25519"])
def test_other_keys(key: object) -> None:
    root = ca("root", key=key)  # type: ignore[arg-type]
    assert judged([leaf("phone", root)], Trust((root.certificate,))).subject == "CN=phone"


def test_first_of_the_path_to_end_ends_it() -> None:
    short = ca("short", ROOT, ends=NOW + DAY)
    assert judged([leaf("phone", short), short]).expires == NOW + DAY


def test_after_2038() -> None:
    root = ca("root", ends=datetime(2077, 1, 1, tzinfo=UTC))
    phone = certificate("phone", root, ends=datetime(2050, 1, 1, tzinfo=UTC))
    assert judged([phone], Trust((root.certificate,)), datetime(2049, 1, 1, tzinfo=UTC)).expires.year == 2050


OLD, COMING = ca("old", ROOT, ends=NOW - DAY), ca("coming", ROOT, begins=NOW + DAY)
NO_ROOM, NO_CA = ca("no room", ROOT, path_length=0), certificate("no ca", ROOT)
LOWER = ca("lower", NO_ROOM)
LIMITED = ca("limited", ROOT, [(x509.NameConstraints([x509.DNSName("example.org")], None), True)])
FOR_SERVERS = ca("for servers", ROOT, [(x509.ExtendedKeyUsage(SERVER_ONLY), False)])
UNKNOWN = (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
FORGED = ca("middle", ca("root"))

REFUSED: dict[str, tuple[list[Made], Reason, str, str]] = {
    "expired": ([certificate("phone", ROOT, ends=NOW - DAY)], Reason.EXPIRED, "CN=phone", "validity.notAfter"),
    "not yet valid": (
        [certificate("phone", ROOT, begins=NOW + DAY)],
        Reason.NOT_YET_VALID,
        "CN=phone",
        "validity.notBefore",
    ),
    "CA expired": ([leaf("phone", OLD), OLD], Reason.EXPIRED, "CN=old", "validity.notAfter"),
    "CA not yet valid": ([leaf("phone", COMING), COMING], Reason.NOT_YET_VALID, "CN=coming", "validity.notBefore"),
    "wrong EKU": ([leaf("phone", ROOT, eku=SERVER_ONLY)], Reason.WRONG_EKU, "CN=phone", "extendedKeyUsage"),
    "wrong EKU of a CA": (
        [leaf("phone", FOR_SERVERS), FOR_SERVERS],
        Reason.WRONG_EKU,
        "CN=for servers",
        "extendedKeyUsage",
    ),
    "wrong key usage": (
        [certificate("phone", ROOT, [(usage(encipher=True), True)])],
        Reason.WRONG_KEY_USAGE,
        "CN=phone",
        "keyUsage",
    ),
    "path too long": (
        [leaf("phone", LOWER), LOWER, NO_ROOM],
        Reason.PATH_TOO_LONG,
        "CN=no room",
        "basicConstraints.pathLenConstraint",
    ),
    "unknown critical extension": (
        [certificate("phone", ROOT, [UNKNOWN])],
        Reason.UNKNOWN_CRITICAL_EXTENSION,
        "CN=phone",
        "extensions",
    ),
    "unknown issuer": ([leaf("phone", ca("stranger"))], Reason.UNKNOWN_ISSUER, "CN=phone", "issuer"),
    "bad signature": ([leaf("phone", ca("root"))], Reason.BAD_SIGNATURE, "CN=phone", "signatureValue"),
    "bad signature of a CA": ([leaf("phone", FORGED), FORGED], Reason.BAD_SIGNATURE, "CN=middle", "signatureValue"),
    "weak key": ([certificate("phone", ROOT, key=rsa_key(1024))], Reason.WEAK_KEY, "CN=phone", "subjectPublicKeyInfo"),
    "weak signature": (
        [certificate("phone", ROOT, algorithm=hashes.SHA224())],
        Reason.WEAK_SIGNATURE,
        "CN=phone",
        "signatureAlgorithm",
    ),
    "not a CA": ([leaf("phone", NO_CA), NO_CA], Reason.NOT_A_CA, "CN=no ca", "basicConstraints.cA"),
    "name outside": (
        [leaf("phone", LIMITED, x509.DNSName("example.com")), LIMITED],
        Reason.NAME_NOT_PERMITTED,
        "CN=phone",
        "subjectAltName",
    ),
}


@pytest.mark.parametrize(("chain", "reason", "subject", "field"), REFUSED.values(), ids=REFUSED)
def test_refused(chain: list[Made], reason: Reason, subject: str, field: str) -> None:
    refusal = refused(chain)
    assert (refusal.reason, refusal.subject, refusal.field) == (reason, subject, field)


def test_purpose_decides_what_fits() -> None:
    gateway = leaf("gw", ROOT, eku=SERVER_ONLY)
    assert verify([gateway.der], TRUST, NOW, Purpose.SERVER).subject == "CN=gw"
    assert verify([gateway.der], TRUST, NOW, Purpose.SITE).subject == "CN=gw"


def test_trusted_ca_binds_too() -> None:
    """Its dates, its path length and its name constraints (RFC 5937 §3)."""
    for root in (
        ca("root", path_length=0),
        ca("root", None, [(x509.NameConstraints(None, [x509.DNSName("example.org")]), True)]),
        ca("root", ends=NOW - DAY),
    ):
        middle = ca("middle", root)
        phone = leaf("phone", middle, x509.DNSName("phone.example.org"))
        reason = refused([phone, middle], Trust((root.certificate,))).reason
        assert reason in {Reason.PATH_TOO_LONG, Reason.NAME_NOT_PERMITTED, Reason.EXPIRED}


def test_what_can_be_no_anchor() -> None:
    check_anchor(ROOT.certificate)
    for made, reason in (
        (leaf("phone", ROOT), Reason.NOT_A_CA),
        (ca("root", key=rsa_key(1024)), Reason.WEAK_KEY),
        (ca("root", None, [UNKNOWN]), Reason.UNKNOWN_CRITICAL_EXTENSION),
    ):
        with pytest.raises(CertificateRefused) as refusal:
            check_anchor(made.certificate)
        assert refusal.value.reason is reason


def test_another_path_may_hold() -> None:
    """Two CAs have cross-signed one; the way through the expired one does not matter."""
    key = ca("cross").key
    old_way = ca("cross", ROOT, key=key, ends=NOW - DAY)
    new_way = ca("cross", MIDDLE, key=key)
    phone = leaf("phone", new_way)
    assert judged([phone, old_way, new_way, MIDDLE]).fingerprints[2] == fingerprint(MIDDLE.certificate)


def test_refusal_tells_of_the_path_that_went_furthest() -> None:
    """A CA of the same name and another key is among those sent, as after a renewal: that is not what is wrong."""
    phone = certificate("phone", MIDDLE, ends=NOW - DAY)
    assert refused([phone, ca("middle", ROOT), MIDDLE]).reason is Reason.EXPIRED
    assert refused([phone, MIDDLE, ca("middle", ROOT)]).reason is Reason.EXPIRED


# Revocation


def test_revoked() -> None:
    about_phone, about_middle = read_crl(crl(MIDDLE, PHONE)), read_crl(crl(ROOT, MIDDLE))
    for mode in (Revocation.SOFT, Revocation.STRICT):
        leaf_gone = replace(TRUST, crls=(about_phone, read_crl(crl(ROOT))), revocation=mode)
        assert refused([PHONE, MIDDLE], leaf_gone).reason is Reason.REVOKED_LEAF
        middle_gone = replace(TRUST, crls=(about_middle,), revocation=mode)
        refusal = refused([PHONE, MIDDLE], middle_gone)
        assert (refusal.reason, refusal.subject) == (Reason.REVOKED_INTERMEDIATE, "CN=middle")
    both = replace(TRUST, crls=(about_phone, about_middle), revocation=Revocation.OFF)
    assert judged([PHONE, MIDDLE], both).subject == "CN=phone"


def test_strict_wants_to_know() -> None:
    known = (read_crl(crl(ROOT)), read_crl(crl(MIDDLE)))
    strict = replace(TRUST, revocation=Revocation.STRICT)
    assert judged([PHONE, MIDDLE], replace(strict, crls=known)).unchecked == ()
    for crls in ((), known[:1], known[1:]):
        assert refused([PHONE, MIDDLE], replace(strict, crls=crls)).reason is Reason.REVOCATION_UNKNOWN


def test_soft_says_what_it_does_not_know() -> None:
    assert judged([PHONE, MIDDLE]).unchecked == ("CN=middle", "CN=phone")
    assert judged([PHONE, MIDDLE], replace(TRUST, crls=(read_crl(crl(MIDDLE)),))).unchecked == ("CN=middle",)


def test_crl_signed_by_a_key_made_for_it() -> None:
    """A certificate of the CA's name that may sign CRLs alone; once it is revoked it says nothing."""
    signer = certificate(name("middle"), ROOT, [(usage(sign=True), True)])
    strict = replace(TRUST, revocation=Revocation.STRICT, crls=(read_crl(crl(ROOT)), read_crl(crl(signer))))
    assert judged([PHONE, MIDDLE, signer], strict).unchecked == ()
    gone = replace(strict, crls=(read_crl(crl(ROOT, signer)), read_crl(crl(signer))))
    assert refused([PHONE, MIDDLE, signer], gone).reason is Reason.REVOCATION_UNKNOWN
    stranger = certificate(name("middle"), ca("root"), [(usage(sign=True), True)])
    forged = replace(strict, crls=(read_crl(crl(ROOT)), read_crl(crl(stranger))))
    assert refused([PHONE, MIDDLE, stranger], forged).reason is Reason.REVOCATION_UNKNOWN


def test_block_list() -> None:
    """At once for those who come, and for those who are there: the same list, asked of the key that was verified."""
    key = judged([PHONE, MIDDLE])
    for made in (PHONE, MIDDLE, ROOT):
        blocked = frozenset({fingerprint(made.certificate)})
        for mode in Revocation:
            assert refused([PHONE, MIDDLE], replace(TRUST, blocked=blocked, revocation=mode)).reason is Reason.BLOCKED
        assert blocked & {*key.fingerprints}


# A device that does not know the time


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_without_a_clock_a_current_certificate_is_accepted_and_marked() -> None:
    trust = replace(TRUST, known_date=NOW - YEAR / 2)
    key = judged([PHONE, MIDDLE], trust, EPOCH)
    assert not key.clock_set
    later = certificate("phone", ROOT, begins=NOW, ends=NOW + DAY)
    assert judged([later], trust, EPOCH).subject == "CN=phone"


def test_without_a_clock_what_has_certainly_expired_is_refused() -> None:
    expired = certificate("phone", ROOT, ends=NOW - DAY)
    assert refused([expired], replace(TRUST, known_date=NOW), EPOCH).reason is Reason.EXPIRED


def test_once_the_clock_is_set_the_same_certificate_is_judged_again() -> None:
    expired = certificate("phone", ROOT, ends=NOW - DAY)
    trust = replace(TRUST, known_date=NOW - 2 * DAY)
    assert not judged([expired], trust, EPOCH).clock_set
    assert refused([expired], trust, NOW).reason is Reason.EXPIRED


# What a peer may send


def test_nothing_too_much_and_rubbish() -> None:
    for chain, reason in (
        ([], Reason.MISSING),
        ([PHONE.der] * (MOST_CERTIFICATES + 1), Reason.TOO_MUCH),
        ([b"\x30\x03"], Reason.UNREADABLE),
        ([PHONE.der, MIDDLE.der[:-1]], Reason.UNREADABLE),
    ):
        with pytest.raises(CertificateRefused) as refusal:
            verify(chain, TRUST, NOW, Purpose.DEVICE)
        assert refusal.value.reason is reason


def test_rubbish_beside_a_good_chain_does_not_matter() -> None:
    """RFC 4945 §3.3.10.2, §3.3.10.5: undecodable and irrelevant certificates are ignored, and so is the order."""
    chain = [PHONE.der, b"\x30\x03", ca("stranger").der, ROOT.der, MIDDLE.der, MIDDLE.der]
    assert verify(chain, TRUST, NOW, Purpose.DEVICE).subject == "CN=phone"


def test_nothing_secret_is_shown() -> None:
    assert "private" not in repr(judged([PHONE, MIDDLE])).lower()


# --- peers that come again ---


def test_who_comes_again_is_judged_by_the_time_then() -> None:
    """Nothing but time and revocation is asked a second time, and those are."""
    judge = Judge(TRUST, Purpose.DEVICE)
    short = ca("short", ROOT, ends=NOW + DAY)
    chain = (leaf("phone", short).der, short.der)
    first = judge.verify(chain, NOW)

    again = judge.verify(list(chain), NOW)
    assert again == first
    assert again.certificate is first.certificate
    with pytest.raises(CertificateRefused) as refusal:
        judge.verify(chain, NOW + 2 * DAY)
    assert refusal.value.reason is Reason.EXPIRED
    assert judge.verify(chain, NOW) == first


def test_who_comes_again_has_been_revoked_since() -> None:
    """By a list that was fetched, for the peer as for the CA above; a path that held tells nothing of that."""
    judge = Judge(replace(TRUST, revocation=Revocation.STRICT), Purpose.DEVICE)
    chain = (PHONE.der, MIDDLE.der)
    good = (read_crl(crl(MIDDLE)), read_crl(crl(ROOT)))
    assert not judge.verify(chain, NOW, good).unchecked

    for reason, lists in (
        (Reason.REVOKED_LEAF, (read_crl(crl(MIDDLE, PHONE)), good[1])),
        (Reason.REVOKED_INTERMEDIATE, (good[0], read_crl(crl(ROOT, MIDDLE)))),
        (Reason.REVOCATION_UNKNOWN, good[:1]),
        (Reason.REVOCATION_UNKNOWN, (read_crl(crl(ca("middle", ROOT))), good[1])),
    ):
        with pytest.raises(CertificateRefused) as refusal:
            judge.verify(chain, NOW, lists)
        assert refusal.value.reason is reason
    assert judge.verify(chain, NOW, asked=False).subject == "CN=phone"


def test_who_comes_again_with_another_certificate() -> None:
    """Of the same chain each octet counts."""
    judge = Judge(TRUST, Purpose.DEVICE)
    judge.verify((PHONE.der, MIDDLE.der), NOW)
    damaged = PHONE.der[:-1] + bytes([PHONE.der[-1] ^ 1])
    with pytest.raises(CertificateRefused) as refusal:
        judge.verify((damaged, MIDDLE.der), NOW)
    assert refusal.value.reason is Reason.BAD_SIGNATURE


def test_only_so_many_are_remembered() -> None:
    """The last ones, and none with certificates that only the peer itself answers for."""
    judge = Judge(TRUST, Purpose.DEVICE, kept=2)
    phones = [leaf(f"phone{number}", ROOT) for number in range(4)]
    seen = [judge.verify((phone.der,), NOW).certificate for phone in phones[:3]]
    assert judge.verify((phones[2].der,), NOW).certificate is seen[2]
    assert judge.verify((phones[0].der,), NOW).certificate is not seen[0]

    chain = (phones[3].der, ca("nobody's").der)
    assert judge.verify(chain, NOW).certificate is not judge.verify(chain, NOW).certificate
