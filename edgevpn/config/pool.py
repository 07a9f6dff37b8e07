"""Where devices come in: `[pool.NAME]`, their addresses and all that they share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

from edgevpn.config import tunnel
from edgevpn.config.kinds import DAY, FLAG, MINUTE, WEEK, choice, duration, integer, many
from edgevpn.config.proposals import LEGACY_ESP, LEGACY_IKE, Proposal
from edgevpn.config.ranges import Address, AddressRange, Network
from edgevpn.config.services import Offload
from edgevpn.config.setting import Effect, derived, optional, setting, several
from edgevpn.config.tunnel import (
    OWN_INTERFACE,
    Unique,
    own_interface,
)
from edgevpn.config.values import (
    DOMAIN,
    HOST_ADDRESS,
    INTERFACE,
    NETWORK,
    V4,
    V4_RANGE,
    V6_RANGE,
)
from edgevpn.frozen import dataclass

# As between sites, and AES-XCBC, the only sound PRF that Android 11 has.
IKE_PROPOSALS = [
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha512-prfsha256-prfaesxcbc"
    "-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
    "aes256-aes128-sha384-sha512-sha256-prfsha384-prfsha512-prfsha256-prfaesxcbc"
    "-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
]


class TunnelMode(Enum):
    """Which of a device's traffic goes through the tunnel: all of it, or that to some networks."""

    FULL = "full"
    SPLIT = "split"


class Login(Enum):
    """How a device proves who it is."""

    PASSWORD = "password"  # noqa: S105 - the word itself
    CERTIFICATE = "certificate"
    PSK = "psk"
    EAP_TLS = "eap-tls"


BY_CERTIFICATE = frozenset({Login.CERTIFICATE, Login.EAP_TLS})
"""Ways in which a certificate is shown, in IKE itself or within EAP."""


def _first_addresses(given: Mapping[str, Any]) -> tuple[Address, ...]:
    return tuple(each.first for each in (*given["v4"], *given["v6"]) if each.subnet and each.size > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`[pool.NAME]`: devices that share addresses, an interface and rules."""

    name: str
    v4: tuple[AddressRange, ...] = several(
        many(V4_RANGE), "IPv4 addresses for devices: a network of their own, or a part of the LAN.", "no IPv4"
    )
    v6: tuple[AddressRange, ...] = several(
        many(V6_RANGE), "IPv6 addresses for devices: a network of their own, or a part of the LAN.", "no IPv6"
    )
    v6_prefix_of: str | None = optional(
        INTERFACE,
        "Take the first half of IPv6 addresses from this interface and follow it when the provider changes it;"
        ' v6 then holds the second half, such as "::9:0:0:0/80".',
        "v6 holds whole addresses",
    )
    router: tuple[Address, ...] = derived(
        many(HOST_ADDRESS),
        "Our own addresses on the pool's interface, given to no device.",
        "the first one of each network in v4 and v6; none of a range",
        _first_addresses,
        effect=Effect.LIVE,
    )
    proxy: bool = setting(
        FLAG,
        "Answer ARP and neighbour discovery for devices in the LAN: needed where their addresses are part of it.",
        False,
        effect=Effect.LIVE,
    )
    mode: TunnelMode = setting(
        choice(TunnelMode), "Send all traffic of devices through the tunnel, or only that to networks.", "full"
    )
    networks: tuple[Network, ...] = several(
        many(NETWORK), 'The networks that devices reach through the tunnel; needed with mode = "split".', "none"
    )
    dns: tuple[Address, ...] = derived(
        many(HOST_ADDRESS),
        "DNS servers for devices.",
        "our own addresses in router",
        lambda given: given["router"],
        effect=Effect.NEXT,
    )
    nbns: tuple[IPv4Address, ...] = several(many(V4), "WINS servers for devices.", "none", effect=Effect.NEXT)
    domains: tuple[str, ...] = several(
        many(DOMAIN),
        "Domains that these DNS servers are asked about (RFC 8598); with split, no others.",
        "all",
        effect=Effect.NEXT,
    )
    logins: tuple[Login, ...] = setting(
        many(choice(Login)),
        "The ways to log in that this pool takes.",
        ["password", "certificate", "psk", "eap-tls"],
    )
    unique: Unique = setting(
        choice(Unique),
        "A second session of the same device: keep both, replace the first, or refuse the second.",
        "keep",
        effect=Effect.LIVE,
    )
    interface: str = derived(
        OWN_INTERFACE,
        "The name of the XFRM interface that is made for the pool.",
        "evpn- and the pool's name, cut to 15 characters",
        own_interface,
    )
    mtu: int | None = optional(
        integer(1280, 9200, "octets"),
        "The MTU of that interface.",
        "what the cipher leaves of 1500",
        effect=Effect.LIVE,
    )
    legacy: bool = setting(
        FLAG,
        "Let in clients that know nothing better than MODP-1024 and SHA-1, such as a Windows that ran no script."
        " Whoever records such a session can decrypt it later.",
        False,
        effect=Effect.NEXT,
    )
    eap_only: bool = setting(
        FLAG,
        "Leave out our certificate before a login by EAP where the client asks for that (RFC 5998). EAP-TLS shows it"
        " within; with passwords (MSCHAPv2), whoever stands between can record a login and work out the password.",
        False,
        effect=Effect.NEXT,
    )
    ike_proposals: tuple[Proposal, ...] = tunnel.ike_proposals(IKE_PROPOSALS)
    esp_proposals: tuple[Proposal, ...] = tunnel.esp_proposals()
    cipher_order: tuple[str, ...] = tunnel.cipher_order()
    offload: Offload = tunnel.offload()
    ike_rekey_time: int = tunnel.ike_rekey_time()
    ike_life_time: int = tunnel.ike_life_time()
    reauth_time: int = tunnel.reauth_time()
    idle_time: int = tunnel.idle_time()
    esp_rekey_time: int = setting(
        duration(MINUTE, WEEK, or_off=True),
        "After what time the CHILD SA gets new keys. A client that takes no rekeying from us is left to do it.",
        "1h",
        effect=Effect.NEXT,
    )
    esp_life_time: int = tunnel.esp_life_time(" That of a client that takes no rekeying from us stays.")
    replay_window: int = tunnel.replay_window()
    dpd_delay: int = setting(
        duration(1, DAY, or_off=True),
        "After what silence a device is asked whether it lives. Each question wakes a sleeping phone.",
        "2m",
        effect=Effect.LIVE,
    )
    mobike: bool = setting(
        FLAG, "Let devices move to another address without a new login (RFC 4555).", True, effect=Effect.NEXT
    )
    fragmentation: bool = tunnel.fragmentation()
    encap: bool = setting(
        FLAG,
        "Send ESP in UDP even where no NAT is found, as some mobile networks let no ESP through. It is settled before"
        " anybody has said who it is: whoever may call from anywhere gets it.",
        False,
        effect=Effect.NEXT,
    )

    @property
    def accepted_ike(self) -> tuple[Proposal, ...]:
        """What is accepted for IKE, the legacy switch included."""
        return (*self.ike_proposals, LEGACY_IKE) if self.legacy else self.ike_proposals

    @property
    def accepted_esp(self) -> tuple[Proposal, ...]:
        """What is accepted for traffic, the legacy switch included."""
        return (*self.esp_proposals, LEGACY_ESP) if self.legacy else self.esp_proposals
