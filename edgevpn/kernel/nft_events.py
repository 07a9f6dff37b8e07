"""What nf_tables tells by netlink: of all that happens to tables, that ours is gone."""

from __future__ import annotations

from edgevpn.kernel.events import FirewallRemoved
from edgevpn.kernel.netlink import HEADER, Message, attributes
from edgevpn.kernel.nftables import TABLE

# NFNLGRP_NFTABLES; NFT_MSG_DELTABLE below NFNL_SUBSYS_NFTABLES; NFTA_TABLE_NAME; NFPROTO_INET.
NFT_GROUP = 7
DELTABLE = 0xA02
NFTA_TABLE_NAME = 1
NFPROTO_INET = 1

# struct nfgenmsg { __u8 nfgen_family, version; __be16 res_id; };
NFGENMSG_SIZE = 4


def read_event(message: Message) -> FirewallRemoved | None:
    """What a message of `NFT_GROUP` says of our table; None for what does not concern us."""
    if message.type != DELTABLE or len(message.octets) < HEADER.size + NFGENMSG_SIZE:
        return None
    family = message.octets[HEADER.size]
    name = dict(attributes(message.octets[HEADER.size + NFGENMSG_SIZE :])).get(NFTA_TABLE_NAME, b"")
    ours = family == NFPROTO_INET and name.rstrip(b"\0") == TABLE.encode()
    return FirewallRemoved() if ours else None
