"""Configuration files for tests: tables as dicts, so that a test shows only the keys that it is about."""

from __future__ import annotations

from collections.abc import Mapping
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


def toml(gateway: Table | None = None, **sites: Table) -> str:
    """A file with these sites."""
    return tomlkit.dumps({"gateway": gateway or {}, "site": sites})


def config(gateway: Table | None = None, **sites: Table) -> Config:
    """What the file says."""
    return parse(toml(gateway, **sites), "test.toml", {})


def office(**keys: Any) -> Site:
    """The site [site.office] with these keys changed."""
    (site,) = config(office=OFFICE | keys).sites
    return site


def problems(document: str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """All that is wrong with a file; at least one thing has to be."""
    try:
        parse(document, "test.toml", environ or {})
    except ConfigError as error:
        return error.problems
    raise AssertionError("the file is good")


def faults(gateway: Table | None = None, **sites: Table) -> list[str]:
    """The same as lines without file and line number: "site.office.mtu = 1: is too small; allowed: ..."."""
    return [str(problem).partition(": ")[2] for problem in problems(toml(gateway, **sites))]
