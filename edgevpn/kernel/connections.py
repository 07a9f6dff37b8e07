"""Connection tracking: entries are forgotten, so that their packets look for their way anew.

A flow that was there before a tunnel goes around it, as long as a fast path or an address translation remembers it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from enum import IntEnum
from ipaddress import ip_address

from edgevpn.kernel import faults
from edgevpn.kernel.batch import Step, carry_out, raise_first
from edgevpn.kernel.errors import NotFound
from edgevpn.kernel.faults import reading, telling
from edgevpn.kernel.netlink import (
    HEADER,
    NETLINK_NETFILTER,
    Message,
    NetlinkSocket,
    Opener,
    Request,
    attribute,
    attributes,
)
from edgevpn.kernel.spec import IpAddress, IpNetwork


class CtMsg(IntEnum):
    """IPCTNL_MSG_CT_*, below NFNL_SUBSYS_CTNETLINK."""

    GET = 0x101
    DELETE = 0x102


# struct nfgenmsg { __u8 nfgen_family, version; __be16 res_id; };
NFGENMSG_SIZE = 4
ANY_FAMILY = bytes(NFGENMSG_SIZE)

# enum ctattr_type, ctattr_tuple, ctattr_ip
CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE = 1, 12, 18
CTA_TUPLE_IP = 1
CTA_IP_V4_DST, CTA_IP_V6_DST = 2, 4

# What finds an entry again.
IDENTITY = (CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID)


def forget_connections(destinations: Collection[IpNetwork], opened: Opener) -> int:
    """Forget the connections that were begun to addresses of some networks; returns how many there were."""
    with telling("open", "connection tracking", faults.CONNECTIONS):
        sock = NetlinkSocket(NETLINK_NETFILTER, opened)
    with closing(sock):
        with telling("list", "connections", faults.CONNECTIONS):
            entries = sock.dump(Request(CtMsg.GET, ANY_FAMILY))
        with reading("connections"):
            chosen = [entry for entry in entries if is_among(destination_of(entry), destinations)]
        fates = carry_out(sock, [forgetting(entry) for entry in chosen])
    raise_first([fate for fate in fates if not isinstance(fate, NotFound)])  # gone by themselves meanwhile
    return fates.count(None)


def is_among(address: IpAddress, networks: Collection[IpNetwork]) -> bool:
    return any(address in network for network in networks)


def destination_of(entry: Message) -> IpAddress:
    """Where a connection's first packet went. Raises ValueError where that is not said."""
    original = dict(attributes(attributes_of(entry).get(CTA_TUPLE_ORIG, b"")))
    addresses = dict(attributes(original.get(CTA_TUPLE_IP, b"")))
    return ip_address(addresses.get(CTA_IP_V4_DST) or addresses.get(CTA_IP_V6_DST) or b"")


def attributes_of(entry: Message) -> dict[int, bytes]:
    return dict(attributes(entry.octets[HEADER.size + NFGENMSG_SIZE :]))


def forgetting(entry: Message) -> Step:
    """The deletion of an entry: what names it, as it was read."""
    family = entry.octets[HEADER.size : HEADER.size + 1]
    known = attributes_of(entry)
    named = b"".join(attribute(kind, known[kind]) for kind in IDENTITY if kind in known)
    request = Request(CtMsg.DELETE, family + bytes(NFGENMSG_SIZE - 1) + named)
    return Step(f"forget a connection to {destination_of(entry)}", faults.CONNECTION, lambda: request)
