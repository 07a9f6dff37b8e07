from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.config.model import Gateway, Site
from edgevpn.daemon.peers import (
    Proof,
    _offers,
    _transform,
    ike_ppk,
    lacking,
    ml_kem_of,
    peers,
    pool_settings,
    selectors_of,
    site_peer,
    with_ml_kem,
)
from edgevpn.dn import der_of
from edgevpn.ike import peer as ike
from edgevpn.ike.crypto import mlkem
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.iana import EapType, Encr, Esn, IdType, Integ, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.identity import Below, MailAt, NameLike
from edgevpn.ike.negotiate import choose
from edgevpn.ike.peer import NEVER, Psk, Unique
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector
from tests.support.configs import OFFICE, config, office
from tests.support.visitors import PHONE, TABLET, Table, gateway

GATEWAY = Gateway()


def peer_of(site: Site, gateway: Gateway = GATEWAY) -> ike.Peer:
    peer = site_peer(site, gateway, None)
    assert peer is not None
    return peer


PSK = b"a long and random text, as all should be"


def test_a_site_is_a_peer() -> None:
    site = office(
        remote=["192.0.2.7", "2001:db8::7"],
        local_id="keyid:home",
        remote_id="me@example.org",
        ike_proposals=["aes256gcm16-prfsha384-x25519"],
        esp_proposals=["aes128-sha256-none-noesn"],
        ike_rekey_time="2h",
        esp_rekey_time=0,
        dpd_delay="10s",
        encap=True,
        unique="replace",
        reauth_time="1d",
        idle_time="2h",
    )
    peer = peer_of(site)

    assert (peer.name, peer.unique, peer.force_encapsulation) == ("office", Unique.REPLACE, True)
    assert peer.local_auth == peer.remote_auth == Psk(PSK)
    assert peer.local_id == Identification(IdType.KEY_ID, b"home")
    assert peer.remote_id == Identification(IdType.RFC822_ADDR, b"me@example.org")
    assert (peer.rekey_after, peer.liveness, peer.reauth_after, peer.idle) == (7200, 10, 86400, 7200)
    assert peer.remote_networks == (ip_network("192.0.2.7"), ip_network("2001:db8::7"))
    (offer,) = peer.offers
    assert offer.transforms == (
        Transform(TransformType.ENCR, Encr.AES_GCM_16, 256),
        Transform(TransformType.PRF, Prf.HMAC_SHA2_384),
        Transform(TransformType.KE, Ke.CURVE25519),
    )
    (child,) = peer.children
    assert (child.name, child.rekey_after) == ("office", NEVER)
    assert child.offers[0].transforms == (
        Transform(TransformType.ENCR, Encr.AES_CBC, 128),
        Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128),
        Transform(TransformType.ESN, Esn.NO_ESN),
    )


@pytest.fixture
def without_ml_kem(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As with a library that lacks it."""
    monkeypatch.setattr(mlkem, "AVAILABLE", frozenset())
    _offers.cache_clear()
    yield
    _offers.cache_clear()


HYBRID, CLASSIC = "aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519"


def additional(offer: ike.Offer) -> list[object]:
    return [t.transform_id for t in offer.transforms if t.transform_type is TransformType.ADDKE1]


@pytest.mark.skipif(not mlkem.AVAILABLE, reason="this library has no ML-KEM")
def test_ml_kem_stands_before_what_is_built_in() -> None:
    """With all that is in the first proposal; what the owner has written stays as it is."""
    hybrid, first, _ = peer_of(office()).offers
    assert additional(hybrid) == [Ke.ML_KEM_768, Ke.ML_KEM_1024]
    assert set(first.transforms) < set(hybrid.transforms)
    assert len(peer_of(office(ike_proposals=[CLASSIC])).offers) == 1
    (pool,) = gateway().pools
    assert [bool(additional(offer)) for offer in _offers(with_ml_kem(pool.accepted_ike))] == [True, False, False]
    assert with_ml_kem(()) == ()


@pytest.mark.skipif(not mlkem.AVAILABLE, reason="this library has no ML-KEM")
def test_a_phone_that_insists_on_ml_kem() -> None:
    """iOS 26 by profile, with the algorithms of ours: one proposal, and no way without (its fallback is off)."""
    asked = tuple(_transform(word) for word in ("aes256gcm16", "prfsha256", "ecp256", "ke1_mlkem768"))
    (pool,) = gateway().pools
    chosen = choose(_offers(with_ml_kem(pool.accepted_ike)), (Proposal(1, ProtocolId.IKE, b"", asked),), ProtocolId.IKE)
    assert chosen.transforms == asked


@pytest.mark.skipif(not mlkem.AVAILABLE, reason="this library has no ML-KEM")
def test_ml_kem_of_a_pool() -> None:
    """What is told to phones: nothing where the owner's own proposals have none."""
    assert ml_kem_of(gateway().pools[0]) == (36, 37)
    own = gateway(pool={"ike_proposals": "aes256gcm16-prfsha384-ecp384"})
    assert ml_kem_of(own.pools[0]) == ()


@pytest.mark.usefixtures("without_ml_kem")
def test_a_library_without_ml_kem_names_none_to_phones() -> None:
    assert ml_kem_of(gateway().pools[0]) == ()


@pytest.mark.usefixtures("without_ml_kem")
def test_built_in_proposals_without_ml_kem() -> None:
    assert [additional(offer) for offer in peer_of(office()).offers] == [[], []]


@pytest.mark.usefixtures("without_ml_kem")
def test_what_the_library_lacks_is_not_offered() -> None:
    both = office(ike_proposals=[HYBRID, CLASSIC])
    assert peer_of(both).offers == peer_of(office(ike_proposals=[CLASSIC])).offers
    optional = peer_of(office(ike_proposals=[f"{HYBRID}-ke1_none"])).offers
    assert [t.transform_id for t in optional[0].transforms if t.transform_type is TransformType.ADDKE1] == [Ke.NONE]
    assert lacking(both.ike_proposals) == ()


@pytest.mark.usefixtures("without_ml_kem")
def test_nothing_is_left_to_offer() -> None:
    """A site is not called then; a child of it that could have no keys is not made."""
    alone = office(ike_proposals=[HYBRID])
    assert site_peer(alone, GATEWAY, None) is None
    assert lacking(alone.ike_proposals) == ("ke1_mlkem768",)
    assert peer_of(office(esp_proposals=["aes256gcm16-x25519-ke1_mlkem768"])).children == ()


MEANT = {
    "any": None,
    "*.Example.org": Below("Example.org"),
    "*@example.org": MailAt("example.org"),
    "C=CH, CN=*": NameLike((("2.5.4.6", "CH"), ("2.5.4.3", "*"))),
    "CN=gw": Identification(IdType.DER_ASN1_DN, der_of((("2.5.4.3", "gw"),))),
}


@pytest.mark.parametrize("text", MEANT)
def test_whom_a_site_means(text: str) -> None:
    assert peer_of(office(remote="any", remote_id=text)).remote_id == MEANT[text]


def test_who_has_a_name_may_come_from_anywhere() -> None:
    """Its address is only known when it is asked for; the key says who it is."""
    assert peer_of(office(remote=["office.example.org", "192.0.2.7"])).remote_networks == ()


def test_who_calls_may_come_from_anywhere() -> None:
    peer = peer_of(office(remote="any", remote_id="any"))
    assert (peer.remote_networks, peer.remote_id) == ((), None)


def test_local_end() -> None:
    """Without any identity of ours it is the address that we are spoken to."""
    (site,) = config(office=OFFICE | {"local": "192.0.2.1"}).sites
    assert peer_of(site).local_networks == (ip_network("192.0.2.1"),)
    assert peer_of(site).local_id is None
    whole = config({"id": "home.example"}, office=OFFICE)
    assert peer_of(whole.sites[0], whole.gateway).local_id == Identification(IdType.FQDN, b"home.example")


def test_selectors_have_protocol_and_ports() -> None:
    (child,) = office(protocol="tcp", remote_ports="80-90").children
    local, remote = selectors_of(child)
    assert local == (TrafficSelector.from_network(ip_network("10.1.0.0/24"), 6),)
    assert remote == (TrafficSelector.from_network(ip_network("10.2.0.0/24"), 6, (80, 90)),)


def test_what_else_a_site_says() -> None:
    peer = peer_of(office(fragmentation=False, mobike=False, childless="force", virtual_ips=["0.0.0.0", "fd09::7"]))  # noqa: S104
    assert (peer.fragmentation, peer.mobike, peer.childless) == (False, False, ike.Childless.FORCE)
    assert peer.wants == ike.Wants(ipv4=True, ipv6=True, before=(ip_address("fd09::7"),))


PROOF = Proof(ike.Signing(()), ike.Certified())


def test_a_pool_is_a_peer_for_each_login() -> None:
    """Who needs our certificate waits for it; a pre-shared key needs none."""
    config = gateway(pki={"public_name": ["vpn.example.org", "192.0.2.1"]})
    assert [peer.name for peer in peers(config, {})] == ["road/psk"]
    made = {peer.name: peer for peer in peers(config, {"": PROOF})}
    assert made.keys() == {"road/password", "road/certificate", "road/psk"}
    password = made["road/password"]
    assert (password.local_auth, password.remote_auth) == (PROOF.signing, ike.Login())
    assert password.local_id == Identification(IdType.FQDN, b"vpn.example.org")
    assert password.aliases == (Identification(IdType.IPV4_ADDR, bytes((192, 0, 2, 1))),)
    assert made["road/psk"].remote_auth == ike.KeyRing()
    assert made["road/certificate"].remote_auth == PROOF.certified


@pytest.mark.parametrize("encap", [False, True])
def test_a_pool_may_send_esp_in_udp(*, encap: bool) -> None:
    made = peers(gateway(pool={"encap": encap}), {"": PROOF})
    assert {peer.force_encapsulation for peer in made} == {encap}


def test_a_site_with_a_post_quantum_key() -> None:
    keys = {"ppk": "0x" + "42" * 32, "ppk_id": "winter"}
    assert peer_of(office(**keys)).ppk == ike.Ppk(b"winter", b"B" * 32)
    assert peer_of(office(**keys, ppk_required=False)).ppk == ike.Ppk(b"winter", b"B" * 32, required=False)
    assert peer_of(office()).ppk is None


def test_devices_with_post_quantum_keys() -> None:
    """It is said beforehand to those alone who may be one of them."""
    config = gateway({"phone": PHONE | {"ppk": "0x" + "42" * 32}, "tablet": TABLET})
    made = {peer.name: peer.ppk for peer in peers(config, {"": PROOF})}
    assert made == {"road/password": ike.PpkRing(), "road/certificate": None, "road/psk": None}
    phone, tablet = config.devices
    assert ike_ppk(phone) == ike.Ppk(b"phone", b"B" * 32)
    assert ike_ppk(tablet) is None


@pytest.mark.parametrize("allowed", [False, True])
def test_eap_alone_is_the_owners_choice(*, allowed: bool) -> None:
    config = gateway(pool={"eap_only": allowed})
    made = {peer.name: peer for peer in peers(config, {"": PROOF})}
    assert made["road/password"].remote_auth == ike.Login(alone=allowed)


@pytest.mark.parametrize("alone", [False, True])
def test_logins_by_eap_tls(*, alone: bool) -> None:
    """Where a device has one: EAP-TLS shows it who we are, too, so a pool may leave out the certificate before."""
    pool: Table = {"logins": ["password", "eap-tls"], "eap_only": alone}
    without = gateway({"phone": PHONE}, pool)
    assert [peer.name for peer in peers(without, {"": PROOF})] == ["road/password"]
    config = gateway({"phone": PHONE, "laptop": {"login": "eap-tls"}}, pool)
    made = {peer.name: peer for peer in peers(config, {"": PROOF})}
    assert made.keys() == {"road/password", "road/eap-tls"}
    assert made["road/eap-tls"].remote_auth == ike.Login((EapType.TLS,), alone=alone)
    assert made["road/eap-tls"].local_auth == made["road/password"].local_auth
    assert not [peer for peer in peers(config, {}) if peer.name == "road/eap-tls"]


def test_a_device_may_have_networks_of_its_own() -> None:
    config = gateway({"phone": PHONE | {"mode": "split", "networks": "192.168.1.0/24"}})
    assert pool_settings(config.pools[0]).networks == ()
    servers = (ip_network("10.9.0.1"), ip_network("fd09::1"))
    assert pool_settings(config.pools[0], config.devices[0]).networks == (ip_network("192.168.1.0/24"), *servers)


def test_name_servers_of_a_split_tunnel() -> None:
    """Private ones are asked through it, wherever they are; public ones are not."""
    split: Table = {"mode": "split", "networks": "192.168.1.0/24"}
    told = pool_settings(gateway(pool=split | {"dns": ["192.168.1.1", "10.5.0.1", "9.9.9.9"]}).pools[0])
    assert told.networks == (ip_network("192.168.1.0/24"), ip_network("10.5.0.1"))


def test_a_site_by_name_and_password() -> None:
    table = {key: value for key, value in OFFICE.items() if key != "psk"}
    (site,) = config(office=table | {"auth": "eap", "password": "a long password", "local_id": "keyid:me"}).sites
    assert site_peer(site, GATEWAY, None) is None
    peer = site_peer(site, GATEWAY, PROOF)
    assert peer is not None
    assert peer.local_auth == ike.Password("me", nt_password_hash("a long password"))
    assert peer.remote_auth == PROOF.certified
