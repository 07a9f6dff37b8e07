"""Stateless cookies (RFC 7296 §2.6), asked for and judged by the octets of a first message alone.

While strangers send first messages under addresses that are not theirs, this is nearly all that is done for each. So
nothing of the message is decoded but where its nonce is, and nothing is made but the answer.

A cookie begins with a tag of the sender's address; behind it is an HMAC of that, the nonce and the initiator's SPI. The
HMAC is the proof. The tag is a sieve for cookies that are made up: so little arithmetic that a packet filter in the
kernel does it, too, before there is any other work (`edgevpn.daemon.valve`). Who is at an address is told its tag, and
nobody else's. Unlike the HMAC, that arithmetic may not withstand somebody who has the tags of many addresses and
calculates. Until the secret changes, cookies that he makes up for other addresses would be looked at, as all would be
without tags; none of them would be taken for a proof.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import field
from struct import Struct
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType
from edgevpn.ike.wire.message import HEADER, MAJOR_VERSION, Header, encode_message, find_payload
from edgevpn.ike.wire.notify import Notify

# RFC 7296 §3.1, §3.2, §3.10: where they stand in a message whose first payload is a notification.
SPI_R, NEXT_PAYLOAD, VERSION, EXCHANGE, FLAGS, LENGTH, NOTIFY_TYPE, NOTIFY_DATA = 8, 16, 17, 18, 19, 24, 34, 36
NO_SPI, NOTIFY, COOKIE = bytes(8), bytes([PayloadType.NOTIFY]), NotifyType.COOKIE.to_bytes(2)
RESPONSE = int(Flag.RESPONSE)
USUAL = bytes([MAJOR_VERSION << 4, ExchangeType.IKE_SA_INIT, Flag.INITIATOR]) + bytes(4)
"""Version, exchange, flags and message ID of a first message."""

# Our own choices.
SECRET_SIZE = 32
TAG_SIZE = 4
COOKIE_SIZE = TAG_SIZE + 32
SHIFT = 15

WORD, ROUNDS = Struct(">I"), Struct(">8I")
MASK = 0xFFFF_FFFF

DEMAND = encode_message(
    Header(NO_SPI, NO_SPI, ExchangeType.IKE_SA_INIT, Flag.RESPONSE, 0),
    (Notify(NotifyType.COOKIE, bytes(COOKIE_SIZE)),),
)[SPI_R:-COOKIE_SIZE]
"""What asks for a cookie, between the initiator's SPI and the cookie."""


def is_first(octets: bytes) -> bool:
    """Whether it asks for an IKE SA: an IKE_SA_INIT request without an SPI of ours (RFC 7296 §3.1)."""
    if len(octets) <= FLAGS or octets[SPI_R:NEXT_PAYLOAD] != NO_SPI:
        return False
    return octets[EXCHANGE] == ExchangeType.IKE_SA_INIT and not octets[FLAGS] & RESPONSE


def is_usual(octets: bytes) -> bool:
    """Whether it has the header that a first message has, unless something is odd about it."""
    if octets[SPI_R:NEXT_PAYLOAD] != NO_SPI or octets[VERSION:LENGTH] != USUAL or octets.startswith(NO_SPI):
        return False
    return int.from_bytes(octets[LENGTH : HEADER.size]) == len(octets)


def shows_cookie(octets: bytes) -> bool:
    """Whether the first payload is a COOKIE notification, as it is where one was asked for (RFC 7296 §2.6)."""
    return octets[NEXT_PAYLOAD : NEXT_PAYLOAD + 1] == NOTIFY and octets[NOTIFY_TYPE:NOTIFY_DATA] == COOKIE


@dataclass(frozen=True, slots=True)
class Sieve:
    """Tags addresses. `rounds`: what is added, and what is multiplied by, modulo 2^32."""

    rounds: tuple[tuple[int, int], ...] = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """That of a secret."""
        numbers = ROUNDS.unpack(hmac.digest(secret, b"sieve", "sha256"))
        return cls(tuple((added, factor | 1) for added, factor in zip(numbers[::2], numbers[1::2], strict=True)))

    def tag(self, host: bytes) -> bytes:
        """That of an address, in its octets."""
        value = 0
        for (word,) in WORD.iter_unpack(host):
            value ^= word
            for added, factor in self.rounds:
                value = (value + added) * factor & MASK
                value ^= value >> SHIFT
        return value.to_bytes(TAG_SIZE)


def bears_tag(octets: bytes, host: bytes, sieves: Iterable[Sieve]) -> bool:
    """Whether a first message from `host` shows a cookie that falls through one of these sieves."""
    if not shows_cookie(octets):
        return False
    tag = octets[NOTIFY_DATA : NOTIFY_DATA + TAG_SIZE]
    return any(sieve.tag(host) == tag for sieve in sieves)


@dataclass(frozen=True, slots=True)
class Secret:
    """What cookies are made with for a while."""

    key: bytes = field(repr=False)
    sieve: Sieve = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> Self:
        """That with this key."""
        return cls(key, Sieve.of(key))

    def cookie(self, host: bytes, spi_i: bytes, ni: bytes) -> bytes:
        """The one that must be shown by who asks from there, with this SPI and nonce."""
        return self.sieve.tag(host) + hmac.digest(self.key, ni + host + spi_i, "sha256")


@dataclass(frozen=True, slots=True)
class Cookies:
    """Asks for cookies, and checks those that are shown. The secret before the last still counts for a while."""

    secret: Secret
    previous: Secret
    until: float = 0.0

    @classmethod
    def fresh(cls, entropy: Callable[[int], bytes]) -> Self:
        """With secrets that nobody has been shown a cookie of."""
        return cls(Secret.of(entropy(SECRET_SIZE)), Secret.of(entropy(SECRET_SIZE)))

    def renewed(self, entropy: Callable[[int], bytes], until: float) -> Cookies:
        """With another secret, which is used until then."""
        return Cookies(Secret.of(entropy(SECRET_SIZE)), self.secret, until)

    @property
    def sieves(self) -> tuple[Sieve, ...]:
        """What our cookies fall through."""
        return self.secret.sieve, self.previous.sieve

    def challenge(self, octets: bytes, host: bytes) -> bytes | None:
        """The answer to a first message that must show a cookie; None if it does. InvalidSyntax if it has no nonce."""
        spi_i, ni = octets[:SPI_R], find_payload(octets, PayloadType.NONCE)
        if ni is None:
            raise InvalidSyntax("no NONCE payload")
        if bears_tag(octets, host, self.sieves):
            shown = octets[NOTIFY_DATA : NOTIFY_DATA + COOKIE_SIZE]
            if any(hmac.compare_digest(shown, each.cookie(host, spi_i, ni)) for each in (self.secret, self.previous)):
                return None
        return spi_i + DEMAND + self.secret.cookie(host, spi_i, ni)
