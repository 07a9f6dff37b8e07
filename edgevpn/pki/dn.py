"""A Distinguished Name in DER, as ID_DER_ASN1_DN carries it (RFC 4945 §3.1.5, RFC 5280 §4.1.2.4), and from text.

cryptography reads names only inside certificates; this reads the little of DER that a name needs. It comes from a peer
before it has proved anything: every length is checked, and nothing but ValueError is raised.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from edgevpn.pki.errors import shown
from edgevpn.pki.names import Attribute, CanonicalName, folded, split, written

Rdns = tuple[tuple[Attribute, ...], ...]
"""A name as it was sent: its RDNs, each with its attributes, values as they were."""

LONGEST = 4096

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


def rdns_of_der(der: bytes) -> Rdns:
    """Read a Name. Raises ValueError."""
    if len(der) > LONGEST:
        raise ValueError(f"a name of {len(der)} octets")
    [(tag, rdns)] = _elements(der)
    _expect(tag, _SEQUENCE)
    return tuple(_rdn(tag, content) for tag, content in _elements(rdns))


def canonical_of_der(der: bytes) -> CanonicalName:
    """A name so that it can be compared with those of certificates (`names.canonical`). Raises ValueError."""
    return tuple(frozenset((oid, folded(value)) for oid, value in rdn) for rdn in rdns_of_der(der))


def text_of_der(der: bytes) -> str:
    """A name for people, as one printable line. Raises ValueError."""
    return shown(", ".join("+".join(written(oid, value) for oid, value in rdn) for rdn in rdns_of_der(der)))


def name_of_text(text: str) -> x509.Name:
    """The name that "C=CH, O=Example, CN=gw" means. Raises ValueError."""
    return x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oid), value) for oid, value in split(text)])


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
    """In dots. Base-128 arcs, the first two in one (X.690 §8.19)."""
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
