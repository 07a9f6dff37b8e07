"""edgevpn.kernel.rule_codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.netlink import request
from edgevpn.kernel.network_spec import RuleSpec
from edgevpn.kernel.rule_codec import FR_ACT_UNSPEC, RuleMsg, fibmsg, read_rule, rule_message, rules_message
from edgevpn.kernel.spec import OURS_MARK, Mark
from tests.support.iproute2 import parts_of_request, sent_by

FIB_RULE_HDR_SIZE = 12
OWN = RuleSpec(version=4, priority=31_192, table=0x6576_0020, unless=OURS_MARK)
MAIN = RuleSpec(version=6, priority=31_256, table=254, longer_than=0)
MARK = "not fwmark 0x65000000/0xff000000 lookup 1702232096 priority 31192 protocol 101"


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        (f"ip rule add {MARK}", RuleMsg.NEWRULE, rule_message(OWN)),
        (f"ip rule delete {MARK}", RuleMsg.DELRULE, rule_message(OWN, FR_ACT_UNSPEC)),
        (
            "ip -6 rule add lookup main suppress_prefixlength 0 priority 31256 protocol 101",
            RuleMsg.NEWRULE,
            rule_message(MAIN),
        ),
    ],
)
def test_as_ip_sends_it(command: str, kind: RuleMsg, message: nlmsg) -> None:
    ours = parts_of_request(request(kind, message), FIB_RULE_HDR_SIZE)
    assert ours == parts_of_request(sent_by(command), FIB_RULE_HDR_SIZE)


def read(message: nlmsg, **header: Any) -> RuleSpec | None:
    """A message as the kernel would send it: ours, with other values in its fixed part."""
    message.update(header)
    said = request(RuleMsg.NEWRULE, message)
    told = fibmsg(said.octets(said.flags, 1))
    told.decode()
    return read_rule(told)


U32 = st.integers(0, 0xFFFF_FFFF)
RULES = st.builds(
    RuleSpec,
    version=st.sampled_from([4, 6]),
    priority=U32,
    table=st.integers(1, 0xFFFF_FFFF),
    unless=st.none() | st.builds(Mark, U32, U32),
    longer_than=st.none() | st.integers(0, 128),
    protocol=st.integers(0, 255),
)


@given(RULES)
def test_there_and_back(spec: RuleSpec) -> None:
    assert read(rule_message(spec)) == spec


OTHERS: dict[str, Callable[[], RuleSpec | None]] = {
    "multicast": lambda: read(rule_message(OWN), family=128),
    "unreachable": lambda: read(rule_message(OWN), action=7),
    "a mark that must be": lambda: read(rule_message(OWN), flags=0),
    "something else that must not be": lambda: read(rule_message(MAIN), flags=2),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_is_no_rule_of_our_kind(other: Callable[[], RuleSpec | None]) -> None:
    assert other() is None


def test_no_suppressed_length_is_minus_one() -> None:
    message = rule_message(OWN)
    message["attrs"].append(("FRA_SUPPRESS_PREFIXLEN", 0xFFFF_FFFF))
    assert read(message) == OWN


def test_all_rules_are_asked_for() -> None:
    assert parts_of_request(request(RuleMsg.GETRULE, rules_message()), FIB_RULE_HDR_SIZE).fixed == bytes(12)
