"""Notify payload, RFC 7296 §3.10, and how long the data of each type must be."""

from __future__ import annotations

from collections.abc import Container
from struct import Struct
from typing import ClassVar, Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import NotifyType, PayloadType, ProtocolId
from edgevpn.ike.wire.buffer import Reader, member

# An SPI of 8 octets names an IKE SA; RFC 7296 has no Notify that carries one, yet other stacks send it.
SPI_SIZE = {ProtocolId.IKE: 8, ProtocolId.AH: 4, ProtocolId.ESP: 4}

HEAD = Struct(">BBH")

HASH_SIZES = (20,)  # SHA-1 of SPIs, address and port

DATA_SIZES: dict[NotifyType, Container[int]] = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: (1,),  # RFC 7296 §2.5
    NotifyType.INVALID_KE_PAYLOAD: (2,),  # RFC 7296 §1.2
    NotifyType.SET_WINDOW_SIZE: (4,),  # RFC 7296 §2.3
    NotifyType.IPCOMP_SUPPORTED: (3,),  # RFC 7296 §2.22
    NotifyType.NAT_DETECTION_SOURCE_IP: HASH_SIZES,  # RFC 7296 §2.23
    NotifyType.NAT_DETECTION_DESTINATION_IP: HASH_SIZES,
    NotifyType.COOKIE: range(1, 65),  # RFC 7296 §2.6
    NotifyType.ADDITIONAL_IP4_ADDRESS: (4,),  # RFC 4555 §4.2
    NotifyType.ADDITIONAL_IP6_ADDRESS: (16,),
    NotifyType.COOKIE2: range(8, 65),  # RFC 4555 §4.2.5
    NotifyType.AUTH_LIFETIME: (4,),  # RFC 4478 §3
    NotifyType.SIGNATURE_HASH_ALGORITHMS: range(2, 65, 2),  # RFC 7427 §4; ten are defined
}


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify payload, RFC 7296 §3.10: an error, or a status such as a capability of the sender.

    `protocol` and `spi` name the SA concerned; without an SPI the protocol is NONE.
    """

    payload_type: ClassVar = PayloadType.NOTIFY

    notify_type: NotifyType
    data: bytes = b""
    protocol: ProtocolId = ProtocolId.NONE
    spi: bytes = b""

    @classmethod
    def decode(cls, body: Reader) -> Self:
        protocol, spi, notify_type = _decode_sa(body)
        data = body.rest()
        if len(data) not in DATA_SIZES.get(notify_type, (len(data),)):
            raise InvalidSyntax(f"{notify_type.name} with {len(data)} octets of data")
        return cls(notify_type, data, protocol, spi)

    def encode(self) -> bytes:
        return HEAD.pack(self.protocol, len(self.spi), self.notify_type) + self.spi + self.data


def _decode_sa(body: Reader) -> tuple[ProtocolId, bytes, NotifyType]:
    """Protocol, SPI and type; the protocol of an absent SPI is ignored, as RFC 7296 §3.10 demands."""
    number, spi_size, type_number = body.unpack(HEAD)
    notify_type = member(NotifyType, type_number)
    if spi_size == 0:
        return ProtocolId.NONE, b"", notify_type
    protocol = member(ProtocolId, number)
    if spi_size != SPI_SIZE.get(protocol):
        raise InvalidSyntax(f"{protocol.name} Notify with an SPI of {spi_size} octets")
    return protocol, body.take(spi_size), notify_type
