from ipaddress import ip_address, ip_network

import pytest

from edgevpn.config.pool import Login, TunnelMode
from edgevpn.config.proposals import LEGACY_ESP, LEGACY_IKE
from edgevpn.config.ranges import address_range
from edgevpn.config.services import Offload
from edgevpn.config.tunnel import Unique
from tests.support.configs import STAFF, document, read, staff


def test_pool_as_it_comes() -> None:
    """Full tunnel, both IP versions, the router as name server, every login, several sessions."""
    (pool,) = read(staff()).pools
    assert (pool.v4, pool.v6) == ((address_range("10.9.0.0/24"),), (address_range("fd09::/64"),))
    assert pool.router == (ip_address("10.9.0.1"), ip_address("fd09::1"))
    assert (pool.dns, pool.nbns, pool.domains) == (pool.router, (), ())
    assert (pool.mode, pool.networks, pool.proxy) == (TunnelMode.FULL, (), False)
    assert pool.logins == tuple(Login)
    assert (pool.unique, pool.interface, pool.mtu) == (Unique.KEEP, "evpn-staff", None)
    assert (pool.cipher_order, pool.offload) == ((), Offload.AUTO)
    assert (pool.ike_rekey_time, pool.ike_life_time) == (14400, 15840)
    assert (pool.esp_rekey_time, pool.esp_life_time) == (3600, 3960)
    assert not any(proposal.weaknesses for proposal in (*pool.ike_proposals, *pool.esp_proposals))


def test_android_11_finds_a_prf() -> None:
    """It offers no other that is sound."""
    (pool,) = read(staff()).pools
    assert all("prfaesxcbc" in proposal.prf for proposal in pool.ike_proposals)


@pytest.mark.parametrize("key", ["v4", "v6"])
def test_one_ip_version_is_enough(key: str) -> None:
    (pool,) = read(document(pool={"staff": {key: STAFF[key]}})).pools
    assert len(pool.router) == 1


def test_a_part_of_the_lan_has_no_address_of_ours() -> None:
    lan = {"v4": "192.168.1.200-192.168.1.230", "proxy": True, "dns": "192.168.1.1"}
    (pool,) = read(document(pool={"staff": lan})).pools
    assert (pool.router, pool.dns) == ((), (ip_address("192.168.1.1"),))


def test_split_tunnel() -> None:
    (pool,) = read(staff({"mode": "split", "networks": "192.168.1.0/24", "domains": ["lan", "corp.example"]})).pools
    assert (pool.mode, pool.networks) == (TunnelMode.SPLIT, (ip_network("192.168.1.0/24"),))
    assert pool.domains == ("lan", "corp.example")


def test_crypto_is_the_gateways_unless_the_pool_says_otherwise() -> None:
    crypto = {"order": ["aes128gcm16"], "offload": "off"}
    (pool,) = read(staff(crypto=crypto)).pools
    assert (pool.cipher_order, pool.offload) == (("aes128gcm16",), Offload.OFF)
    (pool,) = read(staff({"cipher_order": "measured", "offload": "packet"}, crypto=crypto)).pools
    assert (pool.cipher_order, pool.offload) == ((), Offload.PACKET)


def test_legacy_clients_are_accepted_last() -> None:
    (pool,) = read(staff({"legacy": True})).pools
    assert pool.accepted_ike == (*pool.ike_proposals, LEGACY_IKE)
    assert pool.accepted_esp == (*pool.esp_proposals, LEGACY_ESP)
    (pool,) = read(staff()).pools
    assert (pool.accepted_ike, pool.accepted_esp) == (pool.ike_proposals, pool.esp_proposals)
