"""The IKE header and the chain of payloads behind it, RFC 7296 §3.1 and §3.2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import Discard, InvalidMajorVersion, InvalidSyntax, OldVersion, UnsupportedCriticalPayload
from edgevpn.ike.iana import ExchangeType, Flag, PayloadType
from edgevpn.ike.wire.buffer import Reader, member
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Certificate,
    CertificateRequest,
    Delete,
    Eap,
    IdI,
    IdR,
    KeyExchange,
    Nonce,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
    UnknownPayload,
    VendorId,
)

# From the RFC.
HEADER = Struct(">8s8sBBBBII")
PAYLOAD_HEAD = Struct(">BBH")
FIRST_PAYLOAD = 16  # where the type of the first payload stands
MAJOR_VERSION = 2
CRITICAL = 0x80
KNOWN_FLAGS = int(Flag.INITIATOR | Flag.VERSION | Flag.RESPONSE)  # the others are ignored on receipt
ENCRYPTED = (PayloadType.SK, PayloadType.SKF)

# What a message may have more than one of; any other payload, twice, would be two answers to one question.
REPEATABLE = frozenset(
    (PayloadType.CERT, PayloadType.CERTREQ, PayloadType.NOTIFY, PayloadType.DELETE, PayloadType.VENDOR_ID)
)

# Our own bounds.
MAX_UNPROTECTED = 8192  # octets of a message that anyone may send; IKE_SA_INIT with ML-KEM has under 4,000
MAX_PAYLOADS = 64  # of a message; the longest, IKE_AUTH with a chain of certificates, has about 30

Payload = (
    SecurityAssociation
    | KeyExchange
    | IdI
    | IdR
    | Certificate
    | CertificateRequest
    | Authentication
    | Nonce
    | Notify
    | Delete
    | VendorId
    | TrafficSelectorsI
    | TrafficSelectorsR
    | Configuration
    | Eap
    | UnknownPayload
)

DECODERS: dict[PayloadType, Callable[[Reader], Payload]] = {
    PayloadType.SA: SecurityAssociation.decode,
    PayloadType.KE: KeyExchange.decode,
    PayloadType.IDI: IdI.decode,
    PayloadType.IDR: IdR.decode,
    PayloadType.CERT: Certificate.decode,
    PayloadType.CERTREQ: CertificateRequest.decode,
    PayloadType.AUTH: Authentication.decode,
    PayloadType.NONCE: Nonce.decode,
    PayloadType.NOTIFY: Notify.decode,
    PayloadType.DELETE: Delete.decode,
    PayloadType.VENDOR_ID: VendorId.decode,
    PayloadType.TSI: TrafficSelectorsI.decode,
    PayloadType.TSR: TrafficSelectorsR.decode,
    PayloadType.CP: Configuration.decode,
    PayloadType.EAP: Eap.decode,
}


EVERY = frozenset(DECODERS)
ONCE = EVERY - REPEATABLE
OPENING = frozenset(
    (
        PayloadType.SA,
        PayloadType.KE,
        PayloadType.NONCE,
        PayloadType.NOTIFY,
        PayloadType.VENDOR_ID,
        PayloadType.CERTREQ,
    )
)
"""What IKE_SA_INIT is made of (RFC 7296 §1.2)."""


@dataclass(frozen=True, slots=True)
class Header:
    """The IKE header, RFC 7296 §3.1; `next_payload` and `length` are filled in when a message is encoded."""

    spi_i: bytes
    spi_r: bytes
    exchange: ExchangeType
    flags: Flag
    message_id: int
    next_payload: PayloadType = PayloadType.NONE
    length: int = HEADER.size
    major: int = MAJOR_VERSION
    minor: int = 0

    @classmethod
    def decode(cls, datagram: bytes) -> Self:
        """The header of an untrusted datagram, of any version; Discard if that is no IKE message."""
        if len(datagram) < HEADER.size:
            raise Discard(f"{len(datagram)} octets are shorter than an IKE header")
        spi_i, spi_r, first, version, exchange, flags, message_id, length = HEADER.unpack_from(datagram)
        if length != len(datagram):
            raise Discard(f"header announces {length} octets of {len(datagram)}")
        if spi_i == bytes(8):
            raise Discard("initiator's SPI is zero")
        return cls(
            spi_i,
            spi_r,
            member(ExchangeType, exchange),
            member(Flag, flags & KNOWN_FLAGS),
            message_id,
            member(PayloadType, first),
            length,
            version >> 4,
            version & 0x0F,
        )

    def encode(self) -> bytes:
        """The 28 octets as the fields say."""
        return self.before(self.next_payload, self.length - HEADER.size)

    def before(self, first: PayloadType, size: int) -> bytes:
        """The 28 octets before `size` octets of payloads, the first of this type."""
        version = self.major << 4 | self.minor
        fields = self.spi_i, self.spi_r, first, version, self.exchange, self.flags, self.message_id
        return HEADER.pack(*fields, HEADER.size + size)

    @property
    def is_response(self) -> bool:
        """Whether the message answers one of ours (flag R)."""
        return Flag.RESPONSE in self.flags

    @property
    def from_initiator(self) -> bool:
        """Whether the sender is the original initiator of the IKE SA (flag I)."""
        return Flag.INITIATOR in self.flags

    def check_version(self) -> None:
        """Raise InvalidMajorVersion for a later version, which is answered, and Discard for an earlier (§2.5)."""
        if self.major > MAJOR_VERSION:
            raise InvalidMajorVersion(f"IKE version {self.major}.{self.minor}")
        if self.major < MAJOR_VERSION:
            raise OldVersion(f"IKE version {self.major}.{self.minor}")


def encode_message(header: Header, payloads: Sequence[Payload]) -> bytes:
    """A whole message without encryption, as IKE_SA_INIT is."""
    first, chain = encode_payloads(payloads)
    return header.before(first, len(chain)) + chain


def decode_message(header: Header, datagram: bytes) -> tuple[Payload, ...]:
    """The payloads of a whole message without encryption; raises like `decode_payloads`.

    Anybody may send one: what has no place in it is carried along unread.
    """
    _check_size(datagram)
    return decode_payloads(header.next_payload, datagram[HEADER.size :], OPENING)


def find_payload(datagram: bytes, wanted: PayloadType) -> bytes | None:
    """The body of the first payload of a type in a message without encryption, of which nothing else is looked at.

    Raises InvalidSyntax if the chain breaks off before it, or the message is too long.
    """
    _check_size(datagram)
    payload_type, reader = datagram[FIRST_PAYLOAD], Reader(datagram, HEADER.size)
    for _ in range(MAX_PAYLOADS):
        if payload_type == PayloadType.NONE:
            return None
        following, _flags, length = reader.unpack(PAYLOAD_HEAD)
        body = reader.take(length - PAYLOAD_HEAD.size)
        if payload_type == wanted:
            return body
        payload_type = following
    raise InvalidSyntax(f"more than {MAX_PAYLOADS} payloads")


def _check_size(datagram: bytes) -> None:
    if len(datagram) > MAX_UNPROTECTED:
        raise InvalidSyntax(f"{len(datagram)} octets without encryption")


def encode_payloads(payloads: Sequence[Payload]) -> tuple[PayloadType, bytes]:
    """The type of the first payload, and the chain of all."""
    types = [payload.payload_type for payload in payloads] + [PayloadType.NONE]
    chain = bytearray()
    for payload, following in zip(payloads, types[1:], strict=True):
        body = payload.encode()
        critical = CRITICAL if isinstance(payload, UnknownPayload) and payload.critical else 0
        chain += PAYLOAD_HEAD.pack(following, critical, PAYLOAD_HEAD.size + len(body)) + body
    return types[0], bytes(chain)


def decode_payloads(first: PayloadType, octets: bytes, read: frozenset[PayloadType] = EVERY) -> tuple[Payload, ...]:
    """The payloads of a chain that begins with one of type `first` and fills `octets`; those in `read` decoded.

    Raises InvalidSyntax, or UnsupportedCriticalPayload for a payload that may not be skipped (RFC 7296 §2.5).
    """
    reader, payload_type, none = Reader(octets), first, PayloadType.NONE
    payloads: list[Payload] = []
    seen: set[PayloadType] = set()
    while payload_type != none:
        if len(payloads) == MAX_PAYLOADS:
            raise InvalidSyntax(f"more than {MAX_PAYLOADS} payloads")
        if payload_type in ONCE:
            if payload_type in seen:
                raise InvalidSyntax(f"{payload_type.name} payload repeated")
            seen.add(payload_type)
        following, flags, length = reader.unpack(PAYLOAD_HEAD)
        body = reader.sub(length - PAYLOAD_HEAD.size)
        if payload_type in read:
            payloads.append(DECODERS[payload_type](body))
            body.finish()
        else:
            payloads.append(_unread(payload_type, bool(flags & CRITICAL), body))
        payload_type = member(PayloadType, following)
    reader.finish()
    return tuple(payloads)


def _unread(payload_type: PayloadType, critical: bool, body: Reader) -> UnknownPayload:
    """One that we do not understand, or that has no place here."""
    if payload_type in ENCRYPTED:
        raise InvalidSyntax(f"{payload_type.name} payload inside a chain")
    if critical and payload_type not in DECODERS:
        raise UnsupportedCriticalPayload(payload_type)
    return UnknownPayload(payload_type, critical, body.rest())
