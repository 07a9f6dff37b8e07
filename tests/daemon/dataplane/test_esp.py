from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.daemon.dataplane.esp import (
    ANYWHERE,
    TRAP,
    UP,
    algorithms,
    child_lifetimes,
    inbound_sa,
    inward,
    outbound_sa,
    outward,
    outward_of,
    pool_lifetimes,
    port_masks,
)
from edgevpn.ike.contract import Endpoints
from edgevpn.ike.crypto.keymat import ChildKeys
from edgevpn.ike.crypto.suite import ChildSuite
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.peer import Mode
from edgevpn.ike.state import Address, ChildSa, Path
from edgevpn.ike.wire.selector import ANY_PORTS, OPAQUE_PORTS, TrafficSelector, icmp_ports
from edgevpn.kernel.spec import (
    OURS_IF_ID,
    OURS_REQID,
    Aead,
    Direction,
    Encryption,
    Integrity,
    Limits,
    PolicySpec,
    PortMask,
    SaFlag,
    Selector,
    Tags,
    UdpEncap,
)
from tests.support.configs import office
from tests.support.visitors import gateway

HERE, THERE = ip_address("192.0.2.1"), ip_address("198.51.100.1")
TAGS = Tags(OURS_REQID[3], OURS_IF_ID[1])
KEYS = ChildKeys(b"encr-of-initiator...", b"integ-i", b"encr-of-responder...", b"integ-r")
GCM = ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=True)
PATH = Path(Address(HERE, 4500), Address(THERE, 40000))
LIVES = child_lifetimes(office(esp_rekey_bytes="1GiB", esp_rekey_packets=1000, esp_life_time="2h").children[0])


def ts(network: str, protocol: int = 0, ports: tuple[int, int] = ANY_PORTS) -> TrafficSelector:
    return TrafficSelector.from_network(ip_network(network), protocol, ports)


def child(initiator: bool, mode: Mode = Mode.TUNNEL) -> ChildSa:
    local, remote = (ts("10.1.0.0/24"),), (ts("10.2.0.0/24"),)
    return ChildSa("lan", b"in-1", b"out1", GCM, KEYS, initiator, local, remote, mode)


@pytest.mark.parametrize("initiator", [True, False])
def test_two_sas(initiator: bool) -> None:
    """Each direction has the keys of who sends, and the ports seen from there (RFC 7296 §2.17, RFC 3948)."""
    ends = Endpoints("office", PATH, nat=True)
    inbound, outbound = (make(child(initiator), ends, TAGS, LIVES) for make in (inbound_sa, outbound_sa))

    assert (inbound.source, inbound.destination, inbound.spi) == (THERE, HERE, 0x696E2D31)
    assert (outbound.source, outbound.destination, outbound.spi) == (HERE, THERE, 0x6F757431)
    ours, theirs = (KEYS.encr_i, KEYS.encr_r) if initiator else (KEYS.encr_r, KEYS.encr_i)
    assert (outbound.cipher.key, inbound.cipher.key) == (ours, theirs)
    assert (outbound.encapsulation, inbound.encapsulation) == (UdpEncap(4500, 40000), UdpEncap(40000, 4500))
    for spec in (inbound, outbound):
        assert (spec.reqid, spec.if_id, spec.esn, spec.flags) == (TAGS.reqid, TAGS.if_id, True, SaFlag.AF_UNSPEC)
        assert (spec.soft, spec.hard) == (Limits(2**30, 1000), Limits(2**30 + 2**30 // 10, 1100, 7200))


def test_new_keys_before_a_limit() -> None:
    """Up to a twentieth before it, by chance; what is dropped at the end stays as it is."""
    soonest = LIVES.sooner(0.999)
    assert LIVES.sooner(0.0) == LIVES
    assert 0.95 * 2**30 <= (soonest.soft.octets or 0) < 0.96 * 2**30
    assert (soonest.soft.packets, soonest.hard) == (951, LIVES.hard)
    assert pool_lifetimes(gateway().pools[0]).sooner(0.5) == pool_lifetimes(gateway().pools[0])


def test_who_takes_no_new_keys_from_us_keeps_the_old_ones() -> None:
    """Unless the owner has all do without: then what is said to be the end is the end."""
    (pool,) = gateway().pools
    ours, theirs = replace(child(True), rekey_at=100.0), child(True)
    assert pool_lifetimes(pool).of(ours).hard == Limits(seconds=3960)
    assert pool_lifetimes(pool).of(theirs).hard == Limits()
    (never,) = gateway(pool={"esp_rekey_time": 0, "esp_life_time": "2h"}).pools
    assert pool_lifetimes(never).of(theirs).hard == Limits(seconds=7200)
    assert LIVES.of(theirs) == LIVES


def test_no_nat_no_encapsulation() -> None:
    ends = Endpoints("office", PATH, nat=False)
    spec = outbound_sa(child(True, Mode.TRANSPORT), ends, TAGS, LIVES)
    assert (spec.encapsulation, spec.flags) == (None, SaFlag(0))


ALGORITHMS = {
    "gcm": (GCM, Aead("rfc4106(gcm(aes))", b"e", 128), None),
    "chacha": (
        ChildSuite(Encr.CHACHA20_POLY1305, 0, Integ.NONE, esn=False),
        Aead("rfc7539esp(chacha20,poly1305)", b"e", 128),
        None,
    ),
    "cbc": (
        ChildSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, esn=False),
        Encryption("cbc(aes)", b"e"),
        Integrity("hmac(sha256)", b"i", 128),
    ),
    "ctr": (
        ChildSuite(Encr.AES_CTR, 128, Integ.HMAC_SHA2_384_192, esn=False),
        Encryption("rfc3686(ctr(aes))", b"e"),
        Integrity("hmac(sha384)", b"i", 192),
    ),
}


@pytest.mark.parametrize(("suite", "cipher", "integrity"), ALGORITHMS.values(), ids=ALGORITHMS)
def test_algorithms(suite: ChildSuite, cipher: Aead | Encryption, integrity: Integrity | None) -> None:
    assert algorithms(suite, b"e", b"i") == (cipher, integrity)


Selectors = tuple[TrafficSelector, ...]


def made(local: Selectors, remote: Selectors, mode: Mode = Mode.TUNNEL, priority: int = UP) -> list[PolicySpec]:
    out = outward(local, remote, (HERE, THERE), mode, TAGS, priority)
    into = inward(local, remote, 4, mode, TAGS, priority)
    assert priority != UP or outward_of(into, (HERE, THERE), mode, TAGS) == out
    return [*out, *into]


def test_policies_of_one_pair() -> None:
    """Out for what leaves; in and forward for what has come out of the tunnel."""
    out, into, forward = made((ts("10.1.0.0/24"),), (ts("10.2.0.0/24"),))

    assert out.selector == Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24"))
    assert into.selector == forward.selector == Selector(ip_network("10.2.0.0/24"), ip_network("10.1.0.0/24"))
    assert [each.direction for each in (out, into, forward)] == [Direction.OUT, Direction.IN, Direction.FWD]
    assert [(t.source, t.destination, t.reqid) for t in out.templates] == [(HERE, THERE, TAGS.reqid)]
    assert [(t.source, t.destination, t.reqid) for t in into.templates] == [(ANYWHERE[4], ANYWHERE[4], TAGS.reqid)]
    assert all(each.key.if_id == TAGS.if_id for each in (out, into, forward))


def test_transport_mode_forwards_nothing() -> None:
    directions = [each.direction for each in made((ts("10.1.0.1/32"),), (ts("10.2.0.1/32"),), mode=Mode.TRANSPORT)]
    assert directions == [Direction.OUT, Direction.IN]


def test_pairs_stay_in_their_family_and_protocol() -> None:
    local, remote = (ts("10.1.0.0/24"), ts("fd01::/64")), (ts("10.2.0.0/24", 6), ts("fd02::/64", 17))
    out = [each.selector for each in made(local, remote) if each.direction is Direction.OUT]
    assert [(str(each.source), each.protocol) for each in out] == [("10.1.0.0/24", 6), ("fd01::/64", 17)]
    assert made((ts("10.1.0.0/24", 6),), (ts("10.2.0.0/24", 17),)) == []


def test_range_of_addresses_becomes_networks() -> None:
    start, end = ip_address("10.2.0.1"), ip_address("10.2.0.4")
    odd = TrafficSelector(ts("10.2.0.0/24").ts_type, 0, *ANY_PORTS, start, end)
    out = [each.selector for each in made((ts("10.1.0.0/24"),), (odd,)) if each.direction is Direction.OUT]
    assert [str(each.destination) for each in out] == ["10.2.0.1/32", "10.2.0.2/31", "10.2.0.4/32"]


def test_ports_change_sides_with_the_direction() -> None:
    out, into, _ = made((ts("10.1.0.0/24", 6, (80, 80)),), (ts("10.2.0.0/24", 6),))
    assert (out.selector.source_port, out.selector.destination_port) == (PortMask(80), None)
    assert (into.selector.source_port, into.selector.destination_port) == (None, PortMask(80))


ICMP = {
    "one type": (icmp_ports(8), (PortMask(8), None)),
    "one code": (icmp_ports(3, 4), (PortMask(3), PortMask(4))),
    "types": ((0x0000, 0x08FF), (None, None)),
    "any": (ANY_PORTS, (None, None)),
}


@pytest.mark.parametrize(("ports", "selected"), ICMP.values(), ids=ICMP)
def test_icmp(ports: tuple[int, int], selected: tuple[PortMask | None, PortMask | None]) -> None:
    """Type and code stand where others have ports, in both directions (RFC 4301 §4.4.1.1)."""
    for policy in made((ts("10.1.0.0/24", 1, ports),), (ts("10.2.0.0/24", 1, ports),)):
        assert (policy.selector.source_port, policy.selector.destination_port) == selected


def test_narrow_before_wide_and_up_before_trap() -> None:
    wide, narrow = made((ts("0.0.0.0/0"),), (ts("0.0.0.0/0"),))[0], made((ts("10.1.0.1/32"),), (ts("10.2.0.1/32"),))[0]
    tcp = made((ts("10.1.0.1/32", 6),), (ts("10.2.0.1/32", 6),))[0]
    trap = made((ts("10.1.0.1/32", 6),), (ts("10.2.0.1/32", 6),), priority=TRAP)[0]
    assert tcp.priority < narrow.priority < wide.priority < trap.priority


@pytest.mark.parametrize("ports", [ANY_PORTS, OPAQUE_PORTS])
def test_any_port(ports: tuple[int, int]) -> None:
    assert port_masks(ports) == (None,)


@given(st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda ends: (min(ends), max(ends))))
def test_port_masks_are_the_range(ports: tuple[int, int]) -> None:
    """Each port is matched by exactly one mask, and no other port is."""
    masks = [each for each in port_masks(ports) if each is not None]
    if not masks:
        assert ports == ANY_PORTS
        return
    starts = [each.port for each in masks]
    sizes = [0x10000 - each.mask for each in masks]
    assert starts[0] == ports[0]
    assert all(start % size == 0 for start, size in zip(starts, sizes, strict=True))
    assert [start + size for start, size in zip(starts, sizes, strict=True)] == [*starts[1:], ports[1] + 1]
