"""The clients that people have, as they show themselves: a record each, and for every habit where it is known from."""

from __future__ import annotations

from enum import Enum

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.iana import ConfigAttribute, HashAlgorithm, NotifyType
from edgevpn.ike.peer import Manners
from edgevpn.simulate.offers import (
    ANDROID_11,
    ANDROID_12,
    APPLE_PROFILE,
    IOS_BY_HAND,
    MACOS_BY_HAND,
    WINDOWS_BY_HAND,
    WINDOWS_SCRIPTED,
    Setup,
)

A = ConfigAttribute

# Attributes of Microsoft's own, MS-IKEE: the servers of the other family.
INTERNAL_IP4_SERVER, INTERNAL_IP6_SERVER = A(23456), A(23457)

# A private notify of Microsoft's.
NOT_REKEYED_BEHIND_NAT = NotifyType(12345)


class Way(Enum):
    """A way to log in."""

    PASSWORD = "password"  # noqa: S105 - a word
    CERTIFICATE = "certificate"
    PSK = "psk"


class IdForm(Enum):
    """What IDi is made of."""

    ADDRESS = "its own address"
    SUBJECT = "the subject of its certificate"
    TYPED = "what its user typed"


@dataclass(frozen=True, slots=True)
class SimulatedClient:
    """One client. `exported` is how our own script or profile sets it up, None where nothing can be set up.

    `ids` says for each way to log in what IDi is made of. `names_server`: it sends IDr, and wants it back as it was.
    `asks_certificate`: it sends CERTREQ. `empty_eap_identity`: it names the user in MSCHAPv2 alone. `verifies`: keys
    of gateways that it takes. `facts` says of all this where it is known from.
    """

    name: str
    words: str
    by_hand: Setup
    exported: Setup | None
    ids: tuple[tuple[Way, IdForm], ...]
    manners: Manners
    verifies: frozenset[KeyKind]
    names_server: bool = True
    asks_certificate: bool = False
    empty_eap_identity: bool = False
    mobike: bool = True
    redirects: bool = False
    cure: str = "edgevpn device export makes a profile that raises its offer"
    facts: tuple[str, ...] = ()

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways to log in that it has."""
        return tuple(way for way, _ in self.ids)

    def setup(self, by_hand: bool) -> Setup:
        """What it offers, set up by hand or by what we export for it."""
        return self.by_hand if by_hand or self.exported is None else self.exported


EVERY_TYPED = tuple((way, IdForm.TYPED) for way in Way)

WINDOWS_11 = SimulatedClient(
    name="windows11",
    words="Windows 11",
    by_hand=WINDOWS_BY_HAND,
    exported=WINDOWS_SCRIPTED,
    ids=((Way.PASSWORD, IdForm.ADDRESS), (Way.CERTIFICATE, IdForm.SUBJECT)),
    manners=Manners(
        vendors=(
            bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461 00000009"),
            bytes.fromhex("fb1de3cdf341b7ea16b7e5be0855f120"),
            bytes.fromhex("26244d38eddb61b3172a36e3d0cfb819"),
            bytes.fromhex("01528bbbc00696121849ab9a1c5b2a51 00000002"),
        ),
        hashes=None,
        asks=(
            A.INTERNAL_IP4_ADDRESS,
            A.INTERNAL_IP4_DNS,
            A.INTERNAL_IP4_NBNS,
            INTERNAL_IP4_SERVER,
            A.INTERNAL_IP6_ADDRESS,
            A.INTERNAL_IP6_DNS,
            INTERNAL_IP6_SERVER,
        ),
        refuses_child_rekey=NOT_REKEYED_BEHIND_NAT,
    ),
    verifies=frozenset({KeyKind.RSA, KeyKind.P256, KeyKind.P384}),
    names_server=False,
    asks_certificate=True,
    cure="run the script of edgevpn device export on it, or set legacy = true in the pool",
    facts=(
        "IDi is its local address, or with a machine certificate the subject; IDr is not sent; CERTREQ is: logs of "
        "strongSwan gateways.",
        "It speaks no RFC 7427, so RSA is with SHA-1; it verifies P-256 and P-384, no P-521 and no EdDSA: strongSwan's "
        "interoperability page.",
        "It asks for v4, v6, DNS, NBNS and servers of its own: MS-IKEE 2.2.",
        "The server's certificate must name in SAN what was typed: error 13801 else.",
        "Behind a NAT it refuses a child rekeying of the gateway's with the private notify 12345: strongSwan's "
        "interoperability page.",
        "MOBIKE and fragments since 1803; no redirect; no PSK in its own dialogs: strongSwan's interoperability page.",
    ),
)

APPLE_MANNERS = Manners(
    hashes=None,
    redirect_first=True,
    asks=(
        A.INTERNAL_IP4_ADDRESS,
        A.INTERNAL_IP4_DHCP,
        A.INTERNAL_IP4_DNS,
        A.INTERNAL_IP4_NETMASK,
        A.INTERNAL_IP6_ADDRESS,
        A.INTERNAL_IP6_DHCP,
        A.INTERNAL_IP6_DNS,
        A.INTERNAL_DNS_DOMAIN,
    ),
)
APPLE_FACTS = (
    "IDi is the local identifier; IDr is sent and must come back equal: Apple's profile schema.",
    "CERTREQ only where a profile names the issuer: Apple's profile schema; here it does not.",
    "REDIRECT_SUPPORTED is the first notify, and no hashes are announced: logs of gateways. The EAP identity is sent.",
    "It asks for v4, v6, DNS, DHCP, mask and domain: logs of gateways; domains are used from iOS 10.3.1 on.",
    "It verifies RSA, and set up by a profile ECDSA too: strongSwan's interoperability page.",
)

IOS = SimulatedClient(
    name="ios",
    words="an iPhone or iPad",
    by_hand=IOS_BY_HAND,
    exported=APPLE_PROFILE,
    ids=EVERY_TYPED,
    manners=APPLE_MANNERS,
    verifies=frozenset({KeyKind.RSA, KeyKind.P256, KeyKind.P384, KeyKind.P521}),
    redirects=True,
    facts=APPLE_FACTS,
)
MACOS = replace(IOS, name="macos", words="a Mac", by_hand=MACOS_BY_HAND)

ANDROID_MANNERS = Manners(
    hashes=(HashAlgorithm.SHA1, HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512),
    asks=(A.INTERNAL_IP4_ADDRESS, A.INTERNAL_IP6_ADDRESS, A.INTERNAL_IP4_DNS, A.INTERNAL_IP6_DNS),
)
ANDROID_FACTS = (
    "IDi is the identifier field, by its shape FQDN, mail or key-id; IDr is the server field and must match: AOSP's "
    "source.",
    "No CERTREQ; the EAP identity is empty: AOSP's source.",
    "It verifies RSA with PKCS#1 v1.5 and nothing else, and announces SHA-1 and SHA-2: AOSP's source.",
    "It asks for v4, v6 and DNS of both: AOSP's source. Nothing raises or lowers its offer.",
)
ANDROID_CURE = "its offer is built in: put an algorithm of it into the pool's proposals"

ANDROID_11_CLIENT = SimulatedClient(
    name="android11",
    words="Android 11",
    by_hand=ANDROID_11,
    exported=None,
    ids=EVERY_TYPED,
    manners=ANDROID_MANNERS,
    verifies=frozenset({KeyKind.RSA}),
    empty_eap_identity=True,
    mobike=False,
    cure=ANDROID_CURE,
    facts=(*ANDROID_FACTS, "No MOBIKE before Android 12: AOSP's source."),
)
ANDROID_12_CLIENT = replace(
    ANDROID_11_CLIENT,
    name="android12",
    words="Android 12 or later",
    by_hand=ANDROID_12,
    mobike=True,
    facts=(*ANDROID_FACTS, "MOBIKE from Android 12 on: AOSP's source."),
)

CLIENTS = {each.name: each for each in (WINDOWS_11, IOS, MACOS, ANDROID_11_CLIENT, ANDROID_12_CLIENT)}
