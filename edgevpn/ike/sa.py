"""What IKE SAs and their children are made of: addresses, keys, and pairs of ESP SAs in the phases of their life."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, auto
from ipaddress import IPv6Address

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.keymat import ChildKeys, IkeKeys, mix_ppk
from edgevpn.ike.crypto.suite import ChildSuite, IkeSuite
from edgevpn.ike.peer import NEVER, IpAddress, Mode, Ppk
from edgevpn.ike.wire.selector import TrafficSelector


@dataclass(frozen=True, slots=True)
class Address:
    """Where one end of IKE sits: host and UDP port."""

    host: IpAddress
    port: int

    def __str__(self) -> str:
        """As in a URL: "198.51.100.7:4500", "[2001:db8::7]:4500"."""
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


def neighbourhood(host: IpAddress) -> IpAddress:
    """An IPv4 address, or the /64 of an IPv6 address: whoever has one of these has all of it."""
    return host if host.version == 4 else IPv6Address(int(host) >> 64 << 64)


@dataclass(frozen=True, slots=True)
class Path:
    """Our address and the peer's."""

    local: Address
    remote: Address


@dataclass(frozen=True, slots=True)
class Nat:
    """Who sits behind a NAT, by the hashes of RFC 7296 §2.23; either makes ESP travel in UDP.

    `supported`: the peer knows of NATs at all.
    """

    local: bool = False
    remote: bool = False
    supported: bool = True

    def __bool__(self) -> bool:
        return self.local or self.remote


SPENT = (b"",) * 6
"""SK_ai, SK_ar, SK_ei, SK_er, SK_pi and SK_pr, where they are not kept any longer."""


@dataclass(frozen=True, slots=True)
class Secured:
    """What both sides share once keys are agreed (RFC 7296 §2.14). `initiator`: whether we began this IKE SA.

    `fragments`: both know how to put a long message together again (RFC 7383 §2.3). `ppk_id` names the post-quantum
    pre-shared key that has gone into the keys, or into those that they follow from; empty if none has (RFC 8784).
    """

    spi_i: bytes
    spi_r: bytes
    initiator: bool
    suite: IkeSuite
    keys: IkeKeys = field(repr=False)
    fragments: bool = False
    ppk_id: bytes = b""

    @property
    def spi(self) -> bytes:
        """The SPI that we chose, by which this IKE SA is known here."""
        return self.spi_i if self.initiator else self.spi_r

    @property
    def sk_p_local(self) -> bytes:
        """The key that covers our identity in AUTH."""
        return self.keys.sk_pi if self.initiator else self.keys.sk_pr

    @property
    def sk_p_remote(self) -> bytes:
        """The key that covers the peer's identity in AUTH."""
        return self.keys.sk_pr if self.initiator else self.keys.sk_pi

    @property
    def settled(self) -> Secured:
        """The same with SK_d alone, once both have shown who they are: the seal has its keys, AUTH needs none again."""
        return replace(self, keys=IkeKeys(self.keys.sk_d, *SPENT))

    def mixed(self, ppk: Ppk) -> Secured:
        """The same with this key in it."""
        return replace(self, keys=mix_ppk(self.suite, self.keys, ppk.key), ppk_id=ppk.ppk_id)


class Phase(Enum):
    """How far the life of a CHILD SA has come."""

    INBOUND = auto()  # we answered its rekey: receives; sends when the old pair goes (RFC 7296 §2.8)
    ACTIVE = auto()
    REPLACED = auto()  # a newer pair carries the traffic; a Delete will come, or go at the latest when it is due
    DELETING = auto()  # our Delete waits for its answer
    LINGERING = auto()  # deleted by both sides; receives late packets for a few seconds


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A pair of ESP SAs. `initiator`: whether we asked for it, which tells whose keys are whose.

    `due` is when its phase ends by itself: ACTIVE -> rekey, INBOUND -> send, REPLACED -> delete, LINGERING -> gone.
    `rekey_at` is when an ACTIVE one will be due, for a pair that is not there yet.
    """

    name: str
    spi_in: bytes
    spi_out: bytes
    suite: ChildSuite
    keys: ChildKeys = field(repr=False)
    initiator: bool
    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    mode: Mode = Mode.TUNNEL
    phase: Phase = Phase.ACTIVE
    due: float = NEVER
    rekey_at: float = NEVER
    replaces: bytes | None = None  # spi_in of the pair that this one was made to follow

    @property
    def lives(self) -> bool:
        """Whether it is there to carry traffic, now or as soon as the pair before it goes."""
        return self.phase in (Phase.INBOUND, Phase.ACTIVE)

    @property
    def keys_in(self) -> tuple[bytes, bytes]:
        """Those of encryption and integrity for what we receive (RFC 7296 §2.17)."""
        keys = self.keys
        return (keys.encr_r, keys.integ_r) if self.initiator else (keys.encr_i, keys.integ_i)

    @property
    def keys_out(self) -> tuple[bytes, bytes]:
        """The same for what we send."""
        keys = self.keys
        return (keys.encr_i, keys.integ_i) if self.initiator else (keys.encr_r, keys.integ_r)

    def turned(self, phase: Phase, due: float = NEVER) -> ChildSa:
        """The same pair, further on in its life."""
        return replace(self, phase=phase, due=due)
