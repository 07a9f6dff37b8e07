"""What sites and pools of the configuration are to the protocol core: entries of its peer authorization database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, ip_network

from edgevpn.config import credential
from edgevpn.config.identity import Identity, IdentityKind, Pattern, address_identity
from edgevpn.config.keywords import ADDITIONAL, ALGORITHMS, Role
from edgevpn.config.model import Child, Config, Device, Gateway, Pki, Pool, Site
from edgevpn.config.model import Childless as ChildlessSetting
from edgevpn.config.model import Unique as UniqueSetting
from edgevpn.config.pool import IKE_PROPOSALS as POOL_PROPOSALS
from edgevpn.config.pool import Login, TunnelMode
from edgevpn.config.proposals import Proposal, ike_proposal
from edgevpn.config.tunnel import IKE_PROPOSALS as SITE_PROPOSALS
from edgevpn.config.values import Address, Host, Network, Ports
from edgevpn.daemon.ciphers.choice import UNTRIED, Ciphers, arranged, without_broken
from edgevpn.dn import split
from edgevpn.frozen import dataclass, replace
from edgevpn.ike import peer as ike
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.suite import is_supported
from edgevpn.ike.iana import EapType, Encr, Esn, IdType, Integ, Ke, Prf, TransformType
from edgevpn.ike.identity import Below, MailAt, Meant, NameLike
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import ANY_PROTOCOL, TrafficSelector

ID_TYPES = {
    IdentityKind.IPV4_ADDR: IdType.IPV4_ADDR,
    IdentityKind.IPV6_ADDR: IdType.IPV6_ADDR,
    IdentityKind.FQDN: IdType.FQDN,
    IdentityKind.RFC822_ADDR: IdType.RFC822_ADDR,
    IdentityKind.KEY_ID: IdType.KEY_ID,
    IdentityKind.DER_ASN1_DN: IdType.DER_ASN1_DN,
}
REGISTRIES = {
    Role.ENCR: (TransformType.ENCR, Encr),
    Role.PRF: (TransformType.PRF, Prf),
    Role.INTEG: (TransformType.INTEG, Integ),
    Role.KE: (TransformType.KE, Ke),
    Role.ESN: (TransformType.ESN, Esn),
    **{role: (TransformType[role.name], Ke) for role in ADDITIONAL},
}
CHILDLESS = {
    ChildlessSetting.ALLOW: ike.Childless.ALLOW,
    ChildlessSetting.PREFER: ike.Childless.PREFER,
    ChildlessSetting.FORCE: ike.Childless.FORCE,
    ChildlessSetting.NEVER: ike.Childless.NEVER,
}
UNIQUE = {
    UniqueSetting.KEEP: ike.Unique.KEEP,
    UniqueSetting.REPLACE: ike.Unique.REPLACE,
    UniqueSetting.REFUSE: ike.Unique.REFUSE,
}


AEADS = tuple(ike_proposal(built_in[0]) for built_in in (SITE_PROPOSALS, POOL_PROPOSALS))
"""The first of the built-in proposals, of sites and of pools."""
ML_KEM = ("ke1_mlkem768", "ke1_mlkem1024")

Selectors = tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]]

ANY_PORTS = Ports()
KINDS_OF_OFFERS = 64  # our own bound; most have the usual one
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Proof:
    """With what we sign, and whom we believe when a peer signs."""

    signing: ike.Signing
    certified: ike.Certified


Proofs = Mapping[str, Proof]
"""By the name of the site; "" for all pools. Who is missing has no certificate yet."""


def peers(config: Config, proofs: Proofs, ciphers: Ciphers = UNTRIED) -> tuple[ike.Peer, ...]:
    """Everybody who may come, or be called. Whoever needs a certificate that is not there yet is left out."""
    with_ppk = {peer_of(device) for device in config.devices if device.ppk is not None}
    sites = (site_peer(site, config.gateway, proofs.get(site.name), ciphers) for site in config.sites)
    visitors = (peer for pool in config.pools for peer in pool_peers(pool, config.pki, proofs.get(""), ciphers))
    used = {peer_of(device) for device in config.devices}
    known = (peer for peer in visitors if peer.name in used or not peer.name.endswith(f"/{Login.EAP_TLS.value}"))
    ringed = (replace(peer, ppk=ike.PpkRing()) if peer.name in with_ppk else peer for peer in known)
    return (*(peer for peer in sites if peer is not None), *ringed)


# --- sites ---------------------------------------------------------------------------------------------------------


def site_peer(site: Site, gateway: Gateway, proof: Proof | None, ciphers: Ciphers = UNTRIED) -> ike.Peer | None:
    """The peer that a site is. A remote that has a name may come from anywhere: its key says who it is.

    None if it has no certificate yet, or proposals for IKE that are all beyond this machine.
    """
    auths, offers = _site_auths(site, proof), _offers(with_ml_kem(site.ike_proposals))
    if auths is None or not offers:
        return None
    children = (_child_policy(child, site.cipher_order, ciphers) for child in site.children)
    return ike.Peer(
        name=site.name,
        local_id=identification(site.local_id or gateway.id),
        remote_id=meant(site.remote_id),
        local_auth=auths[0],
        remote_auth=auths[1],
        offers=offers,
        children=tuple(child for child in children if child.offers),
        local_networks=_hosts((site.local,)) if site.local else (),
        remote_networks=_remote_networks(site),
        rekey_after=_or_never(site.ike_rekey_time),
        life=_or_never(site.ike_life_time),
        reauth_after=_or_never(site.reauth_time),
        idle=_or_never(site.idle_time),
        liveness=_or_never(site.dpd_delay),
        force_encapsulation=site.encap,
        unique=UNIQUE[site.unique],
        fragmentation=site.fragmentation,
        mobike=site.mobike,
        childless=CHILDLESS[site.childless],
        wants=_wants(site),
        ppk=ike_ppk(site),
    )


def _site_auths(site: Site, proof: Proof | None) -> tuple[ike.LocalAuth, ike.RemoteAuth] | None:
    if isinstance(site.credential, credential.Psk):
        key = ike.Psk(site.credential.octets)
        return key, key
    if proof is None:
        return None
    if isinstance(site.credential, credential.Secret):
        user = site.eap_id or (site.local_id.data.decode("utf-8", "replace") if site.local_id else site.name)
        return ike.Password(user, nt_password_hash(site.credential.text)), proof.certified
    return proof.signing, proof.certified


def _wants(site: Site) -> ike.Wants | None:
    if not site.virtual_ips:
        return None
    versions = {address.version for address in site.virtual_ips}
    before = tuple(address for address in site.virtual_ips if not address.is_unspecified)
    return ike.Wants(4 in versions, 6 in versions, before)


# --- pools ---------------------------------------------------------------------------------------------------------


def pool_peer_names(pool: Pool) -> tuple[str, ...]:
    """How the peers of a pool are called: "road/password", "road/psk"."""
    return tuple(f"{pool.name}/{login.value}" for login in pool.logins)


def peer_of(device: Device) -> str:
    """The peer by which a device comes in."""
    return f"{device.pool}/{device.login.value}"


def ike_ppk(of: Device | Site) -> ike.Ppk | None:
    """The post-quantum pre-shared key of a device or a site, if it has one."""
    if of.ppk is None or of.ppk_id is None:
        return None
    return ike.Ppk(of.ppk_id.encode(), of.ppk.octets, of.ppk_required)


def pool_peers(pool: Pool, pki: Pki, proof: Proof | None, ciphers: Ciphers = UNTRIED) -> tuple[ike.Peer, ...]:
    """A peer for each way to log in that a pool takes; whoever proves to be a device of the pool comes in by it."""
    names = tuple(_identification(host_identity(name)) for name in pki.public_name)
    made = []
    for login, peer_name in zip(pool.logins, pool_peer_names(pool), strict=True):
        auths = _pool_auths(pool, login, proof)
        if auths is not None:
            made.append(_pool_peer(pool, peer_name, names, auths, ciphers))
    return tuple(made)


def _pool_auths(pool: Pool, login: Login, proof: Proof | None) -> tuple[ike.LocalAuth, ike.RemoteAuth] | None:
    if login is Login.PSK:
        return ike.KeyRing(), ike.KeyRing()
    if proof is None:
        return None
    match login:
        case Login.PASSWORD:
            return proof.signing, ike.Login(alone=pool.eap_only)
        case Login.EAP_TLS:
            return proof.signing, ike.Login((EapType.TLS,), alone=pool.eap_only)
        case Login.CERTIFICATE:
            return proof.signing, proof.certified


def _pool_peer(
    pool: Pool,
    name: str,
    names: tuple[Identification, ...],
    auths: tuple[ike.LocalAuth, ike.RemoteAuth],
    ciphers: Ciphers,
) -> ike.Peer:
    """`names` are those that we are called by."""
    child = ike.ChildPolicy(
        name=pool.name,
        ts_local=_selectors(EVERYTHING),
        ts_remote=_selectors(EVERYTHING),
        offers=_offers((*arranged(pool.esp_proposals, pool.cipher_order, ciphers), *_legacy(pool, ciphers))),
        rekey_after=_or_never(pool.esp_rekey_time),
    )
    return ike.Peer(
        name=name,
        local_id=names[0] if names else None,
        remote_id=None,
        local_auth=auths[0],
        remote_auth=auths[1],
        offers=_offers(with_ml_kem(pool.accepted_ike)),
        children=(child,),
        rekey_after=_or_never(pool.ike_rekey_time),
        life=_or_never(pool.ike_life_time),
        reauth_after=_or_never(pool.reauth_time),
        idle=_or_never(pool.idle_time),
        liveness=_or_never(pool.dpd_delay),
        force_encapsulation=pool.encap,
        unique=visitor_unique(pool.unique),
        fragmentation=pool.fragmentation,
        mobike=pool.mobike,
        redirects=False,
        pool=pool_settings(pool),
        aliases=names[1:],
    )


def _legacy(pool: Pool, ciphers: Ciphers) -> tuple[Proposal, ...]:
    """What the legacy switch lets in beside the pool's own, as far as it carries packets."""
    more = pool.accepted_esp[len(pool.esp_proposals) :]
    return tuple(each for each in (without_broken(each, ciphers) for each in more) if each.encr)


def visitor_unique(setting: UniqueSetting) -> ike.Unique:
    """What a second session of a device does to the first; what it says of that itself plays no part."""
    return ike.Unique.SHARE if setting is UniqueSetting.KEEP else UNIQUE[setting]


def pool_settings(pool: Pool, device: Device | None = None) -> ike.NetworkSettings:
    """What a client of the pool is told of the network; a device may have settings of its own."""
    of = device or pool
    return ike.NetworkSettings(
        dns=of.dns,
        nbns=pool.nbns,
        networks=split_networks(of, pool),
        domains=pool.domains,
        dhcp=router_of(pool),
    )


def split_networks(of: Pool | Device, pool: Pool) -> tuple[Network, ...]:
    """What goes through a split tunnel: its networks, and name servers of ours or of the LAN that lie in none of them.

    Empty for a full tunnel.
    """
    if of.mode is not TunnelMode.SPLIT:
        return ()
    near = (each for each in of.dns if not each.is_global or each in pool.router)
    outside = (each for each in near if not any(each in network for network in of.networks))
    return (*of.networks, *_hosts(tuple(outside)))


def router_of(pool: Pool) -> IPv4Address | None:
    """Our own IPv4 address in a pool, if we have one there."""
    return next((each for each in pool.router if isinstance(each, IPv4Address)), None)


# --- both ----------------------------------------------------------------------------------------------------------


def host_identity(host: Host) -> Identity:
    """The identity of one that is reached by this name or address."""
    if isinstance(host, str):
        return Identity(IdentityKind.FQDN, host.rstrip(".").encode())
    return address_identity(host)


def selectors_of(child: Child) -> Selectors:
    """The packets that a child may carry: those of our end, those of the peer's."""
    return (
        _selectors(child.local_networks, child.protocol, child.local_ports),
        _selectors(child.remote_networks, child.protocol, child.remote_ports),
    )


def _child_policy(child: Child, order: tuple[str, ...], ciphers: Ciphers) -> ike.ChildPolicy:
    ts_local, ts_remote = selectors_of(child)
    return ike.ChildPolicy(
        name=child.name,
        ts_local=ts_local,
        ts_remote=ts_remote,
        offers=_offers(arranged(child.esp_proposals, order, ciphers)),
        rekey_after=_or_never(child.esp_rekey_time),
    )


def _selectors(
    networks: tuple[Network, ...], protocol: int = ANY_PROTOCOL, ports: Ports = ANY_PORTS
) -> tuple[TrafficSelector, ...]:
    return tuple(TrafficSelector.from_network(network, protocol, (ports.first, ports.last)) for network in networks)


def identification(identity: Identity | None) -> Identification | None:
    """What an ID payload says of this identity; None for nobody in particular."""
    return None if identity is None else _identification(identity)


def meant(whom: Identity | Pattern | None) -> Meant:
    """Whom the core has to accept for this; None for anybody."""
    return pattern_of(whom) if isinstance(whom, Pattern) else identification(whom)


def pattern_of(pattern: Pattern) -> Below | MailAt | NameLike:
    """The identities that this means, as the core compares them."""
    match pattern.kind:
        case IdentityKind.FQDN:
            return Below(pattern.text.removeprefix("*."))
        case IdentityKind.RFC822_ADDR:
            return MailAt(pattern.text.removeprefix("*@"))
        case _:
            return NameLike(tuple(split(pattern.text)))


def _identification(identity: Identity) -> Identification:
    return Identification(ID_TYPES[identity.kind], identity.data)


@lru_cache(KINDS_OF_OFFERS)
def _offers(proposals: tuple[Proposal, ...]) -> tuple[ike.Offer, ...]:
    """Peers that are offered the same have the same: the core need not compare what a thousand sites would take.

    A proposal that this machine cannot carry out, because its library lacks a key exchange, is left out.
    """
    offers = (_able(tuple(map(_transform, proposal.keywords))) for proposal in proposals)
    return tuple(ike.Offer(transforms) for transforms in offers if transforms)


def with_ml_kem(proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """What is offered and taken for IKE: ML-KEM in front of the built-in proposals; the owner's own stay as they are.

    It stands in a proposal of its own, which a peer that knows no further key exchanges passes over (RFC 9370 §2.2.1).
    """
    if not proposals or proposals[0] not in AEADS:
        return proposals
    return (replace(proposals[0], additional=ML_KEM), *proposals)


def ml_kem_of(pool: Pool) -> tuple[int, ...]:
    """The post-quantum key exchanges that devices of a pool may have after the classic one, the preferred first."""
    offers = _offers(with_ml_kem(pool.accepted_ike))
    further = (t.transform_id for offer in offers for t in offer.transforms if t.transform_type is TransformType.ADDKE1)
    return tuple(dict.fromkeys(int(each) for each in further if each in (Ke.ML_KEM_768, Ke.ML_KEM_1024)))


def lacking(proposals: tuple[Proposal, ...]) -> tuple[str, ...]:
    """The keywords without which none of these can be carried out here; none if any can."""
    if not proposals or _offers(proposals):
        return ()
    words = dict.fromkeys(word for proposal in proposals for word in proposal.keywords)
    return tuple(word for word in words if not _able((_transform(word),)))


def _able(transforms: tuple[Transform, ...]) -> tuple[Transform, ...]:
    """Those of a proposal that are supported; none if that leaves a type without any."""
    left = tuple(t for t in transforms if is_supported(t.transform_type, t.transform_id, t.key_length))
    return left if {t.transform_type for t in left} == {t.transform_type for t in transforms} else ()


def _transform(word: str) -> Transform:
    keyword = ALGORITHMS[word]
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
