"""Whom the owner means: one identity, or all that are like a pattern (RFC 4945 §3.1.10), and who is among them."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from edgevpn.dn import Attribute, CanonicalName, canonical_of_der, folded, text_of
from edgevpn.frozen import dataclass
from edgevpn.ike.iana import IdType
from edgevpn.ike.wire.payloads import Identification

ANY = "*"

NAMES_AT_HAND = 256  # our own bound: names that have been read and may be compared again


@dataclass(frozen=True, slots=True)
class Below:
    """Every domain name below one: *.example.org."""

    domain: str

    def __contains__(self, claimed: Identification) -> bool:
        return claimed.id_type == IdType.FQDN and _ascii(claimed.data).endswith(f".{self.domain.lower()}")

    def __str__(self) -> str:
        return f"*.{self.domain}"


@dataclass(frozen=True, slots=True)
class MailAt:
    """Every e-mail address of one domain: *@example.org."""

    domain: str

    def __contains__(self, claimed: Identification) -> bool:
        local, _, domain = _ascii(claimed.data).rpartition("@")
        return claimed.id_type == IdType.RFC822_ADDR and bool(local) and domain == self.domain.lower()

    def __str__(self) -> str:
        return f"*@{self.domain}"


@dataclass(frozen=True, slots=True)
class NameLike:
    """Every Distinguished Name with these attributes in this order; a value of "*" is any: O=Example, CN=*."""

    attributes: tuple[Attribute, ...]

    def __contains__(self, claimed: Identification) -> bool:
        name = _name(claimed)
        return name is not None and len(name) == len(self.attributes) and all(map(_is_like, name, self.attributes))

    def __str__(self) -> str:
        return text_of(self.attributes)


Pattern: TypeAlias = Below | MailAt | NameLike
Meant: TypeAlias = Identification | Pattern | None
"""Who somebody has to be; None is anybody."""


def is_meant(claimed: Identification, meant: Meant) -> bool:
    """Whether who claims this, and proves it, is meant. What is no name is compared octet by octet."""
    match meant:
        case None:
            return True
        case Identification():
            return meant == claimed or _is_same_name(meant, claimed)
        case _:
            return claimed in meant


def closeness(meant: Meant) -> tuple[int, int]:
    """Orders those by whom the same identity is meant: one alone comes before a pattern, a narrow one before a wide."""
    match meant:
        case None:
            return (0, 0)
        case Identification():
            return (2, 0)
        case NameLike(attributes):
            return (1, sum(value != ANY for _, value in attributes))
        case Below(domain) | MailAt(domain):
            return (1, len(domain))


def _is_same_name(one: Identification, other: Identification) -> bool:
    """Whether both are the same Distinguished Name: who writes one chooses string types and case."""
    name = _name(one)
    return name is not None and name == _name(other)


def _is_like(rdn: frozenset[Attribute], wanted: Attribute) -> bool:
    oid, value = wanted
    return len(rdn) == 1 and all(kind == oid and (value == ANY or has == folded(value)) for kind, has in rdn)


def _name(claimed: Identification) -> CanonicalName | None:
    return _name_of(claimed.data) if claimed.id_type == IdType.DER_ASN1_DN else None


@lru_cache(NAMES_AT_HAND)
def _name_of(der: bytes) -> CanonicalName | None:
    """None for what is no name. What a stranger claims is compared with every peer's, and read once."""
    try:
        return canonical_of_der(der) or None
    except ValueError:
        return None


def _ascii(data: bytes) -> str:
    """Text in small letters; "" for what is none."""
    return data.decode().lower() if data.isascii() else ""
