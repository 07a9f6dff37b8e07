from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.errors import Refused
from edgevpn.config.identity import LONGEST, Identity, IdentityKind, Pattern, address_identity, identity, pattern
from edgevpn.dn import der_of, split
from edgevpn.ike.iana import IdType

NAMES = st.lists(st.text("CNOE=*@,/+\\ a2.54", min_size=1, max_size=8).map("CN={}".format), max_size=3).map(", ".join)

GATEWAY = Identity(IdentityKind.DER_ASN1_DN, der_of(split("C=CH, O=Example, CN=gw")))

SHAPES = {
    "192.0.2.1": Identity(IdentityKind.IPV4_ADDR, bytes([192, 0, 2, 1])),
    "2001:db8::1": Identity(IdentityKind.IPV6_ADDR, IPv6Address("2001:db8::1").packed),
    "gw.example.org": Identity(IdentityKind.FQDN, b"gw.example.org"),
    "gw": Identity(IdentityKind.FQDN, b"gw"),
    "@gw": Identity(IdentityKind.FQDN, b"gw"),
    "@192.0.2.1": Identity(IdentityKind.FQDN, b"192.0.2.1"),
    "@any": Identity(IdentityKind.FQDN, b"any"),
    "carol@example.org": Identity(IdentityKind.RFC822_ADDR, b"carol@example.org"),
    "@@carol@example.org": Identity(IdentityKind.RFC822_ADDR, b"carol@example.org"),
    "keyid:branch 7": Identity(IdentityKind.KEY_ID, b"branch 7"),
    "@#0f1E": Identity(IdentityKind.KEY_ID, bytes([0x0F, 0x1E])),
    "C=CH, O=Example, CN=gw": GATEWAY,
    "/C=CH/O=Example/CN=gw": GATEWAY,
    "@@a=b@example.org": Identity(IdentityKind.RFC822_ADDR, b"a=b@example.org"),
}

REFUSED = {
    "": "an identity has 1 to 255 octets",
    "x" * (LONGEST + 1): "an identity has 1 to 255 octets",
    "any": "this is nobody in particular",
    "keyid:": "the key ID is empty",
    "@#": '"@#" wants pairs of hexadecimal digits',
    "@#0f1": '"@#" wants pairs of hexadecimal digits',
    "@#0x": '"@#" wants pairs of hexadecimal digits',
    "@@carol": "not an e-mail address",
    "carol@": "not an e-mail address",
    "carol@example.org\u202e": "not an e-mail address",
    "two words": "neither an address nor a domain name",
    "gw..example.org": "neither an address nor a domain name",
    "*.example.org": "neither an address nor a domain name",
    "fe80::1%eth0": "neither an address nor a domain name",
    "O=Example, CN=*": "a wildcard is nobody in particular",
    "CN=": 'not a Distinguished Name: "CN=" is not like CN=gw or 2.5.4.3=gw',
    "C=CHE, CN=gw": "not a Distinguished Name: a country has two letters",
    "CN=g\u202ew": "not a Distinguished Name: it holds characters that cannot be shown",
}


@pytest.mark.parametrize("text", SHAPES)
def test_shape_tells_the_type(text: str) -> None:
    assert identity(text) == SHAPES[text]
    assert identity(str(SHAPES[text])) == SHAPES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        identity(text)
    assert refusal.value.fault == REFUSED[text]


PATTERNS = {
    "*.Example.org": Pattern(IdentityKind.FQDN, "*.Example.org"),
    "*@example.org": Pattern(IdentityKind.RFC822_ADDR, "*@example.org"),
    "C=CH, CN=*": Pattern(IdentityKind.DER_ASN1_DN, "C=CH, CN=*"),
    "/O=a, b/CN=*": Pattern(IdentityKind.DER_ASN1_DN, "O=a\\, b, CN=*"),
}


@pytest.mark.parametrize("text", PATTERNS)
def test_patterns(text: str) -> None:
    assert pattern(text) == PATTERNS[text]
    assert pattern(str(PATTERNS[text])) == PATTERNS[text]


@pytest.mark.parametrize("text", [*SHAPES, "keyid:*", "keyid:CN=*", "@@CN=*@example.org"])
def test_one_alone_is_no_pattern(text: str) -> None:
    assert pattern(text) is None


@pytest.mark.parametrize("text", ["*.", "*@", "*.*", "*@*", "*.a b", "CN=*,", "C=*", "*." + "x" * LONGEST])
def test_patterns_refused(text: str) -> None:
    with pytest.raises(Refused):
        pattern(text)


@pytest.mark.parametrize("text", ["*", "gw.*.org", "a*@example.org "])
def test_other_wildcards_are_no_identities(text: str) -> None:
    assert pattern(text) is None
    with pytest.raises(Refused):
        identity(text)


def test_what_makes_no_difference() -> None:
    assert identity("Carol@example.org").folded == identity("carol@EXAMPLE.org").folded
    assert identity("c=ch, CN=GW").folded == identity("/C=CH/CN=gw").folded != identity("CN=gw").folded
    assert PATTERNS["*.Example.org"].folded == "*.example.org"


@given(st.one_of(st.text(max_size=40), st.text("@#keyid:.a1", max_size=12), st.ip_addresses().map(str), NAMES))
def test_every_identity_is_read_back(text: str) -> None:
    """What is taken prints as a text that means the same; the rest is refused."""
    try:
        who = identity(text)
    except (Refused, UnicodeEncodeError):
        return
    assert identity(str(who)) == who


def test_marks_are_printed_only_where_they_are_needed() -> None:
    assert str(identity("@gw.example.org")) == "gw.example.org"
    assert str(identity("@192.0.2.1")) == "@192.0.2.1"
    assert str(identity("@@keyid:carol@example.org")) == "@@keyid:carol@example.org"


def test_kinds_have_their_names_from_the_registry() -> None:
    assert {kind.name for kind in IdentityKind} <= IdType.__members__.keys()


def test_address_identity() -> None:
    assert address_identity(IPv6Address("2001:db8::1")) == identity("2001:db8::1")
