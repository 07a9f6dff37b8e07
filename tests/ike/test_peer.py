"""edgevpn.ike.peer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import Psk
from edgevpn.ike.wire.payloads import Identification
from tests.support.peers import LAN, LEFT_ID, TO_RIGHT


def test_child_by_name() -> None:
    assert TO_RIGHT.child("lan") is LAN
    assert TO_RIGHT.child("dmz") is None


def test_identity_is_the_configured_one() -> None:
    assert TO_RIGHT.identity_at(ip_address("192.0.2.1")) == LEFT_ID


@pytest.mark.parametrize(
    ("address", "id_type"), [("192.0.2.1", IdType.IPV4_ADDR), ("2001:db8::1", IdType.IPV6_ADDR)], ids=["v4", "v6"]
)
def test_identity_is_the_address(address: str, id_type: IdType) -> None:
    local = ip_address(address)
    assert replace(TO_RIGHT, local_id=None).identity_at(local) == Identification(id_type, local.packed)


ADDRESSES = {
    "both within": ("192.0.2.1", "198.51.100.7", True),
    "ours is not": ("192.0.3.1", "198.51.100.7", False),
    "the peer's is not": ("192.0.2.1", "198.51.101.7", False),
    "the peer's is of another family": ("192.0.2.1", "2001:db8::7", False),
}


@pytest.mark.parametrize(("local", "remote", "accepted"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(local: str, remote: str, accepted: bool) -> None:
    networks = (ip_network("192.0.2.0/24"),), (ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24"))
    peer = replace(TO_RIGHT, local_networks=networks[0], remote_networks=networks[1])
    assert peer.accepts(ip_address(local), ip_address(remote)) is accepted


def test_no_networks_are_all() -> None:
    assert TO_RIGHT.accepts(ip_address("2001:db8::1"), ip_address("2001:db8::2"))


def test_key_is_not_shown() -> None:
    assert "secret" not in repr(replace(TO_RIGHT, local_auth=Psk(b"secret")))


def test_other_names() -> None:
    """Whoever asks for an alias finds us under it; whoever asks for none is told the name; a stranger's is not ours."""
    alias, local = Identification(IdType.FQDN, b"vpn.example"), ip_address("192.0.2.1")
    peer = replace(TO_RIGHT, aliases=(alias,))
    assert peer.called(None, local) == peer.called(LEFT_ID, local) == LEFT_ID
    assert peer.called(alias, local) == alias
    assert TO_RIGHT.called(alias, local) is None
