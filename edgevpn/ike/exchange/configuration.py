"""Configuration payload in IKE_AUTH: addresses inside the tunnel, asked for and given, RFC 7296 §2.19, §3.15, RFC 8598.

Whoever leases an address from us has its children narrowed to it, in this and in every later exchange; so has our own
side when we are given one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from edgevpn.frozen import replace
from edgevpn.ike.errors import TsUnacceptable
from edgevpn.ike.iana import ConfigAttribute, ConfigType
from edgevpn.ike.negotiate import narrow
from edgevpn.ike.peer import ChildPolicy, IpAddress, IpNetwork, NetworkSettings, Peer, Wants
from edgevpn.ike.session import Given
from edgevpn.ike.wire.configuration import Attribute, Configuration
from edgevpn.ike.wire.selector import TrafficSelector

BROADCAST = IPv4Address("255.255.255.255")
HOST_PREFIX = 128  # a client has an address, not a link (RFC 7296 §3.15.3)

SUPPORTED = (
    ConfigAttribute.INTERNAL_IP4_ADDRESS,
    ConfigAttribute.INTERNAL_IP4_DNS,
    ConfigAttribute.INTERNAL_IP4_NBNS,
    ConfigAttribute.INTERNAL_IP6_ADDRESS,
    ConfigAttribute.INTERNAL_IP6_DNS,
    ConfigAttribute.INTERNAL_IP4_SUBNET,
    ConfigAttribute.SUPPORTED_ATTRIBUTES,
    ConfigAttribute.INTERNAL_IP6_SUBNET,
    ConfigAttribute.INTERNAL_DNS_DOMAIN,
)

DOMAIN = re.compile(rb"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")

# Our own bound, for what a gateway may make us believe.
MAX_OF_A_KIND = 32


# --- as server -----------------------------------------------------------------------------------------------------


def wants_of(request: Configuration | None) -> Wants | None:
    """The addresses that a client asks for; None if it asks for none."""
    if request is None or request.config_type != ConfigType.REQUEST:
        return None
    ipv4 = request.of_type(ConfigAttribute.INTERNAL_IP4_ADDRESS)
    ipv6 = request.of_type(ConfigAttribute.INTERNAL_IP6_ADDRESS)
    if not ipv4 and not ipv6:
        return None
    before: list[IpAddress] = [IPv4Address(value) for value in ipv4 if any(value)]
    before += [IPv6Address(value[:16]) for value in ipv6 if any(value[:16])]
    return Wants(bool(ipv4), bool(ipv6), tuple(before))


def reply(request: Configuration, given: Given) -> Configuration:
    """What the client gets: its addresses and our networks; servers and domains as far as it asks for them."""
    asked = {each.attribute_type for each in request.attributes}
    told = given.settings
    attributes = [_address(address) for address in given.addresses]
    attributes += [each for each in map(_dns, told.dns) if each.attribute_type in asked]
    if ConfigAttribute.INTERNAL_IP4_NBNS in asked:
        attributes += [Attribute(ConfigAttribute.INTERNAL_IP4_NBNS, server.packed) for server in told.nbns]
    attributes += [_network(network) for network in told.networks]
    if ConfigAttribute.INTERNAL_DNS_DOMAIN in asked and told.dns:
        domains = (domain.encode("ascii") for domain in told.domains)
        attributes += [Attribute(ConfigAttribute.INTERNAL_DNS_DOMAIN, domain) for domain in domains]
    if ConfigAttribute.SUPPORTED_ATTRIBUTES in asked:
        numbers = b"".join(each.to_bytes(2, "big") for each in SUPPORTED)
        attributes.append(Attribute(ConfigAttribute.SUPPORTED_ATTRIBUTES, numbers))
    return Configuration(ConfigType.REPLY, tuple(attributes))


def lending(peer: Peer, given: Given, broadcast: bool = False) -> Peer:
    """The peer with children for its addresses alone, and for the networks that it was told of.

    `broadcast`: it asks for routes by DHCP, at an address that no network holds, and so may who answers.
    """
    here, there = _selectors(given.settings.networks), _hosts(given.addresses)
    if here and broadcast and (server := given.settings.dhcp) is not None:
        within = any(server in network for network in given.settings.networks)
        here = (*here, *_hosts((BROADCAST,) if within else (BROADCAST, server)))
    return replace(peer, children=tuple(_between(peer.children, here, there)))


# --- as client -----------------------------------------------------------------------------------------------------


def request(wants: Wants, asks: tuple[ConfigAttribute, ...] = ()) -> Configuration:
    """Ask for addresses, and for all that we know to use; or for what `asks` names, and nothing else."""
    asked = asks or [
        *((ConfigAttribute.INTERNAL_IP4_ADDRESS, ConfigAttribute.INTERNAL_IP4_DNS) if wants.ipv4 else ()),
        *((ConfigAttribute.INTERNAL_IP6_ADDRESS, ConfigAttribute.INTERNAL_IP6_DNS) if wants.ipv6 else ()),
        *((ConfigAttribute.INTERNAL_IP4_NBNS, ConfigAttribute.INTERNAL_IP4_SUBNET) if wants.ipv4 else ()),
        *((ConfigAttribute.INTERNAL_IP6_SUBNET,) if wants.ipv6 else ()),
        ConfigAttribute.INTERNAL_DNS_DOMAIN,
    ]
    before = {each.attribute_type: each.value for each in map(_address, wants.before)}
    return Configuration(ConfigType.REQUEST, tuple(Attribute(each, before.get(each, b"")) for each in asked))


def read_reply(answer: Configuration | None, wants: Wants) -> Given:
    """What a gateway gives us; what we did not ask for, or cannot use, is left out."""
    if answer is None or answer.config_type != ConfigType.REPLY:
        return Given()
    families = ([4] if wants.ipv4 else []) + ([6] if wants.ipv6 else [])
    addresses: list[IpAddress] = [
        *map(IPv4Address, _values(answer, ConfigAttribute.INTERNAL_IP4_ADDRESS)[:1]),
        *(IPv6Address(value[:16]) for value in _values(answer, ConfigAttribute.INTERNAL_IP6_ADDRESS)[:1]),
    ]
    dns: list[IpAddress] = [
        *map(IPv4Address, _values(answer, ConfigAttribute.INTERNAL_IP4_DNS)),
        *map(IPv6Address, _values(answer, ConfigAttribute.INTERNAL_IP6_DNS)),
    ]
    domains = [d for d in _values(answer, ConfigAttribute.INTERNAL_DNS_DOMAIN) if DOMAIN.fullmatch(d)]
    settings = NetworkSettings(
        dns=tuple(dns),
        nbns=tuple(map(IPv4Address, _values(answer, ConfigAttribute.INTERNAL_IP4_NBNS))),
        networks=tuple(_networks(answer)),
        domains=tuple(domain.decode("ascii") for domain in domains),
    )
    return Given(tuple(address for address in addresses if address.version in families), settings)


def using(peer: Peer, given: Given) -> Peer:
    """The peer with children for the addresses that we were given alone."""
    there = _hosts(given.addresses)
    return replace(peer, children=tuple(_between(peer.children, there, ())))


def _values(answer: Configuration, attribute_type: ConfigAttribute) -> tuple[bytes, ...]:
    """Values that are there: an empty one says nothing in a reply."""
    return tuple(value for value in answer.of_type(attribute_type) if value)[:MAX_OF_A_KIND]


def _networks(answer: Configuration) -> Iterable[IpNetwork]:
    """Networks behind the gateway; a mask with holes, or a prefix that is none, is passed over."""
    for value in _values(answer, ConfigAttribute.INTERNAL_IP4_SUBNET):
        mask = int.from_bytes(value[4:], "big") ^ 0xFFFFFFFF
        if mask & (mask + 1) == 0:
            yield IPv4Network((value[:4], 32 - mask.bit_length()), strict=False)
    for value in _values(answer, ConfigAttribute.INTERNAL_IP6_SUBNET):
        if value[16] <= HOST_PREFIX:
            yield IPv6Network((value[:16], value[16]), strict=False)


# --- both ----------------------------------------------------------------------------------------------------------


def _address(address: IpAddress) -> Attribute:
    if address.version == 4:
        return Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, address.packed)
    return Attribute(ConfigAttribute.INTERNAL_IP6_ADDRESS, address.packed + bytes([HOST_PREFIX]))


def _dns(address: IpAddress) -> Attribute:
    ipv4 = address.version == 4
    return Attribute(ConfigAttribute.INTERNAL_IP4_DNS if ipv4 else ConfigAttribute.INTERNAL_IP6_DNS, address.packed)


def _network(network: IpNetwork) -> Attribute:
    if isinstance(network, IPv4Network):
        value = network.network_address.packed + network.netmask.packed
        return Attribute(ConfigAttribute.INTERNAL_IP4_SUBNET, value)
    value = network.network_address.packed + bytes([network.prefixlen])
    return Attribute(ConfigAttribute.INTERNAL_IP6_SUBNET, value)


def _hosts(addresses: Iterable[IpAddress]) -> tuple[TrafficSelector, ...]:
    return tuple(map(TrafficSelector.of_host, addresses))


def _selectors(networks: Iterable[IpNetwork]) -> tuple[TrafficSelector, ...]:
    return tuple(TrafficSelector.from_network(network) for network in networks)


def _between(
    policies: Iterable[ChildPolicy], here: tuple[TrafficSelector, ...], there: tuple[TrafficSelector, ...]
) -> Iterator[ChildPolicy]:
    """The policies for packets between these alone; empty is no restriction. A policy without packets falls away."""
    for policy in policies:
        try:
            ts_local = narrow(here, policy.ts_local) if here else policy.ts_local
            ts_remote = narrow(there, policy.ts_remote) if there else policy.ts_remote
        except TsUnacceptable:
            continue
        yield replace(policy, ts_local=ts_local, ts_remote=ts_remote)
