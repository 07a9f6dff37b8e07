"""Key exchange: ephemeral key pairs and what peers may send us; RFC 3526, RFC 5903, RFC 8031, RFC 6989.

    initiator                                     responder
    key_pair = generate(ke, entropy)
                      key_pair.public  -->        answer = respond(ke, public, entropy)
    key_pair.shared_secret(public)    <--         answer.public, answer.shared_secret

With a group of Diffie and Hellman both make a key pair. With a KEM the responder has none: what it answers depends on
what it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto import mlkem
from edgevpn.ike.crypto.modp import GENERATOR, MODP_GROUPS, ModpGroup, power
from edgevpn.ike.crypto.suite import PUBLIC_LENGTHS
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Ke

UNCOMPRESSED = b"\x04"  # what SEC 1 puts before x and y, and RFC 5903 does not

# Curve and order of the group, RFC 5903 §3.
ECP_GROUPS: dict[Ke, tuple[EllipticCurve, int]] = {
    Ke.ECP_256: (SECP256R1(), int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)),
    Ke.ECP_384: (
        SECP384R1(),
        int("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    ),
    Ke.ECP_521: (
        SECP521R1(),
        int(
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
            "FFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
            16,
        ),
    ),
}
BIAS_OCTETS = 8  # more than the order has, so that no private key is noticeably likelier than another


class KeyPair(Protocol):
    """The half of one key exchange that its initiator makes."""

    @property
    def public(self) -> bytes:
        """Our Key Exchange Data."""

    def shared_secret(self, peer_public: bytes) -> bytes:
        """g^ir of RFC 7296 §2.14 from the peer's Key Exchange Data; InvalidSyntax if that is no valid public value."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The responder's Key Exchange Data, and the secret that both share then."""

    public: bytes
    shared_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModpKeyPair:
    """A group of integers modulo a prime, RFC 3526."""

    public: bytes
    group: ModpGroup
    exponent: int = field(repr=False)

    @classmethod
    def generate(cls, group: ModpGroup, entropy: Callable[[int], bytes]) -> ModpKeyPair:
        exponent = int.from_bytes(entropy(group.exponent_bits // 8), "big") | 1 << (group.exponent_bits - 1)
        public = power(GENERATOR, exponent, group)
        return cls(public.to_bytes(group.bits // 8, "big"), group, exponent)

    def shared_secret(self, peer_public: bytes) -> bytes:
        _check_length(peer_public, self.public)
        value = int.from_bytes(peer_public, "big")
        if not 1 < value < self.group.prime - 1:  # RFC 6989 §2.1
            raise InvalidSyntax("public value is out of range")
        try:
            secret = power(value, self.exponent, self.group)
        except ValueError as error:
            raise InvalidSyntax("public value is no power of the generator") from error
        return secret.to_bytes(self.group.bits // 8, "big")


@dataclass(frozen=True, slots=True)
class EcpKeyPair:
    """An elliptic curve modulo a prime, RFC 5903; public values are x and y, the shared secret is x (§7)."""

    public: bytes
    private_key: EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls, curve: EllipticCurve, order: int, entropy: Callable[[int], bytes]) -> EcpKeyPair:
        octets = entropy((order.bit_length() + 7) // 8 + BIAS_OCTETS)
        private_key = derive_private_key(int.from_bytes(octets, "big") % (order - 1) + 1, curve)
        point = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return cls(point.removeprefix(UNCOMPRESSED), private_key)

    def shared_secret(self, peer_public: bytes) -> bytes:
        _check_length(peer_public, self.public)
        try:
            point = EllipticCurvePublicKey.from_encoded_point(self.private_key.curve, UNCOMPRESSED + peer_public)
        except ValueError as error:  # RFC 6989 §2.3
            raise InvalidSyntax("public value is no point of the curve") from error
        return self.private_key.exchange(ECDH(), point)


@dataclass(frozen=True, slots=True)
class MontgomeryKeyPair:
    """Curve25519 or Curve448, RFC 8031."""

    public: bytes
    exchange: Callable[[bytes], bytes] = field(repr=False)

    @classmethod
    def generate_x25519(cls, entropy: Callable[[int], bytes]) -> MontgomeryKeyPair:
        key = X25519PrivateKey.from_private_bytes(entropy(PUBLIC_LENGTHS[Ke.CURVE25519]))
        return cls(
            key.public_key().public_bytes_raw(), lambda peer: key.exchange(X25519PublicKey.from_public_bytes(peer))
        )

    @classmethod
    def generate_x448(cls, entropy: Callable[[int], bytes]) -> MontgomeryKeyPair:
        key = X448PrivateKey.from_private_bytes(entropy(PUBLIC_LENGTHS[Ke.CURVE448]))
        return cls(
            key.public_key().public_bytes_raw(), lambda peer: key.exchange(X448PublicKey.from_public_bytes(peer))
        )

    def shared_secret(self, peer_public: bytes) -> bytes:
        _check_length(peer_public, self.public)
        try:
            return self.exchange(peer_public)
        except ValueError as error:  # RFC 7748 §6
            raise InvalidSyntax("public value leads to an all-zero secret") from error


def generate(ke: Ke, entropy: Callable[[int], bytes]) -> KeyPair:
    """A new key pair that follows from the octets of `entropy` alone; ValueError if `ke` is not supported."""
    match ke:
        case Ke.CURVE25519:
            return MontgomeryKeyPair.generate_x25519(entropy)
        case Ke.CURVE448:
            return MontgomeryKeyPair.generate_x448(entropy)
        case _ if ke in ECP_GROUPS:
            return EcpKeyPair.generate(*ECP_GROUPS[ke], entropy)
        case _ if ke in MODP_GROUPS:
            return ModpKeyPair.generate(MODP_GROUPS[ke], entropy)
        case _ if ke in mlkem.AVAILABLE:
            return mlkem.MlKemKeyPair.generate(ke, entropy)
        case _:
            raise ValueError(f"key exchange method {ke.name} is not supported")


def respond(ke: Ke, peer_public: bytes, entropy: Callable[[int], bytes]) -> Answer:
    """What the responder answers to the initiator's Key Exchange Data; InvalidSyntax if that is not valid."""
    if ke in mlkem.AVAILABLE:
        return Answer(*mlkem.encapsulate(ke, peer_public))
    key_pair = generate(ke, entropy)
    return Answer(key_pair.public, key_pair.shared_secret(peer_public))


def _check_length(peer_public: bytes, ours: bytes) -> None:
    if len(peer_public) != len(ours):
        raise InvalidSyntax(f"public value of {len(peer_public)} octets instead of {len(ours)}")
