"""What the kernel holds of IPsec, read by ip(8), which shares no code with the product."""

import re
from dataclasses import dataclass
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
