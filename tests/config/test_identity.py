from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.errors import Refused
from edgevpn.config.identity import LONGEST, Identity, IdentityKind, address_identity, identity
from edgevpn.ike.iana import IdType

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
    "C=CH, O=Example, CN=gw": "neither an address nor a domain name",
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


@given(st.one_of(st.text(max_size=40), st.text("@#keyid:.a1", max_size=12), st.ip_addresses().map(str)))
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
