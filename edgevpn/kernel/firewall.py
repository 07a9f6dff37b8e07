"""Our firewall on general Linux: one nft table that lets in what we need and forwards between zones.

It can only narrow: what a table of somebody else drops stays dropped, whatever ours accepts. Packets that neither come
from a tunnel nor go into one are none of our business, nor are those to the gateway itself, but for the owner's rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from edgevpn.frozen import dataclass
from edgevpn.kernel.network_spec import OURS_LINK_PREFIX
from edgevpn.kernel.nftables import Chain, Expression, Hook, NamedSet, Rule, Table
from edgevpn.kernel.spec import IpAddress, IpNetwork

# NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER, NF_IP_PRI_NAT_SRC
MANGLE, FILTER, SOURCE_NAT = -150, 0, 100

# RFC 9293 §3.7.1: an MSS counts neither the IP header nor the TCP header.
HEADERS = {4: 20 + 20, 6: 40 + 20}

OWNER_INPUT, OWNER_FORWARD = "owner_input", "owner_forward"
WITHOUT_IPV6 = "without_ipv6"
ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}

SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Zone:
    """Interfaces that are alike to us: "lan", "wan", "pool", "site". ValueError for a name that no set can have."""

    name: str
    interfaces: frozenset[str]

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class Flow:
    """Connections that may be begun in one zone, towards another; their answers may pass, too."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An interface of ours. TCP is told what fits its `mtu`. Without `ipv6`, IPv6 that comes out of it is rejected."""

    interface: str
    mtu: int | None = None
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """The addresses that a device has now, for the owner's own rules. Raises ValueError as `Zone` does."""

    name: str
    addresses: frozenset[IpAddress] = frozenset()

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallSpec:
    """What the firewall shall do.

    `listen`: our addresses that IKE and ESP are let in at, none for all. `masquerade`: networks that reach the zone
    `uplink` under its address. Raises ValueError where a flow names a zone that there is not.
    """

    listen: frozenset[IpAddress] = frozenset()
    ports: tuple[int, ...] = (500, 4500)
    tunnels: tuple[Tunnel, ...] = ()
    zones: tuple[Zone, ...] = ()
    flows: tuple[Flow, ...] = ()
    masquerade: tuple[IpNetwork, ...] = ()
    uplink: str = "wan"
    devices: tuple[Device, ...] = ()

    def __post_init__(self) -> None:
        known = {zone.name for zone in self.zones}
        named = {name for flow in self.flows for name in (flow.source, flow.destination)}
        named |= {self.uplink} if self.masquerade else set()
        if named - known:
            raise ValueError(f"no such zone: {', '.join(sorted(named - known))}")


def check_name(name: str) -> None:
    if not SET_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a set")


def table(spec: FirewallSpec) -> Table:
    """The table that does what is wanted."""
    return Table(
        sets=tuple(sets(spec)),
        chains=(
            Chain(OWNER_INPUT),
            Chain(OWNER_FORWARD),
            Chain("input", Hook("filter", "input", FILTER), tuple(input_rules(spec))),
            Chain("clamp", Hook("filter", "forward", MANGLE), tuple(clamp_rules(spec.tunnels))),
            Chain("forward", Hook("filter", "forward", FILTER), tuple(forward_rules(spec))),
            Chain("source_nat", Hook("nat", "postrouting", SOURCE_NAT), tuple(masquerade_rules(spec))),
        ),
    )


# Sets ----------------------------------------------------------------------------------------------------------------


def sets(spec: FirewallSpec) -> Iterator[NamedSet]:
    for zone in spec.zones:
        yield NamedSet(zone_set(zone.name), "ifname", zone.interfaces)
    bare = frozenset(tunnel.interface for tunnel in spec.tunnels if not tunnel.ipv6)
    yield NamedSet(WITHOUT_IPV6, "ifname", bare)
    for device in spec.devices:
        for version, kind in ADDRESS_TYPES.items():
            addresses = frozenset(str(each) for each in device.addresses if each.version == version)
            yield NamedSet(device_set(device.name, version), kind, addresses)


def zone_set(name: str) -> str:
    return f"zone_{name}"


def device_set(name: str, version: int) -> str:
    """The set that an owner's rule names: `ip saddr @device_phone_ipv4`."""
    return f"device_{name}_ipv{version}"


# Rules ---------------------------------------------------------------------------------------------------------------


def input_rules(spec: FirewallSpec) -> Iterator[Rule]:
    """IKE and ESP to our addresses; ESP in UDP comes to the same ports as IKE."""
    for version in ADDRESS_TYPES:
        listen = [address for address in spec.listen if address.version == version]
        if spec.listen and not listen:
            continue
        to_us = destination(version, listen)
        yield Rule(f"IKE over IPv{version}", (*to_us, among(payload("udp", "dport"), spec.ports), counter(), ACCEPT))
        yield Rule(f"ESP over IPv{version}", (*to_us, equal(meta("l4proto"), "esp"), counter(), ACCEPT))
    yield Rule("the owner's rules for what comes out of tunnels", (FROM_TUNNEL, jump(OWNER_INPUT)))


def destination(version: int, addresses: Iterable[IpAddress]) -> tuple[Expression, ...]:
    protocol = "ip" if version == 4 else "ip6"
    texts = sorted(map(str, addresses))
    return (among(payload(protocol, "daddr"), texts),) if texts else (equal(meta("nfproto"), f"ipv{version}"),)


def clamp_rules(tunnels: Iterable[Tunnel]) -> Iterator[Rule]:
    """A SYN says what the other end may send: it is cut to the tunnel on its way in and out, and never raised.

    For what comes out of a tunnel the route's MTU would be that of the LAN, so the numbers are spelled out.
    """
    known = {tunnel.interface: tunnel.mtu for tunnel in tunnels if tunnel.mtu is not None}
    if not known:
        return
    for version, headers in HEADERS.items():
        for key in ("iifname", "oifname"):
            sizes = [[name, mtu - headers] for name, mtu in sorted(known.items())]
            looked_up = {"map": {"key": meta(key), "data": {"set": sizes}}}
            size = {"tcp option": {"name": "maxseg", "field": "size"}}
            mangle = {"mangle": {"key": size, "value": looked_up}}
            ours = equal(meta(key), EVERY_TUNNEL)
            yield Rule(f"IPv{version} segments by {key}", (equal(meta("nfproto"), f"ipv{version}"), ours, SYN, mangle))


def forward_rules(spec: FirewallSpec) -> Iterator[Rule]:
    """What is not allowed to pass from or to a tunnel is rejected; so is what would pass before its zone is known."""
    yield Rule(
        "no tunnel of ours", (unequal(meta("iifname"), EVERY_TUNNEL), unequal(meta("oifname"), EVERY_TUNNEL), ACCEPT)
    )
    yield Rule("the owner's rules", (jump(OWNER_FORWARD),))
    yield Rule("answers", (among({"ct": {"key": "state"}}, ("established", "related")), ACCEPT))
    bare = equal(meta("iifname"), f"@{WITHOUT_IPV6}")
    yield Rule("no IPv6 for this pool", (bare, equal(meta("nfproto"), "ipv6"), counter(), REJECT))
    for flow in spec.flows:
        ends = (
            equal(meta("iifname"), f"@{zone_set(flow.source)}"),
            equal(meta("oifname"), f"@{zone_set(flow.destination)}"),
        )
        yield Rule(f"{flow.source} to {flow.destination}", (*ends, counter(), ACCEPT))
    yield Rule("anything else of tunnels", (counter(), REJECT))


def masquerade_rules(spec: FirewallSpec) -> Iterator[Rule]:
    for version, protocol in ((4, "ip"), (6, "ip6")):
        networks = [network for network in spec.masquerade if network.version == version]
        if networks:
            sources = among(payload(protocol, "saddr"), [prefix(network) for network in networks])
            outwards = equal(meta("oifname"), f"@{zone_set(spec.uplink)}")
            yield Rule(f"IPv{version} under our address", (sources, outwards, counter(), {"masquerade": None}))


# Expressions ---------------------------------------------------------------------------------------------------------


def meta(key: str) -> Expression:
    return {"meta": {"key": key}}


def payload(protocol: str, field: str) -> Expression:
    return {"payload": {"protocol": protocol, "field": field}}


def prefix(network: IpNetwork) -> Expression:
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def equal(left: Expression, right: Any) -> Expression:
    return {"match": {"op": "==", "left": left, "right": right}}


def unequal(left: Expression, right: Any) -> Expression:
    return {"match": {"op": "!=", "left": left, "right": right}}


def among(left: Expression, values: Iterable[Any]) -> Expression:
    return equal(left, {"set": list(values)})


def counter() -> Expression:
    return {"counter": None}


def jump(chain: str) -> Expression:
    return {"jump": {"target": chain}}


ACCEPT: Expression = {"accept": None}
REJECT: Expression = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
EVERY_TUNNEL = f"{OURS_LINK_PREFIX}*"
FROM_TUNNEL = equal(meta("iifname"), EVERY_TUNNEL)
SYN = equal({"&": [payload("tcp", "flags"), ["syn", "rst"]]}, "syn")
