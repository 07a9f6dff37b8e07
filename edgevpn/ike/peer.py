"""What is settled about a peer before it speaks: the PAD and SPD entries that IKE needs, RFC 4301 §4.4."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from edgevpn.ike.iana import IdType
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import TrafficSelector

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

NEVER = float("inf")


class Mode(Enum):
    """What ESP wraps: the whole packet, or what it carries (RFC 4301 §3.2)."""

    TUNNEL = auto()
    TRANSPORT = auto()


class Unique(Enum):
    """What a second IKE SA of the same peer does to the first."""

    KEEP = auto()  # both stay, unless the peer says INITIAL_CONTACT
    REPLACE = auto()
    REFUSE = auto()


@dataclass(frozen=True, slots=True)
class Offer:
    """One proposal that we make or accept: its transforms, in order of preference within each type."""

    transforms: tuple[Transform, ...]


@dataclass(frozen=True, slots=True)
class Psk:
    """A key that both sides hold (RFC 7296 §2.15)."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChildPolicy:
    """Which packets one CHILD SA may carry, and how. `rekey_after` is in seconds, `NEVER` for not by time."""

    name: str
    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    offers: tuple[Offer, ...]
    mode: Mode = Mode.TUNNEL
    rekey_after: float = NEVER


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of the peer authorization database. All times are in seconds.

    `local_id` None is the address that we are spoken to; `remote_id` None accepts any identity that proves the key;
    empty `local_networks` or `remote_networks` accept any address.
    """

    name: str
    local_id: Identification | None
    remote_id: Identification | None
    auth: Psk
    offers: tuple[Offer, ...]
    children: tuple[ChildPolicy, ...]
    local_networks: tuple[IpNetwork, ...] = ()
    remote_networks: tuple[IpNetwork, ...] = ()
    rekey_after: float = NEVER
    liveness: float = NEVER
    force_encapsulation: bool = False
    unique: Unique = Unique.KEEP

    def child(self, name: str) -> ChildPolicy | None:
        """The child policy of that name, if the peer still has one."""
        return next((child for child in self.children if child.name == name), None)

    def identity_at(self, local: IpAddress) -> Identification:
        """Who we are to this peer at an address of ours."""
        if self.local_id is not None:
            return self.local_id
        return Identification(IdType.IPV4_ADDR if local.version == 4 else IdType.IPV6_ADDR, local.packed)

    def accepts(self, local: IpAddress, remote: IpAddress) -> bool:
        """Whether the peer may be found at these two addresses."""
        return _within(local, self.local_networks) and _within(remote, self.remote_networks)


def _within(address: IpAddress, networks: tuple[IpNetwork, ...]) -> bool:
    return not networks or any(address in network for network in networks)
