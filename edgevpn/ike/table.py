"""Every IKE SA of ours, found by what is known of it, without looking through all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.peer import NEVER, IpAddress
from edgevpn.ike.proving import Answering, Calling
from edgevpn.ike.sa import neighbourhood
from edgevpn.ike.session import Who
from edgevpn.ike.state import (
    SPI_IN,
    Address,
    Authenticating,
    Closing,
    Contending,
    Established,
    HalfOpen,
    Initiating,
    Rekeyed,
)
from edgevpn.ike.steps import IkeSa
from edgevpn.ike.window import Window

WithPeer = Initiating | Authenticating | Calling | Established | Contending | Rekeyed | Closing
Unproven = HalfOpen | Answering
"""IKE SAs that somebody has begun who has not shown who it is."""
Leaving = Rekeyed | Closing
"""IKE SAs that are there only until a Delete has been answered."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One IKE SA since its making, its conversation, and the timer that is set for it.

    `follows` is the SPI of the IKE SA that this one is to follow, once both sides have shown again who they are.
    `received` are the octets of the messages that came before the peer had shown who it is.
    """

    sa: IkeSa
    window: Window
    since: float
    timer: float = NEVER
    follows: bytes = b""
    received: int = 0

    @property
    def due(self) -> float:
        return min(self.sa.due, self.window.due)

    @property
    def held(self) -> int:
        """Octets that we keep of what a stranger has sent, at the most; none, once it has shown who it is."""
        if not isinstance(self.sa, Unproven):
            return 0
        return self.received + (self.window.asked.octets if self.window.asked else 0)


Origin = tuple[bytes, int, bytes]
"""Where an IKE_SA_INIT request came from: an address in its octets, a port; and with which SPI."""


def origin(remote: Address, spi_i: bytes) -> Origin:
    """That of a request from there."""
    return remote.host.packed, remote.port, spi_i


Partner = tuple[str, Who]
"""A peer by our name, and whom it has proved to be."""
BY_EITHER = (True, False)


class Table:
    """Slots by our SPI, in the order of their making, and the ways to them."""

    def __init__(self) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._origins: dict[Origin, bytes] = {}  # of the half-open ones
        self._near: Counter[IpAddress] = Counter()  # half-open ones by where the peer is
        self._owners: dict[bytes, bytes] = {}  # child's inbound SPI -> our SPI
        self._peers: dict[str, dict[bytes, None]] = {}
        self._standing: dict[tuple[Partner, bool], dict[bytes, None]] = {}  # by who began it, too
        self._followers: dict[bytes, bytes] = {}  # our SPI -> that of the IKE SA that is to follow
        self._leaving: dict[bytes, None] = {}  # the longest first
        self.held = 0  # octets that we keep of what strangers have sent

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def get(self, spi: bytes) -> Slot | None:
        """The slot with this SPI of ours."""
        return self._slots.get(spi)

    def put(self, spi: bytes, slot: Slot) -> None:
        """Keep a slot under our SPI, in the place of the one that is there."""
        before = self._slots.get(spi)
        if before is None or not _found_alike(before.sa, slot.sa):
            self._forget(spi, before, slot.sa)
            self._learn(spi, slot.sa)
        if slot.follows:
            self._followers[slot.follows] = spi
        self.held += slot.held - (before.held if before else 0)
        self._slots[spi] = slot

    def drop(self, spi: bytes) -> None:
        """Forget a slot."""
        slot = self._slots.pop(spi, None)
        self._forget(spi, slot, None)
        self.held -= slot.held if slot else 0
        if slot and self._followers.get(slot.follows) == spi:
            del self._followers[slot.follows]

    # --- ways to a slot ---

    def half_open(self, origin: Origin) -> Slot | None:
        """The half-open IKE SA that came out of an IKE_SA_INIT request from there."""
        spi = self._origins.get(origin)
        return None if spi is None else self._slots[spi]

    @property
    def half_open_count(self) -> int:
        """How many nobody has come to authenticate on."""
        return len(self._origins)

    @property
    def proven_count(self) -> int:
        """How many there are besides, and stay: whose peer has shown who it is, or is called by us."""
        return len(self._slots) - len(self._origins) - len(self._leaving)

    @property
    def leaving_count(self) -> int:
        """How many are there only until a Delete has been answered."""
        return len(self._leaving)

    @property
    def longest_leaving(self) -> tuple[bytes, Slot]:
        """The one of them that has waited longest, with our SPI. There must be one."""
        spi = next(iter(self._leaving))
        return spi, self._slots[spi]

    @property
    def heaviest(self) -> tuple[bytes, Slot] | None:
        """The one that we keep most for of what a stranger has sent, with our SPI. It is looked for among all."""
        slots = ((spi, self._slots[spi]) for spi in self._origins.values())
        return max(slots, key=lambda found: found[1].held, default=None)

    def half_open_near(self, host: IpAddress) -> int:
        """How many of them came from one address; of IPv6, from the network of one host (RFC 4291 §2.5.4)."""
        return self._near[neighbourhood(host)]

    @property
    def longest_half_open(self) -> tuple[bytes, Slot] | None:
        """The oldest on which nobody has even begun to authenticate, with our SPI."""
        slots = ((spi, self._slots[spi]) for spi in self._origins.values())
        return next((found for found in slots if isinstance(found[1].sa, HalfOpen)), None)

    def owner(self, spi_in: bytes) -> bytes | None:
        """Our SPI of the IKE SA whose child receives on this one."""
        return self._owners.get(spi_in)

    def of_peer(self, name: str) -> Iterator[tuple[bytes, WithPeer]]:
        """The IKE SAs with a peer, by our SPI, those included that are not up yet or no longer."""
        for spi in tuple(self._peers.get(name, ())):
            slot = self._slots.get(spi)
            if slot is not None and isinstance(slot.sa, WithPeer):
                yield spi, slot.sa

    def standing(
        self, peer: str, identity: Who, began: tuple[bool, ...] = BY_EITHER
    ) -> Iterator[tuple[bytes, Established]]:
        """The IKE SAs that stand with a peer under an identity, by our SPI; those that we began, or the peer."""
        partner = peer, identity
        for spi in [spi for by in began for spi in self._standing.get((partner, by), ())]:
            slot = self._slots.get(spi)
            if slot is not None and isinstance(slot.sa, Established):
                yield spi, slot.sa

    def standing_count(self, peer: str, identity: Who) -> int:
        """How many those are."""
        return sum(len(self._standing.get(((peer, identity), by), ())) for by in BY_EITHER)

    def follower(self, spi: bytes) -> tuple[bytes, Slot] | None:
        """The IKE SA that is to follow this one, with its SPI."""
        found = self._followers.get(spi)
        return None if found is None else (found, self._slots[found])

    def hand_on(self, old: bytes, new: bytes) -> None:
        """What is to follow the IKE SA `old` is to follow `new` now, which has been made of it by rekeying."""
        found = self.follower(old)
        if found is not None:
            spi, slot = found
            del self._followers[old]
            self.put(spi, replace(slot, follows=new))

    # --- keeping the ways ---

    def _learn(self, spi: bytes, sa: IkeSa) -> None:
        if isinstance(sa, Unproven) and _origin(sa) not in self._origins:
            self._origins[_origin(sa)] = spi
            self._near[neighbourhood(_half_open(sa).path.remote.host)] += 1
        if isinstance(sa, Leaving):
            self._leaving[spi] = None
        if isinstance(sa, WithPeer):
            self._peers.setdefault(sa.peer.name, {})[spi] = None
        if isinstance(sa, Established):
            self._owners.update(dict.fromkeys(map(SPI_IN, sa.children), spi))
            self._standing.setdefault(_standing(sa), {})[spi] = None

    def _forget(self, spi: bytes, before: Slot | None, after: IkeSa | None) -> None:
        """Take back what `_learn` noted of a slot, where `after` will not note it again."""
        match before.sa if before else None:
            case sa if isinstance(sa, Unproven) and not isinstance(after, Unproven):
                self._origins.pop(_origin(sa), None)
                near = neighbourhood(_half_open(sa).path.remote.host)
                self._near[near] -= 1
                if not self._near[near]:
                    del self._near[near]
            case Established() as sa:
                kept = after.children if isinstance(after, Established) else ()
                for spi_in in set(map(SPI_IN, sa.children)).difference(map(SPI_IN, kept)):
                    if self._owners.get(spi_in) == spi:
                        del self._owners[spi_in]
                if not isinstance(after, Established) or _standing(after) != _standing(sa):
                    _take(self._standing, _standing(sa), spi)
        if not isinstance(after, Leaving):
            self._leaving.pop(spi, None)
        if before and isinstance(before.sa, WithPeer) and not isinstance(after, WithPeer):
            _take(self._peers, before.sa.peer.name, spi)


K = TypeVar("K")


def _take(index: dict[K, dict[bytes, None]], key: K, spi: bytes) -> None:
    spis = index[key]
    del spis[spi]
    if not spis:
        del index[key]


def _found_alike(one: IkeSa, other: IkeSa) -> bool:
    """Whether the same ways lead to both: most that happens changes none of them."""
    if one is other:
        return True
    if not isinstance(one, Established) or not isinstance(other, Established):
        return isinstance(one, Unproven) and isinstance(other, Unproven)  # it came from where it came from
    same_children, same_peer = one.children is other.children, one.peer is other.peer
    return same_children and same_peer and one.identity is other.identity and one.began == other.began


def _standing(sa: Established) -> tuple[Partner, bool]:
    return (sa.peer.name, sa.identity), sa.began


def _half_open(sa: Unproven) -> HalfOpen:
    return sa if isinstance(sa, HalfOpen) else sa.claim.half_open


def _origin(sa: Unproven) -> Origin:
    half_open = _half_open(sa)
    return origin(half_open.path.remote, half_open.secured.spi_i)
