"""The gateway beside its tunnels: certificates, ciphers, firewall and panel."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from pathlib import Path

from edgevpn.config.credential import Secret
from edgevpn.config.kinds import DAY, FLAG, MINUTE, choice, duration, integer, many
from edgevpn.config.setting import Effect, optional, setting, several
from edgevpn.config.values import FILE, HOST, HOST_ADDRESS, INTERFACE, ORDER, Address, Host, printable
from edgevpn.frozen import dataclass

YEAR = 365 * DAY


class KeyType(Enum):
    """The kind of key that a certificate is made for."""

    RSA_2048 = "rsa2048"
    RSA_3072 = "rsa3072"
    RSA_4096 = "rsa4096"
    ECDSA_256 = "ecdsa256"
    ECDSA_384 = "ecdsa384"


class Revocation(Enum):
    """What is made of a certificate about whose revocation nothing can be learnt."""

    STRICT = "strict"
    SOFT = "soft"
    OFF = "off"


class Offload(Enum):
    """How much of ESP a network card may take over."""

    AUTO = "auto"
    OFF = "off"
    CRYPTO = "crypto"
    PACKET = "packet"


class Manage(Enum):
    """Whether we look after the firewall."""

    AUTO = "auto"
    OFF = "off"


class Flow(Enum):
    """From where to where the firewall forwards."""

    POOL_LAN = "pool-lan"
    LAN_POOL = "lan-pool"
    SITE_LAN = "site-lan"
    LAN_SITE = "lan-site"
    POOL_SITE = "pool-site"
    SITE_POOL = "site-pool"
    POOL_POOL = "pool-pool"
    SITE_SITE = "site-site"
    POOL_WAN = "pool-wan"
    SITE_WAN = "site-wan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """`[pki]`: our certificate authority and the certificate by which devices know us."""

    public_name: tuple[Host, ...] = several(
        many(HOST),
        "The names or addresses that devices dial, the first one in their profiles; the certificate holds them all.",
        "none: no certificate is made, and no device can connect",
        effect=Effect.LIVE,
    )
    local_ca: bool = setting(
        FLAG, "Keep a certificate authority of our own, for this gateway and its devices.", True, effect=Effect.LIVE
    )
    key_type: KeyType = setting(
        choice(KeyType),
        "The kind of key of new certificates. Android and an iPhone without a profile need RSA.",
        "rsa3072",
        effect=Effect.LIVE,
    )
    ca_validity: int = setting(
        duration(30 * DAY, 40 * YEAR), "How long a new CA certificate is good for.", "3650d", effect=Effect.LIVE
    )
    server_validity: int = setting(
        duration(DAY, 10 * YEAR),
        "How long a new certificate of this gateway is good for. It is renewed by itself when a third is left.",
        "397d",
        effect=Effect.LIVE,
    )
    device_validity: int = setting(
        duration(DAY, 10 * YEAR), "How long a new certificate of a device is good for.", "825d", effect=Effect.LIVE
    )
    certificate: Path | None = optional(
        FILE,
        "A certificate of this gateway from elsewhere, with its chain, in PEM; read again whenever it changes.",
        "the local CA makes one",
        effect=Effect.LIVE,
    )
    certificate_key: Path | None = optional(
        FILE, "The private key of that certificate, in PEM.", "the local CA makes one", effect=Effect.LIVE
    )
    trust: tuple[Path, ...] = several(
        many(FILE),
        "CA certificates in PEM that may vouch for devices and sites, beside the local CA.",
        "none",
        effect=Effect.NEXT,
    )
    crl_files: tuple[Path, ...] = several(
        many(FILE), "Revocation lists of those CAs, read again whenever they change.", "none", effect=Effect.LIVE
    )
    revocation: Revocation = setting(
        choice(Revocation),
        "A certificate whose revocation list cannot be had is refused (strict) or accepted (soft);"
        " or nothing but our own block list is asked (off). Lists that certificates point to are fetched over HTTP, and"
        " again at a reload and when they are old; who is in and turns out to be revoked has to go.",
        "soft",
        effect=Effect.NEXT,
    )
    crl_refresh: int = setting(
        duration(10, 7 * DAY),
        "How long a revocation list that was fetched is used before a newer one is asked for, if it ends no sooner."
        " Who is in and revoked goes within that time and 10 minutes, or within twice that time where it is shorter.",
        "1h",
        effect=Effect.LIVE,
    )
    sha1_signatures: bool = setting(
        FLAG,
        "Sign with RSA and SHA-1 for clients that know no better; Windows is one. It weakens nobody else.",
        True,
        effect=Effect.NEXT,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """`[crypto]`: how traffic is encrypted, where a site or pool says nothing else."""

    order: tuple[str, ...] = setting(
        ORDER,
        "Which cipher for traffic is chosen among those that are equally safe: the fastest here, or the first listed.",
        "measured",
        effect=Effect.NEXT,
    )
    offload: Offload = setting(
        choice(Offload),
        "Let the network card encrypt: the cipher where it can (auto), nothing, the cipher with a word from the doctor"
        " where it cannot (crypto), or whole packets. What it cannot do, the CPU does.",
        "auto",
        effect=Effect.NEXT,
    )
    self_test: bool = setting(
        FLAG,
        "Send packets through each cipher of the kernel before it is offered, and leave out those that fail.",
        True,
        effect=Effect.NEXT,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """`[firewall]`: what we do for packets to pass. On OpenWrt the zone of the same name decides on forwarding."""

    manage: Manage = setting(
        choice(Manage), "Look after the firewall, or leave it all to its owner.", "auto", effect=Effect.LIVE
    )
    forward: tuple[Flow, ...] = setting(
        many(choice(Flow)),
        "Which traffic is forwarded from where to where; between sites only what the networks of both tunnels hold.",
        ["pool-lan", "lan-pool", "site-lan", "lan-site", "site-site", "pool-site", "pool-wan"],
        effect=Effect.LIVE,
    )
    masquerade: bool = setting(
        FLAG, "Let devices with a full tunnel reach the Internet under our address.", True, effect=Effect.LIVE
    )
    mss_clamp: bool = setting(
        FLAG, "Make TCP send no segments that are too long for the tunnel.", True, effect=Effect.LIVE
    )
    reject_v6: bool = setting(
        FLAG,
        "Turn IPv6 away from devices with a full tunnel whose pool has none, so that it does not leak beside it.",
        True,
        effect=Effect.LIVE,
    )
    lan: tuple[str, ...] = several(
        many(INTERFACE),
        "The interfaces of the LAN.",
        "all that have a private address and no default route",
        effect=Effect.LIVE,
    )
    wan: tuple[str, ...] = several(
        many(INTERFACE), "The interfaces to the Internet.", "all that have a default route", effect=Effect.LIVE
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """`[web]`: the panel."""

    enabled: bool = setting(FLAG, "Serve the panel.", True, effect=Effect.RESTART)
    listen: tuple[Address, ...] = several(
        many(HOST_ADDRESS),
        "Addresses of the LAN that the panel is served at.",
        "all private addresses of this machine but those towards the Internet",
        effect=Effect.RESTART,
    )
    allow_listen_on_public_addresses: bool = setting(
        FLAG, "Serve the panel to the whole Internet if listen says so. Think twice.", False, effect=Effect.RESTART
    )
    port: int = setting(integer(1, 65535), "The TCP port of the panel.", 8443, effect=Effect.RESTART)
    https: bool = setting(
        FLAG, "Encrypt; without it everybody in the LAN can read what the panel shows.", True, effect=Effect.RESTART
    )
    certificate: Path | None = optional(
        FILE, "The panel's certificate, in PEM.", "it makes its own", effect=Effect.RESTART
    )
    certificate_key: Path | None = optional(
        FILE, "The private key of that certificate, in PEM.", "it makes its own", effect=Effect.RESTART
    )
    hosts: tuple[Host, ...] = several(
        many(HOST),
        "Names that the panel may be called by in a browser, beside its addresses and the router's own name.",
        "none",
        effect=Effect.RESTART,
    )
    session_idle: int = setting(
        duration(MINUTE, DAY), "After what idle time one has to log in again.", "20m", effect=Effect.RESTART
    )
    session_life: int = setting(
        duration(5 * MINUTE, 30 * DAY), "After what time one has to log in again anyway.", "12h", effect=Effect.RESTART
    )
    title: str | None = optional(
        printable(64), "What the panel calls this router.", "its host name", effect=Effect.RESTART
    )
    password_hash: Secret | None = field(default=None)
    totp_secret: Secret | None = field(default=None)
