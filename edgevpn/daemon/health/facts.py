"""What the doctor has found out about a gateway, and what a check of it says. Facts come in, judgements go out."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
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
    """What was found. `outside`: our addresses by which packets to the internet leave. `space` in octets.

    `lost`: what of ours the kernel no longer holds as it shall, a command for each, or an SA.
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
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, in every language. The cure is NOTHING where nothing is wrong."""

    id: str
    level: Level
    message: Text
    cure: Text = NOTHING
