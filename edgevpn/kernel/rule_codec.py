"""Rules of policy routing as route netlink messages, and those as plain values."""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import Any

from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.layout import Layout, Structured
from edgevpn.kernel.network_spec import RuleSpec
from edgevpn.kernel.spec import Mark

FR_ACT_UNSPEC, FR_ACT_TO_TBL = 0, 1
FIB_RULE_INVERT = 2
RT_TABLE_UNSPEC = 0
MAX_SHORT_TABLE = 255  # the highest number that struct fib_rule_hdr has room for
ANY_PREFIX = 0xFFFF_FFFF  # a suppressed length of -1: none
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
VERSIONS = {int(family): version for version, family in FAMILIES.items()}


class RuleMsg(IntEnum):
    """RTM_*"""

    NEWRULE = 32
    DELRULE = 33
    GETRULE = 34


class fibmsg(Structured, nlmsg):  # noqa: N801 - the framework's spelling
    """NEWRULE, DELRULE, GETRULE; pyroute2's own is a module more to load."""

    # struct fib_rule_hdr {
    #     __u8   family, dst_len, src_len, tos;
    #     __u8   table, res1, res2, action;
    #     __u32  flags;
    # };
    layout = Layout(
        ("family", "B"),
        ("dst_len", "B"),
        ("src_len", "B"),
        ("tos", "B"),
        ("table", "B"),
        ("_", "2x"),
        ("action", "B"),
        ("flags", "I"),
    )
    nla_map = (
        (6, "FRA_PRIORITY", "uint32"),
        (10, "FRA_FWMARK", "uint32"),
        (14, "FRA_SUPPRESS_PREFIXLEN", "uint32"),
        (15, "FRA_TABLE", "uint32"),
        (16, "FRA_FWMASK", "uint32"),
        (21, "FRA_PROTOCOL", "uint8"),
    )


def rule_message(spec: RuleSpec, action: int = FR_ACT_TO_TBL) -> nlmsg:
    """NEWRULE; with FR_ACT_UNSPEC, DELRULE."""
    short = spec.table <= MAX_SHORT_TABLE
    message = fibmsg()
    message.update(
        family=FAMILIES[spec.version],
        table=spec.table if short else RT_TABLE_UNSPEC,
        action=action,
        flags=FIB_RULE_INVERT if spec.unless is not None else 0,
    )
    attributes: list[tuple[str, Any]] = [("FRA_PRIORITY", spec.priority), ("FRA_PROTOCOL", spec.protocol)]
    if not short:
        attributes.append(("FRA_TABLE", spec.table))
    if spec.unless is not None:
        attributes += [("FRA_FWMARK", spec.unless.value), ("FRA_FWMASK", spec.unless.mask)]
    if spec.longer_than is not None:
        attributes.append(("FRA_SUPPRESS_PREFIXLEN", spec.longer_than))
    message["attrs"] = attributes
    return message


def rules_message() -> nlmsg:
    """GETRULE for all rules, of all families."""
    return fibmsg()


def read_rule(message: nlmsg) -> RuleSpec | None:
    """A rule; None for those that do something else than ours: other families, other actions, marks that must be."""
    version = VERSIONS.get(message["family"])
    value, inverted = message.get_attr("FRA_FWMARK"), bool(message["flags"] & FIB_RULE_INVERT)
    if version is None or message["action"] != FR_ACT_TO_TBL or inverted != (value is not None):
        return None
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    return RuleSpec(
        version=version,
        priority=message.get_attr("FRA_PRIORITY") or 0,
        table=message.get_attr("FRA_TABLE") or message["table"],
        unless=None if value is None else Mark(value, message.get_attr("FRA_FWMASK")),
        longer_than=None if suppressed in (None, ANY_PREFIX) else suppressed,
        protocol=message.get_attr("FRA_PROTOCOL") or 0,
    )
