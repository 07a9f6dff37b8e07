"""edgevpn.kernel.policy_codec."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings

from edgevpn.kernel.events import Acquire
from edgevpn.kernel.layout import parts_of
from edgevpn.kernel.netlink import Request, request
from edgevpn.kernel.policy_codec import (
    migrate_message,
    policy_key_message,
    policy_message,
    read_acquire,
    read_policy,
    socket_policy,
    template_values,
)
from edgevpn.kernel.spec import (
    Action,
    Direction,
    Mark,
    Migration,
    Mode,
    PolicyKey,
    PolicySpec,
    PolicyState,
    PortMask,
    Selector,
    Template,
    UdpEncap,
)
from edgevpn.kernel.xfrm_wire import (
    USER_TMPL,
    USERPOLICY_ID,
    USERPOLICY_INFO,
    XfrmMsg,
    user_acquire,
    userpolicy_info,
)
from tests.support.iproute2 import parts_of_request, sent_by
from tests.support.kernel import ELSEWHERE, HERE, IF_ID, POLICY, REQID, TEMPLATE, THERE, policies, policy

DNS = Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/16"), 17, None, PortMask(53))
TUNNEL = "src 192.0.2.1 dst 198.51.100.2 proto esp"

TMPL, POLICY_TYPE, MIGRATE, ENCAP = 5, 16, 17, 4


def test_policy_as_ip_sends_it() -> None:
    command = (
        "ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/16 proto udp dport 53 dir out priority 1000 if_id 0x65760002"
        f" mark 5 mask 0xff tmpl {TUNNEL} reqid 0x65760007 mode tunnel"
        f" tmpl {TUNNEL} spi 0xc0ffee01 reqid 0x65760008 mode transport level use"
    )
    inner = Template(HERE, THERE, REQID + 1, Mode.TRANSPORT, optional=True, spi=0xC0FFEE01)
    spec = policy(selector=DNS, mark=Mark(5, 0xFF), templates=(TEMPLATE, inner))
    ours = parts_of_request(request(XfrmMsg.NEWPOLICY, policy_message(spec)), USERPOLICY_INFO.size)
    assert ours == parts_of_request(sent_by(command), USERPOLICY_INFO.size)


def test_policy_without_template_as_ip_sends_it() -> None:
    command = "ip xfrm policy update src 2001:db8:1::/64 dst ::/0 dir fwd priority 7 action block if_id 0x65760002"
    selector = Selector(ip_network("2001:db8:1::/64"), ip_network("::/0"))
    spec = PolicySpec(key=PolicyKey(selector, Direction.FWD, IF_ID), priority=7, action=Action.BLOCK)
    ours = parts_of_request(request(XfrmMsg.UPDPOLICY, policy_message(spec)), USERPOLICY_INFO.size)
    assert ours == parts_of_request(sent_by(command), USERPOLICY_INFO.size)


def test_key_as_ip_sends_it() -> None:
    command = (
        "ip xfrm policy delete src 10.1.0.0/24 dst 10.2.0.0/16 proto udp dport 53 dir out if_id 0x65760002"
        " mark 5 mask 0xff"
    )
    key = policy(selector=DNS, mark=Mark(5, 0xFF)).key
    ours = parts_of_request(request(XfrmMsg.DELPOLICY, policy_key_message(key)), USERPOLICY_ID.size)
    assert ours == parts_of_request(sent_by(command), USERPOLICY_ID.size)


def as_read(sent: Request) -> PolicyState:
    """What we send is what the kernel would send back."""
    return read_policy(*parts_of(userpolicy_info, sent.octets(sent.flags, 1)))


@settings(max_examples=50)
@given(policies())
def test_policies_come_back(spec: PolicySpec) -> None:
    assert as_read(request(XfrmMsg.NEWPOLICY, policy_message(spec))) == PolicyState(spec=spec, index=0)


def test_offload_comes_back() -> None:
    spec = policy(offload="lo")
    assert as_read(request(XfrmMsg.NEWPOLICY, policy_message(spec))).spec == spec


def test_counters_of_the_kernel() -> None:
    message = policy_message(POLICY)
    message.update(curlft_bytes=1000, curlft_packets=10, curlft_add_time=1234, curlft_use_time=1235, index=9)
    assert as_read(request(XfrmMsg.NEWPOLICY, message)) == PolicyState(
        spec=POLICY, index=9, octets=1000, packets=10, added_at=1234, first_used_at=1235
    )


def test_rest_of_a_template_is_ignored() -> None:
    message = policy_message(POLICY)
    message["attrs"][-1][1]["templates"] += b"rest"
    assert as_read(request(XfrmMsg.NEWPOLICY, message)).spec == POLICY


def test_template_of_no_family() -> None:
    message = policy_message(POLICY)
    octets = USER_TMPL.pack({**template_values(TEMPLATE), "family": 0})
    message["attrs"][-1][1]["templates"] = octets
    with pytest.raises(ValueError, match="address family 0"):
        as_read(request(XfrmMsg.NEWPOLICY, message))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_policy_of_a_socket(family: int) -> None:
    """struct xfrm_userpolicy_info, no template: everything passes as it is."""
    values = USERPOLICY_INFO.unpack(socket_policy(family, Direction.IN))
    expected = {"sel_family": family, "dir": Direction.IN, "action": Action.ALLOW, "sel_prefixlen_d": 0, "priority": 0}
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize("encapsulation", [None, UdpEncap(4500, 61000)])
def test_migrate_octets(encapsulation: UdpEncap | None) -> None:
    """struct xfrm_user_migrate: old and new pair of addresses, ESP, tunnel, reqid, families."""
    migration = Migration(
        policy=POLICY.key, template=TEMPLATE, source=HERE, destination=ELSEWHERE, encapsulation=encapsulation
    )
    parts = parts_of_request(request(XfrmMsg.MIGRATE, migrate_message(migration)), USERPOLICY_ID.size)
    assert parts.fixed == parts_of_request(request(XfrmMsg.GETPOLICY, policy_key_message(POLICY.key)), 64).fixed
    pad = bytes(12)
    addresses = b"".join(each.packed + pad for each in (THERE, HERE, ELSEWHERE, HERE))
    assert parts.attributes[MIGRATE] == addresses + struct.pack("=BBxxIHH", 50, 1, REQID, 2, 2)
    assert parts.attributes[POLICY_TYPE] == bytes(6)
    assert (ENCAP in parts.attributes) == (encapsulation is not None)


def acquire(templates: bytes) -> Acquire | None:
    message = user_acquire()
    message.update(
        id_daddr=THERE.packed,
        id_proto=50,
        saddr=HERE.packed,
        sel_daddr=ip_address("10.2.0.1").packed,
        sel_saddr=ip_address("10.1.0.1").packed,
        sel_family=2,
        sel_prefixlen_d=32,
        sel_prefixlen_s=32,
        sel_proto=1,
        policy_index=73,
    )
    message["attrs"] = [("XFRMA_IF_ID", IF_ID), ("XFRMA_TMPL", {"templates": templates})]
    sent = request(XfrmMsg.ACQUIRE, message)
    return read_acquire(*parts_of(user_acquire, sent.octets(sent.flags, 1)))


def test_acquire() -> None:
    packet = Selector(ip_network("10.1.0.1/32"), ip_network("10.2.0.1/32"), 1)
    wanted = replace(TEMPLATE, spi=0)
    assert acquire(USER_TMPL.pack(template_values(wanted))) == Acquire(packet, HERE, THERE, REQID, IF_ID, 73)


def test_acquire_for_nothing() -> None:
    assert acquire(b"") is None
