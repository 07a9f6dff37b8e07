"""Where tunnels live in the kernel: one XFRM interface for each site and each pool, and what goes with it. Pure.

The peers whose children live in a home are named after the site or pool (`peers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from edgevpn.config.model import Config, Pool, Site, Start
from edgevpn.config.ranges import AddressRange
from edgevpn.config.services import Offload
from edgevpn.config.values import Address, Network
from edgevpn.daemon.dataplane.caught import caught
from edgevpn.daemon.dataplane.esp import Lifetimes, child_lifetimes, pool_lifetimes
from edgevpn.daemon.peers import Selectors, pool_peer_names, selectors_of
from edgevpn.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """A network behind the interface; `beside` are our own networks, one of whose addresses our packets shall have."""

    network: Network
    beside: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Home:
    """One interface and all that belongs to it. `lifetimes` are those of its children by name.

    `traps` are children that the first packet brings up. `proxied`: neighbours are answered for whoever lives here.
    `outside` is where the peer is, as far as that is written; `callers`: it may be elsewhere, or has a name.
    `offload` is how much of ESP a network card may take over.
    """

    name: str
    peers: tuple[str, ...]
    interface: str
    lifetimes: Mapping[str, Lifetimes]
    mtu: int | None = None
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    traps: tuple[tuple[str, Selectors], ...] = ()
    proxied: bool = False
    outside: tuple[Address, ...] = ()
    callers: bool = False
    offload: Offload = Offload.OFF


def homes(config: Config, *, ipv6: bool = True) -> tuple[Home, ...]:
    """All homes that a configuration asks for. Without `ipv6` on this machine what would leak is dropped unanswered."""
    return (
        *map(site_home, config.sites),
        *(pool_home(pool, caught(config, pool) if ipv6 else None) for pool in config.pools),
    )


def site_home(site: Site) -> Home:
    """A site's: its networks are routed into it."""
    routes = {
        network: Route(network, child.local_networks)
        for child in site.children
        for network in (child.remote_networks if child.routes else ())
    }
    return Home(
        name=f"site {site.name}",
        peers=(site.name,),
        interface=site.interface,
        lifetimes={child.name: child_lifetimes(child) for child in site.children},
        mtu=site.mtu,
        routes=tuple(routes.values()),
        traps=tuple((child.name, selectors_of(child)) for child in site.children if child.start is Start.TRAFFIC),
        outside=tuple(host for host in site.remote if not isinstance(host, str)),
        callers=not site.remote or any(isinstance(host, str) for host in site.remote),
        offload=site.offload,
    )


def pool_home(pool: Pool, spare: AddressRange | None = None) -> Home:
    """A pool's: we have an address in each of its networks, and the whole of them lies behind it.

    `spare`: what is lent so that IPv6 does not leak; see `caught`.
    """
    spares = (spare,) if spare else ()
    routed = (*(() if pool.proxy else (*pool.v4, *pool.v6)), *spares)
    return Home(
        name=f"pool {pool.name}",
        peers=pool_peer_names(pool),
        interface=pool.interface,
        lifetimes={pool.name: pool_lifetimes(pool)},
        mtu=pool.mtu,
        addresses=tuple(
            map(ip_interface, (*pool.router, *(each.first for each in spares)))
        ),  # alone on the link: the networks have routes of their own
        routes=tuple(Route(each.subnet) for each in routed if each.subnet is not None),
        proxied=pool.proxy,
        offload=pool.offload,
    )
