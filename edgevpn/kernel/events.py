"""What the kernel tells without being asked."""

from __future__ import annotations

from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.network_spec import InterfaceAddress, LinkState, RouteSpec, RuleSpec
from edgevpn.kernel.spec import IpAddress, PolicyKey, SaKey, Selector


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet met a policy of ours and found no SA. `selector` is that packet's, the addresses are the template's."""

    selector: Selector
    source: IpAddress
    destination: IpAddress
    reqid: int
    if_id: int
    policy_index: int


@dataclass(frozen=True, slots=True)
class Expire:
    """An SA reached its soft limit, or its hard limit and is gone."""

    key: SaKey
    reqid: int
    hard: bool


@dataclass(frozen=True, slots=True)
class SaMappingChanged:
    """Packets of an inbound SA come, with a good ICV, from another address or port (RFC 3948 §3.1, RFC 7296 §2.23)."""

    key: SaKey
    reqid: int
    source: IpAddress
    source_port: int
    old_source: IpAddress
    old_source_port: int


@dataclass(frozen=True, slots=True)
class SaRemoved:
    """Somebody else has removed an SA of ours; None: all SAs that there were."""

    key: SaKey | None


@dataclass(frozen=True, slots=True)
class PolicyRemoved:
    """Somebody else has removed a policy of ours; None: all policies that there were."""

    key: PolicyKey | None


@dataclass(frozen=True, slots=True)
class FirewallRemoved:
    """Our nft table is gone."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface appeared, changed, or is gone."""

    link: LinkState
    gone: bool = False


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An interface got an address, or lost it. `interface` is "" if that no longer exists when this is read."""

    interface: str
    address: InterfaceAddress
    gone: bool = False


@dataclass(frozen=True, slots=True)
class RouteChanged:
    """A route appeared, changed, or is gone. Its interface is None if that no longer exists when this is read."""

    route: RouteSpec
    gone: bool = False


@dataclass(frozen=True, slots=True)
class RuleRemoved:
    """A rule of policy routing is gone."""

    rule: RuleSpec


@dataclass(frozen=True, slots=True)
class EventsLost:
    """The kernel had more to say than we read in time: read again what matters."""


Event: TypeAlias = (
    Acquire
    | Expire
    | SaMappingChanged
    | SaRemoved
    | PolicyRemoved
    | FirewallRemoved
    | LinkChanged
    | AddressChanged
    | RouteChanged
    | RuleRemoved
    | EventsLost
)
