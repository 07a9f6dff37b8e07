"""What an SA payload offers or accepts: proposals of transforms, RFC 7296 §3.3.1 to §3.3.5."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, ProtocolId, TransformAttribute, TransformType
from edgevpn.ike.wire.buffer import Reader, member

# From the RFC.
LAST_SUBSTRUCTURE = 0
MORE_PROPOSALS = 2  # the payload type that a Proposal had in IKEv1
MORE_TRANSFORMS = 3  # and a Transform
FORMAT_TV = 0x8000  # the value is in the place of its length
KEY_LENGTH = FORMAT_TV | TransformAttribute.KEY_LENGTH
SUBSTRUCTURE_HEAD = Struct(">BxH")
PROPOSAL_HEAD = Struct(">BBBB")
TRANSFORM_HEAD = Struct(">BxH")
ATTRIBUTE_HEAD = Struct(">HH")
SPI_SIZES = {ProtocolId.IKE: (0, 8), ProtocolId.AH: (4,), ProtocolId.ESP: (4,)}

TransformId = Encr | Prf | Integ | Ke | Esn | int

TRANSFORM_IDS: dict[TransformType, Callable[[int], TransformId]] = {
    TransformType.ENCR: Encr,
    TransformType.PRF: Prf,
    TransformType.INTEG: Integ,
    TransformType.KE: Ke,
    TransformType.ESN: Esn,
    TransformType.ADDKE1: Ke,
    TransformType.ADDKE2: Ke,
    TransformType.ADDKE3: Ke,
    TransformType.ADDKE4: Ke,
    TransformType.ADDKE5: Ke,
    TransformType.ADDKE6: Ke,
    TransformType.ADDKE7: Ke,
}

# Our own bounds: an SA payload is read before anything is known of its sender.
MAX_PROPOSALS = 64  # Windows, the most talkative client, sends about 20
MAX_OCTETS = 2048  # of an SA payload, twice what Windows sends; bounds the transforms and attributes as well
KEPT_CHOICES = 32  # of proposals, as they came: clients of a kind have the same


@dataclass(frozen=True, slots=True)
class Transform:
    """Transform substructure, RFC 7296 §3.3.2.

    `transform_id` is a member of the registry that `transform_type` names, a plain integer if the type is unknown.
    `key_length` is in bits. Attributes that we do not understand are kept as they came: a transform that has any
    equals none of ours, so it is never chosen (§3.3.6).
    """

    transform_type: TransformType
    transform_id: TransformId
    key_length: int | None = None
    unknown_attributes: bytes = b""

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, transform_number = body.unpack(TRANSFORM_HEAD)
        transform_type = member(TransformType, number)
        transform_id = TRANSFORM_IDS.get(transform_type, int)(transform_number)
        key_length, unknown = None, bytearray()
        while body.remaining:
            head, value = body.unpack(ATTRIBUTE_HEAD)
            if head != KEY_LENGTH:
                unknown += ATTRIBUTE_HEAD.pack(head, value)
                unknown += b"" if head & FORMAT_TV else body.take(value)
            elif key_length is None:
                key_length = value
            else:
                raise InvalidSyntax("a transform has two key lengths")
        return cls(transform_type, transform_id, key_length, bytes(unknown))

    def encode(self) -> bytes:
        head = TRANSFORM_HEAD.pack(self.transform_type, self.transform_id)
        key_length = b"" if self.key_length is None else ATTRIBUTE_HEAD.pack(KEY_LENGTH, self.key_length)
        return head + key_length + self.unknown_attributes


@dataclass(frozen=True, slots=True)
class Proposal:
    """Proposal substructure, RFC 7296 §3.3.1: one protocol, its SPI and the transforms to choose from."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, protocol_number, spi_size, count = body.unpack(PROPOSAL_HEAD)
        protocol = member(ProtocolId, protocol_number)
        if spi_size not in SPI_SIZES.get(protocol, ()):
            raise InvalidSyntax(f"{protocol.name} proposal with an SPI of {spi_size} octets")
        return cls(number, protocol, body.take(spi_size), _decode_transforms(body.rest(), count))

    def encode(self) -> bytes:
        head = PROPOSAL_HEAD.pack(self.number, self.protocol, len(self.spi), len(self.transforms))
        transforms = [transform.encode() for transform in self.transforms]
        return head + self.spi + _encode_chain(transforms, MORE_TRANSFORMS)

    def of_type(self, transform_type: TransformType) -> tuple[Transform, ...]:
        """The transforms of one type, in the sender's order of preference."""
        return tuple(transform for transform in self.transforms if transform.transform_type == transform_type)


@lru_cache(KEPT_CHOICES)
def _decode_transforms(octets: bytes, count: int) -> tuple[Transform, ...]:
    """All transforms of a proposal, which announces so many."""
    transforms = tuple(Transform.decode(each) for each in _chain(Reader(octets), MORE_TRANSFORMS, count))
    if len(transforms) != count:
        raise InvalidSyntax(f"proposal announces {count} transforms and has {len(transforms)}")
    return transforms


def decode_proposals(body: Reader) -> tuple[Proposal, ...]:
    """The proposals in the body of an SA payload, at least one; each number is one more than the last (§3.3.1)."""
    if body.remaining > MAX_OCTETS:
        raise InvalidSyntax(f"SA payload of {body.remaining} octets")
    proposals = tuple(Proposal.decode(proposal) for proposal in _chain(body, MORE_PROPOSALS, MAX_PROPOSALS))
    for index, proposal in enumerate(proposals):
        if proposal.number != proposals[0].number + index:
            raise InvalidSyntax(f"proposal {proposal.number} is out of order")
    return proposals


def encode_proposals(proposals: tuple[Proposal, ...]) -> bytes:
    """The body of an SA payload."""
    return _encode_chain([proposal.encode() for proposal in proposals], MORE_PROPOSALS)


def _chain(body: Reader, more: int, limit: int) -> Iterator[Reader]:
    """The bodies of one to `limit` substructures; each must be read to its end before the next is asked for."""
    for _ in range(limit):
        mark, length = body.unpack(SUBSTRUCTURE_HEAD)
        substructure = body.sub(length - SUBSTRUCTURE_HEAD.size)
        if mark != (more if body.remaining else LAST_SUBSTRUCTURE):
            raise InvalidSyntax(f"substructure marked {mark} with {body.remaining} octets after it")
        yield substructure
        substructure.finish()
        if mark == LAST_SUBSTRUCTURE:
            return
    raise InvalidSyntax(f"more than {limit} substructures")


def _encode_chain(bodies: Sequence[bytes], more: int) -> bytes:
    marks = [more] * (len(bodies) - 1) + [LAST_SUBSTRUCTURE]
    heads = [
        SUBSTRUCTURE_HEAD.pack(mark, SUBSTRUCTURE_HEAD.size + len(body))
        for mark, body in zip(marks, bodies, strict=True)
    ]
    return b"".join(head + body for head, body in zip(heads, bodies, strict=True))
