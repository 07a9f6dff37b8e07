"""edgevpn.kernel.nftables; that nft takes it so is shown in tests/lab/test_firewall.py."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.kernel.nftables import (
    Chain,
    Command,
    Hook,
    NamedSet,
    Present,
    PresentChain,
    Rule,
    Table,
    difference,
    fulfilled,
    read_listing,
    transaction,
)

ACCEPT = {"accept": None}
FROM_LAN = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "@zone_lan"}}
LAN = NamedSet("zone_lan", "ifname", frozenset({"lan", "guests"}))
OWNERS = Chain("owner_forward")
PASS = Rule("from the LAN", (FROM_LAN, ACCEPT))
JUMP = Rule("the owner's", ({"jump": {"target": "owner_forward"}},))
FORWARD = Chain("forward", Hook("filter", "forward", 0), (JUMP, PASS))
TABLE = Table((LAN,), (OWNERS, FORWARD))
THERE = fulfilled(TABLE)


def words(wanted: Table | None, present: Present | None) -> list[str]:
    return [str(command) for command in difference(wanted, present)]


# JSON


def test_transaction() -> None:
    commands = (
        Command("add", "table", {}),
        Command("add", "set", {"name": "zone_lan", "type": "ifname"}),
        Command("delete", "chain", {"name": "old"}),
    )
    assert json.loads(transaction(commands)) == {
        "nftables": [
            {"metainfo": {"json_schema_version": 1}},
            {"add": {"table": {"family": "inet", "name": "edgevpn"}}},
            {"add": {"set": {"family": "inet", "table": "edgevpn", "name": "zone_lan", "type": "ifname"}}},
            {"delete": {"chain": {"family": "inet", "table": "edgevpn", "name": "old"}}},
        ]
    }


def test_rule_is_known_by_what_it_does() -> None:
    """Its comment changes with it, and fits into what nf_tables keeps."""
    assert PASS.comment.startswith("from the LAN [")
    assert PASS.comment == Rule("from the LAN", (dict(FROM_LAN), dict(ACCEPT))).comment
    assert PASS.comment != Rule("from the LAN", (FROM_LAN, {"drop": None})).comment
    assert len(Rule("x" * 200, (ACCEPT,)).comment) == 127


def listing(*objects: dict[str, Any]) -> str:
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *objects]})


def test_listing() -> None:
    """As nft prints it, with what others put in."""
    text = listing(
        {"table": {"family": "inet", "name": "edgevpn", "handle": 1}},
        {"set": {"name": "zone_lan", "type": "ifname", "handle": 1, "elem": ["lan", "guests"]}},
        {"set": {"name": "empty", "type": "ifname", "handle": 2}},
        {
            "set": {
                "name": "owner_set",
                "type": "ipv4_addr",
                "elem": [{"elem": {"val": "10.0.0.1", "timeout": 60}}, {"prefix": {"addr": "10.1.0.0", "len": 24}}],
            }
        },
        {"chain": {"name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"name": "owner_forward", "handle": 4}},
        {"rule": {"chain": "forward", "handle": 5, "comment": PASS.comment, "expr": [FROM_LAN, ACCEPT]}},
        {"rule": {"chain": "forward", "handle": 6, "expr": [{"jump": {"target": "owner_forward"}}]}},
        {"rule": {"chain": "owner_forward", "handle": 7, "expr": [{"vmap": {"key": "x", "data": "@verdicts"}}]}},
    )
    assert read_listing(text) == Present(
        {
            "forward": PresentChain(
                Hook("filter", "forward", 0, "drop"), (PASS.comment, ""), frozenset({"zone_lan", "owner_forward"})
            ),
            "owner_forward": PresentChain(None, ("",), frozenset({"verdicts"})),
        },
        {
            "zone_lan": frozenset({"lan", "guests"}),
            "empty": frozenset(),
            "owner_set": frozenset({"10.0.0.1", '{"prefix": {"addr": "10.1.0.0", "len": 24}}'}),
        },
    )


def test_listing_with_more() -> None:
    assert read_listing(listing({"map": {"name": "owner_map"}})) == Present({}, {}, more=True)


NO_LISTING = {
    "nothing": "",
    "text": "table inet edgevpn {}",
    "a list": "[]",
    "another object": '{"tables": []}',
    "no list": '{"nftables": 7}',
    "a chain without name": listing({"chain": {}}),
    "a chain that is a text": listing({"chain": "forward"}),
    "a rule without chain": listing({"rule": {"expr": []}}),
    "a set of no name": listing({"set": {"name": 7}}),
}


@pytest.mark.parametrize("text", NO_LISTING.values(), ids=NO_LISTING)
def test_no_listing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_listing(text)


# The difference


def test_from_nothing() -> None:
    """What is referred to comes first."""
    assert words(TABLE, None) == [
        "add table",
        "add set zone_lan",
        "add element zone_lan: guests, lan",
        "add chain owner_forward",
        "add chain forward",
        f"add rule forward: {JUMP.comment}",
        f"add rule forward: {PASS.comment}",
    ]


def test_all_is_well() -> None:
    assert words(TABLE, THERE) == []


def test_to_nothing() -> None:
    assert words(None, THERE) == ["delete table"]
    assert words(None, None) == []


def with_chain(name: str, chain: PresentChain) -> Present:
    return replace(THERE, chains={**THERE.chains, name: chain})


FORWARD_THERE = THERE.chains["forward"]
REFILLED = [f"add rule forward: {JUMP.comment}", f"add rule forward: {PASS.comment}"]

WRONG: dict[str, tuple[Present, list[str]]] = {
    "a rule is missing": (
        with_chain("forward", replace(FORWARD_THERE, comments=(JUMP.comment,))),
        ["flush chain forward", *REFILLED],
    ),
    "a rule is too many": (
        with_chain("forward", replace(FORWARD_THERE, comments=("", JUMP.comment, PASS.comment))),
        ["flush chain forward", *REFILLED],
    ),
    "the order is wrong": (
        with_chain("forward", replace(FORWARD_THERE, comments=(PASS.comment, JUMP.comment))),
        ["flush chain forward", *REFILLED],
    ),
    "another policy": (
        with_chain("forward", replace(FORWARD_THERE, hook=Hook("filter", "forward", 0, "drop"))),
        ["flush chain forward", "delete chain forward", "add chain forward", *REFILLED],
    ),
    "a chain is too many": (
        with_chain("old", PresentChain(None, ("x",))),
        ["flush chain old", "delete chain old"],
    ),
    "a chain is missing": (
        replace(THERE, chains={"owner_forward": PresentChain(None)}),
        ["add chain forward", *REFILLED],
    ),
    "a set is too many": (
        replace(THERE, sets={**THERE.sets, "zone_old": frozenset({"old"})}),
        ["delete set zone_old"],
    ),
    "elements differ": (
        replace(THERE, sets={"zone_lan": frozenset({"lan", "old"})}),
        ["delete element zone_lan: old", "add element zone_lan: guests"],
    ),
    "the owner has rules and sets": (
        Present({**THERE.chains, "owner_forward": PresentChain(None, ("",))}, {**THERE.sets, "owner_set": frozenset()}),
        [],
    ),
    "the owner's chain is missing": (
        replace(THERE, chains={"forward": FORWARD_THERE}),
        ["add chain owner_forward"],
    ),
}


@pytest.mark.parametrize(("present", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_changed(present: Present, expected: list[str]) -> None:
    assert words(TABLE, present) == expected


OWNER_USES_LAN = with_chain("owner_forward", PresentChain(None, ("",), frozenset({"zone_lan"})))


def test_set_that_the_owner_uses() -> None:
    """It cannot be deleted, so it is emptied."""
    assert words(replace(TABLE, sets=(), chains=(OWNERS,)), OWNER_USES_LAN) == [
        "flush chain forward",
        "delete chain forward",
        "flush set zone_lan",
    ]


KEPT = {
    "rules": OWNER_USES_LAN,
    "a set": replace(THERE, sets={**THERE.sets, "owner_set": frozenset()}),
    "a map": replace(THERE, more=True),
}


@pytest.mark.parametrize("present", KEPT.values(), ids=KEPT)
def test_table_stays_for_its_owner(present: Present) -> None:
    assert words(None, present)[:2] == ["flush chain forward", "delete chain forward"]
    assert "delete table" not in words(None, present)


# Any table to any other

NAMES = st.sampled_from(["a", "b", "c"])
RULES = st.sampled_from([PASS, JUMP, Rule("drop", ({"drop": None},))])
HOOKS = st.none() | st.sampled_from([Hook("filter", "input", 0), Hook("filter", "forward", 0)])
CHAINS = st.builds(Chain, NAMES, HOOKS, st.lists(RULES, max_size=3).map(tuple))
SETS = st.builds(NamedSet, NAMES, st.just("ifname"), st.frozensets(NAMES))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    sets = draw(st.lists(SETS, unique_by=lambda each: each.name))
    return Table(tuple(sets), (OWNERS, *draw(st.lists(CHAINS, unique_by=lambda each: each.name))))


class Ruleset:
    """What nft does with commands, strictly: what is not there cannot be changed, what is used cannot be deleted."""

    def __init__(self, present: Present | None) -> None:
        self.present = present

    def carry_out(self, command: Command) -> None:
        if (command.verb, command.kind) == ("add", "table"):
            assert self.present is None
            self.present = Present({}, {})
            return
        assert self.present is not None
        chains, sets, body = dict(self.present.chains), dict(self.present.sets), command.body
        match command.verb, command.kind:
            case "add", "chain":
                assert body["name"] not in chains
                hook = Hook(body["type"], body["hook"], body["prio"], body["policy"]) if "hook" in body else None
                chains[body["name"]] = PresentChain(hook)
            case "flush", "chain":
                chains[body["name"]] = PresentChain(chains[body["name"]].hook)
            case "delete", "chain":
                assert not chains.pop(body["name"]).comments
            case "add", "rule":
                there = chains[body["chain"]]
                chains[body["chain"]] = replace(there, comments=(*there.comments, body["comment"]))
            case "add", "set":
                assert sets.setdefault(body["name"], frozenset()) == frozenset()
            case "delete", "set":
                del sets[body["name"]]
            case verb, "element":
                there_now = sets[body["name"]]
                elements = frozenset(body["elem"])
                assert (elements <= there_now) if verb == "delete" else not (elements & there_now)
                sets[body["name"]] = there_now - elements if verb == "delete" else there_now | elements
        self.present = replace(self.present, chains=chains, sets=sets)


def without_references(present: Present) -> Present:
    chains = {name: replace(chain, references=frozenset()) for name, chain in present.chains.items()}
    return replace(present, chains=chains)


@settings(max_examples=60)
@given(st.none() | tables(), tables())
def test_one_transaction_is_enough(before: Table | None, after: Table) -> None:
    ruleset = Ruleset(None if before is None else without_references(fulfilled(before)))
    for command in difference(after, ruleset.present):
        ruleset.carry_out(command)
    assert ruleset.present == without_references(fulfilled(after))
    assert difference(after, ruleset.present) == ()
