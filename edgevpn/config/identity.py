"""Who an end of a tunnel says it is, typed by the shape of the text (RFC 7296 §3.5)."""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from edgevpn.config.errors import Refused
from edgevpn.dn import Attribute, CanonicalName, canonical_of_der, der_of, split, text_of, text_of_der
from edgevpn.frozen import dataclass

LONGEST = 255
"""Octets. Nobody needs more, and it keeps IKE_AUTH in one datagram."""

_ADDRESS_LIKE = re.compile(r"[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_KEY_ID_HEX = re.compile(r"@#(?:[0-9A-Fa-f]{2})+")
_FQDN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

ANY = "*"


class IdentityKind(Enum):
    """ID types, by the names of the IANA registry."""

    IPV4_ADDR = "IPv4 address"
    IPV6_ADDR = "IPv6 address"
    FQDN = "domain name"
    RFC822_ADDR = "e-mail address"
    KEY_ID = "key ID"
    DER_ASN1_DN = "Distinguished Name"


@dataclass(frozen=True, slots=True)
class Identity:
    """An ID payload's type and the octets that it carries."""

    kind: IdentityKind
    data: bytes

    def __str__(self) -> str:
        """The text that is read back as this identity."""
        match self.kind:
            case IdentityKind.IPV4_ADDR:
                return str(IPv4Address(self.data))
            case IdentityKind.IPV6_ADDR:
                return str(IPv6Address(self.data))
            case IdentityKind.FQDN:
                return self._plain_or("@")
            case IdentityKind.RFC822_ADDR:
                return self._plain_or("@@")
            case IdentityKind.KEY_ID:
                return f"@#{self.data.hex()}"
            case IdentityKind.DER_ASN1_DN:
                return text_of_der(self.data)

    @property
    def folded(self) -> bytes | CanonicalName:
        """The same for all that a peer may send as this: case does not count, nor do string types of a name."""
        return canonical_of_der(self.data) if self.kind is IdentityKind.DER_ASN1_DN else self.data.lower()

    def _plain_or(self, mark: str) -> str:
        """The bare text, or with the mark where it alone would be taken for another kind."""
        plain = self.data.decode()
        try:
            return plain if identity(plain) == self else mark + plain
        except Refused:
            return mark + plain


@dataclass(frozen=True, slots=True)
class Pattern:
    """All identities of this kind that are like the text: *.example.org, *@example.org, "O=Example, CN=*"."""

    kind: IdentityKind
    text: str

    def __str__(self) -> str:
        """The text that is read back as this pattern."""
        return self.text

    @property
    def folded(self) -> str:
        """The same for patterns that mean the same."""
        return self.text.lower()


def identity(text: str) -> Identity:
    """Read one: address, domain name, e-mail address, Distinguished Name, "keyid:TEXT" or "@#HEX". Raises Refused.

    As in strongSwan, "@name" forces a domain name and "@@user@name" an e-mail address; "=" tells a Distinguished Name.
    """
    _check_length(text)
    if text == "any":
        raise Refused("this is nobody in particular", 'for an end of this name write "@any"')
    if text.startswith("keyid:"):
        return _key_id(text.removeprefix("keyid:").encode())
    if text.startswith("@#"):
        return _key_id_hex(text)
    if text.startswith("@@"):
        return _email(text[2:])
    if text.startswith("@"):
        return _fqdn(text[1:])
    if "=" in text:
        return _name(text)
    if "@" in text:
        return _email(text)
    return _address(text) or _fqdn(text)


def pattern(text: str) -> Pattern | None:
    """Read who is meant by a wildcard: *.DOMAIN, *@DOMAIN, CN=* and the like; None if there is none. Raises Refused."""
    _check_length(text)
    if text.startswith("*."):
        return Pattern(IdentityKind.FQDN, f"*.{_fqdn(text[2:]).data.decode()}")
    if text.startswith("*@"):
        return Pattern(IdentityKind.RFC822_ADDR, f"*@{_fqdn(text[2:]).data.decode()}")
    if "=" not in text or text.startswith(("keyid:", "@")):
        return None
    attributes, _ = _read_name(text)
    if all(value != ANY for _, value in attributes):
        return None
    return Pattern(IdentityKind.DER_ASN1_DN, text_of(attributes))


def address_identity(address: IPv4Address | IPv6Address) -> Identity:
    """The identity of one who has no better name than its address."""
    kind = IdentityKind.IPV4_ADDR if address.version == 4 else IdentityKind.IPV6_ADDR
    return Identity(kind, address.packed)


def _check_length(text: str) -> None:
    if not 0 < len(text.encode()) <= LONGEST:
        raise Refused(f"an identity has 1 to {LONGEST} octets")


def _name(text: str) -> Identity:
    attributes, der = _read_name(text)
    if any(value == ANY for _, value in attributes):
        raise Refused("a wildcard is nobody in particular", "write the whole name")
    return Identity(IdentityKind.DER_ASN1_DN, der)


def _read_name(text: str) -> tuple[tuple[Attribute, ...], bytes]:
    """A Distinguished Name that can be shown: its attributes, and their DER."""
    try:
        attributes = tuple(split(text))
        der = der_of(attributes)
    except ValueError as error:
        fault = f"not a Distinguished Name: {error}"
        raise Refused(fault, 'write it as in "C=CH, O=Example, CN=gw"; any other text as "keyid:TEXT"') from None
    if not text.isprintable():
        raise Refused("not a Distinguished Name: it holds characters that cannot be shown")
    return attributes, der


def _address(text: str) -> Identity | None:
    if not _ADDRESS_LIKE.fullmatch(text):
        return None  # neither is one with a zone index, which means nothing to the peer
    try:
        return address_identity(ip_address(text))
    except ValueError:
        return None


def _key_id(data: bytes) -> Identity:
    if not data:
        raise Refused("the key ID is empty")
    return Identity(IdentityKind.KEY_ID, data)


def _key_id_hex(text: str) -> Identity:
    if not _KEY_ID_HEX.fullmatch(text):
        raise Refused('"@#" wants pairs of hexadecimal digits', 'as in "@#0f1e2d"; for text write "keyid:TEXT"')
    return _key_id(bytes.fromhex(text[2:]))


def _email(text: str) -> Identity:
    if not _EMAIL.fullmatch(text) or not text.isprintable():
        raise Refused("not an e-mail address", 'to send any other text write "keyid:TEXT"')
    return Identity(IdentityKind.RFC822_ADDR, text.encode())


def _fqdn(text: str) -> Identity:
    if not _FQDN.fullmatch(text):
        raise Refused("neither an address nor a domain name", 'to send any other text write "keyid:TEXT"')
    return Identity(IdentityKind.FQDN, text.encode())
