from itertools import islice
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509

from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.path import LONGEST, MOST, link, paths
from tests.support.certificates import Made, ca, certificate, leaf, name, p256

VECTORS = Path(cryptography_vectors.__file__).parent / "x509" / "custom"
ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
PHONE = leaf("phone", MIDDLE)


def found(peer: Made, pool: list[Made], anchors: list[Made]) -> list[list[str]]:
    """The paths as the names in them."""
    given = paths(link(peer.certificate), [link(m.certificate) for m in pool], [link(m.certificate) for m in anchors])
    return [[each.certificate.subject.rfc4514_string() for each in path] for path in given]


def refused(peer: Made, pool: list[Made], anchors: list[Made]) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as refusal:
        found(peer, pool, anchors)
    return refusal.value


def test_straight_up() -> None:
    assert found(PHONE, [MIDDLE], [ROOT]) == [["CN=phone", "CN=middle", "CN=root"]]
    assert found(leaf("phone", ROOT), [], [ROOT]) == [["CN=phone", "CN=root"]]


def test_order_and_strangers_do_not_matter() -> None:
    low = ca("low", MIDDLE)
    peer = leaf("phone", low)
    assert found(peer, [ca("stranger"), MIDDLE, ROOT, low], [ca("another"), ROOT]) == [
        ["CN=phone", "CN=low", "CN=middle", "CN=root"]
    ]


def test_a_ca_in_the_middle_may_be_the_trusted_one() -> None:
    assert found(PHONE, [], [MIDDLE]) == [["CN=phone", "CN=middle"]]


def test_nobody_knows_the_issuer() -> None:
    refusal = refused(PHONE, [MIDDLE], [ca("another")])
    assert refusal.reason is Reason.UNKNOWN_ISSUER
    assert str(refusal) == (
        "CN=middle was signed by no CA that is trusted here (issuer: CN=root);"
        " trust this CA, or have the peer send the certificate of CN=root"
    )
    assert refused(PHONE, [], [ROOT]).subject == "CN=phone"


def test_self_signed_and_unknown_is_no_circle() -> None:
    assert refused(PHONE, [MIDDLE, ROOT], []).reason is Reason.UNKNOWN_ISSUER
    assert refused(ca("phone"), [], []).reason is Reason.UNKNOWN_ISSUER


def test_circle_ends() -> None:
    """a signs b, b signs a; strongSwan's scenario multi-ca/loop."""
    key_a, key_b = p256(), p256()
    a = certificate("a", Made(ca("b", key=key_b).certificate, key_b), key=key_a)
    b = certificate("b", a, key=key_b)
    assert refused(leaf("phone", b), [a, b], []).reason is Reason.LOOP


def test_new_key_of_the_same_ca_is_no_circle() -> None:
    """Self-issued, RFC 5280 §6.1."""
    new = p256()
    rollover = certificate("root", ROOT, [(x509.BasicConstraints(True, None), True)], key=new)
    peer = leaf("phone", rollover)
    assert ["CN=phone", "CN=root", "CN=root"] in found(peer, [rollover], [ROOT])


def test_right_key_identifier_comes_first() -> None:
    keys = [p256(), p256()]
    twins = [
        ca("twin", ROOT, [(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)], key=key)
        for key in keys
    ]
    for twin in twins:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(twin.key.public_key())
        peer = certificate("phone", twin, [(identifier, False)])
        first = next(paths(link(peer.certificate), [link(t.certificate) for t in twins], [link(ROOT.certificate)]))
        assert first[1].certificate == twin.certificate


def test_length_is_bounded() -> None:
    chain = [ROOT]
    for number in range(LONGEST - 1):
        chain.append(ca(f"ca {number}", chain[-1]))
    assert len(found(chain[-1], chain[1:-1], [ROOT])[0]) == LONGEST
    assert refused(leaf("phone", chain[-1]), chain[1:], [ROOT]).reason is Reason.UNKNOWN_ISSUER


def test_number_is_bounded() -> None:
    """Twelve CAs of one name, each of which could be the issuer of each."""
    pool = [ca("twin", issuer_named("twin"), key=p256()) for _ in range(12)]
    peer = leaf("phone", issuer_named("twin"))
    given = paths(link(peer.certificate), [link(m.certificate) for m in pool], [link(ca("twin").certificate)])
    assert len(list(islice(given, 1000))) == MOST
    assert refused(peer, pool, []).reason is Reason.LOOP


def test_key_that_cannot_be_read() -> None:
    """It is in nobody's way until it would be used."""
    octets = (VECTORS / "unsupported_subject_public_key_info.pem").read_bytes()
    strange = link(x509.load_pem_x509_certificate(octets))
    assert strange.public_key is None
    assert list(paths(link(PHONE.certificate), [strange, link(MIDDLE.certificate)], [link(ROOT.certificate)]))


def issuer_named(text: str) -> Made:
    return ca(name(text))
