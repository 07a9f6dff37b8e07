"""What a network device can do for ESP: its features, by ethtool netlink, in the calling thread's network namespace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from enum import IntEnum

from edgevpn.kernel import faults
from edgevpn.kernel.faults import reading, telling
from edgevpn.kernel.netlink import (
    HEADER,
    NETLINK_GENERIC,
    NLA_F_NESTED,
    NetlinkSocket,
    Opener,
    Request,
    attribute,
    attributes,
)
from edgevpn.kernel.spec import DeviceFeatures

# <linux/genetlink.h>: struct genlmsghdr { __u8 cmd, version; __u16 reserved; };
GENL_HEADER_SIZE = 4
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2

# <linux/ethtool_netlink.h>
FAMILY = b"ethtool"
ETHTOOL_MSG_FEATURES_GET = 11
ETHTOOL_A_HEADER_DEV_NAME = 2
ETHTOOL_A_BITSET_BITS, ETHTOOL_A_BITSET_BITS_BIT, ETHTOOL_A_BITSET_BIT_NAME, ETHTOOL_A_BITSET_BIT_VALUE = 3, 1, 2, 3

ESP, CHECKSUM = "esp-hw-offload", "esp-tx-csum-hw-offload"


class Features(IntEnum):
    """ETHTOOL_A_FEATURES_*"""

    HEADER = 1
    HW = 2
    ACTIVE = 4


def device_features(interface: str, opened: Opener) -> DeviceFeatures:
    """Read a device's features. NotFound; NotSupported: the kernel was built without ethtool netlink."""
    with telling("open", "ethtool netlink", faults.ETHTOOL):
        sock = NetlinkSocket(NETLINK_GENERIC, opened)
    with closing(sock):
        what = f"the features of {interface}"
        with telling("read", "ethtool netlink", faults.ETHTOOL):
            family = sock.ask(family_request())
        with reading(what):
            number = int.from_bytes(dict(body(family))[CTRL_ATTR_FAMILY_ID], sys.byteorder)
        with telling("read", what, faults.DEVICE):
            answer = sock.ask(features_request(number, interface))
    with reading(what):
        return read_features(answer)


def family_request() -> Request:
    head = bytes((CTRL_CMD_GETFAMILY, 1, 0, 0))
    return Request(GENL_ID_CTRL, head + attribute(CTRL_ATTR_FAMILY_NAME, FAMILY + b"\0"))


def features_request(family: int, interface: str) -> Request:
    head = bytes((ETHTOOL_MSG_FEATURES_GET, 1, 0, 0))
    name = attribute(ETHTOOL_A_HEADER_DEV_NAME, interface.encode() + b"\0")
    return Request(family, head + attribute(Features.HEADER | NLA_F_NESTED, name))


def read_features(answer: bytes) -> DeviceFeatures:
    """What the device could do, and what of it is on. Raises ValueError for an answer without that."""
    values = dict(body(answer))
    if Features.ACTIVE not in values:
        raise ValueError("no features are told")
    active, able = set(names(values[Features.ACTIVE])), set(names(values.get(Features.HW, b"")))
    return DeviceFeatures(esp=ESP in active, checksum=CHECKSUM in active, able=ESP in active | able)


def body(message: bytes) -> Iterator[tuple[int, bytes]]:
    return attributes(message[HEADER.size + GENL_HEADER_SIZE :])


def names(bitset: bytes) -> Iterator[str]:
    """The bits that are set; those of a set with a mask say so by a flag."""
    values = dict(attributes(bitset))
    has_mask = not any(kind == 1 for kind, _ in attributes(bitset))
    for kind, octets in attributes(values.get(ETHTOOL_A_BITSET_BITS, b"")):
        bit = dict(attributes(octets))
        is_set = not has_mask or ETHTOOL_A_BITSET_BIT_VALUE in bit
        if kind == ETHTOOL_A_BITSET_BITS_BIT and is_set:
            yield bit.get(ETHTOOL_A_BITSET_BIT_NAME, b"").rstrip(b"\0").decode(errors="replace")
