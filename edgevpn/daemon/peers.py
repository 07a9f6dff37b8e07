"""What a site of the configuration is to the protocol core: an entry of its peer authorization database."""

from __future__ import annotations

from ipaddress import ip_network

from edgevpn.config.identity import Identity, IdentityKind
from edgevpn.config.keywords import KEYWORDS, Role
from edgevpn.config.model import Child, Gateway, Site
from edgevpn.config.model import Unique as UniqueSetting
from edgevpn.config.proposals import Proposal
from edgevpn.config.values import Address, Network, Ports
from edgevpn.ike import peer as ike
from edgevpn.ike.iana import Encr, Esn, IdType, Integ, Ke, Prf, TransformType
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import TrafficSelector

ID_TYPES = {
    IdentityKind.IPV4_ADDR: IdType.IPV4_ADDR,
    IdentityKind.IPV6_ADDR: IdType.IPV6_ADDR,
    IdentityKind.FQDN: IdType.FQDN,
    IdentityKind.RFC822_ADDR: IdType.RFC822_ADDR,
    IdentityKind.KEY_ID: IdType.KEY_ID,
}
REGISTRIES = {
    Role.ENCR: (TransformType.ENCR, Encr),
    Role.PRF: (TransformType.PRF, Prf),
    Role.INTEG: (TransformType.INTEG, Integ),
    Role.KE: (TransformType.KE, Ke),
    Role.ESN: (TransformType.ESN, Esn),
}
UNIQUE = {
    UniqueSetting.KEEP: ike.Unique.KEEP,
    UniqueSetting.REPLACE: ike.Unique.REPLACE,
    UniqueSetting.REFUSE: ike.Unique.REFUSE,
}


def peer_of(site: Site, gateway: Gateway) -> ike.Peer:
    """The peer that a site is. A remote that has a name may come from anywhere: its key says who it is."""
    return ike.Peer(
        name=site.name,
        local_id=_identification(site.local_id or gateway.id),
        remote_id=_identification(site.remote_id),
        local_auth=ike.Psk(site.psk.octets),
        remote_auth=ike.Psk(site.psk.octets),
        offers=tuple(_offer(proposal) for proposal in site.ike_proposals),
        children=tuple(_child_policy(child) for child in site.children),
        local_networks=_hosts((site.local,)) if site.local else (),
        remote_networks=_remote_networks(site),
        rekey_after=_or_never(site.ike_rekey_time),
        liveness=_or_never(site.dpd_delay),
        force_encapsulation=site.encap,
        unique=UNIQUE[site.unique],
    )


def selectors_of(child: Child) -> tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]]:
    """The packets that a child may carry: those of our end, those of the peer's."""
    return (
        _selectors(child.local_networks, child.protocol, child.local_ports),
        _selectors(child.remote_networks, child.protocol, child.remote_ports),
    )


def _child_policy(child: Child) -> ike.ChildPolicy:
    ts_local, ts_remote = selectors_of(child)
    return ike.ChildPolicy(
        name=child.name,
        ts_local=ts_local,
        ts_remote=ts_remote,
        offers=tuple(_offer(proposal) for proposal in child.esp_proposals),
        rekey_after=_or_never(child.esp_rekey_time),
    )


def _selectors(networks: tuple[Network, ...], protocol: int, ports: Ports) -> tuple[TrafficSelector, ...]:
    return tuple(TrafficSelector.from_network(network, protocol, (ports.first, ports.last)) for network in networks)


def _identification(identity: Identity | None) -> Identification | None:
    return None if identity is None else Identification(ID_TYPES[identity.kind], identity.data)


def _offer(proposal: Proposal) -> ike.Offer:
    return ike.Offer(tuple(_transform(word) for word in proposal.keywords))


def _transform(word: str) -> Transform:
    keyword = KEYWORDS[word]
    transform_type, registry = REGISTRIES[keyword.role]
    return Transform(transform_type, registry[keyword.registry_name], keyword.key_bits or None)


def _remote_networks(site: Site) -> tuple[ike.IpNetwork, ...]:
    """The addresses of `remote`, if it has nothing else."""
    addresses = tuple(host for host in site.remote if not isinstance(host, str))
    return _hosts(addresses) if len(addresses) == len(site.remote) else ()


def _hosts(addresses: tuple[Address, ...]) -> tuple[ike.IpNetwork, ...]:
    return tuple(ip_network(address) for address in addresses)


def _or_never(seconds: int) -> float:
    return float(seconds) if seconds else ike.NEVER
