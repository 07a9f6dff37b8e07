"""Configuration payload, RFC 7296 §3.15: the addresses, name servers and networks that a client asks for."""

from __future__ import annotations

from collections.abc import Container
from struct import Struct
from typing import ClassVar, Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ConfigAttribute, ConfigType, PayloadType
from edgevpn.ike.wire.buffer import Reader, member

# From the RFC. An empty value asks for one; INTERNAL_IP6_SUBNET too is asked for that way in practice.
RESERVED_BIT = 0x8000
HEAD = Struct(">Bxxx")
ATTRIBUTE_HEAD = Struct(">HH")
VALUE_SIZES: dict[ConfigAttribute, Container[int]] = {
    ConfigAttribute.INTERNAL_IP4_ADDRESS: (0, 4),
    ConfigAttribute.INTERNAL_IP4_NETMASK: (0, 4),
    ConfigAttribute.INTERNAL_IP4_DNS: (0, 4),
    ConfigAttribute.INTERNAL_IP4_NBNS: (0, 4),
    ConfigAttribute.INTERNAL_IP4_DHCP: (0, 4),
    ConfigAttribute.INTERNAL_IP6_ADDRESS: (0, 17),
    ConfigAttribute.INTERNAL_IP6_DNS: (0, 16),
    ConfigAttribute.INTERNAL_IP6_DHCP: (0, 16),
    ConfigAttribute.INTERNAL_IP4_SUBNET: (0, 8),
    ConfigAttribute.SUPPORTED_ATTRIBUTES: range(0, 0x10000, 2),
    ConfigAttribute.INTERNAL_IP6_SUBNET: (0, 17),
}

# Our own bound.
MAX_ATTRIBUTES = 256  # clients send about ten; a gateway with many networks sends one for each


@dataclass(frozen=True, slots=True)
class Attribute:
    """Configuration attribute, RFC 7296 §3.15.1: an empty value asks, any other suggests or answers."""

    attribute_type: ConfigAttribute
    value: bytes = b""

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, size = body.unpack(ATTRIBUTE_HEAD)
        attribute_type, value = member(ConfigAttribute, number & ~RESERVED_BIT), body.take(size)
        if len(value) not in VALUE_SIZES.get(attribute_type, (len(value),)):
            raise InvalidSyntax(f"{attribute_type.name} of {len(value)} octets")
        return cls(attribute_type, value)

    def encode(self) -> bytes:
        return ATTRIBUTE_HEAD.pack(self.attribute_type, len(self.value)) + self.value


@dataclass(frozen=True, slots=True)
class Configuration:
    """Configuration payload, RFC 7296 §3.15."""

    payload_type: ClassVar = PayloadType.CP

    config_type: ConfigType
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def decode(cls, body: Reader) -> Self:
        (number,) = body.unpack(HEAD)
        attributes: list[Attribute] = []
        while body.remaining:
            if len(attributes) == MAX_ATTRIBUTES:
                raise InvalidSyntax(f"more than {MAX_ATTRIBUTES} configuration attributes")
            attributes.append(Attribute.decode(body))
        return cls(member(ConfigType, number), tuple(attributes))

    def encode(self) -> bytes:
        return HEAD.pack(self.config_type) + b"".join(attribute.encode() for attribute in self.attributes)

    def of_type(self, attribute_type: ConfigAttribute) -> tuple[bytes, ...]:
        """The values of one attribute, in the order in which they came."""
        return tuple(each.value for each in self.attributes if each.attribute_type == attribute_type)
