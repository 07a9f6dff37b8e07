"""edgevpn.kernel.nft_events."""

from __future__ import annotations

import pytest

from edgevpn.kernel.events import FirewallRemoved
from edgevpn.kernel.netlink import HEADER, Message, attribute
from edgevpn.kernel.nft_events import DELTABLE, NFPROTO_INET, NFTA_TABLE_NAME, read_event

NAME = attribute(NFTA_TABLE_NAME, b"edgevpn\0")


def told(body: bytes, kind: int = DELTABLE) -> FirewallRemoved | None:
    return read_event(Message(kind, 0, 0, bytes(HEADER.size) + body))


def test_our_table_is_gone() -> None:
    """It may come with other attributes around its name."""
    head = bytes([NFPROTO_INET, 0, 0, 9])
    assert told(head + attribute(2, bytes(4)) + NAME + attribute(4, bytes(8))) == FirewallRemoved()


OTHERS = {
    "another family": (bytes([2, 0, 0, 0]) + NAME, DELTABLE),
    "another table": (bytes([NFPROTO_INET, 0, 0, 0]) + attribute(NFTA_TABLE_NAME, b"edgevpn2\0"), DELTABLE),
    "a new table": (bytes([NFPROTO_INET, 0, 0, 0]) + NAME, 0xA00),
    "no name": (bytes([NFPROTO_INET, 0, 0, 0]), DELTABLE),
    "cut off": (bytes([NFPROTO_INET]), DELTABLE),
}


@pytest.mark.parametrize(("body", "kind"), OTHERS.values(), ids=OTHERS)
def test_what_is_of_no_concern(body: bytes, kind: int) -> None:
    assert told(body, kind) is None
