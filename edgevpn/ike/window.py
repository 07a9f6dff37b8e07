"""Message IDs, retransmission and the seal: a window of one in either direction, RFC 7296 §2.1 to §2.3.

A request is answered once; when it comes again the same answer goes out again, and nothing else happens. Our own
request is repeated, longer apart each time, until its answer comes or the tries are used up. Where both sides know how
(RFC 7383), a long message travels in several datagrams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Self

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Env, Send
from edgevpn.ike.crypto.cipher import SkCipher, sk_cipher
from edgevpn.ike.errors import Discard
from edgevpn.ike.fragmentation import Reassembly, max_size
from edgevpn.ike.iana import ExchangeType, Flag, PayloadType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Path, Secured
from edgevpn.ike.wire.message import Header, Payload
from edgevpn.ike.wire.protected import open_fragment, open_message, seal_fragments, seal_message

Message = tuple[PayloadType, bytes]
"""Type of the first payload, and the chain of all."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Our request, kept until it is answered. `tries` counts how often it has been sent again."""

    exchange: ExchangeType
    message_id: int
    datagrams: tuple[bytes, ...] = field(repr=False)
    path: Path
    resend_at: float
    tries: int = 0

    def sends(self) -> tuple[Send, ...]:
        """All of it."""
        return tuple(Send(self.path, octets) for octets in self.datagrams)


@dataclass(frozen=True, slots=True)
class Seal:
    """The two ciphers of an IKE SA and its SPIs. `sent` counts sealed datagrams, which makes each IV new."""

    spi_i: bytes
    spi_r: bytes
    initiator: bool
    fragments: bool
    outgoing: SkCipher = field(repr=False)
    incoming: SkCipher = field(repr=False)
    sent: int = 0

    @classmethod
    def of(cls, secured: Secured) -> Self:
        """The seal of an IKE SA whose keys are agreed."""
        keys, suite = secured.keys, secured.suite
        ours, theirs = (keys.sk_ei, keys.sk_ai), (keys.sk_er, keys.sk_ar)
        if not secured.initiator:
            ours, theirs = theirs, ours
        outgoing, incoming = sk_cipher(suite, *ours), sk_cipher(suite, *theirs)
        return cls(secured.spi_i, secured.spi_r, secured.initiator, secured.fragments, outgoing, incoming)

    def close(
        self, exchange: ExchangeType, message_id: int, flags: Flag, payloads: tuple[Payload, ...], path: Path, env: Env
    ) -> tuple[Self, tuple[bytes, ...]]:
        """The sealed datagrams of a message, and the seal after them."""
        if self.initiator:
            flags |= Flag.INITIATOR
        header, ivs = Header(self.spi_i, self.spi_r, exchange, flags, message_id), self._ivs(env)
        if self.fragments:
            datagrams = seal_fragments(header, payloads, self.outgoing, max_size(path, env.settings), ivs)
        else:
            datagrams = (seal_message(header, payloads, self.outgoing, next(ivs)),)
        return replace(self, sent=self.sent + len(datagrams)), datagrams

    def _ivs(self, env: Env) -> Iterator[bytes]:
        cipher, sent = self.outgoing, self.sent
        while True:
            yield sent.to_bytes(cipher.iv_length, "big") if cipher.counter_iv else env.entropy(cipher.iv_length)
            sent += 1


@dataclass(frozen=True, slots=True)
class Window:
    """Where the conversation on one IKE SA stands.

    `before` is the seal of the request that was answered last, if there are new keys since (RFC 9370 §2.2.2).
    `asked` and `told` are what has come of the request and of the response that we wait for, if they are in pieces.
    """

    seal: Seal | None = None
    before: Seal | None = None
    next_id: int = 0
    expected_id: int = 0
    outstanding: Outstanding | None = None
    answer: tuple[bytes, ...] = field(default=(), repr=False)
    answering: bool = False
    asked: Reassembly | None = None
    told: Reassembly | None = None

    @property
    def due(self) -> float:
        """When our request is to be sent again, or fragments to be given up."""
        pieces = min((pieces.until for pieces in (self.asked, self.told) if pieces), default=NEVER)
        return min(pieces, self.outstanding.resend_at if self.outstanding else NEVER)

    def swept(self, now: float) -> Self:
        """Without fragments whose rest has not come in time."""
        if self.asked and self.asked.until <= now:
            self = replace(self, asked=None)
        if self.told and self.told.until <= now:
            self = replace(self, told=None)
        return self

    @property
    def pieces(self) -> tuple[int, int]:
        """How many fragments of a request have come, of how many in all; (0, 0) if none is awaited."""
        return (len(self.asked.fragments), self.asked.total) if self.asked else (0, 0)

    # --- the peer's requests ---

    def is_repeat(self, header: Header) -> bool:
        """Whether a request bears the number of the last one that we answered."""
        return bool(self.answer) and header.message_id + 1 == self.expected_id

    def check_repeat(self, header: Header, datagram: bytes) -> None:
        """Discard unless the peer wants its answer again; of a request in pieces the first does (RFC 7383 §2.6.1)."""
        now = self._opener(header)
        seal = self.before or now
        if header.next_payload != PayloadType.SKF:
            open_message(datagram, header, seal.incoming)
        elif not seal.fragments or open_fragment(datagram, header, seal.incoming).number != 1:
            raise Discard("a later fragment of a request that was answered")

    def accept(self, header: Header, datagram: bytes, env: Env) -> tuple[Self, Message | None]:
        """The peer's next request, None while parts of it are missing; Discard if it is another, or not the peer's."""
        if header.message_id != self.expected_id:
            raise Discard(f"request {header.message_id}, expected is {self.expected_id}")
        if self.answering:
            raise Discard(f"request {header.message_id} is under answer")
        message, pieces = self._open(header, datagram, self.asked, env)
        return replace(self, asked=pieces, answering=message is not None), message

    def respond(
        self, exchange: ExchangeType, payloads: tuple[Payload, ...], path: Path, env: Env
    ) -> tuple[Self, tuple[Send, ...]]:
        """The sealed answer to the request that was accepted."""
        assert self.seal is not None
        assert self.answering
        seal, answer = self.seal.close(exchange, self.expected_id, Flag.RESPONSE, payloads, path, env)
        after = replace(self, seal=seal, before=None, answer=answer, answering=False, expected_id=self.expected_id + 1)
        return after, after.answer_again(path)

    def answer_again(self, path: Path) -> tuple[Send, ...]:
        """Our last answer, to where it was asked for."""
        return tuple(Send(path, octets) for octets in self.answer)

    # --- our requests ---

    def call(
        self, exchange: ExchangeType, payloads: tuple[Payload, ...], path: Path, env: Env
    ) -> tuple[Self, tuple[Send, ...]]:
        """Our next request, sealed, to be repeated until it is answered."""
        assert self.seal is not None
        seal, datagrams = self.seal.close(exchange, self.next_id, Flag(0), payloads, path, env)
        return replace(self, seal=seal)._outstanding(exchange, datagrams, path, env)

    def call_open(self, octets: bytes, path: Path, env: Env) -> tuple[Self, tuple[Send, ...]]:
        """The same for IKE_SA_INIT, whose octets are final."""
        return self._outstanding(ExchangeType.IKE_SA_INIT, (octets,), path, env)

    def _outstanding(
        self, exchange: ExchangeType, datagrams: tuple[bytes, ...], path: Path, env: Env
    ) -> tuple[Self, tuple[Send, ...]]:
        assert self.outstanding is None
        resend_at = env.soon(env.settings.retransmit_first)
        outstanding = Outstanding(exchange, self.next_id, datagrams, path, resend_at)
        return replace(self, outstanding=outstanding), outstanding.sends()

    def resend(self, env: Env) -> tuple[Self, tuple[Send, ...]] | None:
        """Our request once more; None when the tries are used up."""
        sent = self.outstanding
        assert sent is not None
        tries = sent.tries + 1
        if tries > env.settings.retransmit_tries:
            return None
        resend_at = env.soon(env.settings.retransmit_first * env.settings.retransmit_factor**tries)
        return replace(self, outstanding=replace(sent, tries=tries, resend_at=resend_at)), sent.sends()

    @property
    def tries(self) -> int:
        """How often our request has been sent again."""
        return self.outstanding.tries if self.outstanding else 0

    def on_path(self, path: Path) -> Self:
        """With our request, if there is one, to be repeated over this path."""
        sent = self.outstanding
        return self if sent is None or sent.path == path else replace(self, outstanding=replace(sent, path=path))

    def check_response(self, header: Header) -> None:
        """Discard unless this may answer our request."""
        sent = self.outstanding
        if sent is None or (header.message_id, header.exchange) != (sent.message_id, sent.exchange):
            raise Discard(f"response {header.message_id} to nothing that we asked")

    def take_response(self, header: Header, datagram: bytes, env: Env) -> tuple[Self, Message | None]:
        """The answer to our request, None while parts of it are missing; Discard if it is none, or not the peer's."""
        self.check_response(header)
        message, pieces = self._open(header, datagram, self.told, env)
        after = replace(self, told=pieces)
        return (after, None) if message is None else (after.answered(), message)

    def answered(self) -> Self:
        """Our request is answered; the next number is free."""
        return replace(self, outstanding=None, next_id=self.next_id + 1)

    def turned_back(self) -> Self:
        """IKE_SA_INIT was turned back with a condition: it is asked anew under the same number (RFC 7296 §2.6)."""
        return replace(self, outstanding=None)

    # --- the seal ---

    def sealed_by(self, secured: Secured) -> Self:
        """With these keys from now on; what was answered under others may come again under them."""
        return replace(self, seal=Seal.of(secured), before=self.seal if self.answer else None)

    def _opener(self, header: Header) -> Seal:
        if self.seal is None:
            raise Discard("sealed before there are keys")
        if header.from_initiator == self.seal.initiator:
            raise Discard("the initiator flag is ours")
        return self.seal

    def _open(
        self, header: Header, datagram: bytes, pieces: Reassembly | None, env: Env
    ) -> tuple[Message | None, Reassembly | None]:
        """What a datagram brings: a whole message, or one more piece of it. Discard unless the ICV is right."""
        seal = self._opener(header)
        if header.next_payload != PayloadType.SKF:
            return open_message(datagram, header, seal.incoming), None
        if not seal.fragments:
            raise Discard("a fragment, which was not agreed on")
        fragment = open_fragment(datagram, header, seal.incoming)
        if pieces is None:
            pieces = Reassembly.begin(fragment, env.now + env.settings.reassembly_timeout)
        else:
            pieces = pieces.add(fragment)
        message = pieces.message
        return message, pieces if message is None else None
