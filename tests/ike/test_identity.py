"""edgevpn.ike.identity: who is meant by an identity and by a pattern, and which of several is nearest."""

from __future__ import annotations

import pytest

from edgevpn.dn import der_of, split
from edgevpn.ike.iana import IdType
from edgevpn.ike.identity import Below, MailAt, Meant, NameLike, closeness, is_meant
from edgevpn.ike.wire.payloads import Identification


def fqdn(text: str) -> Identification:
    return Identification(IdType.FQDN, text.encode())


def mail(text: str) -> Identification:
    return Identification(IdType.RFC822_ADDR, text.encode())


def key_id(text: str) -> Identification:
    return Identification(IdType.KEY_ID, text.encode())


def dn(text: str) -> Identification:
    return Identification(IdType.DER_ASN1_DN, der_of(split(text)))


def like(text: str) -> NameLike:
    return NameLike(tuple(split(text)))


SUBJECT = "C=CH, O=Example AG, CN=gw"
PRINTABLE = Identification(IdType.DER_ASN1_DN, dn(SUBJECT).data.replace(b"\x0c", b"\x13"))
"""The same name, as those write it who prefer PrintableString."""
TWO_IN_ONE = Identification(
    IdType.DER_ASN1_DN, bytes.fromhex("3018 3116 3009 0603 550406 1302 4348 3009 0603 550403 0c02 6777")
)
"""C=CH+CN=gw, one RDN of two attributes."""
NO_NAMES = [Identification(IdType.DER_ASN1_DN, octets) for octets in (b"\x30", b"0\0", b"")]

MEANT: dict[Meant, tuple[list[Identification], list[Identification]]] = {
    Below("Example.org"): (
        [fqdn("gw.example.org"), fqdn("a.b.EXAMPLE.org")],
        [
            fqdn("example.org"),
            fqdn("evilexample.org"),
            fqdn("gw.example.org.x"),
            mail("a@b.example.org"),
            key_id("gw.example.org"),
            Identification(IdType.FQDN, b"\xff.example.org"),
        ],
    ),
    MailAt("example.org"): (
        [mail("carol@EXAMPLE.org")],
        [mail("carol@mail.example.org"), mail("x@evil@example.com"), mail("@example.org"), fqdn("example.org")],
    ),
    fqdn("gw.example.org"): ([fqdn("gw.example.org")], [key_id("gw.example.org"), fqdn("gw.example.org.x")]),
    like("C=CH, O=Example AG, CN=*"): (
        [dn(SUBJECT), PRINTABLE, dn("C=ch, O=EXAMPLE  AG, CN=Other")],
        [dn("CN=gw"), dn(SUBJECT + ", OU=x"), fqdn("gw"), *NO_NAMES],
    ),
    like("O=Example AG, C=CH, CN=*"): ([], [dn(SUBJECT)]),
    like("C=CH, O=Other, CN=*"): ([], [dn(SUBJECT)]),
    like("C=CH, CN=*"): ([dn("C=CH, CN=gw")], [dn(SUBJECT), TWO_IN_ONE]),
    like("C=*"): ([dn("C=DE")], [TWO_IN_ONE]),
    dn(SUBJECT): (
        [dn(SUBJECT), PRINTABLE, dn("C=ch, O=EXAMPLE   AG, CN=GW")],
        [dn("CN=gw"), key_id(SUBJECT), Identification(IdType.KEY_ID, dn(SUBJECT).data), *NO_NAMES],
    ),
    None: ([dn(SUBJECT), fqdn("gw"), *NO_NAMES], []),
}


@pytest.mark.parametrize("meant", MEANT, ids=str)
def test_who_is_meant(meant: Meant) -> None:
    yes, no = MEANT[meant]
    assert [each for each in (*yes, *no) if is_meant(each, meant)] == yes


def test_what_is_no_name_is_itself_alone() -> None:
    """Octets that are no name are equal to themselves, and to nothing else that is none."""
    assert is_meant(NO_NAMES[0], NO_NAMES[0])
    assert not is_meant(NO_NAMES[0], NO_NAMES[1])


def test_the_nearest() -> None:
    """One name comes before a pattern, and a narrow pattern before a wide one."""
    each: list[Meant] = [fqdn("gw.a.example.org"), Below("a.example.org"), Below("example.org"), None]
    assert sorted(each, key=closeness) == each[::-1]
    assert closeness(like("O=x, CN=*")) > closeness(like("O=*, CN=*"))


def test_patterns_for_people() -> None:
    assert [str(Below("a.b")), str(MailAt("a.b")), str(like("C=CH, CN=*"))] == ["*.a.b", "*@a.b", "C=CH, CN=*"]
