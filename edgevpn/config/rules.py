"""The rules between the keys of one table: a child, a site, a pool, a device; and between the sites."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from edgevpn.config.errors import Findings, Path
from edgevpn.config.identity import Pattern
from edgevpn.config.model import Auth, Child, Config, Device, Gateway, Pool, Site, Start
from edgevpn.config.pool import BY_CERTIFICATE, Login, TunnelMode
from edgevpn.config.site import Signature
from edgevpn.config.values import NETWORK, PPK_ID, V4_RANGE, WITH_PORTS, Address, Ports

LIFETIMES = (
    ("esp_rekey_time", "esp_life_time"),
    ("esp_rekey_bytes", "esp_life_bytes"),
    ("esp_rekey_packets", "esp_life_packets"),
)


def check_child(child: Child, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one child."""
    for rekey, life in LIFETIMES:
        check_lifetime(getattr(child, rekey), getattr(child, life), rekey, (*path, life), findings)
    if child.protocol not in WITH_PORTS and {child.local_ports, child.remote_ports} != {Ports()}:
        findings.refuse((*path, "protocol"), "has no ports", allowed="tcp, udp or sctp beside a choice of ports")
    families = {network.version for network in child.local_networks}
    theirs = {network.version for network in child.remote_networks}
    if not families & theirs:
        findings.refuse((*path, "remote_networks"), "no network here has the IP version of one in local_networks")
    elif families != theirs:
        lonely = "IPv6" if 6 in families ^ theirs else "IPv4"
        findings.warn((*path, "remote_networks"), f"only one end has {lonely} networks, so no {lonely} will pass")
    for network in set(child.local_networks) & set(child.remote_networks):
        if network.prefixlen:
            cure = "keep it where it is; what both ends have cannot be routed"
            findings.refuse((*path, "remote_networks"), f"{network} is in local_networks too", cure=cure)
    for weakness in dict.fromkeys(weak for proposal in child.esp_proposals for weak in proposal.weaknesses):
        findings.warn((*path, "esp_proposals"), weakness)


def check_site(site: Site, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one site."""
    check_lifetime(site.ike_rekey_time, site.ike_life_time, "ike_rekey_time", (*path, "ike_life_time"), findings)
    for child in site.children:
        if not site.remote and child.start is not Start.WAIT:
            findings.refuse(
                (*path, "start"),
                f'child {child.name} cannot start by itself while remote = "any"',
                allowed='"wait"',
                cure="name the peer's address in remote, or wait for it",
            )
    for weakness in dict.fromkeys(weak for proposal in site.ike_proposals for weak in proposal.weaknesses):
        findings.warn((*path, "ike_proposals"), weakness)
    _check_proof(site, path, findings)
    _check_ppk(site, path, findings)
    if site.local and site.remote and not any(_may_reach(site, host) for host in site.remote):
        findings.refuse((*path, "local"), "has another IP version than every address in remote")


def check_pool(pool: Pool, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one pool."""
    check_lifetime(pool.ike_rekey_time, pool.ike_life_time, "ike_rekey_time", (*path, "ike_life_time"), findings)
    check_lifetime(pool.esp_rekey_time, pool.esp_life_time, "esp_rekey_time", (*path, "esp_life_time"), findings)
    if not pool.v4 and not pool.v6:
        findings.refuse((*path, "v4"), "is missing, and v6 too", allowed=V4_RANGE.allowed)
    if pool.mode is TunnelMode.SPLIT and not pool.networks:
        findings.refuse((*path, "networks"), 'is missing, and needed with mode = "split"', allowed=NETWORK.allowed)
    _check_prefix(pool, path, findings)
    _check_names(pool, path, findings)
    for key, proposals in (("ike_proposals", pool.ike_proposals), ("esp_proposals", pool.esp_proposals)):
        for weakness in dict.fromkeys(weak for proposal in proposals for weak in proposal.weaknesses):
            findings.warn((*path, key), weakness)
    if pool.legacy:
        findings.warn(
            (*path, "legacy"),
            "lets in clients with MODP-1024, whose traffic an observer can decrypt",
            value="true",
            cure="give them the script of edgevpn device export, and take this out",
        )
    if pool.eap_only and Login.PASSWORD in pool.logins:
        findings.warn(
            (*path, "eap_only"),
            "lets whoever stands between work out passwords of clients that ask for no certificate of ours",
            value="true",
            cure="set those clients up to check our certificate, and take this out",
        )


def check_device(device: Device, pool: Pool, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one device, or not with its pool."""
    if isinstance(device.id, Pattern):
        _check_many(device, path, findings)
    if device.login not in pool.logins:
        allowed = " | ".join(f'"{login.value}"' for login in pool.logins)
        value = f'"{device.login.value}"'
        findings.refuse((*path, "login"), f"is not taken by pool {pool.name}", value=value, allowed=allowed)
    if device.mode is TunnelMode.SPLIT and not device.networks and not findings.blames(("pool", pool.name, "networks")):
        findings.refuse(
            (*path, "networks"),
            f'is missing, and needed with mode = "split", as pool {pool.name} has none either',
            allowed=NETWORK.allowed,
        )


def check_gateway(config: Config, findings: Findings) -> None:
    """Note addresses that cannot be served, and sites that [gateway] makes what they may not be."""
    all_of = {address.version for address in config.gateway.listen if address.is_unspecified}
    for address in config.gateway.listen:
        if not address.is_unspecified and address.version in all_of:
            fault = f"{address} is served already, as all addresses of IPv{address.version} are"
            findings.refuse(("gateway", "listen"), fault, cure="take one of the two out")
    if not config.sites and not config.pools:
        findings.warn((), "no site is configured", cure="write a table such as [site.office]")
    for site in config.sites:
        if site.local and not _listens(config.gateway, site.local):
            listen = ", ".join(map(str, config.gateway.listen))
            findings.refuse(("site", site.name, "local"), "is not served", allowed=f"what gateway.listen has: {listen}")
    for one, other in _alike(config.sites):
        findings.refuse(
            ("site", other.name, "remote_id"),
            f"a peer that calls could be this site or {one.name}: same identities, addresses that overlap",
            cure="give the two different remote_id or local_id",
        )


def check_interfaces(config: Config, findings: Findings) -> None:
    """Each site and each pool has an interface of its own."""
    taken: dict[str, str] = {}
    tables: list[tuple[str, Site | Pool]] = [
        *(("pool", pool) for pool in config.pools),
        *(("site", site) for site in config.sites),
    ]
    for noun, each in tables:
        owner = taken.setdefault(each.interface, f"{noun} {each.name}")
        if owner != f"{noun} {each.name}":
            findings.refuse(
                (noun, each.name, "interface"), f"{each.interface} belongs to {owner}", cure="give it a name of its own"
            )


def _check_prefix(pool: Pool, path: Path, findings: Findings) -> None:
    """IPv6 addresses are whole, or the second halves of addresses whose first half is an interface's."""
    if pool.v6_prefix_of and not pool.v6:
        findings.refuse((*path, "v6"), "is missing, and needed with v6_prefix_of", allowed='such as "::9:0:0:0/80"')
    for addresses in pool.v6:
        half = addresses.bounds[1] >> 64 == 0
        if half and not pool.v6_prefix_of:
            findings.refuse(
                (*path, "v6"), f"{addresses} has no first half", cure="set v6_prefix_of, or write whole addresses"
            )
        elif pool.v6_prefix_of and not half:
            findings.refuse((*path, "v6"), f"{addresses} has a first half of its own", cure="take out v6_prefix_of")


def _check_names(pool: Pool, path: Path, findings: Findings) -> None:
    """Warn of name servers that devices cannot use, and of their absence."""
    versions = {each.version for each in (*pool.v4, *pool.v6)}
    for key, servers in (("dns", pool.dns), ("nbns", pool.nbns)):
        for server in servers:
            if server.version not in versions and versions:
                findings.warn((*path, key), f"{server} is out of reach: devices get no IPv{server.version} address")
    if not pool.dns and pool.mode is TunnelMode.FULL:
        findings.warn((*path, "dns"), "is missing, so that devices with a full tunnel find no names")
    if pool.domains and not pool.dns:
        findings.warn((*path, "domains"), "says which domains to ask about, and dns does not say whom")


def _check_many(device: Device, path: Path, findings: Findings) -> None:
    """All whose identity is like a pattern come in as one device, each with a certificate and an address of its own."""
    if device.login not in BY_CERTIFICATE:
        findings.refuse(
            (*path, "id"),
            "lets in several, who would share one secret",
            cure='give each a device of its own, or write login = "certificate"',
        )
    for key in ("v4", "v6"):
        if getattr(device, key) is not None:
            findings.refuse((*path, key), f"is one address, and {device.id} are several", cure="take it out")


def check_lifetime(rekey: int, life: int, rekey_key: str, path: Path, findings: Findings) -> None:
    """Note a life that ends before its SA is rekeyed."""
    if life and rekey >= life:
        findings.refuse(path, f"is reached before {rekey_key} ({rekey})", allowed=f"more than {rekey_key}, or 0")


def _check_proof(site: Site, path: Path, findings: Findings) -> None:
    """Note keys of certificates and of EAP that do not go with the site's auth, or not with each other."""
    uses = {"cert": Auth.CERTIFICATE, "key": Auth.CERTIFICATE, "eap_id": Auth.EAP}
    for key, auth in uses.items():
        if getattr(site, key) is not None and site.auth is not auth:
            findings.refuse(
                (*path, key), f'is of no use with auth = "{site.auth.value}"', cure=f'write auth = "{auth.value}"'
            )
    if site.signature is Signature.PSS and site.auth is not Auth.CERTIFICATE:
        findings.refuse((*path, "signature"), "is of no use without a certificate", cure='write auth = "certificate"')
    if site.ca and site.auth is Auth.PSK:
        findings.refuse((*path, "ca"), 'is of no use with auth = "psk"', cure='write auth = "certificate"')
    if (site.cert is None) != (site.key is None):
        missing, there = ("key", "cert") if site.key is None else ("cert", "key")
        findings.refuse((*path, missing), f"is missing, and needed with {there}", allowed="an absolute path")
    if site.auth is Auth.EAP and not site.remote:
        findings.refuse((*path, "auth"), 'with "eap" we log in at the peer, so remote has to name it')


def _check_ppk(site: Site, path: Path, findings: Findings) -> None:
    """A post-quantum pre-shared key and its name go together."""
    if site.ppk is not None and site.ppk_id is None:
        findings.refuse((*path, "ppk_id"), "is missing, and needed with ppk", allowed=PPK_ID.allowed)
    if site.ppk is None and site.ppk_id is not None:
        findings.refuse((*path, "ppk_id"), "names a key that is not there", cure="write ppk, ppk_file or ppk_env")


def _listens(gateway: Gateway, local: Address) -> bool:
    """True if the gateway serves this address, by itself or among all of its IP version."""
    return any(local == each or (each.is_unspecified and each.version == local.version) for each in gateway.listen)


def _may_reach(site: Site, host: object) -> bool:
    """True unless both ends are addresses, of different versions."""
    return isinstance(host, str) or getattr(host, "version", 0) == getattr(site.local, "version", 0)


def _alike(sites: tuple[Site, ...]) -> list[tuple[Site, Site]]:
    """Pairs of sites of which a caller could be either. Only those with the same remote_id, or none, are compared."""
    by_identity: dict[object, list[Site]] = defaultdict(list)
    for site in sites:
        by_identity[site.remote_id and (site.remote_id.kind, site.remote_id.folded)].append(site)
    anybody = by_identity.pop(None, [])
    pairs = [pair for group in by_identity.values() for pair in combinations(group, 2)]
    pairs += combinations(anybody, 2)
    pairs += ((one, other) for one in anybody for group in by_identity.values() for other in group)
    order = {site.name: number for number, site in enumerate(sites)}
    ordered = (sorted(pair, key=lambda site: order[site.name]) for pair in pairs)
    return [(one, other) for one, other in ordered if _look_alike(one, other)]


def _look_alike(one: Site, other: Site) -> bool:
    """True if a request of one site's peer could not be told from one of the other's, with the same remote_id."""
    same_local_id = one.local_id is None or other.local_id is None or one.local_id == other.local_id
    same_local = one.local is None or other.local is None or one.local == other.local
    same_remote = not one.remote or not other.remote or bool(set(one.remote) & set(other.remote))
    return same_local_id and same_local and same_remote
