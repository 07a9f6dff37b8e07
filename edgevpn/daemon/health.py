"""Whether everything is as it must be: one check after the other, each with its cure. Facts come in, judgements go out.

What cannot be known from here, such as whether a router before this one forwards ports, is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Literal

from edgevpn.api.records import Health
from edgevpn.config.values import Address
from edgevpn.kernel.barriers import Barrier
from edgevpn.kernel.contract import Features
from edgevpn.pki.clock import RELEASED

LEAST_SPACE = 1 << 20
"""Octets of free space below which keeping state may fail."""
SOON, VERY_SOON = 21, 7
"""Days that a certificate is still good for; ours are renewed earlier than that."""
CARRIER_NAT = ip_network("100.64.0.0/10")
"""RFC 6598 §7."""
MOST_NAMED = 3
"""Rules that one message names."""

Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Ends:
    """A certificate and when it ends."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Lookup:
    """A public name and where it leads; nowhere if it could not be looked up."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Silent:
    """A tunnel through which packets go one way alone: how many octets came, how many went."""

    name: str
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Firewall:
    """What our own rules lack, who else shuts us out, and why that could not be read, if it could not."""

    lacks: tuple[str, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `outside`: our addresses by which packets to the internet leave. `space` in octets."""

    now: datetime
    features: Features
    carries_traffic: bool
    served: tuple[Address, ...]
    outside: tuple[Address, ...]
    lookups: tuple[Lookup, ...]
    certificates: tuple[Ends, ...]
    faults: tuple[str, ...]
    space: int
    silent: tuple[Silent, ...]
    down: tuple[str, ...]
    firewall: Firewall


def judged(facts: Facts) -> list[Health]:
    """Every check, in the order in which an owner would go through them."""
    return [
        *_kernel(facts),
        *_ports(facts),
        *_firewall(facts.firewall),
        *_outside(facts),
        *_names(facts),
        *_clock(facts),
        *_certificates(facts),
        *_space(facts),
        *_tunnels(facts),
    ]


def _check(id_: str, level: Level, message: str, cure: str = "") -> Health:
    return Health(id=id_, level=level, message=message, cure=cure)


def _kernel(facts: Facts) -> Iterator[Health]:
    if not facts.carries_traffic:
        yield _check(
            "kernel", "bad", "IKE is spoken without a kernel: no traffic flows.", "Start it without --kernel memory."
        )
        return
    versions = {address.version for address in facts.served}
    lacking = [
        module
        for module, is_there in (
            ("esp4", facts.features.esp4 or 4 not in versions),
            ("esp6", facts.features.esp6 or 6 not in versions),
            ("xfrm_interface", facts.features.xfrm_interface),
        )
        if not is_there
    ]
    if lacking:
        yield _check(
            "kernel",
            "bad",
            f"The kernel lacks {', '.join(lacking)}.",
            "Load these modules (OpenWrt: install kmod-ipsec4, kmod-ipsec6 and kmod-xfrm-interface).",
        )
    else:
        yield _check("kernel", "good", "The kernel has ESP and XFRM interfaces.")


def _ports(facts: Facts) -> Iterator[Health]:
    if facts.served:
        yield _check("ports", "good", f"UDP ports are open on {_listed(facts.served)}.")
    else:
        yield _check("ports", "bad", "No address is served.", "Name an address of this machine in gateway.listen.")


def _firewall(found: Firewall) -> Iterator[Health]:
    """In nftables every chain has to let a packet in, so that no rule of ours can make up for somebody else's."""
    if found.unread:
        yield _check("firewall", "warning", f"The firewall could not be read: {found.unread}.")
        return
    for barrier in found.barriers:
        yield _check(
            "firewall",
            "bad",
            f"The firewall keeps {', '.join(barrier.packets)} out: {barrier}.",
            f"Let UDP 500, UDP 4500 and ESP in there, too; {barrier.table} is not ours to change.",
        )
    if found.lacks:
        yield _check(
            "firewall",
            "bad",
            f"Our firewall's rules are not as they shall be: {'; '.join(found.lacks[:MOST_NAMED])}.",
            "`edgevpn reload` puts them right.",
        )
    if not found.barriers and not found.lacks:
        yield _check("firewall", "good", "The firewall lets IKE and ESP in, as far as its rules tell.")


def _outside(facts: Facts) -> Iterator[Health]:
    """Stock clients know only ports 500 and 4500, so a NAT before us must forward just those."""
    if not facts.outside:
        yield _check(
            "wan", "warning", "There is no way to the internet.", "See whether the WAN is up and has a default route."
        )
        return
    public = [each for each in facts.outside if each.is_global]
    shared = [each for each in facts.outside if each.version == 4 and each in CARRIER_NAT]
    if public:
        yield _check("wan", "good", f"The address outside is public: {_listed(tuple(public))}.")
    elif shared:
        yield _check(
            "wan",
            "bad",
            f"The provider shares its address among customers (carrier NAT): ours is {shared[0]}.",
            "Ask the provider for a public IPv4 address, use IPv6, or have a site of ours call out to a peer"
            " that can be reached.",
        )
    else:
        yield _check(
            "wan",
            "warning",
            f"The address outside is private: {_listed(facts.outside)}. Another router is before this one.",
            "Forward UDP 500 and 4500 there to this router (double NAT), or bridge it.",
        )


def _names(facts: Facts) -> Iterator[Health]:
    for lookup in facts.lookups:
        if not lookup.addresses:
            yield _check(
                "name",
                "bad",
                f"{lookup.name} cannot be looked up.",
                "Correct pki.public_name, or the entry at the DNS provider.",
            )
        elif set(lookup.addresses) & {*facts.outside, *facts.served}:
            yield _check("name", "good", f"{lookup.name} leads to this router.")
        elif any(each.is_global for each in facts.outside):
            yield _check(
                "name",
                "bad",
                f"{lookup.name} leads to {_listed(lookup.addresses)}, our address is {_listed(facts.outside)}.",
                "Bring the entry at the DNS provider up to date (dynamic DNS).",
            )
        else:
            yield _check(
                "name",
                "warning",
                f"{lookup.name} leads to {_listed(lookup.addresses)}; whether that is the router before us cannot be"
                " told from here.",
                "Compare it with the address that the router before us has outside.",
            )


def _clock(facts: Facts) -> Iterator[Health]:
    if facts.now < RELEASED:
        yield _check(
            "clock",
            "bad",
            f"The clock says {facts.now:%Y-%m-%d}, which is before this release was made.",
            "Set the clock (NTP); until then certificates cannot be judged by their dates.",
        )
    else:
        yield _check("clock", "good", f"The clock says {facts.now:%Y-%m-%d %H:%M} UTC.")


def _certificates(facts: Facts) -> Iterator[Health]:
    for fault in facts.faults:
        yield _check("certificates", "bad", fault, "Correct [pki] or the file that it names.")
    for each in facts.certificates:
        days = (each.at - facts.now).days
        level: Level = "good" if days >= SOON else "warning" if days >= VERY_SOON else "bad"
        cure = "" if level == "good" else "Renew it: edgevpn does so by itself for its own; bring another of any other."
        left = "has expired" if days < 0 else f"is good for {days} more days"
        yield _check("certificates", level, f"{each.what} {left}.", cure)


def _space(facts: Facts) -> Iterator[Health]:
    if facts.space < LEAST_SPACE:
        yield _check(
            "space",
            "bad",
            f"{facts.space // 1024} KiB are free where state is kept: leases and usage may be lost.",
            "Remove what is not needed from the flash.",
        )
    else:
        yield _check("space", "good", f"{facts.space // (1 << 20)} MiB are free where state is kept.")


def _tunnels(facts: Facts) -> Iterator[Health]:
    for name in facts.down:
        yield _check(
            "tunnel", "warning", f"Site {name} is down.", f"`edgevpn diagnose {name}` says why it did not come up."
        )
    for each in facts.silent:
        if each.sent:
            yield _check(
                "traffic",
                "warning",
                f"{each.name}: {each.sent} octets went into the tunnel and none came out of it.",
                "The peer's firewall drops them, or has no route back; else a cipher's driver loses packets there or"
                " here: try another in esp_proposals.",
            )
        else:
            yield _check(
                "traffic",
                "warning",
                f"{each.name}: {each.received} octets came through the tunnel and none went back.",
                "Let our firewall forward from and to the tunnel's interface, and see whether the LAN's hosts have"
                " this router as their gateway.",
            )


def _listed(addresses: tuple[Address, ...]) -> str:
    return ", ".join(map(str, addresses))
