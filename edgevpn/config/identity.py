"""Who an end of a tunnel says it is, typed by the shape of the text (RFC 7296 §3.5)."""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from edgevpn.config.errors import Refused
from edgevpn.frozen import dataclass

LONGEST = 255
"""Octets. Nobody needs more, and it keeps IKE_AUTH in one datagram."""

_ADDRESS_LIKE = re.compile(r"[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_KEY_ID_HEX = re.compile(r"@#(?:[0-9A-Fa-f]{2})+")
_FQDN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class IdentityKind(Enum):
    """ID types, by the names of the IANA registry."""

    IPV4_ADDR = "IPv4 address"
    IPV6_ADDR = "IPv6 address"
    FQDN = "domain name"
    RFC822_ADDR = "e-mail address"
    KEY_ID = "key ID"


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

    def _plain_or(self, mark: str) -> str:
        """The bare text, or with the mark where it alone would be taken for another kind."""
        plain = self.data.decode()
        try:
            return plain if identity(plain) == self else mark + plain
        except Refused:
            return mark + plain


def identity(text: str) -> Identity:
    """Read an identity: address, domain name, e-mail address, "keyid:TEXT" or "@#HEX". Raises Refused.

    As in strongSwan, "@name" forces a domain name and "@@user@name" an e-mail address.
    """
    if not 0 < len(text.encode()) <= LONGEST:
        raise Refused(f"an identity has 1 to {LONGEST} octets")
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
    if "@" in text:
        return _email(text)
    return _address(text) or _fqdn(text)


def address_identity(address: IPv4Address | IPv6Address) -> Identity:
    """The identity of one who has no better name than its address."""
    kind = IdentityKind.IPV4_ADDR if address.version == 4 else IdentityKind.IPV6_ADDR
    return Identity(kind, address.packed)


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
