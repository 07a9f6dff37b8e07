"""What the owner can set: one frozen record per noun of the file, every key documented beside its definition.

Times are whole seconds, sizes octets. `reader` builds these records; the rules between keys are in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from edgevpn.config.errors import Problem
from edgevpn.config.identity import Identity, IdentityKind, address_identity
from edgevpn.config.proposals import Proposal
from edgevpn.config.setting import derived, optional, required, setting
from edgevpn.config.values import (
    ADDRESS,
    DAY,
    ESP_PROPOSAL,
    FILE,
    FLAG,
    HOUR,
    IDENTITY,
    IKE_PROPOSAL,
    MINUTE,
    NETWORK,
    OWN_ADDRESS,
    PEER_IDENTITY,
    PORTS,
    PROTOCOL,
    REMOTES,
    WEEK,
    Address,
    Host,
    Network,
    Ports,
    choice,
    duration,
    integer,
    many,
    size,
    text,
)

INTERFACE_PREFIX = "evpn"
INTERFACE_LENGTH = 15

IKE_PROPOSALS = [
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha512-prfsha256"
    "-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
    "aes256-aes128-sha384-sha512-sha256-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
]
ESP_PROPOSALS = [
    "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp384-ecp256-modp3072-modp2048-none",
    "aes256-aes128-sha256-sha384-sha512-x25519-ecp384-ecp256-modp3072-modp2048-none",
]


class LogLevel(Enum):
    """From what weight on a line is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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


class Childless(Enum):
    """Whether the IKE SA may come up without a CHILD SA (RFC 6023)."""

    ALLOW = "allow"
    PREFER = "prefer"
    FORCE = "force"
    NEVER = "never"


class Unique(Enum):
    """What a second IKE SA between the same identities does to the first."""

    KEEP = "keep"
    REPLACE = "replace"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """`[gateway]`: this machine as a whole."""

    listen: tuple[Address, ...] = setting(
        many(ADDRESS),
        "Addresses whose UDP ports 500 and 4500 are served.",
        ["0.0.0.0", "::"],  # noqa: S104 - a gateway is there to be reached
    )
    id: Identity | None = optional(
        IDENTITY, "Who we are, for every site that sets no local_id.", "the local address of each tunnel"
    )
    log_level: LogLevel = setting(choice(LogLevel), "From what weight on a line is logged.", "info")
    control_group: str | None = optional(
        text("the name of a group", r"[a-z_][a-z0-9_-]{0,31}\$?"),
        "Members of this group may use the control socket.",
        "only root and the user that the daemon runs as",
    )
    nat_keepalive: int = setting(
        duration(1, HOUR, or_off=True), "How often a NAT in the way is reminded of an idle tunnel.", "20s"
    )


@dataclass(frozen=True, slots=True)
class Psk:
    """A pre-shared key, and where it was written."""

    source: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PskKeys:
    """The three ways to write a pre-shared key; one of them is needed."""

    psk: str | None = optional(
        text("text, or octets as 0xHEX or 0sBASE64", r"[^\0]+"),
        "The pre-shared key itself. Both ends have the same; make it long and random.",
        "psk_file or psk_env is set",
        secret=True,
    )
    psk_file: Path | None = optional(
        FILE, "A file that holds the pre-shared key and that only root can read.", "psk or psk_env is set"
    )
    psk_env: str | None = optional(
        text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]*"),
        "An environment variable that holds the pre-shared key.",
        "psk or psk_file is set",
    )


def _tenth_more(key: str) -> Any:
    return lambda given: given[key] + given[key] // 10


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
    )
    dpd_action: Action = derived(
        choice(Action),
        "When the peer is found dead: bring the tunnel up again, wait for traffic, or do nothing.",
        ACTION_DEFAULT,
        _default_action,
    )
    close_action: Action = derived(
        choice(Action), "The same, when the peer has closed the tunnel.", ACTION_DEFAULT, _default_action
    )
    esp_proposals: tuple[Proposal, ...] = setting(
        many(ESP_PROPOSAL), "Algorithms for traffic, in order of preference.", ESP_PROPOSALS
    )
    esp_rekey_time: int = setting(
        duration(MINUTE, WEEK, or_off=True), "After what time the CHILD SA gets new keys.", "1h"
    )
    esp_life_time: int = derived(
        duration(MINUTE, WEEK + DAY, or_off=True),
        "After what time a CHILD SA that could not be rekeyed is removed.",
        "a tenth more than esp_rekey_time",
        _tenth_more("esp_rekey_time"),
    )
    esp_rekey_bytes: int = setting(size(2**20), "After how much traffic the CHILD SA gets new keys.", 0)
    esp_life_bytes: int = derived(
        size(2**20),
        "After how much traffic a CHILD SA that could not be rekeyed is removed.",
        "a tenth more than esp_rekey_bytes",
        _tenth_more("esp_rekey_bytes"),
    )
    esp_rekey_packets: int = setting(
        integer(0, 2**63 - 1, "packets, 0 for no limit"),
        "After how many packets the CHILD SA gets new keys. Without ESN it ends at 4294967295.",
        3_000_000_000,
    )
    esp_life_packets: int = derived(
        integer(0, 2**63 - 1, "packets, 0 for no limit"),
        "After how many packets a CHILD SA that could not be rekeyed is removed.",
        "a tenth more than esp_rekey_packets",
        _tenth_more("esp_rekey_packets"),
    )
    replay_window: int = setting(
        integer(0, 4096, "packets, 0 for no replay check"),
        "How far packets may overtake one another.",
        256,
    )
    routes: bool = setting(FLAG, "Route the remote networks into the tunnel.", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`[site.NAME]`: a tunnel to another gateway."""

    name: str
    psk: Psk
    children: tuple[Child, ...]
    remote: tuple[Host, ...] = required(REMOTES, "Where the peer is: names or addresses, tried in order.")
    local: Address | None = optional(
        OWN_ADDRESS, "The address that the tunnel starts from.", "the one that the routing table chooses"
    )
    local_id: Identity | None = optional(
        IDENTITY, "Who we are to this peer.", "gateway.id, else the local address of the tunnel"
    )
    remote_id: Identity | None = derived(
        PEER_IDENTITY, "Who the peer must prove to be.", "the first of remote", _first_remote
    )
    interface: str = derived(
        text(
            f"{INTERFACE_PREFIX} and up to {INTERFACE_LENGTH - len(INTERFACE_PREFIX)} letters, digits, . _ -",
            rf"{INTERFACE_PREFIX}[A-Za-z0-9._-]{{0,{INTERFACE_LENGTH - len(INTERFACE_PREFIX)}}}",
        ),
        "The name of the XFRM interface that is made for the site.",
        f"{INTERFACE_PREFIX}- and the site's name, cut to {INTERFACE_LENGTH} characters",
        lambda given: f"{INTERFACE_PREFIX}-{given['name']}"[:INTERFACE_LENGTH],
    )
    mtu: int | None = optional(
        integer(1280, 9200, "octets"), "The MTU of that interface.", "what the path and the cipher leave"
    )
    ike_proposals: tuple[Proposal, ...] = setting(
        many(IKE_PROPOSAL), "Algorithms for IKE, in order of preference.", IKE_PROPOSALS
    )
    ike_rekey_time: int = setting(
        duration(5 * MINUTE, WEEK, or_off=True), "After what time the IKE SA gets new keys.", "4h"
    )
    ike_life_time: int = derived(
        duration(5 * MINUTE, WEEK + DAY, or_off=True),
        "After what time an IKE SA that could not be rekeyed is closed.",
        "a tenth more than ike_rekey_time",
        _tenth_more("ike_rekey_time"),
    )
    dpd_delay: int = setting(
        duration(1, DAY, or_off=True), "After what silence the peer is asked whether it lives.", "30s"
    )
    mobike: bool = setting(FLAG, "Let the tunnel move when an address changes (RFC 4555).", True)
    fragmentation: bool = setting(FLAG, "Cut long IKE messages rather than let IP do it (RFC 7383).", True)
    encap: bool = setting(FLAG, "Send ESP in UDP even where no NAT is found.", False)
    childless: Childless = setting(
        choice(Childless), "Whether the IKE SA may come up before any CHILD SA (RFC 6023).", "allow"
    )
    unique: Unique = setting(
        choice(Unique),
        "A second IKE SA between the same identities: keep both, replace the first, or refuse the second."
        " INITIAL_CONTACT is obeyed in any case.",
        "keep",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `warnings` are worth a line in the log and change nothing."""

    gateway: Gateway
    sites: tuple[Site, ...]
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
