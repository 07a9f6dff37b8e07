"""edgevpn.ike.clients: each kind by what it really sends, and what is done differently for it.

The messages are told by payloads in their order; sources are logs of gateways that those clients connected to.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from edgevpn.ike import clients
from edgevpn.ike.clients import ANDROID, APPLE, STRONGSWAN, UNKNOWN, WINDOWS, WINDOWS_UNTOUCHED, Client
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.iana import (
    ConfigAttribute,
    ConfigType,
    Encr,
    IdType,
    Integ,
    Ke,
    NotifyType,
    Prf,
    ProtocolId,
    TransformType,
)
from edgevpn.ike.negotiate import methods
from edgevpn.ike.peer import NEVER, Offer
from edgevpn.ike.wire.configuration import Attribute, Configuration
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Identification, IdI, IdR, SecurityAssociation, VendorId
from edgevpn.ike.wire.proposal import Proposal, Transform
from tests.support.pair import connected
from tests.support.peers import ECP256, ESP_OFFER, GCM, LAN, NO_KE, PRF_SHA256, TO_LEFT, TO_RIGHT, X25519, mirrored

FRAGMENTS, HASHES = NotifyType.IKEV2_FRAGMENTATION_SUPPORTED, NotifyType.SIGNATURE_HASH_ALGORITHMS
NATD_S, NATD_D = NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP
REDIRECT, MOBIKE = NotifyType.REDIRECT_SUPPORTED, NotifyType.MOBIKE_SUPPORTED
INITIAL_CONTACT = NotifyType.INITIAL_CONTACT

MS_VENDORS = (
    "1e2b516905991c7d7c96fcbfb587e461 00000009",
    "fb1de3cdf341b7ea16b7e5be0855f120",
    "26244d38eddb61b3172a36e3d0cfb819",
    "01528bbbc00696121849ab9a1c5b2a51 00000002",
)


def offering(encrs: list[Encr], integs: list[Integ], kes: list[Ke]) -> SecurityAssociation:
    """One proposal with all of these."""
    transforms = (
        *(Transform(TransformType.ENCR, encr, size) for encr, size in product(encrs, (256, 128))),
        *(Transform(TransformType.INTEG, integ) for integ in integs),
        Transform(TransformType.PRF, Prf.HMAC_SHA2_256),
        *(Transform(TransformType.KE, ke) for ke in kes),
    )
    return SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", transforms),))


def init(sa: SecurityAssociation, *notifies: NotifyType, vendors: tuple[str, ...] = ()) -> tuple[Payload, ...]:
    return (sa, *map(Notify, notifies), *(VendorId(bytes.fromhex(vendor)) for vendor in vendors))


SHA2 = [Integ.HMAC_SHA2_256_128, Integ.HMAC_SHA2_384_192]
MODP_1024 = offering([Encr.AES_CBC], SHA2, [Ke.MODP_1024])
MODP_2048 = offering([Encr.AES_CBC], SHA2, [Ke.MODP_2048])
MODERN = offering([Encr.AES_GCM_16], [], [Ke.ECP_256])
ANDROID_12 = offering(
    [Encr.AES_CTR, Encr.AES_CBC],
    [*SHA2, Integ.AES_XCBC_96, Integ.AES_CMAC_96],
    [Ke.MODP_4096, Ke.CURVE25519, Ke.MODP_3072, Ke.MODP_2048],
)
ANDROID_11 = offering([Encr.AES_CBC], [*SHA2, Integ.AES_XCBC_96], [Ke.MODP_4096, Ke.MODP_3072, Ke.MODP_2048])

INITS: dict[str, tuple[tuple[Payload, ...], Client]] = {
    "Windows 11 as delivered": (init(MODP_1024, FRAGMENTS, NATD_S, NATD_D, vendors=MS_VENDORS), WINDOWS_UNTOUCHED),
    "Windows after the script": (init(MODERN, FRAGMENTS, NATD_S, NATD_D, vendors=MS_VENDORS[:2]), WINDOWS),
    "Windows with both groups": (
        init(offering([Encr.AES_CBC], SHA2, [Ke.MODP_1024, Ke.MODP_2048]), NATD_S, NATD_D, vendors=MS_VENDORS),
        WINDOWS,
    ),
    "iPhone": (init(MODP_2048, REDIRECT, NATD_S, NATD_D, FRAGMENTS), APPLE),
    "Android 12": (init(ANDROID_12, NATD_S, NATD_D, FRAGMENTS, HASHES), ANDROID),
    "Android 11": (init(ANDROID_11, NATD_S, NATD_D, FRAGMENTS, HASHES), ANDROID),
    "strongSwan": (init(MODERN, NATD_S, NATD_D, FRAGMENTS, HASHES, REDIRECT), STRONGSWAN),
    "strongSwan that says so": (
        init(MODERN, NATD_S, NATD_D, vendors=("882fe56d6fd20dbc2251613b2ebe5beb",)),
        STRONGSWAN,
    ),
    "strongSwan with all that Android offers": (
        init(ANDROID_12, NATD_S, NATD_D, FRAGMENTS, HASHES, REDIRECT),
        STRONGSWAN,
    ),
    "edgevpn": (init(MODERN, NATD_S, NATD_D, HASHES), UNKNOWN),
    "hardly anything": ((), UNKNOWN),
}


@pytest.mark.parametrize(("payloads", "client"), INITS.values(), ids=INITS)
def test_by_its_first_message(payloads: tuple[Payload, ...], client: Client) -> None:
    assert clients.recognise_init(payloads) is client


def cp(*attributes: ConfigAttribute) -> Configuration:
    return Configuration(ConfigType.REQUEST, tuple(map(Attribute, attributes)))


A = ConfigAttribute
NAME, ADDRESS = Identification(IdType.FQDN, b"phone.example"), Identification(IdType.IPV4_ADDR, bytes([10, 0, 0, 2]))

AUTHS: dict[str, tuple[tuple[Payload, ...], Client]] = {
    "Apple": (
        (
            IdI(NAME),
            Notify(INITIAL_CONTACT),
            Notify(MOBIKE),
            IdR(NAME),
            cp(
                A.INTERNAL_IP4_ADDRESS,
                A.INTERNAL_IP4_DHCP,
                A.INTERNAL_IP4_DNS,
                A.INTERNAL_IP4_NETMASK,
                A.INTERNAL_IP6_ADDRESS,
                A.INTERNAL_IP6_DHCP,
                A.INTERNAL_IP6_DNS,
                A.INTERNAL_DNS_DOMAIN,
            ),
        ),
        APPLE,
    ),
    "strongSwan": (
        (IdI(NAME), Notify(NotifyType.IKEV2_MESSAGE_ID_SYNC_SUPPORTED), cp(A.INTERNAL_IP4_ADDRESS)),
        STRONGSWAN,
    ),
    "Windows": ((IdI(ADDRESS), Notify(MOBIKE), cp(A.INTERNAL_IP4_ADDRESS, A.INTERNAL_IP4_NBNS)), WINDOWS),
    "a site that is named by its address": ((IdI(ADDRESS), IdR(NAME)), UNKNOWN),
    "somebody": ((IdI(NAME), cp(A.INTERNAL_IP4_ADDRESS)), UNKNOWN),
}


@pytest.mark.parametrize(("payloads", "client"), AUTHS.values(), ids=AUTHS)
def test_by_its_second_message(payloads: tuple[Payload, ...], client: Client) -> None:
    assert clients.recognise_auth(UNKNOWN, payloads) is client


def test_what_is_known_stays() -> None:
    assert clients.recognise_auth(ANDROID, AUTHS["Apple"][0]) is ANDROID


def test_every_row_has_its_reason() -> None:
    for client in (UNKNOWN, WINDOWS, WINDOWS_UNTOUCHED, APPLE, ANDROID, STRONGSWAN):
        assert client.why
        assert KeyKind.RSA in client.verifies
        assert client.name == client.kind.value


# --- treating ------------------------------------------------------------------------------------------------------

HOURLY = replace(TO_LEFT, children=(replace(LAN, rekey_after=3600.0),))


def test_windows_behind_a_nat_rekeys_itself() -> None:
    assert clients.adapted(HOURLY, WINDOWS, behind_nat=True).children[0].rekey_after == NEVER
    assert clients.adapted(HOURLY, WINDOWS, behind_nat=False).children[0].rekey_after == 3600.0
    assert clients.adapted(HOURLY, STRONGSWAN, behind_nat=True) == HOURLY


@pytest.mark.parametrize("client", [WINDOWS, APPLE, ANDROID])
def test_no_key_exchange_is_guessed(client: Client) -> None:
    """We begin without; a client that wants one, or that allows nothing else, still gets it."""
    (child,) = clients.adapted(HOURLY, client, behind_nat=False).children
    assert methods(child.offers)[0] == Ke.NONE
    assert set(child.offers[0].transforms) == set(ESP_OFFER.transforms)
    strict = replace(HOURLY, children=(replace(LAN, offers=(Offer((GCM, X25519)),)),))
    assert clients.adapted(strict, client, behind_nat=False).children == strict.children


MODP = Transform(TransformType.KE, Ke.MODP_2048)
WITH_MODP = (Offer((GCM, PRF_SHA256, X25519)), Offer((GCM, PRF_SHA256, ECP256, MODP)))


def test_windows_rekeys_by_modp_2048() -> None:
    """It comes first in what we propose, and is the method that we guess; where it is not allowed, nothing changes."""
    peer = clients.adapted(replace(TO_LEFT, offers=WITH_MODP), WINDOWS, behind_nat=False)
    assert peer.offers == (Offer((GCM, PRF_SHA256, MODP, ECP256)), WITH_MODP[0])
    assert clients.rekey_method(WINDOWS, peer.offers, Ke.ECP_256) == Ke.MODP_2048
    assert clients.rekey_method(WINDOWS, TO_LEFT.offers, Ke.ECP_256) == Ke.ECP_256
    assert clients.rekey_method(APPLE, peer.offers, Ke.ECP_256) == Ke.ECP_256


def test_child_is_rekeyed_without_key_exchange() -> None:
    """Two endpoints, one of which takes the other for an Apple client: its rekeying has no KE, and succeeds."""
    peer = replace(TO_RIGHT, children=(replace(LAN, rekey_after=100.0),))
    for client, exchanged in ((APPLE, False), (UNKNOWN, True)):
        pair = connected(clients.adapted(peer, client, behind_nat=False), mirrored(TO_RIGHT))
        pair.run(110)
        assert pair.agree()
        assert ("KEi" in pair.chart()) is exchanged
        assert NO_KE in ESP_OFFER.transforms
