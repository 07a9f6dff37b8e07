"""Who may come in: `[device.NAME]`, a phone or a laptop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from edgevpn.config import tunnel
from edgevpn.config.credential import NtHash, Ppk, Psk, Secret
from edgevpn.config.errors import Refused
from edgevpn.config.identity import Identity, IdentityKind, Pattern, identity
from edgevpn.config.kinds import FLAG, choice, many, text
from edgevpn.config.pool import BY_CERTIFICATE, Login, TunnelMode
from edgevpn.config.ranges import Address, Network
from edgevpn.config.setting import Default, Effect, derived, optional, setting
from edgevpn.config.tunnel import Unique
from edgevpn.config.values import EXPIRY, HOST_ADDRESS, MEANT, NETWORK, PPK_ID, V4, V6, printable
from edgevpn.frozen import dataclass

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
PROVABLE = re.compile(rf"(?![0-9.]+$)([A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@)?{_HOST}")
"""Names that a certificate can hold as they are: a domain's, an e-mail address."""


class Platform(Enum):
    """What a device is, for the profile that is made for it."""

    WINDOWS = "windows"
    MACOS = "macos"
    IOS = "ios"
    ANDROID = "android"
    LINUX = "linux"
    OTHER = "other"


def _from_pool(key: str) -> Default:
    return lambda given: getattr(given["pools"][given["pool"]], key)


def _only_pool(given: Mapping[str, Any]) -> str:
    return str(next(iter(given["pools"])))


def _named(given: Mapping[str, Any]) -> Identity:
    """The identity that the device's name makes; where a certificate has to prove it, one that a certificate can."""
    name: str = given["name"]
    if given["login"] in BY_CERTIFICATE and not PROVABLE.fullmatch(name):
        return Identity(IdentityKind.FQDN, _host_of(name).encode())
    try:
        return identity(name)
    except Refused:
        return Identity(IdentityKind.KEY_ID, name.encode())


def _host_of(name: str) -> str:
    """A label for a name that is none, always the same: "Anna's phone" is annas-phone-a42ffb."""
    words = "-".join(re.findall(r"[a-z0-9]+", name.lower().replace("'", "").replace("’", "")))[:48].strip("-")
    return f"{words or 'device'}-{sha256(name.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`[device.NAME]`: a phone or a laptop."""

    name: str
    credential: Psk | Secret | NtHash | None  # None where a certificate proves who it is
    ppk: Ppk | None = None
    login: Login = setting(choice(Login), "How the device proves who it is.", "password")
    id: Identity | Pattern = derived(
        MEANT,
        "Who the device says it is: its user name, the identifier beside a pre-shared key, a name in its certificate.",
        "the device's name; for a certificate a domain name that is made of it, unless it is one",
        _named,
    )
    pool: str = derived(
        text("the name of a pool", r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"),
        "The pool that the device comes in by.",
        "the only pool there is",
        _only_pool,
    )
    enabled: bool = setting(FLAG, "Whether the device may connect.", True)
    expires: datetime | None = optional(
        EXPIRY,
        "Until when the device may connect: the end of this day (UTC), or this moment.",
        "for ever",
        effect=Effect.LIVE,
    )
    owner: str | None = optional(printable(64), "Whose device it is.", "nobody's", effect=Effect.LIVE)
    platform: Platform = setting(
        choice(Platform), "What it is, for the profile that is made for it.", "other", effect=Effect.LIVE
    )
    v4: IPv4Address | None = optional(V4, "The IPv4 address that it always gets.", "one that is free")
    v6: IPv6Address | None = optional(V6, "The IPv6 address that it always gets.", "one that is free")
    mode: TunnelMode = derived(
        choice(TunnelMode),
        "Send all its traffic through the tunnel, or only that to networks.",
        "as its pool",
        _from_pool("mode"),
    )
    networks: tuple[Network, ...] = derived(
        many(NETWORK), "The networks that it reaches through the tunnel.", "as its pool", _from_pool("networks")
    )
    dns: tuple[Address, ...] = derived(
        many(HOST_ADDRESS), "DNS servers for it.", "as its pool", _from_pool("dns"), effect=Effect.NEXT
    )
    unique: Unique = derived(
        choice(Unique),
        "A second session of it: keep both, replace the first, or refuse the second.",
        "as its pool",
        _from_pool("unique"),
        effect=Effect.LIVE,
    )
    ppk_id: str = derived(
        PPK_ID,
        "How the device calls its post-quantum pre-shared key.",
        "the device's name",
        lambda given: given["name"],
    )
    ppk_required: bool = tunnel.ppk_required()
