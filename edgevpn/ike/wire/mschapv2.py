"""The packets of EAP-MSCHAPv2, in EAP messages of type 26: draft-kamath-pppext-eap-mschapv2 §2, RFC 2759 §3 to §6.

The authenticator's requests and the peer's responses have the same operations but not the same layouts.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import IntEnum
from struct import pack
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.wire.buffer import Reader

# From the RFC.
HEAD_SIZE = 4
CHALLENGE_SIZE = 16
NT_RESPONSE_SIZE = 24
RESPONSE_SIZE = 49
PROOF_SIZE = 20
VERSION = 3  # of the password-changing protocol, RFC 2759 §6

# Our own bound.
MAX_NAME = 256

PROOF = re.compile(rb"S=([0-9A-Fa-f]{40})(?:\s|$)")
ERROR = re.compile(rb"E=([0-9]{1,10})")
RETRY = re.compile(rb"R=([01])")
NEXT_CHALLENGE = re.compile(rb"C=([0-9A-Fa-f]{32})")


class OpCode(IntEnum):
    """What a packet is; closed."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD = 7


@dataclass(frozen=True, slots=True)
class Challenge:
    """The authenticator asks who the peer is; `name` is the authenticator's."""

    identifier: int
    challenge: bytes
    name: bytes = b""

    @classmethod
    def decode(cls, identifier: int, body: Reader) -> Self:
        if (size := body.u8()) != CHALLENGE_SIZE:
            raise InvalidSyntax(f"MSCHAPv2 challenge of {size} octets")
        return cls(identifier, body.take(CHALLENGE_SIZE), _name(body))

    def encode(self) -> bytes:
        return _packet(OpCode.CHALLENGE, self.identifier, bytes([CHALLENGE_SIZE]) + self.challenge + self.name)


@dataclass(frozen=True, slots=True)
class ChallengeResponse:
    """The peer's proof that it knows the password of the user `name`."""

    identifier: int
    peer_challenge: bytes
    nt_response: bytes = field(repr=False)
    name: bytes

    @classmethod
    def decode(cls, identifier: int, body: Reader) -> Self:
        if (size := body.u8()) != RESPONSE_SIZE:
            raise InvalidSyntax(f"MSCHAPv2 response of {size} octets")
        peer_challenge, _reserved = body.take(CHALLENGE_SIZE), body.take(8)
        nt_response, _flags = body.take(NT_RESPONSE_SIZE), body.u8()
        return cls(identifier, peer_challenge, nt_response, _name(body))

    def encode(self) -> bytes:
        value = self.peer_challenge + bytes(8) + self.nt_response + bytes(1)
        return _packet(OpCode.RESPONSE, self.identifier, bytes([RESPONSE_SIZE]) + value + self.name)


@dataclass(frozen=True, slots=True)
class Success:
    """The authenticator's proof that it knows the password too."""

    identifier: int
    proof: bytes = field(repr=False)
    text: bytes = b""

    @classmethod
    def decode(cls, identifier: int, body: Reader) -> Self:
        message = body.rest()
        found = PROOF.match(message)
        if found is None:
            raise InvalidSyntax("MSCHAPv2 success without a proof")
        return cls(identifier, bytes.fromhex(found[1].decode("ascii")), message.partition(b"M=")[2])

    def encode(self) -> bytes:
        message = b"S=" + self.proof.hex().upper().encode("ascii") + b" M=" + self.text
        return _packet(OpCode.SUCCESS, self.identifier, message)


@dataclass(frozen=True, slots=True)
class Failure:
    """The proof is wrong; with `challenge` the peer may try another, where the authenticator allows it (`retry`)."""

    identifier: int
    error: int
    retry: bool
    challenge: bytes | None = None
    text: bytes = b""

    @classmethod
    def decode(cls, identifier: int, body: Reader) -> Self:
        """Only the error is needed: there are servers that leave out the rest."""
        message = body.rest()
        fields, _, text = message.partition(b"M=")
        error, retry, challenge = ERROR.search(fields), RETRY.search(fields), NEXT_CHALLENGE.search(fields)
        if error is None:
            raise InvalidSyntax("MSCHAPv2 failure without an error")
        following = bytes.fromhex(challenge[1].decode("ascii")) if challenge else None
        return cls(identifier, int(error[1]), retry is not None and retry[1] == b"1", following, text)

    def encode(self) -> bytes:
        challenge = b"" if self.challenge is None else b" C=" + self.challenge.hex().upper().encode("ascii")
        fields = f"E={self.error} R={self.retry:d}".encode("ascii") + challenge + f" V={VERSION}".encode("ascii")
        return _packet(OpCode.FAILURE, self.identifier, fields + b" M=" + self.text)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The peer has seen success or failure; nothing but the operation is sent."""

    operation: OpCode

    def encode(self) -> bytes:
        return bytes([self.operation])


AuthenticatorPacket = Challenge | Success | Failure
PeerPacket = ChallengeResponse | Acknowledgement


def decode_request(data: bytes) -> AuthenticatorPacket:
    """What the authenticator sent."""
    operation, identifier, body = _head(Reader(data))
    match operation:
        case OpCode.CHALLENGE:
            return Challenge.decode(identifier, body)
        case OpCode.SUCCESS:
            return Success.decode(identifier, body)
        case OpCode.FAILURE:
            return Failure.decode(identifier, body)
        case _:
            raise InvalidSyntax(f"MSCHAPv2 {operation.name} from an authenticator")


def decode_response(data: bytes) -> PeerPacket:
    """What the peer sent. Some add a header to their acknowledgement; it says nothing."""
    reader = Reader(data)
    operation = reader.member(OpCode)
    if operation in (OpCode.SUCCESS, OpCode.FAILURE):
        return Acknowledgement(operation)
    operation, identifier, body = _head(Reader(data))
    if operation is not OpCode.RESPONSE:
        raise InvalidSyntax(f"MSCHAPv2 {operation.name} from a peer")
    return ChallengeResponse.decode(identifier, body)


def _head(reader: Reader) -> tuple[OpCode, int, Reader]:
    size = reader.remaining
    operation, identifier, length = reader.member(OpCode), reader.u8(), reader.u16()
    if length != size:
        raise InvalidSyntax(f"MSCHAPv2 packet says {length} octets and has {size}")
    return operation, identifier, reader


def _packet(operation: OpCode, identifier: int, content: bytes) -> bytes:
    return pack(">BBH", operation, identifier, HEAD_SIZE + len(content)) + content


def _name(body: Reader) -> bytes:
    if body.remaining > MAX_NAME:
        raise InvalidSyntax(f"name of {body.remaining} octets")
    return body.rest()
