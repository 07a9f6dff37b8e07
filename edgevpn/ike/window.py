"""Message IDs, retransmission and the seal: a window of one in either direction, RFC 7296 §2.1 to §2.3.

A request is answered once; its octets again bring the same answer again, and nothing else happens. Our own request
is repeated, longer apart each time, until its answer comes or the tries are used up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Self

from edgevpn.ike.contract import Env, Send
from edgevpn.ike.crypto.cipher import SkCipher
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import ExchangeType, Flag, PayloadType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Path
from edgevpn.ike.wire.message import Header, Payload
from edgevpn.ike.wire.protected import open_message, seal_message

COUNTER_IV_SIZE = 8


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Our request, kept until it is answered. `tries` counts how often it has been sent again."""

    exchange: ExchangeType
    message_id: int
    octets: bytes = field(repr=False)
    path: Path
    resend_at: float
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """The peer's last request, by its digest, and what we answered."""

    digest: bytes
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seal:
    """The two ciphers of an IKE SA and its SPIs; `sent` counts sealed messages, which makes each IV new."""

    spi_i: bytes
    spi_r: bytes
    initiator: bool
    outgoing: SkCipher = field(repr=False)
    incoming: SkCipher = field(repr=False)
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """Where the conversation on one IKE SA stands."""

    seal: Seal | None = None
    next_id: int = 0
    expected_id: int = 0
    outstanding: Outstanding | None = None
    answered: Answered | None = None
    answering: int | None = None

    @property
    def due(self) -> float:
        """When our request is to be sent again."""
        return self.outstanding.resend_at if self.outstanding else NEVER

    # --- the peer's requests ---

    def repeat(self, header: Header, datagram: bytes) -> bytes | None:
        """Our answer, if this is the last request again; None if the request is new; Discard for any other."""
        if header.message_id == self.expected_id and self.answering is None:
            return None
        if header.message_id + 1 == self.expected_id and self.answered and self.answering is None:
            if sha256(datagram).digest() == self.answered.digest:
                return self.answered.octets
            raise Discard("another request with the number of the last")
        raise Discard(f"request {header.message_id}, expected is {self.expected_id}")

    def accept(self, header: Header) -> Self:
        """The request is genuine and will be answered."""
        return replace(self, answering=header.message_id)

    def respond(
        self, exchange: ExchangeType, datagram: bytes, payloads: tuple[Payload, ...], env: Env
    ) -> tuple[Self, bytes]:
        """The sealed answer to the request being answered, which came as `datagram`."""
        assert self.answering is not None
        sealed, octets = self._sealed(exchange, self.answering, Flag.RESPONSE, payloads, env)
        return sealed.answered_with(datagram, octets), octets

    def answered_with(self, datagram: bytes, octets: bytes) -> Self:
        """After `octets` answered `datagram`."""
        answered = Answered(sha256(datagram).digest(), octets)
        return replace(self, answered=answered, answering=None, expected_id=self.expected_id + 1)

    # --- our requests ---

    def call(self, exchange: ExchangeType, payloads: tuple[Payload, ...], path: Path, env: Env) -> tuple[Self, Send]:
        """Our next request, sealed, to be repeated until it is answered."""
        sealed, octets = self._sealed(exchange, self.next_id, Flag(0), payloads, env)
        return sealed.call_open(exchange, octets, path, env)

    def call_open(self, exchange: ExchangeType, octets: bytes, path: Path, env: Env) -> tuple[Self, Send]:
        """The same for a request whose octets are final."""
        resend_at = env.now + env.settings.retransmit_first
        outstanding = Outstanding(exchange, self.next_id, octets, path, resend_at)
        return replace(self, outstanding=outstanding), Send(path, octets)

    def resend(self, env: Env) -> tuple[Self, Send] | None:
        """Our request once more; None when the tries are used up."""
        sent = self.outstanding
        assert sent is not None
        tries = sent.tries + 1
        if tries > env.settings.retransmit_tries:
            return None
        resend_at = env.soon(env.settings.retransmit_first * env.settings.retransmit_factor**tries)
        return replace(self, outstanding=replace(sent, tries=tries, resend_at=resend_at)), Send(sent.path, sent.octets)

    def check_response(self, header: Header) -> None:
        """Discard unless this answers our request."""
        sent = self.outstanding
        if sent is None or (header.message_id, header.exchange) != (sent.message_id, sent.exchange):
            raise Discard(f"response {header.message_id} to nothing that we asked")

    def answer_came(self) -> Self:
        """Our request is answered; the next number is free."""
        return replace(self, outstanding=None, next_id=self.next_id + 1)

    def call_again(self) -> Self:
        """IKE_SA_INIT was turned back with a condition: ask anew under the same number (RFC 7296 §2.6)."""
        return replace(self, outstanding=None)

    # --- the seal ---

    def open(self, header: Header, datagram: bytes) -> tuple[PayloadType, bytes]:
        """Type of the first inner payload and the chain of all; Discard unless the ICV is right."""
        if self.seal is None:
            raise Discard("sealed before there are keys")
        if header.from_initiator == self.seal.initiator:
            raise Discard("the initiator flag is ours")
        return open_message(datagram, header, self.seal.incoming)

    def _sealed(
        self, exchange: ExchangeType, message_id: int, flags: Flag, payloads: tuple[Payload, ...], env: Env
    ) -> tuple[Self, bytes]:
        seal = self.seal
        assert seal is not None
        flags |= Flag.INITIATOR if seal.initiator else Flag(0)
        header = Header(seal.spi_i, seal.spi_r, exchange, flags, message_id)
        octets = seal_message(header, payloads, seal.outgoing, _iv(seal, env))
        return replace(self, seal=replace(seal, sent=seal.sent + 1)), octets


def _iv(seal: Seal, env: Env) -> bytes:
    if seal.outgoing.counter_iv:
        return seal.sent.to_bytes(seal.outgoing.iv_length, "big")
    return env.entropy(seal.outgoing.iv_length)
