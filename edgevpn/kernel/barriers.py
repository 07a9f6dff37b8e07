"""Chains of others that keep IKE and ESP out, or what tunnels carry: no accept of ours overrules a drop of theirs.

A packet is walked through each base chain as the kernel would do it. What a listing does not tell (a match of iptables,
a set of addresses) may go either way; only a chain that surely drops is called a barrier.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.nftables import FAMILY, TABLE, Expression, bodies

FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}
PREROUTING, INPUT, FORWARD = "prerouting", "input", "forward"
MAX_JUMPS = 16
"""NFT_JUMP_STACK_SIZE."""
HARMLESS = frozenset({"counter", "log", "mangle"})
OTHER_STATES = frozenset({"established", "related", "invalid", "untracked"})
"""Of packets that are not the first."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The first packet of somebody: what it is called, its IP version, its protocol and port."""

    name: str
    version: int
    protocol: str
    port: int | None = None


PROBES = tuple(
    Probe(name, version, protocol, port)
    for version in (4, 6)
    for name, protocol, port in (("UDP 500", "udp", 500), ("UDP 4500", "udp", 4500), ("ESP", "esp", None))
)
"""Of who calls."""
CARRIED = tuple(Probe(f"IPv{version}", version, "icmp" if version == 4 else "icmpv6") for version in (4, 6))
"""Out of a tunnel, to hosts behind us."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """A base chain that drops these packets, at this hook, as they come in by the uplink or out of a tunnel."""

    family: str
    table: str
    chain: str
    hook: str
    packets: tuple[str, ...]

    def __str__(self) -> str:
        return f"chain {self.chain} of table {self.family} {self.table}"


class Fate(Enum):
    """What becomes of a packet at a rule or at the end of a chain."""

    ACCEPTED = "accepted"
    DROPPED = "dropped"
    GOES_ON = "goes on"
    RETURNS = "returns"


Fates: TypeAlias = frozenset[Fate]
"""What may become of it, as far as the listing tells."""
ANY = frozenset(Fate)
GOES_ON = frozenset({Fate.GOES_ON})
RETURNS = frozenset({Fate.RETURNS})


def barriers(listing: str, uplinks: Collection[str], tunnels: Collection[str] = ()) -> tuple[Barrier, ...]:
    """What `nft -j list ruleset` says; ValueError if it makes no sense.

    `uplinks` are interfaces to the Internet, `tunnels` those of tunnels.
    """
    listed = json.loads(listing)
    if not isinstance(listed, dict) or not isinstance(listed.get("nftables"), list):
        raise ValueError("not a listing of nft")
    objects = [each for each in listed["nftables"] if isinstance(each, dict)]
    rules: dict[tuple[str, str, str], list[Sequence[Expression]]] = {}
    for rule in bodies(objects, "rule", "chain", "family", "table"):
        place = (rule["family"], rule["table"], rule["chain"])
        rules.setdefault(place, []).append(rule.get("expr", ()))
    calls = tuple((probe, uplink) for uplink in uplinks for probe in PROBES)
    carried = tuple((probe, tunnel) for tunnel in tunnels for probe in CARRIED)
    return tuple(_found(objects, rules, {PREROUTING: calls, INPUT: calls, FORWARD: carried}))


def _found(
    objects: Sequence[Mapping[str, Any]],
    rules: Mapping[tuple[str, str, str], list[Sequence[Expression]]],
    packets: Mapping[str, Sequence[tuple[Probe, str]]],
) -> Iterator[Barrier]:
    for chain in bodies(objects, "chain", "name", "family", "table"):
        family, table = chain["family"], chain["table"]
        is_ours = (family, table) == (FAMILY, TABLE)
        hook = str(chain.get("hook"))
        if is_ours or hook not in packets or chain.get("type") != "filter" or family not in FAMILIES:
            continue
        within = {name: found for (*place, name), found in rules.items() if place == [family, table]}
        closed = [
            probe.name if hook != FORWARD else f"{probe.name} of {interface}"
            for probe, interface in packets[hook]
            if probe.version in FAMILIES[family]
            if _Walk(probe, interface, within).is_dropped(chain["name"], chain.get("policy", "accept"))
        ]
        if closed:
            yield Barrier(family, table, chain["name"], hook, tuple(dict.fromkeys(closed)))


@dataclass(frozen=True, slots=True)
class _Walk:
    """One packet, the interface by which it comes, and the chains of one table by name."""

    probe: Probe
    interface: str
    chains: Mapping[str, list[Sequence[Expression]]]

    def is_dropped(self, chain: str, policy: str) -> bool:
        """Whether nothing else can become of the packet in a base chain."""
        ends = {Fate.GOES_ON, Fate.DROPPED} if policy == "drop" else {Fate.DROPPED}
        return self._chain(chain, MAX_JUMPS) <= ends

    def _chain(self, name: str, jumps: int) -> Fates:
        found: Fates = GOES_ON
        for rule in self.chains.get(name, ()):
            found = (found - GOES_ON) | self._rule(rule, jumps)
            if Fate.GOES_ON not in found:
                break
        return (found - RETURNS) | GOES_ON if Fate.RETURNS in found else found

    def _rule(self, rule: Sequence[Expression], jumps: int) -> Fates:
        """A rule that may match or not may let the packet go on, too."""
        otherwise: Fates = frozenset()
        for expression in rule:
            kind, body = next(iter(expression.items()))
            if kind == "match":
                matches = self._match(body)
                if matches is False:
                    return GOES_ON
                otherwise |= frozenset() if matches else GOES_ON
            elif (fates := self._verdict(kind, body, jumps)) is not None:
                return fates | otherwise
            elif kind not in HARMLESS:
                otherwise = GOES_ON  # limits, matches of iptables
        return GOES_ON

    def _verdict(self, kind: str, body: Any, jumps: int) -> Fates | None:
        match kind:
            case "accept":
                return frozenset({Fate.ACCEPTED})
            case "drop" | "reject":
                return frozenset({Fate.DROPPED})
            case "return":
                return RETURNS
            case "jump":
                return self._chain(body["target"], jumps - 1) if jumps else ANY
            case "goto":  # it does not come back to this chain
                found = self._chain(body["target"], jumps - 1) if jumps else ANY
                return (found - GOES_ON) | RETURNS if Fate.GOES_ON in found else found
            case "vmap":
                return self._mapped(body)
            case "queue":
                return ANY
        return None

    def _mapped(self, body: Mapping[str, Any]) -> Fates:
        """A map of verdicts by the state of connections is in every firewall; others are not read."""
        data = body.get("data")
        pairs = data.get("set", ()) if isinstance(data, dict) else ()
        is_of_states = body.get("key") == {"ct": {"key": "state"}} and bool(pairs)
        return GOES_ON if is_of_states and all(state in OTHER_STATES for state, _ in pairs) else ANY

    def _match(self, body: Mapping[str, Any]) -> bool | None:
        """Whether the packet is meant; None if that cannot be told."""
        known = self._value(body.get("left"))
        if known is None:
            return None
        same = _among(known, body.get("right"))
        return None if same is None else same is (body.get("op") != "!=")

    def _value(self, left: Any) -> str | int | None:
        """What the packet has there; None if that cannot be told."""
        match left:
            case {"meta": {"key": "iifname" | "iif"}}:
                return self.interface
            case {"meta": {"key": "l4proto"}} | {"payload": {"protocol": "ip", "field": "protocol"}}:
                return self.probe.protocol
            case {"payload": {"protocol": "ip6", "field": "nexthdr"}}:
                return self.probe.protocol
            case {"meta": {"key": "nfproto"}}:
                return f"ipv{self.probe.version}"
            case {"ct": {"key": "state"}}:
                return "new"
            case {"payload": {"protocol": "th" | "udp", "field": "dport"}} if self.probe.port is not None:
                return self.probe.port
            case {"payload": {"protocol": "tcp" | "udp" | "sctp" | "icmp" | "icmpv6" | "esp" as other}}:
                return None if other == self.probe.protocol else ""
        return None


def _among(value: str | int, right: Any) -> bool | None:
    """Whether a value is one of what stands on the right; None if that cannot be told."""
    if value == "":
        return False  # another protocol's field
    match right:
        case list():
            return any(_among(value, each) for each in right)
        case {"set": list(inner)}:
            found = [_among(value, each) for each in inner]
            return True if True in found else None if None in found else False
        case {"range": [int(low), int(high)]} if isinstance(value, int):
            return low <= value <= high
        case str(text) if text.startswith("@"):
            return None
        case str(text) if text.endswith("*"):
            return str(value).startswith(text[:-1])
        case str() | int():
            return right == value
    return None
