"""Which routing table leads into a tunnel, and who looks into it. Pure.

Routes are in the main table, where everybody expects them; but for those that would swallow the tunnel itself: routes
to a network that holds the peer, and default routes. These are in tables of ours, one for each length of prefix, which
packets with our mark do not look into. So that the longest prefix still wins, whatever table it is in, each such table
comes after the longer prefixes of the main one, and before the rest of it. For default routes that is what wg-quick
does: the LAN stays local, everything else goes in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_network

from edgevpn.kernel.network_spec import MAIN_TABLE, RouteSpec, RuleSpec
from edgevpn.kernel.spec import OURS_MARK, IpAddress, IpNetwork

# Our own choices. Before the rules for the main and the default table (32766, 32767) and those of wg-quick, behind
# those of mwan3 (from 1000) and pbr (30000 and below).
TABLES = range(0x6576_0000, 0x6576_0000 + 129)
FIRST_PRIORITY = 31_000

# Where no peer is that comes over the internet: RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291.
LOCAL = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)


def table_for(network: IpNetwork, outside: Collection[IpAddress], callers: bool) -> int:
    """Where a route to a network goes, of a home whose peers are at `outside`.

    With `callers`, others may call from wherever they are: from all but addresses of local networks.
    """
    may_hold_a_peer = callers and not any(is_within(network, local) for local in LOCAL)
    if network.prefixlen == 0 or may_hold_a_peer or any(address in network for address in outside):
        return TABLES[network.prefixlen]
    return MAIN_TABLE


def is_within(network: IpNetwork, other: IpNetwork) -> bool:
    """Whether all of a network is part of another."""
    same_version = network.version == other.version
    return same_version and network.prefixlen >= other.prefixlen and network.network_address in other


def rules_for(routes: Iterable[RouteSpec]) -> frozenset[RuleSpec]:
    """Who looks into the tables that these routes are in."""
    places = {(each.destination.version, each.destination.prefixlen) for each in routes if each.table in TABLES}
    return frozenset(rule for version, length in places for rule in _rules(version, length))


def _rules(version: int, length: int) -> Iterable[RuleSpec]:
    """The longer prefixes of the main table, if there can be any, and then our own of that length."""
    longest = 32 if version == 4 else 128
    priority = FIRST_PRIORITY + 2 * (longest - length)
    if length < longest:
        yield RuleSpec(version=version, priority=priority, table=MAIN_TABLE, longer_than=length)
    yield RuleSpec(version=version, priority=priority + 1, table=TABLES[length], unless=OURS_MARK)
