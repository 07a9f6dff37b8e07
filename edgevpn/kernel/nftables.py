"""One nft table as data: what it shall hold, what it holds, and the commands between the two, in nft's JSON.

Each rule of ours carries a digest of itself in its comment, because a rule that nft lists is never spelled as it was
added. Chains and sets whose names begin with "owner" belong to the machine's owner: they are made if they are missing
and never emptied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from edgevpn.frozen import dataclass

Expression: TypeAlias = Mapping[str, Any]

FAMILY, TABLE = "inet", "edgevpn"
OWNERS = "owner"
SCHEMA = {"metainfo": {"json_schema_version": 1}}

# NFT_USERDATA_MAXLEN leaves 128 octets for a comment, with its final zero.
MAX_COMMENT = 127
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to packets, and why in a few words."""

    reason: str
    expressions: tuple[Expression, ...]

    @property
    def comment(self) -> str:
        """What the rule is known by; two rules with the same comment do the same."""
        spelled = json.dumps(self.expressions, sort_keys=True).encode()
        digest = hashlib.sha256(spelled).hexdigest()[:DIGEST_LENGTH]
        return f"{self.reason[: MAX_COMMENT - DIGEST_LENGTH - 3]} [{digest}]"


@dataclass(frozen=True, slots=True)
class Hook:
    """Where in a packet's way a base chain stands, and what becomes of packets that pass it."""

    type: str
    hook: str
    priority: int
    policy: str = "accept"


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order. Without `hook` it is only jumped to."""

    name: str
    hook: Hook | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedSet:
    """Things of one type ("ifname", "ipv4_addr") to look up."""

    name: str
    type: str
    elements: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Table:
    """What the table shall hold. A chain stands behind those that it jumps to."""

    sets: tuple[NamedSet, ...] = ()
    chains: tuple[Chain, ...] = ()


@dataclass(frozen=True, slots=True)
class PresentChain:
    """A chain as it is there: the comments of its rules, and the sets and chains that they refer to."""

    hook: Hook | None
    comments: tuple[str, ...] = ()
    references: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Present:
    """What the table holds: chains, and sets with their elements, by name; and whether there is more than that."""

    chains: Mapping[str, PresentChain]
    sets: Mapping[str, frozenset[str]]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One step of a transaction, as nft's JSON has it."""

    verb: str
    kind: str
    body: Mapping[str, Any]

    def __str__(self) -> str:
        place = self.body.get("chain") or self.body.get("name") or ""
        what = self.body.get("comment") or ", ".join(self.body.get("elem", ()))
        return " ".join(filter(None, (self.verb, self.kind, place))) + (f": {what}" if what else "")

    def as_json(self) -> dict[str, Any]:
        """The object that nft reads."""
        named = {"name": TABLE} if self.kind == "table" else {"table": TABLE}
        return {self.verb: {self.kind: {"family": FAMILY, **named, **self.body}}}


def transaction(commands: Iterable[Command]) -> str:
    """What `nft -j -f -` reads: all of it is done, or nothing."""
    return json.dumps({"nftables": [SCHEMA, *(command.as_json() for command in commands)]})


# What is there -------------------------------------------------------------------------------------------------------


def read_listing(text: str) -> Present:
    """The output of `nft -j list table`. Raises ValueError for what is not."""
    listed = json.loads(text)
    if not isinstance(listed, dict) or not isinstance(listed.get("nftables"), list):
        raise ValueError("not a listing of nft")
    objects = [each for each in listed["nftables"] if isinstance(each, dict)]
    chains = {body["name"]: PresentChain(read_hook(body)) for body in bodies(objects, "chain")}
    rules: dict[str, list[Mapping[str, Any]]] = {name: [] for name in chains}
    for body in bodies(objects, "rule", "chain"):
        rules.setdefault(body["chain"], []).append(body)
    return Present(
        {name: with_rules(chain, rules[name]) for name, chain in chains.items()},
        {body["name"]: frozenset(read_elements(body)) for body in bodies(objects, "set")},
        more=any(each.keys() - {"metainfo", "table", "chain", "rule", "set"} for each in objects),
    )


def bodies(objects: Iterable[Mapping[str, Any]], kind: str, *needed: str) -> Iterator[Mapping[str, Any]]:
    for each in objects:
        body = each.get(kind)
        if body is not None:
            if not isinstance(body, dict) or not all(isinstance(body.get(key), str) for key in needed or ("name",)):
                raise ValueError(f"a {kind} without {needed}")
            yield body


def read_hook(chain: Mapping[str, Any]) -> Hook | None:
    if "hook" not in chain:
        return None
    return Hook(str(chain.get("type")), str(chain["hook"]), chain.get("prio", 0), str(chain.get("policy", "accept")))


def with_rules(chain: PresentChain, rules: list[Mapping[str, Any]]) -> PresentChain:
    comments = tuple(str(rule.get("comment", "")) for rule in rules)
    return PresentChain(chain.hook, comments, frozenset(references(rule.get("expr") for rule in rules)))


def references(value: Any) -> Iterator[str]:
    """The names of sets ("@name") and of chains that are jumped to, anywhere in a value."""
    if isinstance(value, str) and value.startswith("@"):
        yield value[1:]
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "target" and isinstance(inner, str):
                yield inner
            yield from references(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for inner in value:
            yield from references(inner)


def read_elements(body: Mapping[str, Any]) -> Iterator[str]:
    """The elements of a set; one with a comment or a counter is wrapped."""
    for element in body.get("elem", ()):
        inner = element.get("elem", {}).get("val") if isinstance(element, dict) else element
        yield inner if isinstance(inner, str) else json.dumps(element, sort_keys=True)


def fulfilled(table: Table) -> Present:
    """What is there once all is as wanted."""
    chains = {
        chain.name: PresentChain(
            chain.hook, comments_of(chain), frozenset(references(rule.expressions for rule in chain.rules))
        )
        for chain in table.chains
    }
    return Present(chains, {each.name: each.elements for each in table.sets})


# From there to what shall be -----------------------------------------------------------------------------------------


def difference(wanted: Table | None, present: Present | None) -> tuple[Command, ...]:
    """The commands; none if all is as wanted. Without `wanted` nothing of ours shall be there, nor the table."""
    if wanted is None:
        return () if present is None else removal(present)
    there = present or Present({}, {})
    creation = [Command("add", "table", {})] if present is None else []
    return (*creation, *clearance(wanted, there), *furnishing(wanted, there))


def removal(present: Present) -> tuple[Command, ...]:
    """All of ours goes: the whole table, unless the owner has something in it."""
    kept = [name for name, chain in present.chains.items() if is_owners(name) and chain.comments]
    if not kept and not present.more and not any(is_owners(name) for name in present.sets):
        return (Command("delete", "table", {}),)
    return tuple(clearance(Table(), present))


def clearance(wanted: Table, present: Present) -> Iterator[Command]:
    """Empty the chains that are not as they shall be; delete those, and the sets, that shall not be at all."""
    chains = {chain.name: chain for chain in wanted.chains}
    old = [name for name in present.chains if not is_owners(name) and not stays(chains.get(name), present.chains[name])]
    changed = [
        name for name in present.chains if name not in old and is_changed(chains.get(name), present.chains[name])
    ]
    for name in (*old, *changed):
        yield Command("flush", "chain", {"name": name})
    for name in old:
        yield Command("delete", "chain", {"name": name})
    used = {name for chain in present.chains if is_owners(chain) for name in present.chains[chain].references}
    for name in sorted(present.sets.keys() - {each.name for each in wanted.sets}):
        if not is_owners(name):  # the owner's rules keep a set alive, but not what was in it
            yield Command("flush" if name in used else "delete", "set", {"name": name})


def stays(wanted: Chain | None, present: PresentChain) -> bool:
    return wanted is not None and wanted.hook == present.hook


def is_changed(wanted: Chain | None, present: PresentChain) -> bool:
    return wanted is not None and not is_owners(wanted.name) and comments_of(wanted) != present.comments


def comments_of(chain: Chain) -> tuple[str, ...]:
    return tuple(rule.comment for rule in chain.rules)


def is_owners(name: str) -> bool:
    return name.startswith(OWNERS)


def furnishing(wanted: Table, present: Present) -> Iterator[Command]:
    """Add the sets and chains that are missing, and what is to be in them."""
    for each in wanted.sets:
        yield from set_commands(each, present.sets.get(each.name))
    for chain in wanted.chains:
        there = present.chains.get(chain.name)
        if is_owners(chain.name) and there is not None:
            continue
        if there is None or not stays(chain, there):
            yield Command("add", "chain", {"name": chain.name, **hook_values(chain.hook)})
        elif not is_changed(chain, there):
            continue
        for rule in chain.rules:
            body = {"chain": chain.name, "comment": rule.comment, "expr": list(rule.expressions)}
            yield Command("add", "rule", body)


def set_commands(wanted: NamedSet, present: frozenset[str] | None) -> Iterator[Command]:
    if present is None:
        yield Command("add", "set", {"name": wanted.name, "type": wanted.type})
    there = present or frozenset()
    for verb, elements in (("delete", there - wanted.elements), ("add", wanted.elements - there)):
        if elements:
            yield Command(verb, "element", {"name": wanted.name, "elem": sorted(elements)})


def hook_values(hook: Hook | None) -> dict[str, Any]:
    if hook is None:
        return {}
    return {"type": hook.type, "hook": hook.hook, "prio": hook.priority, "policy": hook.policy}
