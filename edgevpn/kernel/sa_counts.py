"""What SAs have counted, read straight from their messages: for whoever looks at a thousand of them at once.

Reading an SA with all that it has takes twenty times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET

from edgevpn.kernel.netlink import ATTRIBUTE, HEADER
from edgevpn.kernel.spec import OURS_IF_ID, OURS_REQID, IpAddress, Mark, Protocol, SaCounts, SaKey

# struct xfrm_usersa_info {
#     struct xfrm_selector     sel;     56 octets
#     struct xfrm_id           id;      xfrm_address_t daddr; __be32 spi; __u8 proto; 3 octets of padding
#     xfrm_address_t           saddr;
#     struct xfrm_lifetime_cfg lft;     64 octets
#     struct xfrm_lifetime_cur curlft;  __u64 bytes, packets, add_time, use_time;
#     struct xfrm_stats        stats;   __u32 replay_window, replay, integrity_failed;
#     __u32                    seq, reqid;
#     __u16                    family;
#     __u8                     mode, replay_window, flags;
# };
INFO = struct.Struct("=56x16s4sB3x16x64xQQ16x8xI4xIH3x7x")
# struct xfrm_mark { __u32 v, m; };
MARK = struct.Struct("=II")
LASTUSED, IF_ID = struct.Struct("=Q"), struct.Struct("=I")
XFRMA_LASTUSED, XFRMA_MARK, XFRMA_IF_ID = 15, 21, 31
WANTED = frozenset({XFRMA_LASTUSED, XFRMA_MARK, XFRMA_IF_ID})


def read_counts(messages: Iterable[bytes]) -> dict[SaKey, SaCounts]:
    """The counters of our SAs, by key; SPIs that are only allocated count nothing. Raises struct.error."""
    counted: dict[SaKey, SaCounts] = {}
    for octets in messages:
        daddr, spi, proto, total, packets, forged, reqid, family = INFO.unpack_from(octets, HEADER.size)
        wanted = _attributes(octets, HEADER.size + INFO.size)
        if_id = IF_ID.unpack(wanted[XFRMA_IF_ID])[0] if XFRMA_IF_ID in wanted else 0
        if reqid not in OURS_REQID and if_id not in OURS_IF_ID:
            continue
        mark = Mark(*MARK.unpack(wanted[XFRMA_MARK])) if XFRMA_MARK in wanted else None
        used = LASTUSED.unpack(wanted[XFRMA_LASTUSED])[0] if XFRMA_LASTUSED in wanted else None
        key = SaKey(_address(daddr, family), int.from_bytes(spi, "big"), Protocol(proto), mark)
        counted[key] = SaCounts(total, packets, used, forged)
    return counted


def _attributes(octets: bytes, offset: int) -> dict[int, bytes]:
    """Those of the attributes from there on that we want; one that does not fit is the last."""
    found: dict[int, bytes] = {}
    while offset + ATTRIBUTE.size <= len(octets):
        length, kind = ATTRIBUTE.unpack_from(octets, offset)
        if length < ATTRIBUTE.size or offset + length > len(octets):
            break
        if kind in WANTED:
            found[kind] = octets[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


@lru_cache(maxsize=4096)
def _address(octets: bytes, family: int) -> IpAddress:
    return IPv4Address(octets[:4]) if family == AF_INET else IPv6Address(octets)
