"""What the owner can set: one frozen record per noun of the file, every key documented beside its definition.

Times are whole seconds, sizes octets. `reader` builds these records; the rules between keys are in `rules` and
`address_plan`.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from edgevpn.config.credential import Psk, PskKeys
from edgevpn.config.device import Device
from edgevpn.config.errors import Problem
from edgevpn.config.identity import Identity
from edgevpn.config.kinds import HOUR, MINUTE, choice, duration, integer, many, text
from edgevpn.config.pool import Pool
from edgevpn.config.services import Crypto, Firewall, Pki, Web
from edgevpn.config.setting import Effect, optional, setting
from edgevpn.config.site import Action, Auth, Child, Childless, Site, Start
from edgevpn.config.tunnel import INTERFACE_LENGTH, Unique
from edgevpn.config.values import ADDRESS, IDENTITY, Address
from edgevpn.frozen import dataclass

__all__ = (
    "INTERFACE_LENGTH",
    "VERSION",
    "Action",
    "Auth",
    "Child",
    "Childless",
    "Config",
    "Crypto",
    "Device",
    "Firewall",
    "Gateway",
    "Head",
    "LogFormat",
    "LogLevel",
    "Pki",
    "Pool",
    "Psk",
    "PskKeys",
    "Site",
    "Start",
    "Unique",
    "Web",
)

VERSION = 1
"""Of the form of the file, as its key `version` says; a file without it is of version 1."""


class LogLevel(Enum):
    """From what weight on a line is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above all tables."""

    version: int = setting(
        integer(1, VERSION), "The version of the form of this file; an older one is brought up to date.", 1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """`[gateway]`: this machine as a whole."""

    listen: tuple[Address, ...] = setting(
        many(ADDRESS),
        "Addresses whose UDP ports 500 and 4500 are served.",
        ["0.0.0.0", "::"],  # noqa: S104 - a gateway is there to be reached
    )
    id: Identity | None = optional(
        IDENTITY,
        "Who we are, for every site that sets no local_id.",
        "the local address of each tunnel",
        effect=Effect.LIVE,
    )
    log_level: LogLevel = setting(choice(LogLevel), "From what weight on a line is logged.", "info", effect=Effect.LIVE)
    log_format: LogFormat = setting(
        choice(LogFormat), "Lines for people, or a JSON object a line for programs.", "text", effect=Effect.LIVE
    )
    control_group: str | None = optional(
        text("the name of a group", r"[a-z_][a-z0-9_-]{0,31}\$?"),
        "Members of this group may use the control socket.",
        "only root and the user that the daemon runs as",
        effect=Effect.RESTART,
    )
    nat_keepalive: int = setting(
        duration(1, HOUR, or_off=True),
        "How often a NAT in the way is reminded of an idle tunnel.",
        "20s",
        effect=Effect.RESTART,
    )
    retransmit_time: int = setting(
        duration(1, MINUTE),
        "After what time a question to a peer is asked again; each time it takes 1.8 times as long.",
        "2s",
        effect=Effect.RESTART,
    )
    retransmit_tries: int = setting(
        integer(1, 20),
        "How often it is asked again before the peer is taken for dead. With 2s and 5 tries that is after a minute.",
        5,
        effect=Effect.RESTART,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `warnings` are worth a line in the log and change nothing."""

    gateway: Gateway
    sites: tuple[Site, ...]
    pools: tuple[Pool, ...] = ()
    devices: tuple[Device, ...] = ()
    pki: Pki = Pki()
    crypto: Crypto = Crypto()
    firewall: Firewall = Firewall()
    web: Web = Web()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
