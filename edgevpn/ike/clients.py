"""Kinds of client, told by what they show rather than by configuration, and what each needs done differently.

Nothing here decides who may come in. A kind that was guessed wrongly costs a retry or a less fitting certificate, so a
row may rest on habits that a later version of a client could give up; each says what was seen and why it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from enum import Enum
from functools import lru_cache

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.signature import EC_KINDS, EDWARDS_KINDS, KeyKind
from edgevpn.ike.iana import ConfigAttribute, Encr, IdType, Integ, Ke, NotifyType, TransformType
from edgevpn.ike.peer import NEVER, ChildPolicy, Offer, Peer
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import IdI, IdR, SecurityAssociation, VendorId
from edgevpn.ike.wire.proposal import Transform

# Our own bound.
KEPT_OFFERS = 64  # as a kind of client wants them: the same in all its sessions


class ClientKind(Enum):
    """Clients that we know by their habits; the value is for people."""

    UNKNOWN = "unknown"
    WINDOWS = "Windows"
    WINDOWS_UNTOUCHED = "Windows as delivered"
    APPLE = "Apple"
    ANDROID = "Android"
    STRONGSWAN = "strongSwan"


@dataclass(frozen=True, slots=True)
class Client:
    """A kind, and how to treat it.

    `verifies`: kinds of key whose signature it takes without having said so. `takes_child_rekey`: whether we may rekey
    its children when it is behind a NAT. `pfs_in_rekey`: whether our rekeying of a child should begin with a key
    exchange; the peer's may or may not in any case. `ike_rekey_ke`: the method to begin an IKE rekeying with.
    `asks_dhcp`: it learns routes by DHCPINFORM, not from selectors. `means_eap_only`: it goes on without a signature of
    ours where it says so. `why` says what all this rests on.
    """

    kind: ClientKind
    verifies: frozenset[KeyKind] = field(default=frozenset({KeyKind.RSA}))
    takes_child_rekey: bool = True
    pfs_in_rekey: bool = True
    ike_rekey_ke: Ke | None = None
    asks_dhcp: bool = False
    means_eap_only: bool = True
    why: str = ""

    @property
    def name(self) -> str:
        """The kind in words."""
        return self.kind.value


UNKNOWN = Client(ClientKind.UNKNOWN, why="RSA is the one kind of key that every client verifies")

WINDOWS = Client(
    ClientKind.WINDOWS,
    verifies=frozenset({KeyKind.RSA, KeyKind.P256, KeyKind.P384}),
    takes_child_rekey=False,
    pfs_in_rekey=False,
    ike_rekey_ke=Ke.MODP_2048,
    asks_dhcp=True,
    why="It verifies P-256 and P-384, no P-521 and no EdDSA, and announces no hashes. Behind a NAT it refuses our "
    "child rekeyings with a private notify; it rekeys by itself about every 200 MiB. Without PfsGroup it refuses a key "
    "exchange in one. Our IKE rekeying must begin with MODP-2048, whatever was agreed first. Routes of a "
    "split tunnel it learns from option 249 of an answer to DHCPINFORM, which it sends to the broadcast address.",
)
WINDOWS_UNTOUCHED = replace(
    WINDOWS,
    kind=ClientKind.WINDOWS_UNTOUCHED,
    why=WINDOWS.why + " It offers MODP-1024 alone: nobody has run the script that makes it offer more.",
)
APPLE = Client(
    ClientKind.APPLE,
    pfs_in_rekey=False,
    why="Set up by hand it takes RSA only, and cannot be told from one set up by a profile. It rekeys children without "
    "a key exchange unless a profile says otherwise.",
)
ANDROID = Client(
    ClientKind.ANDROID,
    pfs_in_rekey=False,
    why="It verifies RSA with PKCS#1 v1.5 and nothing else, and offers no key exchange for children.",
)
STRONGSWAN = Client(
    ClientKind.STRONGSWAN,
    verifies=frozenset({KeyKind.RSA, *EC_KINDS, *EDWARDS_KINDS}),
    means_eap_only=False,
    why="It verifies every kind; where its build lacks one, it also does not announce the hash that goes with it. It "
    "says EAP_ONLY_AUTHENTICATION with every method, and gives up after MSCHAPv2 where nobody has signed.",
)


# --- recognising ---------------------------------------------------------------------------------------------------

MS_VENDOR = bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461")  # MS NT5 ISAKMPOAKLEY; four octets of version follow
STRONGSWAN_VENDOR = bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb")

DHCP_AND_DOMAIN = {
    ConfigAttribute.INTERNAL_IP4_DHCP,
    ConfigAttribute.INTERNAL_IP6_DHCP,
    ConfigAttribute.INTERNAL_DNS_DOMAIN,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is looked at in a message: transforms, vendors, notifies in their order, what is asked of the network."""

    transforms: tuple[Transform, ...]
    methods: tuple[Ke, ...]
    vendors: tuple[bytes, ...]
    notifies: tuple[NotifyType, ...]
    wants: frozenset[ConfigAttribute]
    id_type: IdType | None
    names_server: bool

    def offers(self, transform_type: TransformType, *ids: int) -> bool:
        """Whether every one of these transforms is offered, with whatever key length."""
        offered = {t.transform_id for t in self.transforms if t.transform_type == transform_type}
        return offered.issuperset(ids)


def recognise_init(payloads: Sequence[Payload]) -> Client:
    """The kind of client, as far as its IKE_SA_INIT request tells."""
    return _first(INIT_ROWS, _shown(payloads), UNKNOWN)


def recognise_auth(client: Client, payloads: Sequence[Payload]) -> Client:
    """The same after the first IKE_AUTH request: a kind that was not clear may be now."""
    if client.kind is not ClientKind.UNKNOWN:
        return client
    return _first(AUTH_ROWS, _shown(payloads), client)


Row = tuple[Callable[[Shown], bool], Client]

INIT_ROWS: tuple[Row, ...] = (
    # The vendor IDs are Microsoft's own; the rest of the message only tells whether somebody has set it up.
    (lambda s: _has_vendor(s, MS_VENDOR) and set(s.methods) == {Ke.MODP_1024}, WINDOWS_UNTOUCHED),
    (lambda s: _has_vendor(s, MS_VENDOR), WINDOWS),
    (lambda s: _has_vendor(s, STRONGSWAN_VENDOR), STRONGSWAN),
    # charon puts REDIRECT_SUPPORTED last and announces hashes; Apple puts it first and announces none.
    (lambda s: _announces_hashes(s) and s.notifies[-1] == NotifyType.REDIRECT_SUPPORTED, STRONGSWAN),
    (lambda s: s.notifies[:1] == (NotifyType.REDIRECT_SUPPORTED,) and not _announces_hashes(s), APPLE),
    # Android's offers are built into it: counter mode and AES-XCBC beside MODP-4096 from 12 on, AES-XCBC in 11.
    (lambda s: s.offers(TransformType.ENCR, Encr.AES_CTR) and _is_android(s), ANDROID),
    (lambda s: s.methods[:1] == (Ke.MODP_4096,) and _is_android(s), ANDROID),
)

AUTH_ROWS: tuple[Row, ...] = (
    # Nobody else asks for DHCP servers of both families and for split DNS at once.
    (lambda s: s.wants >= DHCP_AND_DOMAIN, APPLE),
    # charon alone announces message ID synchronization (RFC 6311) in its first request.
    (lambda s: NotifyType.IKEV2_MESSAGE_ID_SYNC_SUPPORTED in s.notifies, STRONGSWAN),
    # Windows is known by its vendor ID; one that hides it still gives its address as name and no server's.
    (lambda s: bool(s.wants) and s.id_type in (IdType.IPV4_ADDR, IdType.IPV6_ADDR) and _asks_as_windows(s), WINDOWS),
)


def _first(rows: Sequence[Row], shown: Shown, otherwise: Client) -> Client:
    return next((client for fits, client in rows if fits(shown)), otherwise)


def _shown(payloads: Sequence[Payload]) -> Shown:
    sa = next((p for p in payloads if isinstance(p, SecurityAssociation)), None)
    transforms = [t for proposal in sa.proposals for t in proposal.transforms] if sa else []
    cp = next((p for p in payloads if isinstance(p, Configuration)), None)
    idi = next((p for p in payloads if isinstance(p, IdI)), None)
    return Shown(
        transforms=tuple(transforms),
        methods=tuple(Ke(t.transform_id) for t in transforms if t.transform_type == TransformType.KE),
        vendors=tuple(p.data for p in payloads if isinstance(p, VendorId)),
        notifies=tuple(p.notify_type for p in payloads if isinstance(p, Notify)),
        wants=frozenset(each.attribute_type for each in cp.attributes) if cp else frozenset(),
        id_type=idi.identification.id_type if idi else None,
        names_server=any(isinstance(p, IdR) for p in payloads),
    )


def _has_vendor(shown: Shown, prefix: bytes) -> bool:
    return any(vendor.startswith(prefix) for vendor in shown.vendors)


def _announces_hashes(shown: Shown) -> bool:
    return NotifyType.SIGNATURE_HASH_ALGORITHMS in shown.notifies


def _is_android(shown: Shown) -> bool:
    return shown.offers(TransformType.INTEG, Integ.AES_XCBC_96) and shown.offers(TransformType.KE, Ke.MODP_4096)


def _asks_as_windows(shown: Shown) -> bool:
    return ConfigAttribute.INTERNAL_IP4_NBNS in shown.wants and not shown.names_server


# --- treating ------------------------------------------------------------------------------------------------------


def adapted(peer: Peer, client: Client, behind_nat: bool) -> Peer:
    """The peer with offers and children as this client takes them; what it may ask of us stays the same."""
    if client is UNKNOWN:
        return peer
    children, ke = tuple(_adapted(child, client, behind_nat) for child in peer.children), client.ike_rekey_ke
    if ke is None:
        return replace(peer, children=children)
    offers = sorted((_method_first(offer, ke) for offer in peer.offers), key=lambda offer: ke not in _methods(offer))
    return replace(peer, children=children, offers=tuple(offers))


def rekey_method(client: Client, offers: tuple[Offer, ...], agreed: Ke) -> Ke:
    """The method to begin an IKE rekeying with: the one that was agreed before, unless the client wants another."""
    wanted = client.ike_rekey_ke
    return wanted if wanted is not None and any(wanted in _methods(offer) for offer in offers) else agreed


def _adapted(policy: ChildPolicy, client: Client, behind_nat: bool) -> ChildPolicy:
    if not client.pfs_in_rekey:
        policy = replace(policy, offers=tuple(_method_first(offer, Ke.NONE) for offer in policy.offers))
    if behind_nat and not client.takes_child_rekey:
        policy = replace(policy, rekey_after=NEVER)
    return policy


@lru_cache(KEPT_OFFERS)
def _method_first(offer: Offer, ke: Ke) -> Offer:
    """The same transforms, this method (or NONE) before the others, where the offer has it."""
    first = Transform(TransformType.KE, ke)
    if first not in offer.transforms:
        return offer
    return Offer(tuple(sorted(offer.transforms, key=lambda t: t.transform_type == TransformType.KE and t != first)))


def _methods(offer: Offer) -> frozenset[int]:
    return frozenset(t.transform_id for t in offer.transforms if t.transform_type == TransformType.KE)
