"""Distinguished Names without certificates: from text, to DER and back, and how they are compared (RFC 5280 §7.1).

ID_DER_ASN1_DN carries one (RFC 4945 §3.1.5), and settings hold them as text (RFC 4514). cryptography writes names, and
reads them only inside certificates; this reads the little of DER that a name needs. A peer sends it before it has
proved anything: every length is checked, and nothing but ValueError is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Attribute = tuple[str, str]
"""An attribute's OID in dots and its value."""

Rdns = tuple[tuple[Attribute, ...], ...]
"""A name as it was sent: its RDNs, each with its attributes, values as they were."""

CanonicalName = tuple[frozenset[Attribute], ...]
"""A name whose values are folded, so that names that mean the same are equal."""

SHORT = {
    "CN": "2.5.4.3",
    "C": "2.5.4.6",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
    "EMAIL": "1.2.840.113549.1.9.1",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
    "SN": "2.5.4.4",
    "GN": "2.5.4.42",
    "SERIALNUMBER": "2.5.4.5",
}
LONG = {oid: short for short, oid in reversed(SHORT.items())}

LONGEST = 4096

_OID_TEXT = re.compile(r"(?:[01]\.[1-3]?[0-9]|2\.[0-9]+)(?:\.[0-9]+)+", re.ASCII)
_SPACES = re.compile(r"\s+")

_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_ENCODINGS = {
    0x0C: "utf-8",
    0x12: "ascii",  # NumericString
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # TeletexString, as everybody reads it
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


def folded(value: str) -> str:
    """An attribute value without the differences that do not count: case, and how many spaces."""
    return _SPACES.sub(" ", value).strip().casefold()


def split(text: str) -> Iterator[Attribute]:
    """The attributes of "C=CH, O=Example, CN=gw" with their OIDs in dots. Raises ValueError.

    A comma or a slash parts them, as in strongSwan; a backslash takes the next character as it is.
    """
    mark = "/" if text.startswith("/") else ","
    for part in _parted(text.removeprefix("/"), mark):
        short, equals, value = part.partition("=")
        short, value = short.strip(), value.strip()
        oid = SHORT.get(short.upper(), short)
        if not equals or not value or not _OID_TEXT.fullmatch(oid):
            raise ValueError(f'"{part.strip()}" is not like CN=gw or 2.5.4.3=gw')
        yield oid, value


def written(oid: str, value: str) -> str:
    """One attribute as `split` reads it: CN=gw."""
    escaped = re.sub(r"([,+\\])", r"\\\1", value)
    return f"{LONG.get(oid, oid)}={escaped}"


def text_of(attributes: Iterable[Attribute]) -> str:
    """What `split` reads as these attributes."""
    return ", ".join(written(oid, value) for oid, value in attributes)


def der_of(attributes: Iterable[Attribute]) -> bytes:
    """The name of these attributes, each an RDN of its own, as a CA would write it. Raises ValueError."""
    from cryptography import x509  # here, and not above: a configuration without such a name is read in half the time

    attributes = tuple(attributes)
    if any(oid == SHORT["C"] and len(value) != len("CH") for oid, value in attributes):
        raise ValueError("a country has two letters")
    der = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oid), value) for oid, value in attributes]).public_bytes()
    rdns_of_der(der)  # a value that its string type cannot hold is written all the same
    return der


def rdns_of_der(der: bytes) -> Rdns:
    """Read a Name. Raises ValueError."""
    if len(der) > LONGEST:
        raise ValueError(f"a name of {len(der)} octets")
    [(tag, rdns)] = _elements(der)
    _expect(tag, _SEQUENCE)
    return tuple(_rdn(tag, content) for tag, content in _elements(rdns))


def canonical_of_der(der: bytes) -> CanonicalName:
    """A name so that it can be compared with others, those of certificates too. Raises ValueError."""
    return tuple(frozenset((oid, folded(value)) for oid, value in rdn) for rdn in rdns_of_der(der))


def text_of_der(der: bytes) -> str:
    """A name for people; whatever a peer has put there is still in it. Raises ValueError."""
    return ", ".join("+".join(written(oid, value) for oid, value in rdn) for rdn in rdns_of_der(der))


# --- text ----------------------------------------------------------------------------------------------------------


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


# --- DER -----------------------------------------------------------------------------------------------------------


def _rdn(tag: int, content: bytes) -> tuple[Attribute, ...]:
    _expect(tag, _SET)
    return tuple(_attribute(tag, each) for tag, each in _elements(content))


def _attribute(tag: int, content: bytes) -> Attribute:
    _expect(tag, _SEQUENCE)
    (oid_tag, oid), (value_tag, value) = _elements(content)
    _expect(oid_tag, _OID)
    if value_tag not in _ENCODINGS:
        raise ValueError(f"a string of type {value_tag:#x}")
    return _oid(oid), value.decode(_ENCODINGS[value_tag])


def _oid(octets: bytes) -> str:
    """In dots."""
    arcs, arc = [], 0
    for octet in octets:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs or octets[-1] & 0x80:
        raise ValueError("an OID that does not end")
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The DER elements that octets consist of: tag and content of each."""
    at = 0
    while at < len(octets):
        tag, first = octets[at], octets[at + 1] if at + 1 < len(octets) else 0xFF
        size = first & 0x7F if first & 0x80 else 0
        start = at + 2 + size
        if size > 2 or (first & 0x80 and not size) or start > len(octets):
            raise ValueError("a length that DER does not have")
        length = int.from_bytes(octets[at + 2 : start]) if size else first
        at = start + length
        if at > len(octets):
            raise ValueError("an element that is cut off")
        yield tag, octets[start:at]


def _expect(tag: int, expected: int) -> None:
    if tag != expected:
        raise ValueError(f"tag {tag:#x} where {expected:#x} belongs")
