"""Configuration files for tests: tables as dicts, so that a test shows only the keys that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import tomlkit

from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.model import Config, Site
from edgevpn.config.reader import parse

Table = dict[str, Any]

OFFICE: Table = {
    "remote": "office.example.org",
    "psk": "a long and random text, as all should be",
    "local_networks": "10.1.0.0/24",
    "remote_networks": "10.2.0.0/24",
}
BRANCH: Table = OFFICE | {"remote": "branch.example.org", "remote_networks": "10.3.0.0/24"}
STAFF: Table = {"v4": "10.9.0.0/24", "v6": "fd09::/64"}
PHONE: Table = {"password": "correct horse battery staple"}
PUBLIC: Table = {"public_name": "vpn.example.org"}


def toml(gateway: Table | None = None, **sites: Table) -> str:
    """A file with these sites."""
    return document(gateway=gateway or {}, site=sites)


def document(**nouns: Any) -> str:
    """A file with these tables."""
    return tomlkit.dumps(nouns)


def staff(pool: Table | None = None, devices: Mapping[str, Table] | None = None, **nouns: Any) -> str:
    """A file with one pool and these devices, by default one, in front of other tables."""
    devices = {"phone": PHONE} if devices is None else devices
    return document(**{"pki": PUBLIC, "pool": {"staff": STAFF | (pool or {})}, "device": devices} | nouns)


def read(text: str, now: datetime | None = None, **environ: str) -> Config:
    """What such a file says."""
    return parse(text, "test.toml", environ, now=now)


def config(gateway: Table | None = None, **sites: Table) -> Config:
    """What the file says."""
    return parse(toml(gateway, **sites), "test.toml", {})


def office(**keys: Any) -> Site:
    """The site [site.office] with these keys changed."""
    (site,) = config(office=OFFICE | keys).sites
    return site


def problems(text: str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """All that is wrong with a file; at least one thing has to be."""
    try:
        parse(text, "test.toml", environ or {})
    except ConfigError as error:
        return error.problems
    raise AssertionError("the file is good")


def faults(gateway: Table | None = None, **sites: Table) -> list[str]:
    """The same as lines without file and line number: "site.office.mtu = 1: is too small; allowed: ..."."""
    return faults_of(toml(gateway, **sites))


def faults_of(text: str) -> list[str]:
    """The faults of any file, in the same form."""
    return [bare(problem) for problem in problems(text)]


def warnings_of(text: str, now: datetime | None = None) -> list[str]:
    """The warnings about a good file, in the same form."""
    return [bare(problem) for problem in read(text, now).warnings]


def bare(problem: Problem) -> str:
    """A problem without its file and line."""
    return str(problem).partition(": ")[2]
