"""What a CHILD SA is to the kernel: two SAs, and policies that ask for them. Pure.

Selectors of the two sides pair up within an address family, a range of addresses is split into networks and a range of
ports into masks: one policy for each combination and direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from itertools import chain, product, starmap
from typing import TypeAlias

from edgevpn.config.model import Child, Pool
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Endpoints
from edgevpn.ike.crypto.suite import ChildSuite
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.peer import NEVER
from edgevpn.ike.peer import Mode as IkeMode
from edgevpn.ike.state import ChildSa
from edgevpn.ike.wire.selector import ANY_PORTS, ANY_PROTOCOL, OPAQUE_PORTS, TrafficSelector
from edgevpn.kernel.spec import (
    OURS_MARK,
    UNLIMITED,
    Aead,
    Direction,
    Encryption,
    Integrity,
    IpAddress,
    Limits,
    Mark,
    Mode,
    PolicyKey,
    PolicySpec,
    PortMask,
    SaFlag,
    SaSpec,
    Selector,
    Tags,
    Template,
    UdpEncap,
)

# The kernel's names, and the ICV of what brings its own, in bits.
AEADS = {
    Encr.AES_GCM_8: ("rfc4106(gcm(aes))", 64),
    Encr.AES_GCM_12: ("rfc4106(gcm(aes))", 96),
    Encr.AES_GCM_16: ("rfc4106(gcm(aes))", 128),
    Encr.AES_CCM_8: ("rfc4309(ccm(aes))", 64),
    Encr.AES_CCM_12: ("rfc4309(ccm(aes))", 96),
    Encr.AES_CCM_16: ("rfc4309(ccm(aes))", 128),
    Encr.CHACHA20_POLY1305: ("rfc7539esp(chacha20,poly1305)", 128),
}
CIPHERS = {Encr.AES_CBC: "cbc(aes)", Encr.AES_CTR: "rfc3686(ctr(aes))"}
INTEGRITIES = {
    Integ.HMAC_SHA1_96: ("hmac(sha1)", 96),
    Integ.AES_XCBC_96: ("xcbc(aes)", 96),
    Integ.AES_CMAC_96: ("cmac(aes)", 96),
    Integ.HMAC_SHA2_256_128: ("hmac(sha256)", 128),
    Integ.HMAC_SHA2_384_192: ("hmac(sha384)", 192),
    Integ.HMAC_SHA2_512_256: ("hmac(sha512)", 256),
}
MODES = {IkeMode.TUNNEL: Mode.TUNNEL, IkeMode.TRANSPORT: Mode.TRANSPORT}

ICMP, ICMPV6 = 1, 58

Hosts: TypeAlias = tuple[IpAddress, IpAddress]
"""Whom a packet is from and whom it is for."""
ANYWHERE: Mapping[int, IpAddress] = {4: IPv4Address(0), 6: IPv6Address(0)}

# Our own choices. The kernel takes the lowest number that fits: what is up before what waits, narrow before wide.
UP, TRAP = 10_000, 20_000

JITTER = 0.05
"""Part of a limit of octets or packets by which new keys are asked for sooner; our own choice."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When the kernel says that an SA wants new keys, and when it drops it. `rekeyed`: we give new keys by time."""

    soft: Limits = UNLIMITED
    hard: Limits = UNLIMITED
    replay_window: int = 256
    rekeyed: bool = False

    def of(self, child: ChildSa) -> Lifetimes:
        """A child that alone is left to its peer to be rekeyed lives as long as that wants, as Windows behind a NAT."""
        if not self.rekeyed or child.rekey_at < NEVER:
            return self
        return replace(self, hard=replace(self.hard, seconds=None))

    def sooner(self, chance: float) -> Lifetimes:
        """With soft limits that a chance below 1 has lowered, so that two equal sides do not ask at the same packet."""
        if self.soft.octets is None and self.soft.packets is None:
            return self
        soft = replace(self.soft, octets=_less(self.soft.octets, chance), packets=_less(self.soft.packets, chance))
        return replace(self, soft=soft)


def _less(limit: int | None, chance: float) -> int | None:
    return None if limit is None else limit - int(limit * JITTER * chance)


def child_lifetimes(child: Child) -> Lifetimes:
    """What a site's configuration says; the time to rekey is the core's, so it is not among the soft limits."""
    return Lifetimes(
        Limits(child.esp_rekey_bytes or None, child.esp_rekey_packets or None),
        Limits(child.esp_life_bytes or None, child.esp_life_packets or None, child.esp_life_time or None),
        child.replay_window,
    )


def pool_lifetimes(pool: Pool) -> Lifetimes:
    """The same for a pool."""
    hard = Limits(seconds=pool.esp_life_time or None)
    return Lifetimes(hard=hard, replay_window=pool.replay_window, rekeyed=bool(pool.esp_rekey_time))


def inbound_sa(child: ChildSa, ends: Endpoints, tags: Tags, lives: Lifetimes) -> SaSpec:
    """The SA that we receive on."""
    hosts = ends.path.remote.host, ends.path.local.host
    return _sa(child, *hosts, child.spi_in, child.keys_in, encap_in(ends), tags, lives)


def outbound_sa(child: ChildSa, ends: Endpoints, tags: Tags, lives: Lifetimes) -> SaSpec:
    """The SA that we send on; what it has made bears our mark."""
    hosts = ends.path.local.host, ends.path.remote.host
    return _sa(child, *hosts, child.spi_out, child.keys_out, encap_out(ends), tags, lives, OURS_MARK)


def outward(
    ts_local: tuple[TrafficSelector, ...],
    ts_remote: tuple[TrafficSelector, ...],
    path: Hosts,
    mode: IkeMode,
    tags: Tags,
    priority: int,
) -> tuple[PolicySpec, ...]:
    """Policies that have packets between these selectors leave by the newest SA between these two addresses."""
    return _outward(_selectors(ts_local, ts_remote), path, mode, tags, priority)


def outward_of(inward: Iterable[PolicySpec], path: Hosts, mode: IkeMode, tags: Tags) -> tuple[PolicySpec, ...]:
    """The same for a child whose `inward` policies are known: what it sends is what it lets in, turned round."""
    selectors = (_reversed(policy.selector) for policy in inward if policy.direction is Direction.IN)
    return _outward(selectors, path, mode, tags, UP)


def _outward(
    selectors: Iterable[Selector], path: Hosts, mode: IkeMode, tags: Tags, priority: int
) -> tuple[PolicySpec, ...]:
    templates = (Template(*path, tags.reqid, MODES[mode]),)
    return tuple(_policy(selector, Direction.OUT, templates, tags, priority) for selector in selectors)


def inward(
    ts_local: tuple[TrafficSelector, ...],
    ts_remote: tuple[TrafficSelector, ...],
    version: int,
    mode: IkeMode,
    tags: Tags,
    priority: int,
) -> tuple[PolicySpec, ...]:
    """Policies that let in what came by an SA with these tags, from wherever it came; its outer IP is of `version`.

    The addresses of an SA say nothing of who had its keys, and so a peer that moves meets the policies that it had.
    """
    templates = (Template(ANYWHERE[version], ANYWHERE[version], tags.reqid, MODES[mode]),)
    selectors = map(_reversed, _selectors(ts_local, ts_remote))
    ours = tuple(_policy(selector, Direction.IN, templates, tags, priority) for selector in selectors)
    if mode is IkeMode.TRANSPORT:
        return ours
    return (*ours, *(replace(policy, key=replace(policy.key, direction=Direction.FWD)) for policy in ours))


def _sa(
    child: ChildSa,
    source: IpAddress,
    destination: IpAddress,
    spi: bytes,
    keys: tuple[bytes, bytes],
    encapsulation: UdpEncap | None,
    tags: Tags,
    lives: Lifetimes,
    output_mark: Mark | None = None,
) -> SaSpec:
    cipher, integrity = algorithms(child.suite, *keys)
    return SaSpec(
        source=source,
        destination=destination,
        spi=int.from_bytes(spi, "big"),
        reqid=tags.reqid,
        if_id=tags.if_id,
        cipher=cipher,
        integrity=integrity,
        mode=MODES[child.mode],
        esn=child.suite.esn,
        replay_window=lives.replay_window,
        encapsulation=encapsulation,
        soft=lives.soft,
        hard=lives.hard,
        output_mark=output_mark,
        flags=SaFlag.AF_UNSPEC if child.mode is IkeMode.TUNNEL else SaFlag(0),  # any family inside
    )


def algorithms(suite: ChildSuite, encr_key: bytes, integ_key: bytes) -> tuple[Aead | Encryption, Integrity | None]:
    """A suite's cipher and integrity algorithm as the kernel knows them."""
    if suite.encr in AEADS:
        name, icv_bits = AEADS[suite.encr]
        return Aead(name, encr_key, icv_bits), None
    name, truncation_bits = INTEGRITIES[suite.integ]
    return Encryption(CIPHERS[suite.encr], encr_key), Integrity(name, integ_key, truncation_bits)


def encap_in(ends: Endpoints) -> UdpEncap | None:
    """The UDP ports of what we receive, seen from who sends it."""
    return UdpEncap(ends.path.remote.port, ends.path.local.port) if ends.nat else None


def encap_out(ends: Endpoints) -> UdpEncap | None:
    """The UDP ports of what we send."""
    return UdpEncap(ends.path.local.port, ends.path.remote.port) if ends.nat else None


def _selectors(ts_local: tuple[TrafficSelector, ...], ts_remote: tuple[TrafficSelector, ...]) -> Iterable[Selector]:
    """All that packets which leave between these may match, each once: ranges may overlap."""
    return dict.fromkeys(chain.from_iterable(starmap(_kernel_selectors, _pairs(ts_local, ts_remote))))


def _pairs(
    ts_local: tuple[TrafficSelector, ...], ts_remote: tuple[TrafficSelector, ...]
) -> Iterator[tuple[TrafficSelector, TrafficSelector]]:
    """Selectors that the same packet may match at its two ends."""
    for ours, theirs in product(ts_local, ts_remote):
        same_protocol = ours.protocol == theirs.protocol or ANY_PROTOCOL in (ours.protocol, theirs.protocol)
        if ours.ts_type == theirs.ts_type and same_protocol:
            yield ours, theirs


def _kernel_selectors(ours: TrafficSelector, theirs: TrafficSelector) -> Iterator[Selector]:
    """As many of the kernel's selectors as one pair of ours needs, for packets that leave."""
    protocol = ours.protocol or theirs.protocol
    if protocol in (ICMP, ICMPV6):  # the kernel has type and code where other protocols have ports
        ports: Iterator[tuple[PortMask | None, PortMask | None]] = iter([_icmp(ours)])
    else:
        ports = product(port_masks(ours.ports), port_masks(theirs.ports))
    choices = tuple(ports)
    for source, destination in product(ours.networks(), theirs.networks()):
        for source_port, destination_port in choices:
            yield Selector(source, destination, protocol, source_port, destination_port)


def _icmp(ts: TrafficSelector) -> tuple[PortMask | None, PortMask | None]:
    """One type with any or one code; a choice of types is not the kernel's, so it becomes any."""
    start, end = ts.ports
    if ts.ports in (ANY_PORTS, OPAQUE_PORTS) or start >> 8 != end >> 8:
        return None, None
    return PortMask(start >> 8), PortMask(start & 0xFF) if start == end else None


def port_masks(ports: tuple[int, int]) -> tuple[PortMask | None, ...]:
    """The fewest masks that make up a range of ports, both ends included; None for any port."""
    if ports in (ANY_PORTS, OPAQUE_PORTS):
        return (None,)
    start, end = ports
    masks: list[PortMask] = []
    while start <= end:
        size = start & -start or 0x10000
        while start + size - 1 > end:
            size >>= 1
        masks.append(PortMask(start, 0x10000 - size))
        start += size
    return tuple(masks)


def _policy(
    selector: Selector, direction: Direction, templates: tuple[Template, ...], tags: Tags, priority: int
) -> PolicySpec:
    key = PolicyKey(selector, direction, tags.if_id)
    return PolicySpec(key=key, priority=priority - _narrowness(selector), templates=templates)


def _narrowness(selector: Selector) -> int:
    """How particular a selector is, below 1000."""
    ports = (selector.source_port, selector.destination_port)
    prefixes = selector.source.prefixlen + selector.destination.prefixlen
    return prefixes + 256 * bool(selector.protocol) + 128 * sum(port is not None for port in ports)


def _reversed(selector: Selector) -> Selector:
    source_port, destination_port = selector.destination_port, selector.source_port
    if selector.protocol in (ICMP, ICMPV6):  # type and code stay what they are
        source_port, destination_port = selector.source_port, selector.destination_port
    return Selector(selector.destination, selector.source, selector.protocol, source_port, destination_port)
