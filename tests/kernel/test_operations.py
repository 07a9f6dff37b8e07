"""edgevpn.kernel.operations."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from edgevpn.kernel.network_spec import LinkSpec, LinkState, RouteSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from tests.support.kernel import IF_ID, OUT, POLICY

LINK = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)

WORDS: dict[str, Operation] = {
    "add SA c0ffee01 to 198.51.100.2": Add(OUT),
    "update policy out 10.1.0.0/24 -> 10.2.0.0/16": Update(POLICY),
    "delete SA c0ffee01 to 198.51.100.2": Delete(OUT.key),
    "add interface evpn-a": Add(LinkSpec("evpn-a", IF_ID)),
    "delete interface evpn-a": Delete(LINK),
    "set MTU 1300 on interface evpn-a": SetMtu(LINK, 1300),
    "set up interface evpn-a": SetUp(LINK),
    "update route to 10.0.0.0/8 by evpn-a": Update(RouteSpec(destination=ip_network("10.0.0.0/8"), interface="evpn-a")),
}


@pytest.mark.parametrize(("words", "operation"), WORDS.items(), ids=WORDS)
def test_words(words: str, operation: Operation) -> None:
    """What would be done can be shown; no key is."""
    assert str(operation) == words
