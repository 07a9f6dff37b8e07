"""What is settled about a peer before it speaks: the PAD and SPD entries that IKE needs, RFC 4301 §4.4."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.signature import OFFERED_HASHES, KeyKind
from edgevpn.ike.iana import ConfigAttribute, EapType, HashAlgorithm, IdType, NotifyType
from edgevpn.ike.identity import Meant, is_meant
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import TrafficSelector

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

NEVER = float("inf")


class Mode(Enum):
    """What ESP wraps: the whole packet, or what it carries (RFC 4301 §3.2)."""

    TUNNEL = auto()
    TRANSPORT = auto()


class Unique(Enum):
    """What a second IKE SA of the same peer does to the first."""

    KEEP = auto()  # both stay, unless the peer says INITIAL_CONTACT
    SHARE = auto()  # both stay, whatever the peer says: one identity, several devices
    REPLACE = auto()
    REFUSE = auto()


class Childless(Enum):
    """Whether an IKE SA may come up before any child of it (RFC 6023)."""

    NEVER = auto()
    ALLOW = auto()  # the peer's; ours come up with a child
    PREFER = auto()  # ours too, where the peer can
    FORCE = auto()  # no child is made in IKE_AUTH, and no peer is called that cannot do without


@dataclass(frozen=True, slots=True)
class Offer:
    """One proposal that we make or accept: its transforms, in order of preference within each type."""

    transforms: tuple[Transform, ...]


# How one side shows who it is (RFC 7296 §2.15, §2.16).


@dataclass(frozen=True, slots=True)
class Psk:
    """A key that both sides hold."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """A pre-shared key for each identity, which the world looks up; used by both sides, or by the peer alone."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate of ours, and the name under which the world signs with its private key.

    `chain` is in DER, the certificate itself first and then what leads to the authority. `authority` is the SHA-1 hash
    of that one's public key, by which CERTREQ names it (RFC 7296 §3.7); `authority_kind` tells what who trusts it can
    verify.
    """

    name: str
    kind: KeyKind
    chain: tuple[bytes, ...] = field(repr=False)
    authority: bytes = b""
    authority_kind: KeyKind = KeyKind.RSA


@dataclass(frozen=True, slots=True)
class Signing:
    """We sign with one of these, whichever the peer can verify; the first is preferred.

    `sha1`: RSA with SHA-1 may be used for who can verify nothing better, as Windows. `pss`: an RSA key signs by
    RSASSA-PSS, where the peer speaks RFC 7427; else as the peer does.
    """

    credentials: tuple[Credential, ...]
    sha1: bool = True
    pss: bool = False


@dataclass(frozen=True, slots=True)
class Certified:
    """The peer signs, and the world finds its certificate good. `authorities`: whom we trust, as CERTREQ names them.

    `sha1`: RSA with SHA-1 is good enough, as Windows makes it with a machine certificate.
    """

    authorities: tuple[bytes, ...] = ()
    sha1: bool = True


@dataclass(frozen=True, slots=True)
class Password:
    """We log in by EAP. `alone`: the peer need not sign, if EAP shows who it is (RFC 5998).

    `identity` is how we answer an EAP identity request; None is with the user's name, which MSCHAPv2 tells in any case.
    """

    user: str
    nt_hash: bytes = field(repr=False)
    alone: bool = False
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """The peer logs in by EAP, with one of these methods; the world knows the users.

    `alone`: a peer may ask us not to sign (RFC 5998). With MSCHAPv2, whoever stands between can then guess passwords.
    """

    methods: tuple[EapType, ...] = (EapType.MSCHAPV2,)
    alone: bool = False


LocalAuth = Psk | KeyRing | Signing | Password
RemoteAuth = Psk | KeyRing | Certified | Login


@dataclass(frozen=True, slots=True)
class Ppk:
    """A post-quantum pre-shared key, which goes into the keys beside what the key exchange gives (RFC 8784).

    `ppk_id` is how both sides call it. `required`: without it no IKE SA is made.
    """

    ppk_id: bytes
    key: bytes = field(repr=False)
    required: bool = True


@dataclass(frozen=True, slots=True)
class PpkRing:
    """One for some of those who may be this peer: the world tells it with what else it finds of them."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What a client is told beside its addresses (RFC 7296 §3.15.1, RFC 8598).

    `networks` are those that are reached through the tunnel; empty for all that the traffic selectors allow. `dhcp` is
    who answers a client that asks for them by DHCP.
    """

    dns: tuple[IpAddress, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    networks: tuple[IpNetwork, ...] = ()
    domains: tuple[str, ...] = ()
    dhcp: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """Addresses inside the tunnel that a client asks for; `before` are those that it would like to have again."""

    ipv4: bool
    ipv6: bool
    before: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Manners:
    """How we behave where the RFC leaves that to us; the defaults are our own ways.

    `hashes` is what SIGNATURE_HASH_ALGORITHMS says, None to say nothing of RFC 7427. `redirect_first`: of the notifies,
    REDIRECT_SUPPORTED comes first. `asks` is what a configuration request asks for, empty for all that we know to use.
    `refuses_child_rekey`: what a peer is answered that rekeys a child of ours while a NAT hides us, None to go along.
    """

    vendors: tuple[bytes, ...] = ()
    hashes: tuple[HashAlgorithm, ...] | None = OFFERED_HASHES
    redirect_first: bool = False
    asks: tuple[ConfigAttribute, ...] = ()
    refuses_child_rekey: NotifyType | None = None


OUR_MANNERS = Manners()


@dataclass(frozen=True, slots=True)
class ChildPolicy:
    """Which packets one CHILD SA may carry, and how. `rekey_after` is in seconds, `NEVER` for not by time."""

    name: str
    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    offers: tuple[Offer, ...]
    mode: Mode = Mode.TUNNEL
    rekey_after: float = NEVER


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of the peer authorization database. All times are in seconds.

    `local_id` None is the address that we are spoken to; `remote_id` None accepts any identity that proves the key, a
    pattern those that are like it; empty `local_networks` or `remote_networks` accept any address. An IKE SA is
    rekeyed `rekey_after` its making, and closed when that has not succeeded after its `life`. After `reauth_after`
    both show again who they are; after `idle` without a packet the IKE SA is closed. `redirects`: the peer may send
    us elsewhere. With `pool` the peer must ask us for an address inside the tunnel, and its children carry that
    address alone; with `wants` we ask the peer. A peer that asks for one of our `aliases` finds us under it.
    `manners` are ours towards it; a `ppk` is offered in our requests, and looked for in the peer's.
    """

    name: str
    local_id: Identification | None
    remote_id: Meant
    local_auth: LocalAuth
    remote_auth: RemoteAuth
    offers: tuple[Offer, ...]
    children: tuple[ChildPolicy, ...]
    local_networks: tuple[IpNetwork, ...] = ()
    remote_networks: tuple[IpNetwork, ...] = ()
    rekey_after: float = NEVER
    life: float = NEVER
    liveness: float = NEVER
    force_encapsulation: bool = False
    unique: Unique = Unique.KEEP
    fragmentation: bool = True
    mobike: bool = False
    childless: Childless = Childless.ALLOW
    redirects: bool = True
    reauth_after: float = NEVER
    idle: float = NEVER
    pool: NetworkSettings | None = None
    wants: Wants | None = None
    aliases: tuple[Identification, ...] = ()
    manners: Manners = OUR_MANNERS
    ppk: Ppk | PpkRing | None = None

    def child(self, name: str) -> ChildPolicy | None:
        """The child policy of that name, if the peer still has one."""
        return next((child for child in self.children if child.name == name), None)

    def identity_at(self, local: IpAddress) -> Identification:
        """Who we are to this peer at an address of ours."""
        if self.local_id is not None:
            return self.local_id
        return Identification(IdType.IPV4_ADDR if local.version == 4 else IdType.IPV6_ADDR, local.packed)

    def called(self, wanted: Identification | None, local: IpAddress) -> Identification | None:
        """Who we are to a peer that asks for that name of ours (or for none); None if we are not."""
        name = self.identity_at(local)
        if wanted is None or is_meant(wanted, name):
            return name
        return wanted if wanted in self.aliases else None

    @property
    def wanted(self) -> Identification | None:
        """The one that we ask for; None where the peer may be one of several.

        Nor a Distinguished Name: strongSwan has it that names in other octets, or in other case, are others.
        """
        meant = self.remote_id
        return meant if isinstance(meant, Identification) and meant.id_type != IdType.DER_ASN1_DN else None

    def may_be(self, claimed: Identification) -> bool:
        """Whether who claims this, and proves it, is this peer."""
        return is_meant(claimed, self.remote_id)

    def accepts(self, local: IpAddress, remote: IpAddress) -> bool:
        """Whether the peer may be found at these two addresses."""
        return _within(local, self.local_networks) and _within(remote, self.remote_networks)


def _within(address: IpAddress, networks: tuple[IpNetwork, ...]) -> bool:
    return not networks or any(address in network for network in networks)
