"""Connection tracking: entries are forgotten, so that their packets look for their way anew.

A flow that was there before a tunnel goes around it, as long as a fast path or an address translation remembers it. All
others are routed packet by packet: they are left alone.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from enum import IntEnum
from ipaddress import ip_address
from typing import TypeAlias

from edgevpn.frozen import dataclass
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
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_ID, CTA_ZONE = 1, 2, 3, 12, 18
CTA_TUPLE_IP = 1
CTA_IP_SRC, CTA_IP_DST = (1, 3), (2, 4)  # of IPv4, of IPv6

# enum ip_conntrack_status: SRC_NAT, DST_NAT, OFFLOAD
REMEMBERED = 1 << 4 | 1 << 5 | 1 << 14

Pair: TypeAlias = tuple[IpNetwork, IpNetwork]

# What finds an entry again.
IDENTITY = (CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID)


@dataclass(frozen=True, slots=True)
class Flow:
    """Who began a connection, to whom, and who answers; `remembered`: its packets are not routed one by one."""

    source: IpAddress
    destination: IpAddress
    answering: IpAddress
    remembered: bool

    def is_between(self, ours: IpNetwork, theirs: IpNetwork) -> bool:
        """Whether one end is in one of the networks, the other in the other, as they would be without translation."""
        outward = self.source in ours and self.destination in theirs
        return outward or (self.source in theirs and self.answering in ours)


def forget_connections(pairs: Collection[Pair], opened: Opener) -> int:
    """Forget the connections between networks of ours and of others that would go around a tunnel; returns how many."""
    with telling("open", "connection tracking", faults.CONNECTIONS):
        sock = NetlinkSocket(NETLINK_NETFILTER, opened)
    with closing(sock):
        with telling("list", "connections", faults.CONNECTIONS):
            entries = sock.dump(Request(CtMsg.GET, ANY_FAMILY))
        with reading("connections"):
            chosen = [entry for entry in entries if goes_around(flow_of(entry), pairs)]
        fates = carry_out(sock, [forgetting(entry) for entry in chosen])
    raise_first(fates, besides=(NotFound,))  # gone by themselves meanwhile
    return fates.count(None)


def goes_around(flow: Flow, pairs: Collection[Pair]) -> bool:
    return flow.remembered and any(flow.is_between(*pair) for pair in pairs)


def flow_of(entry: Message) -> Flow:
    """What an entry is about. Raises ValueError where that is not said."""
    known = attributes_of(entry)
    there, back = (tuple_addresses(known.get(kind, b"")) for kind in (CTA_TUPLE_ORIG, CTA_TUPLE_REPLY))
    status = int.from_bytes(known.get(CTA_STATUS, b""), "big")
    return Flow(
        address_in(there, CTA_IP_SRC),
        address_in(there, CTA_IP_DST),
        address_in(back, CTA_IP_SRC),
        bool(status & REMEMBERED),
    )


def tuple_addresses(octets: bytes) -> dict[int, bytes]:
    return dict(attributes(dict(attributes(octets)).get(CTA_TUPLE_IP, b"")))


def address_in(addresses: dict[int, bytes], kinds: tuple[int, int]) -> IpAddress:
    return ip_address(addresses.get(kinds[0]) or addresses.get(kinds[1]) or b"")


def attributes_of(entry: Message) -> dict[int, bytes]:
    return dict(attributes(entry.octets[HEADER.size + NFGENMSG_SIZE :]))


def forgetting(entry: Message) -> Step:
    """The deletion of an entry: what names it, as it was read."""
    family = entry.octets[HEADER.size : HEADER.size + 1]
    known = attributes_of(entry)
    named = b"".join(attribute(kind, known[kind]) for kind in IDENTITY if kind in known)
    request = Request(CtMsg.DELETE, family + bytes(NFGENMSG_SIZE - 1) + named)
    return Step(f"forget a connection to {flow_of(entry).destination}", faults.CONNECTION, lambda: request)
