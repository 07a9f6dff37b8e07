"""Tunnels to other gateways: `[site.NAME]` and `[site.NAME.child.NAME]`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from edgevpn.config import tunnel
from edgevpn.config.credential import Ppk, Psk, Secret
from edgevpn.config.identity import Identity, IdentityKind, Pattern, address_identity
from edgevpn.config.kinds import DAY, FLAG, MINUTE, WEEK, choice, duration, integer, many, size
from edgevpn.config.proposals import Proposal
from edgevpn.config.services import Offload
from edgevpn.config.setting import Effect, derived, optional, required, setting, several
from edgevpn.config.tunnel import (
    IKE_PROPOSALS,
    OWN_INTERFACE,
    Unique,
    own_interface,
    tenth_more,
)
from edgevpn.config.values import (
    ADDRESS,
    FILE,
    IDENTITY,
    NETWORK,
    OWN_ADDRESS,
    PEER_IDENTITY,
    PORTS,
    PPK_ID,
    PROTOCOL,
    REMOTES,
    Address,
    Host,
    Network,
    Ports,
    printable,
)
from edgevpn.frozen import dataclass


class Start(Enum):
    """What brings a tunnel up."""

    LOAD = "load"
    TRAFFIC = "traffic"
    WAIT = "wait"


class Action(Enum):
    """What becomes of a tunnel that has gone down without our asking."""

    RESTART = "restart"
    TRAP = "trap"
    CLEAR = "clear"


class Signature(Enum):
    """How we sign with an RSA key."""

    AUTO = "auto"
    PSS = "pss"


class Childless(Enum):
    """Whether the IKE SA may come up without a CHILD SA (RFC 6023)."""

    ALLOW = "allow"
    PREFER = "prefer"
    FORCE = "force"
    NEVER = "never"


class Auth(Enum):
    """How the two ends of a site prove who they are. With "eap" we log in at the peer as a user does."""

    PSK = "psk"
    CERTIFICATE = "certificate"
    EAP = "eap"


def _default_start(given: Mapping[str, Any]) -> Start:
    return Start.LOAD if given["remote"] else Start.WAIT


def _default_action(given: Mapping[str, Any]) -> Action:
    return {Start.LOAD: Action.RESTART, Start.TRAFFIC: Action.TRAP, Start.WAIT: Action.CLEAR}[given["start"]]


def _first_remote(given: Mapping[str, Any]) -> Identity:
    first: Host = given["remote"][0]
    if isinstance(first, IPv4Address | IPv6Address):
        return address_identity(first)
    return Identity(IdentityKind.FQDN, first.rstrip(".").encode())


ACTION_DEFAULT = '"restart" with start = "load", "trap" with "traffic", "clear" with "wait"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """`[site.NAME.child.NAME]`: traffic that shares one CHILD SA.

    Each of these keys may also stand in the site's own table, where it holds for all its children.
    """

    name: str
    local_networks: tuple[Network, ...] = required(many(NETWORK), "Networks at this end.")
    remote_networks: tuple[Network, ...] = required(many(NETWORK), "Networks at the peer's end.")
    protocol: int = setting(PROTOCOL, "Only this protocol goes through the tunnel; 0 for all.", "any")
    local_ports: Ports = setting(PORTS, "Only these ports of this end; needs a protocol that has ports.", "any")
    remote_ports: Ports = setting(PORTS, "Only these ports of the peer's end.", "any")
    start: Start = derived(
        choice(Start),
        "What brings the tunnel up: the configuration, the first packet, or only the peer.",
        '"load", or "wait" with remote = "any"',
        _default_start,
        effect=Effect.LIVE,
    )
    dpd_action: Action = derived(
        choice(Action),
        "When the peer is found dead: bring the tunnel up again, wait for traffic, or do nothing.",
        ACTION_DEFAULT,
        _default_action,
        effect=Effect.LIVE,
    )
    close_action: Action = derived(
        choice(Action),
        "The same, when the peer has closed the tunnel.",
        ACTION_DEFAULT,
        _default_action,
        effect=Effect.LIVE,
    )
    esp_proposals: tuple[Proposal, ...] = tunnel.esp_proposals()
    esp_rekey_time: int = setting(
        duration(MINUTE, WEEK, or_off=True), "After what time the CHILD SA gets new keys.", "1h", effect=Effect.NEXT
    )
    esp_life_time: int = tunnel.esp_life_time()
    esp_rekey_bytes: int = setting(
        size(2**20), "After how much traffic the CHILD SA gets new keys.", 0, effect=Effect.NEXT
    )
    esp_life_bytes: int = derived(
        size(2**20),
        "After how much traffic a CHILD SA that could not be rekeyed is removed.",
        "a tenth more than esp_rekey_bytes",
        tenth_more("esp_rekey_bytes"),
        effect=Effect.NEXT,
    )
    esp_rekey_packets: int = setting(
        integer(0, 2**63 - 1, "packets, 0 for no limit"),
        "After how many packets the CHILD SA gets new keys. Without ESN it ends at 4294967295.",
        3_000_000_000,
        effect=Effect.NEXT,
    )
    esp_life_packets: int = derived(
        integer(0, 2**63 - 1, "packets, 0 for no limit"),
        "After how many packets a CHILD SA that could not be rekeyed is removed.",
        "a tenth more than esp_rekey_packets",
        tenth_more("esp_rekey_packets"),
        effect=Effect.NEXT,
    )
    replay_window: int = tunnel.replay_window()
    routes: bool = setting(FLAG, "Route the remote networks into the tunnel.", True, effect=Effect.LIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`[site.NAME]`: a tunnel to another gateway."""

    name: str
    credential: Psk | Secret | None  # None where a certificate proves who we are
    children: tuple[Child, ...]
    ppk: Ppk | None = None
    remote: tuple[Host, ...] = required(REMOTES, "Where the peer is: names or addresses, tried in order.")
    local: Address | None = optional(
        OWN_ADDRESS, "The address that the tunnel starts from.", "the one that the routing table chooses"
    )
    local_id: Identity | None = optional(
        IDENTITY, "Who we are to this peer.", "gateway.id, else the local address of the tunnel"
    )
    remote_id: Identity | Pattern | None = derived(
        PEER_IDENTITY, "Who the peer must prove to be.", "the first of remote", _first_remote
    )
    auth: Auth = setting(
        choice(Auth),
        "How both prove who they are: by a pre-shared key or by certificates; with eap we log in by name and password"
        " and the peer shows a certificate.",
        "psk",
    )
    cert: Path | None = optional(FILE, "Our certificate for this peer, with its chain, in PEM.", "the one of [pki]")
    key: Path | None = optional(FILE, "The private key of that certificate, in PEM.", "the one of [pki]")
    ca: tuple[Path, ...] = several(
        many(FILE),
        "CA certificates in PEM, one of which must vouch for the peer.",
        "the local CA and those of pki.trust",
    )
    signature: Signature = setting(
        choice(Signature),
        "How we sign with an RSA key: as the peer does, and by PKCS #1 v1.5 where it has not signed yet (auto); or by"
        " RSASSA-PSS (pss).",
        "auto",
        effect=Effect.NEXT,
    )
    eap_id: str | None = optional(printable(255), 'Our user name at the peer, with auth = "eap".', "local_id")
    ppk_id: str | None = optional(
        PPK_ID,
        "The name of the post-quantum pre-shared key, the same at both ends; letters and digits do everywhere.",
        "there is no such key",
    )
    ppk_required: bool = tunnel.ppk_required()
    virtual_ips: tuple[Address, ...] = several(
        many(ADDRESS), "Addresses that we ask the peer for; 0.0.0.0 or :: for any that it gives.", "none"
    )
    interface: str = derived(
        OWN_INTERFACE,
        "The name of the XFRM interface that is made for the site.",
        "evpn- and the site's name, cut to 15 characters",
        own_interface,
    )
    mtu: int | None = optional(
        integer(1280, 9200, "octets"),
        "The MTU of that interface.",
        "what the path and the cipher leave",
        effect=Effect.LIVE,
    )
    ike_proposals: tuple[Proposal, ...] = tunnel.ike_proposals(IKE_PROPOSALS)
    ike_rekey_time: int = tunnel.ike_rekey_time()
    ike_life_time: int = tunnel.ike_life_time()
    reauth_time: int = tunnel.reauth_time()
    idle_time: int = tunnel.idle_time()
    dpd_delay: int = setting(
        duration(1, DAY, or_off=True),
        "After what silence the peer is asked whether it lives.",
        "30s",
        effect=Effect.LIVE,
    )
    mobike: bool = setting(FLAG, "Let the tunnel move when an address changes (RFC 4555).", True, effect=Effect.NEXT)
    fragmentation: bool = tunnel.fragmentation()
    encap: bool = setting(FLAG, "Send ESP in UDP even where no NAT is found.", False)
    childless: Childless = setting(
        choice(Childless), "Whether the IKE SA may come up before any CHILD SA (RFC 6023).", "allow", effect=Effect.NEXT
    )
    unique: Unique = setting(
        choice(Unique),
        "A second IKE SA between the same identities: keep both, replace the first, or refuse the second."
        " INITIAL_CONTACT is obeyed in any case.",
        "keep",
        effect=Effect.LIVE,
    )
    cipher_order: tuple[str, ...] = tunnel.cipher_order()
    offload: Offload = tunnel.offload()

    @property
    def psk(self) -> Psk:
        """The pre-shared key, with auth = "psk". Raises TypeError with any other."""
        if not isinstance(self.credential, Psk):
            raise TypeError(f"site {self.name} has no pre-shared key")
        return self.credential
