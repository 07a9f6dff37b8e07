"""Our validator and that of cryptography, on the same chains: in what both of them judge they agree.

Theirs is asked for as little of the web's rules as it lets itself be: any extension, a CA that says so, no purpose.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.x509 import verification as theirs
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.pki.errors import CertificateRefused
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Trust, verify
from tests.support.certificates import DAY, NOW, YEAR, Extensions, Made, certificate, name, p256, usage

KEYS = [p256() for _ in range(5)]
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
ANY = theirs.ExtensionPolicy.permit_all()
ANY_CA = ANY.require_present(x509.BasicConstraints, theirs.Criticality.AGNOSTIC, None)

BASES = [[x509.DNSName("example.org")], [x509.DNSName("it.example.org")], [x509.DNSName("example.com")], None]
HOSTS = ["gw.example.org", "gw.it.example.org", "gw.example.com"]

periods = st.sampled_from([(-YEAR, YEAR)] * 6 + [(-YEAR, -DAY), (DAY, YEAR)])


@st.composite
def extensions(draw: st.DrawFn, host: str | None) -> Extensions:
    """Of a CA, sometimes a wrong one; of the peer where a host is given."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if host:
        found.append((x509.SubjectAlternativeName([x509.DNSName(host)]), False))
    else:
        ca = draw(st.sampled_from([True] * 9 + [False]))
        length = draw(st.sampled_from([None, None, None, 0, 1, 2])) if ca else None
        found += [(x509.BasicConstraints(ca, length), True), (usage(sign=True), True)]
        permitted, excluded = draw(st.sampled_from(BASES + [None] * 6)), draw(st.sampled_from(BASES + [None] * 9))
        if permitted or excluded:
            found.append((x509.NameConstraints(permitted, excluded), True))
    if draw(st.sampled_from([False] * 9 + [True])):
        found.append((UNKNOWN, draw(st.booleans())))
    return found


@st.composite
def chains(draw: st.DrawFn) -> list[Made]:
    """A root, up to three CAs and a peer; now and then one is signed by the wrong key.

    The root is a good one: theirs takes any that it is given, ours does not.
    """
    made = [of(0, None, [(x509.BasicConstraints(True, None), True), (usage(sign=True), True)], -YEAR, YEAR)]
    count = draw(st.integers(2, 5))
    for number in range(1, count):
        issuer = made[-1]
        if draw(st.sampled_from([False] * 9 + [True])):
            issuer = Made(issuer.certificate, KEYS[number])
        host = draw(st.sampled_from(HOSTS)) if number == count - 1 else None
        begins, ends = draw(periods)
        made.append(of(number, issuer, draw(extensions(host)), begins, ends))
    return made


def of(number: int, issuer: Made | None, given: Extensions, begins: timedelta, ends: timedelta) -> Made:
    return certificate(name(f"{number}"), issuer, given, key=KEYS[number], begins=NOW + begins, ends=NOW + ends)


def ours_accepts(chain: list[Made]) -> bool:
    root, *below = chain
    try:
        verify([each.der for each in reversed(below)], Trust((root.certificate,)), NOW, Purpose.DEVICE)
    except CertificateRefused:
        return False
    return True


def theirs_accepts(chain: list[Made]) -> bool:
    root, *middle, peer = (each.certificate for each in chain)
    builder = theirs.PolicyBuilder().store(theirs.Store([root])).time(NOW).max_chain_depth(8)
    verifier = builder.extension_policies(ca_policy=ANY_CA, ee_policy=ANY).build_client_verifier()
    try:
        verifier.verify(peer, middle)
    except theirs.VerificationError:
        return False
    return True


@settings(max_examples=300)
@given(chains())
def test_same_verdict(chain: list[Made]) -> None:
    assert ours_accepts(chain) == theirs_accepts(chain)
