from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.address_plan import Claim, overlapping
from tests.support.configs import BRANCH, OFFICE, PHONE, PUBLIC, document, faults_of, staff, warnings_of

GUESTS = {"v4": "10.8.0.0/24", "dns": "10.8.0.1"}


def pools(site: dict[str, Any] | None = None, **named: dict[str, Any]) -> str:
    return document(pki=PUBLIC, pool=named, site=site or {})


def test_pools_do_not_overlap() -> None:
    assert faults_of(pools(staff={"v4": "10.8.0.0/16"}, guests=GUESTS)) == [
        "pool.guests.v4: 10.8.0.0/24 overlaps 10.8.0.0/16 of pool staff; give each its own addresses"
    ]
    assert faults_of(pools(guests=GUESTS, staff={"v4": "10.8.0.9-10.8.1.9", "dns": "10.8.0.1"})) == [
        "pool.staff.v4: 10.8.0.9-10.8.1.9 overlaps 10.8.0.0/24 of pool guests; give each its own addresses"
    ]
    assert warnings_of(pools(guests=GUESTS, staff={"v4": "10.8.1.0/24"})) == []


def test_a_pool_does_not_overlap_itself() -> None:
    assert faults_of(pools(staff={"v4": ["10.8.0.0/24", "10.8.0.7"]})) == [
        "pool.staff.v4: 10.8.0.7 overlaps 10.8.0.0/24 of pool staff; give each its own addresses"
    ]


def test_the_network_address_is_part_of_the_pool() -> None:
    assert faults_of(pools(staff={"v4": "10.8.0.0/24"}, guests={"v4": "10.8.0.255", "dns": "10.8.0.1"})) == [
        "pool.guests.v4: 10.8.0.255 overlaps 10.8.0.0/24 of pool staff; give each its own addresses"
    ]


def test_prefixes_of_two_interfaces_do_not_overlap() -> None:
    half = {"v6": "::9:0:0:0/80"}
    lan, guest = half | {"v6_prefix_of": "br-lan"}, half | {"v6_prefix_of": "br-guest"}
    assert warnings_of(pools(staff=lan, guests=guest)) == []
    assert faults_of(pools(staff=lan, guests=lan)) == [
        "pool.guests.v6: ::9:0:0:0/80 overlaps ::9:0:0:0/80 of pool staff; give each its own addresses"
    ]


def test_pool_and_site() -> None:
    """A route to the site takes a pool's packets away, unless the pool's own is narrower."""
    own = {"staff": {"v4": "10.2.0.0/24"}}
    assert faults_of(pools({"office": OFFICE}, **own)) == [
        "site.office.remote_networks: 10.2.0.0/24 overlaps 10.2.0.0/24 of pool staff; give each its own addresses"
    ]
    assert faults_of(pools({"office": OFFICE | {"remote_networks": "10.2.0.128/25"}}, **own)) == [
        "site.office.remote_networks: 10.2.0.128/25 overlaps 10.2.0.0/24 of pool staff; give each its own addresses"
    ]
    assert warnings_of(pools({"office": OFFICE | {"remote_networks": "10.2.0.0/16"}}, **own)) == [
        "site.office.remote_networks: 10.2.0.0/24 of staff lies in 10.2.0.0/16 of office;"
        " if hosts there have these addresses, give the pool others"
    ]
    assert warnings_of(pools({"office": OFFICE | {"remote_networks": "0.0.0.0/0"}}, **own)) == []
    assert warnings_of(pools({"office": OFFICE | {"routes": False}}, **own)) == []


def test_children_of_a_site_may_share_a_network() -> None:
    child = {"lan": {}, "voice": {"protocol": "udp", "remote_networks": "10.2.0.128/25"}}
    assert warnings_of(document(site={"office": OFFICE | {"child": child}, "branch": BRANCH})) == []


def test_a_network_between_those_of_another_site() -> None:
    """The narrowest of another's networks is named, whatever lies between."""
    office = OFFICE | {"remote_networks": ["10.0.0.0/8", "10.2.0.0/16"]}
    branch = BRANCH | {"remote_networks": ["10.2.3.0/24", "10.2.3.4/32", "10.3.0.0/24"]}
    assert warnings_of(document(site={"office": office, "branch": branch})) == [
        "site.branch.remote_networks: 10.2.3.0/24 goes to branch though it lies in 10.2.0.0/16 of office;"
        " if that is not meant, make one of them smaller",
        "site.branch.remote_networks: 10.2.3.4/32 goes to branch though it lies in 10.2.0.0/16 of office;"
        " if that is not meant, make one of them smaller",
        "site.branch.remote_networks: 10.3.0.0/24 goes to branch though it lies in 10.0.0.0/8 of office;"
        " if that is not meant, make one of them smaller",
    ]


def fixed(**named: dict[str, Any]) -> str:
    return staff(devices={name: PHONE | keys for name, keys in named.items()})


def test_fixed_addresses_are_of_the_pool() -> None:
    assert warnings_of(fixed(phone={"v4": "10.9.0.7", "v6": "fd09::7"})) == []
    assert faults_of(fixed(phone={"v4": "10.8.0.7", "v6": "fd08::7"})) == [
        'device.phone.v4 = "10.8.0.7": is not in pool staff; allowed: 10.9.0.0/24',
        'device.phone.v6 = "fd08::7": is not in pool staff; allowed: fd09::/64',
    ]
    v4 = {"staff": {"v4": ["10.9.0.0/24", "10.8.0.0/24"]}}
    document_ = document(pki=PUBLIC, pool=v4, device={"phone": PHONE | {"v6": "fd09::7"}})
    assert faults_of(document_) == [
        'device.phone.v6 = "fd09::7": is not in pool staff; allowed: none: the pool has no IPv6'
    ]


@pytest.mark.parametrize("address", ["10.9.0.0", "10.9.0.255"])
def test_addresses_that_no_host_has(address: str) -> None:
    assert faults_of(fixed(phone={"v4": address})) == [
        f'device.phone.v4 = "{address}": is not in pool staff; allowed: 10.9.0.0/24'
    ]


def test_our_own_address_is_not_given_away() -> None:
    assert faults_of(fixed(phone={"v4": "10.9.0.1"})) == [
        'device.phone.v4 = "10.9.0.1": is our own address in this pool; allowed: another of 10.9.0.0/24'
    ]


def test_a_fixed_address_is_of_one_device() -> None:
    assert faults_of(fixed(phone={"v4": "10.9.0.7"}, tablet={"v4": "10.9.0.7"})) == [
        'device.tablet.v4 = "10.9.0.7": belongs to device phone too; give it another'
    ]


def test_more_devices_than_addresses() -> None:
    small = {"v4": "10.9.0.0/30"}
    devices = {"phone": PHONE, "tablet": PHONE}
    assert warnings_of(staff(small, devices)) == ["pool.staff.v4: has 1 addresses for 2 devices; make it larger"]
    assert warnings_of(staff(small, devices | {"tablet": PHONE | {"enabled": False}})) == []


CLAIMS = st.lists(
    st.builds(
        lambda realm, first, size, number: Claim((4, realm), first, first + size, number, ("pool", str(number)), "x"),
        st.sampled_from(["", "br-lan"]),
        st.integers(0, 30),
        st.integers(0, 12),
        st.integers(0, 3),
    ),
    max_size=8,
)


@given(CLAIMS)
def test_every_claim_that_is_not_free_is_found(claims: list[Claim]) -> None:
    """As by comparing each with each, except that one is told of each claim."""
    pairs = list(overlapping(iter(claims)))
    for inner, outer in pairs:
        assert inner.realm == outer.realm
        assert outer.first <= inner.first <= outer.last
    quarrels = any(
        one.realm == other.realm and one.first <= other.last and other.first <= one.last
        for number, one in enumerate(claims)
        for other in claims[:number]
    )
    assert bool(pairs) == quarrels
