"""edgevpn.kernel.netlink_kernel, with a kernel that says what we lay ready; for the real one see test_contract."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from math import ceil
from pathlib import Path

import pytest

from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotSupported
from edgevpn.kernel.events import AddressChanged, Event, EventsLost, Expire, FirewallRemoved, SaRemoved
from edgevpn.kernel.firewall import FirewallSpec
from edgevpn.kernel.netlink import BATCH, NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_XFRM, attribute, request
from edgevpn.kernel.netlink_kernel import NetlinkKernel
from edgevpn.kernel.network_codec import RtMsg, address_message, proxies_message
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteSpec
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nft_events import DELTABLE, NFPROTO_INET, NFT_GROUP
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp
from edgevpn.kernel.rule_codec import RuleMsg, rules_message
from edgevpn.kernel.sa_codec import sa_values
from edgevpn.kernel.spec import OURS_IF_ID
from edgevpn.kernel.statistics import XFRM_STAT, read_statistics
from edgevpn.kernel.sysctl import Setting
from edgevpn.kernel.xfrm_wire import XfrmGroup, XfrmMsg, user_expire, usersa_id
from tests.support.kernel import IF_ID, OUT, POLICY, REQID, policy, sa
from tests.support.netlink import PORT, Wire, Wires, ack, done, larval_sa, message

LO = AddressSpec("lo", ip_interface("10.77.0.1/24"))
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="lo")
PROXY = ProxySpec("lo", ip_address("10.77.0.9"))
LINK = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def kernel(wires: Wires) -> Iterator[NetlinkKernel]:
    kernel = NetlinkKernel(wires.open)
    yield kernel
    kernel.close()


@pytest.fixture
def xfrm(wires: Wires, kernel: NetlinkKernel) -> Wire:
    return wires.opened[0]


@pytest.fixture
def route(wires: Wires, kernel: NetlinkKernel) -> Wire:
    return wires.opened[1]


def test_sockets(wires: Wires, kernel: NetlinkKernel) -> None:
    """One for each family's requests, one for each family's news."""
    families = [wire.family_opened for wire in wires.opened]
    assert families == [NETLINK_XFRM, NETLINK_ROUTE, NETLINK_XFRM, NETLINK_ROUTE, NETLINK_NETFILTER]
    assert set(wires.opened[2].groups) == {*XfrmGroup}
    assert wires.opened[3].groups == [1, 5, 7, 8, 9, 11, 19]
    assert wires.opened[4].groups == [NFT_GROUP]


def test_without_netfilter(wires: Wires) -> None:
    """There is no table of ours to be lost."""
    wires.refused.add(NETLINK_NETFILTER)
    kernel = NetlinkKernel(wires.open)
    assert kernel.read_events() == ()
    kernel.close()


def test_close(wires: Wires) -> None:
    NetlinkKernel(wires.open).close()
    assert {wire.fileno() for wire in wires.opened} == {-1}


# Many operations


def test_apply_in_few_calls(kernel: NetlinkKernel, xfrm: Wire, route: Wire) -> None:
    """What follows one another and goes the same way goes together."""
    xfrm.answer(ack(1), ack(2))
    route.answer(ack(1), ack(2), ack(3), done(4), ack(5))
    operations: list[Operation] = [Add(OUT), Add(POLICY), SetMtu(LINK, 1300), SetUp(LINK), Add(ROUTE), Add(PROXY)]
    assert kernel.apply(operations) == (None,) * 6
    assert [each.type for each in xfrm.sent()] == [XfrmMsg.NEWSA, XfrmMsg.NEWPOLICY]
    assert [each.type for each in route.sent()] == [
        RtMsg.SETLINK,
        RtMsg.SETLINK,
        RtMsg.NEWROUTE,
        RtMsg.GETNEIGH,
        RtMsg.NEWNEIGH,
    ]


def test_order_is_kept(kernel: NetlinkKernel, xfrm: Wire, route: Wire) -> None:
    """Fates stand where their operations stood."""
    xfrm.answer(ack(1, errno.ESRCH), ack(2))
    route.answer(ack(1), ack(2), ack(3), ack(4, errno.EEXIST))
    fates = kernel.apply([Delete(OUT.key), Add(LinkSpec("evpn-a", IF_ID)), Add(LO), Delete(POLICY.key)])
    assert [type(fate) for fate in fates] == [NotFound, type(None), AlreadyExists, type(None)]


def test_many_operations_in_few_calls(kernel: NetlinkKernel, wires: Wires) -> None:
    """A thousand tunnels: an interface is three requests, policy, SA and route are one each."""
    xfrm, route = wires.opened[:2]
    xfrm.obliging = route.obliging = True
    numbers = range(1, 1001)
    operations: list[Operation] = [
        *(Add(LinkSpec(f"evpn-{number}", OURS_IF_ID[number])) for number in numbers),
        *(Add(policy(if_id=OURS_IF_ID[number])) for number in numbers),
        *(Add(sa(0x1000 + number)) for number in numbers),
        *(Add(RouteSpec(destination=ip_network((number << 8, 24)))) for number in numbers),
    ]
    assert set(kernel.apply(operations)) == {None}
    assert xfrm.calls == ceil(2000 / BATCH)
    assert route.calls == ceil(1000 / BATCH) + ceil(2000 / BATCH) + ceil(1000 / BATCH)


def test_old_links_go_together(kernel: NetlinkKernel, route: Wire) -> None:
    route.answer(ack(1), ack(2), ack(3), ack(4))
    assert kernel.apply([Delete(LINK), Delete(replace(LINK, index=8)), Delete(LO)]) == (None,) * 3
    assert [each.type for each in route.sent()] == [RtMsg.SETLINK, RtMsg.SETLINK, RtMsg.DELLINK, RtMsg.DELADDR]


def test_nothing_to_apply(kernel: NetlinkKernel) -> None:
    assert kernel.apply([]) == ()


def test_nothing_without_our_tag(kernel: NetlinkKernel, xfrm: Wire) -> None:
    foreign = LinkState("eth0", 3, 1500, True)
    for operation in (
        Delete(foreign),
        SetMtu(foreign, 1300),
        Add(RouteSpec(destination=LO.address.network, protocol=4)),
    ):
        with pytest.raises(ValueError, match="without a tag of ours"):
            kernel.apply([Add(OUT), operation])
    assert xfrm.sent() == []


# Flush


def test_flush_of_nothing(kernel: NetlinkKernel, xfrm: Wire, route: Wire) -> None:
    xfrm.answer(done(1), done(2))
    route.answer(*(done(sequence) for sequence in range(1, 6)))
    flushed = kernel.flush_ours()
    assert (flushed.sas, flushed.policies, flushed.routes, flushed.links, flushed.proxies) == (0, 0, 0, 0, 0)
    assert [each.type for each in xfrm.sent()] == [XfrmMsg.GETPOLICY, XfrmMsg.GETSA]
    neighbours, rules = route.sent()[-2:]
    assert neighbours.octets[16:] == request(RtMsg.GETNEIGH, proxies_message()).body
    assert rules.octets[16:] == request(RuleMsg.GETRULE, rules_message()).body


# Events


def expiry(reqid: int) -> bytes:
    body = user_expire()
    body.update({f"state_{name}": value for name, value in sa_values(OUT).items()}, hard=1)
    body["state_reqid"] = reqid
    return message(XfrmMsg.EXPIRE, 0, request(XfrmMsg.EXPIRE, body).body)


ADDED = message(RtMsg.NEWADDR, 0, request(RtMsg.NEWADDR, address_message(LO)).body)
EXPIRED = Expire(OUT.key, REQID, hard=True)


def test_events(wires: Wires, kernel: NetlinkKernel) -> None:
    assert kernel.read_events() == ()
    wires.opened[2].answer(expiry(REQID), expiry(1))
    wires.opened[3].answer(ADDED)
    assert select.select([kernel.fileno()], [], [], 0)[0]
    assert kernel.read_events() == (EXPIRED, AddressChanged("lo", LO.address))
    assert not select.select([kernel.fileno()], [], [], 0)[0]


NO_SENSE = {
    "cut off": expiry(REQID)[:100],
    "no family": message(XfrmMsg.EXPIRE, 0, bytes(232)),
    "an address of no family": message(XfrmMsg.MAPPING, 0, bytes(64)),
}


@pytest.mark.parametrize("octets", NO_SENSE.values(), ids=NO_SENSE)
def test_event_that_makes_no_sense(wires: Wires, kernel: NetlinkKernel, octets: bytes) -> None:
    """It is as if it had been lost; what stands beside it is read."""
    length = len(octets).to_bytes(4, "little")
    wires.opened[2].answer(length + octets[4:], expiry(REQID))
    events: tuple[Event, ...] = kernel.read_events()
    assert events == (EventsLost(), EXPIRED)


def test_what_we_do_ourselves_is_no_news(wires: Wires, kernel: NetlinkKernel) -> None:
    body = request(XfrmMsg.FLUSHSA, usersa_id()).body
    wires.opened[2].answer(message(XfrmMsg.FLUSHSA, 1, body, port=PORT), message(XfrmMsg.FLUSHSA, 1, body, port=9))
    assert kernel.read_events() == (SaRemoved(None),)


def test_our_table_is_gone(wires: Wires, kernel: NetlinkKernel) -> None:
    wires.opened[4].answer(message(DELTABLE, 0, bytes([NFPROTO_INET, 0, 0, 0]) + attribute(1, b"edgevpn\0")))
    assert kernel.read_events() == (FirewallRemoved(),)


def test_events_were_lost(wires: Wires, kernel: NetlinkKernel) -> None:
    wires.opened[3].failures.append(OSError(errno.ENOBUFS, "no buffer space"))
    wires.opened[3].answer(ADDED)
    assert kernel.read_events() == (AddressChanged("lo", LO.address), EventsLost())


# The system

LO_FORWARDING = Setting(4, "lo", "forwarding")


def test_settings_of_this_machine(kernel: NetlinkKernel) -> None:
    """Nothing is written where the value is as it should be, so this needs no rights."""
    value = kernel.read_setting(LO_FORWARDING)
    assert value in (0, 1)
    assert kernel.change_settings({LO_FORWARDING: value}) == {}


def test_statistics_of_this_machine(kernel: NetlinkKernel) -> None:
    if XFRM_STAT.exists():
        assert kernel.statistics().keys() == read_statistics().keys()
        return
    with pytest.raises(NotSupported):
        kernel.statistics()


def test_connections(wires: Wires, kernel: NetlinkKernel) -> None:
    wires.laid[5] = (done(1),)
    assert kernel.forget_connections([(ip_network("10.0.0.0/8"), ip_network("10.0.0.0/8"))]) == 0
    assert wires.opened[5].family_opened == NETLINK_NETFILTER


# The firewall

SCRIPT = """#!/bin/sh
cd {folder}
[ "$2" = list ] && { cat table 2>/dev/null && exit 0; echo "Error: No such file or directory" >&2; exit 1; }
cat >>told
"""


def test_firewall(wires: Wires, tmp_path: Path) -> None:
    """A program in the place of nft: it is asked what there is, and told what to change."""
    program = tmp_path / "nft"
    program.write_text(SCRIPT.replace("{folder}", str(tmp_path)))
    program.chmod(0o700)
    kernel = NetlinkKernel(wires.open, Nft(str(program)))

    planned = kernel.firewall_changes(FirewallSpec())
    assert not (tmp_path / "told").exists()
    assert kernel.set_firewall(FirewallSpec()) == planned
    assert (tmp_path / "told").read_text().count('"chain"') > 4
    assert kernel.set_firewall(None) == ()
    (tmp_path / "table").write_text('{"nftables": []}')
    assert kernel.set_firewall(None) == ("delete table",)
    kernel.close()


# Features


def test_features_of_a_bare_kernel(kernel: NetlinkKernel, xfrm: Wire, route: Wire) -> None:
    """No ESP, no XFRM interface, no MIGRATE; an SPI can be allocated all the same."""
    for first in (1, 4):
        larva = larval_sa(0x1000, sequence=first)
        xfrm.answer(larva, ack(first), ack(first + 1, errno.EPROTONOSUPPORT), ack(first + 2))
    xfrm.answer(ack(7, errno.ENOPROTOOPT))
    route.answer(ack(1, errno.EOPNOTSUPP))
    features = kernel.features()
    assert (features.esp4, features.esp6, features.xfrm_interface, features.migrate) == (False,) * 4


def test_features_without_rights(kernel: NetlinkKernel, xfrm: Wire) -> None:
    xfrm.answer(ack(1, errno.EPERM))
    with pytest.raises(KernelError, match="lacks CAP_NET_ADMIN"):
        kernel.features()
