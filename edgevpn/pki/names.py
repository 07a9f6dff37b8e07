"""Distinguished Names: how they are compared (RFC 5280 §7.1), shown and written (RFC 4514)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from edgevpn.pki.errors import shown

Attribute = tuple[str, str]
"""An attribute's OID in dots and its value, folded so that equal values are equal text."""

CanonicalName = tuple[frozenset[Attribute], ...]

SHORT = {
    "CN": NameOID.COMMON_NAME,
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "E": NameOID.EMAIL_ADDRESS,
    "EMAIL": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "SN": NameOID.SURNAME,
    "GN": NameOID.GIVEN_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
}
LONG = {oid.dotted_string: short for short, oid in reversed(SHORT.items())}

_SPACES = re.compile(r"\s+")


def canonical(name: x509.Name) -> CanonicalName:
    """A name so that two names that mean the same are equal, whatever their string types, case and spaces."""
    return tuple(
        frozenset((attribute.oid.dotted_string, folded(attribute.value)) for attribute in rdn) for rdn in name.rdns
    )


def folded(value: str | bytes) -> str:
    """An attribute value without the differences that do not count: case, and how many spaces."""
    text = value if isinstance(value, str) else value.hex()
    return _SPACES.sub(" ", text).strip().casefold()


def text_of(name: x509.Name) -> str:
    """A name for people, as one printable line: "C=CH, O=Example, CN=gw"."""
    return shown(", ".join("+".join(map(_written, rdn)) for rdn in name.rdns)) or "(no subject)"


def common_name(name: x509.Name) -> str:
    """The last common name, printable, or ""."""
    values = [attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return shown(values[-1]) if values else ""


def split(text: str) -> Iterator[tuple[str, str]]:
    """The attributes of "C=CH, O=Example, CN=gw" with their OIDs in dots. Raises ValueError.

    A comma or a slash parts them, as in strongSwan; a backslash takes the next character as it is.
    """
    mark = "/" if text.startswith("/") else ","
    for part in _parted(text.removeprefix("/"), mark):
        short, equals, value = part.partition("=")
        short, value = short.strip(), value.strip()
        oid = SHORT[short.upper()].dotted_string if short.upper() in SHORT else short
        if not equals or not value or not re.fullmatch(r"[0-2](\.\d+)+", oid):
            raise ValueError(f'"{shown(part.strip())}" is not like CN=gw or 2.5.4.3=gw')
        yield oid, value


def written(oid: str, value: str) -> str:
    """One attribute as `split` reads it: CN=gw."""
    escaped = re.sub(r"([,+\\])", r"\\\1", value)
    return f"{LONG.get(oid, oid)}={escaped}"


def _written(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value if isinstance(attribute.value, str) else f"#{attribute.value.hex()}"
    return written(attribute.oid.dotted_string, value)


def _parted(text: str, mark: str) -> Iterator[str]:
    part, escaped = "", False
    for character in text:
        if character == mark and not escaped:
            yield part
            part = ""
        elif character != "\\" or escaped:
            part += character
        escaped = character == "\\" and not escaped
    yield part
