"""What the kernel holds of IPsec, read by ip(8), which shares no code with the product."""

import re
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.lab.namespace import Namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An SA of `ip -s xfrm state`."""

    source: str
    destination: str
    protocol: str
    spi: int
    reqid: int
    mode: str
    if_id: int
    algorithms: tuple[str, ...]
    encap: str
    """ "espinudp 4500 4500 ...", or "" without UDP encapsulation."""
    offload: str
    """ "dev eth0 dir out mode crypto", or ""."""
    direction: str
    packets: int
    octets: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy of `ip xfrm policy`; those of sockets are left out."""

    source: str
    destination: str
    direction: str
    priority: int
    if_id: int
    template: str
    text: str


def states(namespace: Namespace) -> tuple[State, ...]:
    """All SAs, larval ones (SPIs that are only reserved) left out."""
    blocks = _blocks(namespace.run("ip", "-s", "xfrm", "state"))
    return tuple(_state(block) for block in blocks if _algorithms(block))


def spis(namespace: Namespace) -> frozenset[int]:
    """SPIs of all SAs, larval ones too."""
    return frozenset(int(spi, 16) for spi in re.findall(r"\bspi (0x[0-9a-f]+)", namespace.run("ip", "xfrm", "state")))


def policies(namespace: Namespace) -> tuple[Policy, ...]:
    """All policies but those of sockets."""
    blocks = _blocks(namespace.run("ip", "xfrm", "policy"))
    return tuple(_policy(block) for block in blocks if not re.search(r"^\s+socket (in|out)", block, re.MULTILINE))


# <linux/netlink.h>, <linux/xfrm.h>: a header, and where struct xfrm_user_expire has what names an SA.
NETLINK_XFRM, REQUEST_AND_ACK, XFRM_MSG_EXPIRE = 6, 0x1 | 0x4, 0x18
HEADER, EXPIRE_SIZE, ID_AT, FAMILY_AT = struct.Struct("=IHHII"), 232, 56, 212


def expire(namespace: Namespace, state: State) -> None:
    """Have the kernel say that an SA is near the end of its lifetime, as if it had counted enough packets."""
    destination = ip_address(state.destination)
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    body = bytearray(EXPIRE_SIZE)
    struct.pack_into(">16sIB", body, ID_AT, destination.packed, state.spi, socket.IPPROTO_ESP)
    struct.pack_into("=H", body, FAMILY_AT, family)
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as kernel:
        kernel.send(HEADER.pack(HEADER.size + len(body), XFRM_MSG_EXPIRE, REQUEST_AND_ACK, 1, 0) + body)
        (error,) = struct.unpack_from("=i", kernel.recv(4096), HEADER.size)
    assert error == 0, f"{namespace.name}: {error}"


def errors(namespace: Namespace) -> dict[str, int]:
    """The counters of /proc/net/xfrm_stat that are not zero: why packets were dropped."""
    lines = namespace.call(Path("/proc/thread-self/net/xfrm_stat").read_text).splitlines()
    counters = {name: int(count) for name, count in map(str.split, lines)}
    return {name: count for name, count in counters.items() if count}


def _blocks(text: str) -> list[str]:
    return [block for block in re.split(r"^(?=src )", text, flags=re.MULTILINE) if block.strip()]


def _state(block: str) -> State:
    current = re.search(r"lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)", block)
    return State(
        source=_word("src", block),
        destination=_word("dst", block),
        protocol=_word("proto", block),
        spi=int(_word("spi", block), 16),
        reqid=int(_word("reqid", block)),
        mode=_word("mode", block),
        if_id=int(_word("if_id", block) or "0", 16),
        algorithms=_algorithms(block),
        encap=_rest("encap type", block),
        offload=_rest("crypto offload parameters:", block),
        direction=_word(r"^\s+dir", block),
        octets=int(current[1]) if current else 0,
        packets=int(current[2]) if current else 0,
        text=block,
    )


def _policy(block: str) -> Policy:
    return Policy(
        source=_word("src", block),
        destination=_word("dst", block),
        direction=_word("dir", block),
        priority=int(_word("priority", block) or "0"),
        if_id=int(_word("if_id", block) or "0", 16),
        template=_rest("tmpl", block),
        text=block,
    )


def _algorithms(block: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^\s+(?:enc|auth|auth-trunc|aead) (\S+)", block, re.MULTILINE))


def _word(before: str, block: str) -> str:
    found = re.search(rf"{before} (\S+)", block, re.MULTILINE)
    return found[1].partition("(")[0] if found else ""


def _rest(before: str, block: str) -> str:
    found = re.search(rf"{before} (.*)", block)
    return found[1].strip() if found else ""
