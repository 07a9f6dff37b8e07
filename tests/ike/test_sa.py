"""edgevpn.ike.sa."""

from __future__ import annotations

from ipaddress import ip_address

from edgevpn.ike.crypto.keymat import mix_ppk
from edgevpn.ike.peer import NEVER, Ppk
from edgevpn.ike.sa import Address, Nat, Phase
from tests.support.states import SPI_I, SPI_R, a_child, secured


def test_each_side_knows_it_by_its_own_spi() -> None:
    assert secured(initiator=True).spi == SPI_I
    assert secured(initiator=False).spi == SPI_R


def test_identities_are_covered_by_the_sender_s_key() -> None:
    left, right = secured(initiator=True), secured(initiator=False)
    assert left.sk_p_local == right.sk_p_remote == left.keys.sk_pi
    assert left.sk_p_remote == right.sk_p_local == left.keys.sk_pr


def test_a_ppk_is_in_the_keys_and_known_by_its_name() -> None:
    mixed = secured().mixed(Ppk(b"winter", b"a key of a quantum age"))
    assert mixed.ppk_id == b"winter"
    assert mixed.keys == mix_ppk(secured().suite, secured().keys, b"a key of a quantum age")


def test_address_as_in_a_url() -> None:
    assert str(Address(ip_address("192.0.2.1"), 500)) == "192.0.2.1:500"
    assert str(Address(ip_address("2001:db8::1"), 4500)) == "[2001:db8::1]:4500"


def test_either_side_behind_a_nat_is_a_nat() -> None:
    assert not Nat()
    assert Nat(local=True)
    assert Nat(remote=True)


def test_child_grows_older() -> None:
    """Each phase has its own end, or none."""
    older = a_child(due=5.0).turned(Phase.LINGERING, 12.0)
    assert older == a_child(phase=Phase.LINGERING, due=12.0)
    assert a_child(due=5.0).turned(Phase.REPLACED).due == NEVER


def test_child_that_carries_traffic() -> None:
    """Now, or as soon as the one before it goes."""
    assert [phase for phase in Phase if a_child(phase=phase).lives] == [Phase.INBOUND, Phase.ACTIVE]


def test_whose_keys_a_child_sends_with() -> None:
    """The initiator's go one way, the responder's the other; both sides agree on which (RFC 7296 §2.17)."""
    asking, answering = a_child(initiator=True), a_child(initiator=False)
    assert asking.keys_out == answering.keys_in == (asking.keys.encr_i, asking.keys.integ_i)
    assert asking.keys_in == answering.keys_out == (asking.keys.encr_r, asking.keys.integ_r)
