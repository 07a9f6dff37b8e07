"""A gateway that devices come to, as a configuration."""

from __future__ import annotations

from typing import Any

import tomlkit

from edgevpn.config.model import Config
from edgevpn.config.reader import parse

Table = dict[str, Any]

PASSWORD = "correct horse battery staple"
PSK = "a long and random text, as all should be"

POOL: Table = {"v4": "10.9.0.0/24", "v6": "fd09::/64"}
PHONE: Table = {"password": PASSWORD}
TABLET: Table = {"login": "psk", "psk": PSK}
LAPTOP: Table = {"login": "certificate", "id": "laptop@example.org"}


def gateway(devices: dict[str, Table] | None = None, pool: Table | None = None, **tables: Table) -> Config:
    """A gateway called vpn.example.org with the pool "road", and keys that are quickly made."""
    pki = {"public_name": "vpn.example.org", "key_type": "ecdsa256"}
    tables = {"gateway": {"listen": "127.0.0.1"}, "pki": pki} | tables
    known = {"phone": PHONE, "tablet": TABLET, "laptop": LAPTOP} if devices is None else devices
    road = {key: value for key, value in (POOL | (pool or {})).items() if value is not None}
    document = tables | {"pool": {"road": road}, "device": known}
    return parse(tomlkit.dumps(document), "test.toml", {})
