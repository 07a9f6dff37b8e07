"""What the doctor has found out about a gateway, and what a check of it says. Facts come in, judgements go out."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import Literal

from edgevpn.config.values import Address
from edgevpn.daemon.health.hardware import Hardware
from edgevpn.diagnosis.entry import Text
from edgevpn.frozen import dataclass
from edgevpn.kernel.barriers import Barrier
from edgevpn.kernel.contract import Features

NOTHING = Text("", "")

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


class Suspect(Enum):
    """What keeps packets from going the other way, as far as that can be told from here."""

    DAMAGED = "what comes cannot be decrypted"
    BARE_ESP = "no ESP comes, and it is not in UDP"
    PEER = "the peer, or the hosts behind it"
    FORWARDING = "this machine does not forward"
    FIREWALL = "a chain of a firewall here drops what is forwarded"
    LAN = "hosts behind us do not answer, or do not find back"


@dataclass(frozen=True, slots=True)
class Silent:
    """A tunnel through which packets go one way alone: how many octets came, how many went.

    `setting` is the key that has its ESP go in UDP.
    """

    name: str
    received: int
    sent: int
    suspect: Suspect
    setting: str


@dataclass(frozen=True, slots=True)
class Firewall:
    """What our own rules lack, who else shuts us out, and why that could not be read, if it could not."""

    lacks: tuple[str, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `outside`: our addresses by which packets to the internet leave. `space` in octets.

    `lost`: what of ours the kernel no longer holds as it shall, a command for each, or an SA. `unforwarded`: versions
    of IP that tunnels carry and this machine does not forward.
    """

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
    lost: tuple[str, ...] = ()
    unforwarded: tuple[int, ...] = ()
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, in every language. The cure is NOTHING where nothing is wrong."""

    id: str
    level: Level
    message: Text
    cure: Text = NOTHING
