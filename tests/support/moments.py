"""Conversations of two endpoints, and every moment of them: before each datagram arrives, somebody may meddle."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from edgevpn.ike.contract import Settings
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.peer import Offer
from edgevpn.ike.state import DeleteChild, RekeyChild, RekeyIke, Secured
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import HEADER, PAYLOAD_HEAD, Header
from edgevpn.ike.wire.protected import open_message
from tests.support.conversations import client_and_gateway
from tests.support.pair import DELAY, Pair, Side
from tests.support.peers import ADDKE1_ECP384, IKE_OFFER, TO_LEFT, TO_RIGHT, mirrored

Hostile = Callable[[Side, bytes], None]


@dataclass(frozen=True)
class Life:
    """What two endpoints do, from the first message to the last."""

    name: str
    make: Callable[[], Pair]
    live: Callable[[Pair], None]

    def lived(self, fate: Hostile | None = None, at: int = -1) -> Pair:
        """All of it; `fate` sees datagram number `at` before it arrives."""
        pair = self.make()

        def meddling(number: int, octets: bytes) -> tuple[float, ...]:
            if number == at and fate is not None:
                fate(receiver(pair, octets), octets)
            return (DELAY,)

        pair.fate = meddling
        self.live(pair)
        return pair

    @cached_property
    def chart(self) -> str:
        """What is said if nobody meddles."""
        return self.lived().chart()

    def __str__(self) -> str:
        return self.name


def by_key() -> Pair:
    return Pair((replace(TO_RIGHT, liveness=30.0),), (replace(TO_LEFT, liveness=50.0),))


def by_several() -> Pair:
    """Further key exchanges, in IKE_INTERMEDIATE and IKE_FOLLOWUP_KE (RFC 9370)."""
    peer = replace(TO_RIGHT, offers=(Offer((*IKE_OFFER.transforms, ADDKE1_ECP384)),))
    return Pair((peer,), (mirrored(peer),))


def by_cookie() -> Pair:
    """Whoever asks must show a cookie first."""
    return Pair((TO_RIGHT,), (TO_LEFT,), Settings(cookie_threshold=0))


def by_login() -> Pair:
    return client_and_gateway(TO_RIGHT)


def every_exchange(pair: Pair) -> None:
    pair.left.initiate("right")
    pair.run(10)
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.run(10)
    pair.left.ask(RekeyIke())
    pair.run(35)  # and a probe of left's
    pair.right.ask(DeleteChild(pair.right.child.spi_in))
    pair.run(10)
    assert pair.agree()
    pair.left.terminate()
    pair.run(10)


def in_and_out(pair: Pair) -> None:
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    pair.left.terminate()
    pair.run(10)


def in_new_and_out(pair: Pair) -> None:
    pair.left.initiate("right")
    pair.run(10)
    pair.left.ask(RekeyIke())
    pair.run(10)
    assert pair.agree()
    pair.left.terminate()
    pair.run(10)


def receiver(pair: Pair, octets: bytes) -> Side:
    """Left began every IKE SA."""
    return pair.right if Header.decode(octets).from_initiator else pair.left


Moment = tuple[Life, int]
"""Before the datagram of that number arrives."""

KEY, LOGIN = Life("key", by_key, every_exchange), Life("login", by_login, in_and_out)
SEVERAL, COOKIE = Life("several", by_several, in_new_and_out), Life("cookie", by_cookie, in_and_out)


def moments_of(*lives: Life) -> list[Moment]:
    """All of these."""
    return [(life, at) for life in lives for at in range(len(life.lived().sent))]


MOMENTS = moments_of(KEY, LOGIN, SEVERAL)


class Reached(Exception):  # noqa: N818 - nothing is wrong
    """The conversation is where a test wanted it."""


def reached(life: Life, at: int) -> tuple[Side, bytes]:
    """Who is about to receive datagram number `at`, and what that is."""
    found: list[tuple[Side, bytes]] = []

    def stop(side: Side, octets: bytes) -> None:
        if not found:
            found.append((side, octets))
            raise Reached

    with suppress(Reached):
        life.lived(stop, at)
    (there,) = found
    return there


def keys_of(side: Side, octets: bytes) -> Secured:
    """The keys that a message is sealed with: IKE_INTERMEDIATE changes them."""
    header = Header.decode(octets)
    for secured in side.pair.all_secrets[header.spi_i, header.spi_r]:
        with suppress(Discard):
            open_message(octets, header, Seal.of(replace(secured, initiator=not header.from_initiator)).incoming)
            return secured
    raise AssertionError("sealed with keys that nobody has told")


def resealed(side: Side, octets: bytes, first: PayloadType, chain: bytes) -> bytes:
    """Other payloads in the place of those in a sealed message, with the true keys."""
    header = Header.decode(octets)
    cipher = Seal.of(replace(keys_of(side, octets), initiator=header.from_initiator)).outgoing
    length = HEADER.size + PAYLOAD_HEAD.size + cipher.sealed_length(len(chain))
    head = replace(header, length=length).encode() + PAYLOAD_HEAD.pack(first, 0, length - HEADER.size)
    return head + cipher.seal(head, chain, b"\x80" * cipher.iv_length)


def plain(side: Side, octets: bytes) -> bytes:
    """The payloads of a sealed message, behind the type of the first."""
    header = Header.decode(octets)
    secured = replace(keys_of(side, octets), initiator=not header.from_initiator)
    first, chain = open_message(octets, header, Seal.of(secured).incoming)
    return bytes([first]) + chain


def is_sealed(octets: bytes) -> bool:
    return Header.decode(octets).next_payload == PayloadType.SK


SEALED = [moment for moment in MOMENTS if is_sealed(moment[0].lived().sent[moment[1]])]
