"""edgevpn.kernel.xfrm_wire."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.kernel import xfrm_wire
from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.layout import Layout, Structured
from edgevpn.kernel.network_codec import ndmsg
from edgevpn.kernel.xfrm_wire import xfrm_attributes

# sizeof, as gcc 12 says for <linux/xfrm.h> and <linux/neighbour.h> on x86-64; arm, mips and riscv align the same way.
SIZES: dict[str, tuple[Layout, int]] = {
    "xfrm_selector": (xfrm_wire.SELECTOR, 56),
    "xfrm_id": (xfrm_wire.ID, 24),
    "xfrm_lifetime_cfg": (xfrm_wire.LIFETIME_CFG, 64),
    "xfrm_lifetime_cur": (xfrm_wire.LIFETIME_CUR, 32),
    "xfrm_stats": (xfrm_wire.STATS, 12),
    "xfrm_usersa_info": (xfrm_wire.USERSA_INFO, 224),
    "xfrm_usersa_id": (xfrm_wire.USERSA_ID, 24),
    "xfrm_userspi_info": (xfrm_wire.USERSPI_INFO, 232),
    "xfrm_userpolicy_info": (xfrm_wire.USERPOLICY_INFO, 168),
    "xfrm_userpolicy_id": (xfrm_wire.USERPOLICY_ID, 64),
    "xfrm_user_tmpl": (xfrm_wire.USER_TMPL, 64),
    "xfrm_user_acquire": (xfrm_wire.USER_ACQUIRE, 280),
    "xfrm_user_expire": (xfrm_wire.USER_EXPIRE, 232),
    "xfrm_user_migrate": (xfrm_wire.USER_MIGRATE, 76),
    "xfrm_user_mapping": (xfrm_wire.USER_MAPPING, 64),
    "xfrm_replay_state_esn": (xfrm_wire.REPLAY_STATE_ESN, 24),
    "xfrm_replay_state": (xfrm_attributes.replay_state.layout, 12),
    "xfrm_algo": (xfrm_attributes.algo.layout, 68),
    "xfrm_algo_auth": (xfrm_attributes.algo_auth.layout, 72),
    "xfrm_algo_aead": (xfrm_attributes.algo_aead.layout, 72),
    "xfrm_encap_tmpl": (xfrm_attributes.encap_tmpl.layout, 24),
    "xfrm_userpolicy_type": (xfrm_attributes.userpolicy_type.layout, 6),
    "xfrm_mark": (xfrm_attributes.mark.layout, 8),
    "xfrm_user_offload": (xfrm_attributes.user_offload.layout, 8),
    "ndmsg": (ndmsg.layout, 12),
}

# offsetof, likewise: the last member, and those after a gap.
OFFSETS: dict[str, tuple[Layout, str, int]] = {
    "xfrm_usersa_info.seq": (xfrm_wire.USERSA_INFO, "seq", 204),
    "xfrm_usersa_info.flags": (xfrm_wire.USERSA_INFO, "flags", 216),
    "xfrm_userspi_info.min": (xfrm_wire.USERSPI_INFO, "min", 224),
    "xfrm_userpolicy_info.share": (xfrm_wire.USERPOLICY_INFO, "share", 163),
    "xfrm_user_tmpl.saddr": (xfrm_wire.USER_TMPL, "saddr", 28),
    "xfrm_user_tmpl.calgos": (xfrm_wire.USER_TMPL, "calgos", 60),
    "xfrm_user_acquire.sel": (xfrm_wire.USER_ACQUIRE, "sel_daddr", 40),
    "xfrm_user_acquire.policy": (xfrm_wire.USER_ACQUIRE, "policy_sel_daddr", 96),
    "xfrm_user_acquire.seq": (xfrm_wire.USER_ACQUIRE, "seq", 276),
    "xfrm_user_expire.hard": (xfrm_wire.USER_EXPIRE, "hard", 224),
    "xfrm_user_migrate.reqid": (xfrm_wire.USER_MIGRATE, "reqid", 68),
    "xfrm_user_migrate.new_family": (xfrm_wire.USER_MIGRATE, "new_family", 74),
    "xfrm_user_mapping.reqid": (xfrm_wire.USER_MAPPING, "reqid", 24),
    "xfrm_user_mapping.new_sport": (xfrm_wire.USER_MAPPING, "new_sport", 62),
    "xfrm_encap_tmpl.encap_oa": (xfrm_attributes.encap_tmpl.layout, "encap_oa", 8),
    "xfrm_userpolicy_type.reserved2": (xfrm_attributes.userpolicy_type.layout, "reserved2", 4),
}


@pytest.mark.parametrize(("layout", "size"), SIZES.values(), ids=SIZES)
def test_sizes(layout: Layout, size: int) -> None:
    assert layout.size == size


@pytest.mark.parametrize(("layout", "member", "offset"), OFFSETS.values(), ids=OFFSETS)
def test_offsets(layout: Layout, member: str, offset: int) -> None:
    """One member set to ones begins there, and all before it is zero."""
    form = dict(layout.fields)[member]
    width = struct.calcsize(form)
    ones = b"\xff" * width if form.endswith("s") else (1 << 8 * width) - 1
    octets = layout.pack({member: ones})
    assert len(octets) - len(octets.lstrip(b"\0")) == offset


def member_values(form: str) -> st.SearchStrategy[Any]:
    """What a member of this format can hold."""
    size = struct.calcsize(form)
    if form.endswith("s"):
        return st.binary(min_size=size, max_size=size)
    low = -(1 << 8 * size - 1) if form.islower() else 0
    return st.integers(low, low + (1 << 8 * size) - 1)


def structures(layout: Layout) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: member_values(form) for name, form in layout.fields if not name.startswith("_")}
    )


MESSAGES: tuple[type[nlmsg], ...] = (
    xfrm_wire.usersa_info,
    xfrm_wire.usersa_id,
    xfrm_wire.userspi_info,
    xfrm_wire.userpolicy_info,
    xfrm_wire.userpolicy_id,
    xfrm_wire.user_acquire,
    xfrm_wire.user_expire,
    xfrm_wire.user_mapping,
)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_messages_come_back(kind: type[nlmsg], data: st.DataObject) -> None:
    layout: Layout = kind.layout  # type: ignore[attr-defined]
    values = data.draw(structures(layout))
    message = kind()
    message.update(values)
    message["attrs"] = [("XFRMA_IF_ID", 7)]
    message.encode()

    read = kind(bytes(message.data))
    read.decode()
    assert {name: read[name] for name in layout.names} == values
    assert read.get_attr("XFRMA_IF_ID") == 7


ATTRIBUTES = {
    name: getattr(xfrm_attributes, kind) for _, name, kind in xfrm_attributes.nla_map if hasattr(xfrm_attributes, kind)
}


@pytest.mark.parametrize("name", ATTRIBUTES)
@settings(max_examples=20)
@given(data=st.data())
def test_attributes_come_back(name: str, data: st.DataObject) -> None:
    kind: type[Structured] = ATTRIBUTES[name]
    values = data.draw(structures(kind.layout))
    if kind.tail:
        values[kind.tail] = data.draw(st.binary(max_size=70))
    message = xfrm_wire.usersa_id()
    message["attrs"] = [(name, values), ("XFRMA_IF_ID", 7)]
    message.encode()

    read = xfrm_wire.usersa_id(bytes(message.data))
    read.decode()
    found = read.get_attr(name)
    assert {each: found[each] for each in values} == values
    assert read.get_attr("XFRMA_IF_ID") == 7


def test_numbers_of_attributes() -> None:
    """As enum xfrm_attr_type_t counts them."""
    assert {name: number for number, name, _ in xfrm_attributes.nla_map} == {
        "XFRMA_ALG_AUTH": 1,
        "XFRMA_ALG_CRYPT": 2,
        "XFRMA_ENCAP": 4,
        "XFRMA_TMPL": 5,
        "XFRMA_SA": 6,
        "XFRMA_POLICY": 7,
        "XFRMA_LTIME_VAL": 9,
        "XFRMA_REPLAY_VAL": 10,
        "XFRMA_LASTUSED": 15,
        "XFRMA_POLICY_TYPE": 16,
        "XFRMA_MIGRATE": 17,
        "XFRMA_ALG_AEAD": 18,
        "XFRMA_ALG_AUTH_TRUNC": 20,
        "XFRMA_MARK": 21,
        "XFRMA_REPLAY_ESN_VAL": 23,
        "XFRMA_SA_EXTRA_FLAGS": 24,
        "XFRMA_OFFLOAD_DEV": 28,
        "XFRMA_SET_MARK": 29,
        "XFRMA_SET_MARK_MASK": 30,
        "XFRMA_IF_ID": 31,
        "XFRMA_MTIMER_THRESH": 32,
    }
