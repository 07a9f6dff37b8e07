"""Counters are read as the whole SA is read, only faster."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.kernel.layout import parts_of
from edgevpn.kernel.netlink import request
from edgevpn.kernel.sa_codec import read_sa, sa_message
from edgevpn.kernel.sa_counts import read_counts
from edgevpn.kernel.spec import Mark, SaCounts, SaKey, SaSpec
from edgevpn.kernel.xfrm_wire import XfrmMsg, usersa_info
from tests.support.kernel import GCM, IF_ID, OUT, sa
from tests.support.netlink import larval_sa, message


def an_sa(spec: SaSpec, octets: int = 0, packets: int = 0, used: int | None = None, forged: int = 0) -> bytes:
    """What the kernel says of an SA."""
    built: Any = sa_message(spec)
    built["curlft_bytes"], built["curlft_packets"], built["stats_integrity_failed"] = octets, packets, forged
    if used is not None:
        built["attrs"].append(("XFRMA_LASTUSED", used))
    return message(XfrmMsg.NEWSA, 1, request(XfrmMsg.NEWSA, built).body, 0)


def slowly(messages: Iterable[bytes]) -> dict[SaKey, SaCounts]:
    """The same by way of the whole SA."""
    states = [read_sa(*parts_of(usersa_info, octets)) for octets in messages]
    return {
        state.spec.key: SaCounts(state.octets, state.packets, state.last_used_at, state.forged)
        for state in states
        if state is not None
    }


SPECS = st.builds(
    sa,
    st.integers(0x100, 0xFFFF_FFFF),
    destination=st.sampled_from([ip_address("192.0.2.1"), ip_address("192.0.2.99")]),
    mark=st.none() | st.builds(Mark, st.integers(0, 0xFFFF_FFFF)),
    replay_window=st.sampled_from([0, 32, 256]),
)
NUMBERS = st.integers(0, 2**63)


@given(st.lists(st.tuples(SPECS, NUMBERS, NUMBERS, st.none() | NUMBERS, st.integers(0, 2**32 - 1)), max_size=5))
def test_as_the_whole_sa(sas: list[tuple[SaSpec, int, int, int | None, int]]) -> None:
    messages = [an_sa(*each) for each in sas]
    assert read_counts(messages) == slowly(messages)


def test_of_ipv6() -> None:
    spec = replace(OUT, source=ip_address("2001:db8::1"), destination=ip_address("2001:db8::2"))
    assert read_counts([an_sa(spec, 7, 1, 1_700_000_000)]) == {spec.key: SaCounts(7, 1, 1_700_000_000)}


def test_ours_alone() -> None:
    by_if_id, foreign = sa(1 << 9, reqid=1, if_id=IF_ID), sa(1 << 10, reqid=1)
    assert read_counts([an_sa(foreign), an_sa(OUT), an_sa(by_if_id)]) == dict.fromkeys(
        (OUT.key, by_if_id.key), SaCounts()
    )


def test_an_allocated_spi_counts_nothing() -> None:
    (counts,) = read_counts([larval_sa(0x1000)]).values()
    assert counts == SaCounts()


def test_a_message_that_is_too_short() -> None:
    with pytest.raises(struct.error):
        read_counts([an_sa(OUT)[:100]])


@given(st.integers(0, 400), st.binary(max_size=3))
def test_attributes_that_do_not_fit_end_the_message(cut: int, rest: bytes) -> None:
    """No turn of the loop takes nothing."""
    whole = an_sa(sa(cipher=GCM), 5, 6)
    counted = read_counts([whole[: max(240, len(whole) - cut)] + rest])
    assert list(counted.values()) == [SaCounts(5, 6)]
