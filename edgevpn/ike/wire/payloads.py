"""The payloads of IKEv2, RFC 7296 §3.3 to §3.16: one class each, reading and writing the body without its header."""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import ClassVar, Self

from edgevpn.dn import text_of_der
from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import AuthMethod, CertEncoding, EapCode, EapType, IdType, Ke, PayloadType, ProtocolId
from edgevpn.ike.wire.buffer import Reader, member
from edgevpn.ike.wire.proposal import Proposal, decode_proposals, encode_proposals
from edgevpn.ike.wire.selector import TrafficSelector

# From the RFC: a type and what is reserved behind it; a Delete; an EAP message.
OCTET_HEAD = Struct(">Bxxx")
ID_HEAD = Struct(">B3s")
KE_HEAD = Struct(">Hxx")
DELETE_HEAD = Struct(">BBH")
EAP_HEAD = Struct(">BBH")
SPI_SIZE = {ProtocolId.IKE: 0, ProtocolId.AH: 4, ProtocolId.ESP: 4}
ADDRESS_SIZE = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}
NAMES = (IdType.FQDN, IdType.RFC822_ADDR)
TERMINATORS = frozenset(b"\0\r\n")
NONCE_SIZES = range(16, 257)
HASHED_AUTHORITIES = (CertEncoding.X509_SIGNATURE, CertEncoding.HASH_AND_URL_X509, CertEncoding.HASH_AND_URL_BUNDLE)
AUTHORITY_SIZE = 20  # a SHA-1 hash
EAP_WITH_TYPE = (EapCode.REQUEST, EapCode.RESPONSE)


@dataclass(frozen=True, slots=True)
class SecurityAssociation:
    """Security Association payload, RFC 7296 §3.3: proposals, the most preferred first."""

    payload_type: ClassVar = PayloadType.SA

    proposals: tuple[Proposal, ...]

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(decode_proposals(body))

    def encode(self) -> bytes:
        return encode_proposals(self.proposals)


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """Key Exchange payload, RFC 7296 §3.4; what a valid length of `data` is, the method knows."""

    payload_type: ClassVar = PayloadType.KE

    method: Ke
    data: bytes

    @classmethod
    def decode(cls, body: Reader) -> Self:
        (number,) = body.unpack(KE_HEAD)
        return cls(member(Ke, number), body.rest())

    def encode(self) -> bytes:
        return KE_HEAD.pack(self.method) + self.data


@dataclass(frozen=True, slots=True)
class Identification:
    """What an Identification payload says, RFC 7296 §3.5: the name under which a peer is known."""

    id_type: IdType
    data: bytes
    reserved: bytes = field(default=bytes(3), repr=False, compare=False)  # AUTH covers the octets as they came (§2.15)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, reserved = body.unpack(ID_HEAD)
        id_type, data = member(IdType, number), body.rest()
        if len(data) != ADDRESS_SIZE.get(id_type, len(data)):
            raise InvalidSyntax(f"{id_type.name} identity of {len(data)} octets")
        if id_type in NAMES and not TERMINATORS.isdisjoint(data):
            raise InvalidSyntax(f"{id_type.name} identity with a terminator in it")
        return cls(id_type, data, reserved)

    def encode(self) -> bytes:
        """The body of the payload, which is RestOfInitIDPayload or RestOfRespIDPayload of §2.15."""
        return ID_HEAD.pack(self.id_type, self.reserved) + self.data

    def __str__(self) -> str:
        """As people write it; octets that are no text as "@#HEX". Whatever a peer has put there is still in it."""
        match self.id_type:
            case IdType.IPV4_ADDR:
                return str(IPv4Address(self.data))
            case IdType.IPV6_ADDR:
                return str(IPv6Address(self.data))
            case IdType.DER_ASN1_DN:
                return self._name() or f"@#{self.data.hex()}"
        text = self.data.decode("ascii", "replace")
        if not text.isprintable() or "\ufffd" in text or not text:
            return f"@#{self.data.hex()}"
        return f"keyid:{text}" if self.id_type == IdType.KEY_ID else text

    def _name(self) -> str:
        """A Distinguished Name as text; "" for what is none, or is no text."""
        try:
            text = text_of_der(self.data)
        except ValueError:
            return ""
        return text if text.isprintable() else ""


@dataclass(frozen=True, slots=True)
class _Identifying:
    """An Identification payload of either side."""

    identification: Identification

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(Identification.decode(body))

    def encode(self) -> bytes:
        return self.identification.encode()


@dataclass(frozen=True, slots=True)
class IdI(_Identifying):
    """Identification payload of the initiator, RFC 7296 §3.5."""

    payload_type: ClassVar = PayloadType.IDI


@dataclass(frozen=True, slots=True)
class IdR(_Identifying):
    """Identification payload of the responder, RFC 7296 §3.5."""

    payload_type: ClassVar = PayloadType.IDR


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate payload, RFC 7296 §3.6: one certificate, or what the encoding says."""

    payload_type: ClassVar = PayloadType.CERT

    encoding: CertEncoding
    data: bytes

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(body.member(CertEncoding), body.rest())

    def encode(self) -> bytes:
        return bytes([self.encoding]) + self.data


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Certificate Request payload, RFC 7296 §3.7: the certification authorities that the sender trusts.

    Each is the SHA-1 hash of its SubjectPublicKeyInfo; for encodings other than X.509 it is one opaque value.
    """

    payload_type: ClassVar = PayloadType.CERTREQ

    encoding: CertEncoding
    authorities: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: Reader) -> Self:
        encoding = body.member(CertEncoding)
        if not body.remaining:
            return cls(encoding)
        if encoding in HASHED_AUTHORITIES:
            return cls(encoding, body.split(AUTHORITY_SIZE))
        return cls(encoding, (body.rest(),))

    def encode(self) -> bytes:
        return bytes([self.encoding]) + b"".join(self.authorities)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Authentication payload, RFC 7296 §3.8: a signature or MAC of the sender."""

    payload_type: ClassVar = PayloadType.AUTH

    method: AuthMethod
    data: bytes

    @classmethod
    def decode(cls, body: Reader) -> Self:
        (number,) = body.unpack(OCTET_HEAD)
        return cls(member(AuthMethod, number), body.rest())

    def encode(self) -> bytes:
        return OCTET_HEAD.pack(self.method) + self.data


@dataclass(frozen=True, slots=True)
class Nonce:
    """Nonce payload, RFC 7296 §3.9: 16 to 256 octets that the sender never used before."""

    payload_type: ClassVar = PayloadType.NONCE

    data: bytes

    @classmethod
    def decode(cls, body: Reader) -> Self:
        if body.remaining not in NONCE_SIZES:
            raise InvalidSyntax(f"nonce of {body.remaining} octets")
        return cls(body.rest())

    def encode(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete payload, RFC 7296 §3.11: SAs the sender has closed.

    None at all is how libreswan answers a Delete of what it does not know.
    """

    payload_type: ClassVar = PayloadType.DELETE

    protocol: ProtocolId
    spis: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, spi_size, count = body.unpack(DELETE_HEAD)
        protocol = member(ProtocolId, number)
        if spi_size != SPI_SIZE.get(protocol) or (count > 0 and not spi_size):
            raise InvalidSyntax(f"{protocol.name} Delete: {count} SPIs of {spi_size} octets")
        spis = body.split(spi_size) if spi_size else ()
        if len(spis) != count:
            raise InvalidSyntax(f"Delete announces {count} SPIs and has {len(spis)}")
        body.finish()
        return cls(protocol, spis)

    def encode(self) -> bytes:
        head = DELETE_HEAD.pack(self.protocol, SPI_SIZE[self.protocol], len(self.spis))
        return head + b"".join(self.spis)


@dataclass(frozen=True, slots=True)
class VendorId:
    """Vendor ID payload, RFC 7296 §3.12."""

    payload_type: ClassVar = PayloadType.VENDOR_ID

    data: bytes

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(body.rest())

    def encode(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class _Selecting:
    """A Traffic Selector payload of either side; the count is one octet, so 255 selectors at most."""

    selectors: tuple[TrafficSelector, ...]

    @classmethod
    def decode(cls, body: Reader) -> Self:
        (count,) = body.unpack(OCTET_HEAD)
        if count == 0:
            raise InvalidSyntax("no traffic selector")
        selectors = tuple(TrafficSelector.decode(body) for _ in range(count))
        body.finish()
        return cls(selectors)

    def encode(self) -> bytes:
        return OCTET_HEAD.pack(len(self.selectors)) + b"".join(selector.encode() for selector in self.selectors)


@dataclass(frozen=True, slots=True)
class TrafficSelectorsI(_Selecting):
    """Traffic Selector payload for the initiator's end of the SA, RFC 7296 §3.13."""

    payload_type: ClassVar = PayloadType.TSI


@dataclass(frozen=True, slots=True)
class TrafficSelectorsR(_Selecting):
    """Traffic Selector payload for the responder's end of the SA, RFC 7296 §3.13."""

    payload_type: ClassVar = PayloadType.TSR


@dataclass(frozen=True, slots=True)
class Eap:
    """Extensible Authentication payload, RFC 7296 §3.16, RFC 3748 §4: Success and Failure have no type."""

    payload_type: ClassVar = PayloadType.EAP

    code: EapCode
    identifier: int
    eap_type: EapType | None = None
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        size = body.remaining
        number, identifier, length = body.unpack(EAP_HEAD)
        code = member(EapCode, number)
        if length != size:
            raise InvalidSyntax(f"EAP message says {length} octets and has {size}")
        if code in EAP_WITH_TYPE:
            return cls(code, identifier, body.member(EapType), body.rest())
        body.finish()
        return cls(code, identifier)

    def encode(self) -> bytes:
        content = b"" if self.eap_type is None else bytes([self.eap_type]) + self.data
        return EAP_HEAD.pack(self.code, self.identifier, EAP_HEAD.size + len(content)) + content


@dataclass(frozen=True, slots=True)
class UnknownPayload:
    """A payload of a type that we do not understand; skipped unless it is critical (RFC 7296 §2.5)."""

    number: PayloadType
    critical: bool
    body: bytes

    @property
    def payload_type(self) -> PayloadType:
        """Under the name that it has in the other payloads."""
        return self.number

    def encode(self) -> bytes:
        return self.body
