"""From the owner's TOML file to `model.Config`, or to a list of all that is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from edgevpn.config import records
from edgevpn.config.address_plan import check_addresses
from edgevpn.config.errors import ConfigError, Findings, Problem, Refused
from edgevpn.config.migrate import migrate
from edgevpn.config.model import Config, Crypto, Device, Firewall, Gateway, Pki, Pool, Site, Web
from edgevpn.config.nouns import CRYPTO, FIREWALL, GATEWAY, HEAD, PKI, TABLES
from edgevpn.config.records import Reading
from edgevpn.config.rules import check_gateway, check_interfaces
from edgevpn.config.secret import NT_HASH, PASSWORD, PSK, STORE, TOTP_SECRET, Sources, Stored
from edgevpn.config.service_rules import check_devices, check_services
from edgevpn.config.source import LARGEST_FILE, contents, located, toml, unreadable
from edgevpn.config.stored import load_stored, store_of
from edgevpn.config.tables import Table, refuse_unknown, subtable
from edgevpn.frozen import replace

__all__ = ("LARGEST_FILE", "load", "parse")

Named = TypeVar("Named", Pool, Device, Site)
NOTHING: Stored = {}
INLINE = {slot.key for slot in (PSK, PASSWORD, NT_HASH, TOTP_SECRET)}
"""The sources of secrets that stand in the file itself. The hash of the panel's password is none that can be used."""


def load(path: Path, environ: Mapping[str, str] = os.environ, now: datetime | None = None) -> Config:
    """Read and check a file, with the secrets.toml beside it. Raises ConfigError with all its problems.

    What has expired is warned of where it is known what time it is.
    """
    try:
        text, mode = contents(path)
    except FileNotFoundError as error:
        raise ConfigError((unreadable(path, error),)) from error
    config = parse(text, str(path), environ, load_stored(store_of(path)), now)
    return replace(config, warnings=config.warnings + _check_mode(config, path, mode))


def parse(
    document: str,
    filename: str,
    environ: Mapping[str, str] = os.environ,
    stored: Stored = NOTHING,
    now: datetime | None = None,
) -> Config:
    """Read and check the text of a file. Raises ConfigError with all its problems."""
    findings = Findings()
    config = _config(toml(document, filename), findings, Sources(environ, stored), now)
    if findings.errors or config is None:
        raise ConfigError(located(findings.errors, document, filename))
    return replace(config, warnings=located(findings.warnings, document, filename))


def _check_mode(config: Config, path: Path, mode: int) -> tuple[Problem, ...]:
    """Warn of secrets that others can read. Raises ConfigError for a file that others can change."""
    cure = f"chmod 600 {path}"
    if mode & stat.S_IWOTH:
        fault = "can be changed by every user of this machine"
        raise ConfigError((Problem(file=str(path), fault=fault, cure=cure),))
    if mode & stat.S_IROTH and _holds_secrets(config):
        fault = "holds secrets and can be read by every user of this machine"
        return (Problem(file=str(path), fault=fault, cure=cure),)
    return ()


def _holds_secrets(config: Config) -> bool:
    """True if a secret stands in the file itself: then its source is the bare key."""
    found = [
        *(site.credential for site in config.sites),
        *(device.credential for device in config.devices),
        *(site.ppk for site in config.sites),
        *(device.ppk for device in config.devices),
        config.web.totp_secret,
    ]
    return any(secret is not None and secret.source in INLINE for secret in found)


def _config(document: Table, findings: Findings, sources: Sources, now: datetime | None) -> Config | None:
    try:
        migrate(document)
    except Refused as refusal:
        findings.refuse(("version",), refusal.fault, cure=refusal.cure)
        return None
    refuse_unknown(document, (*HEAD.keys, *TABLES), (), findings)
    gateway = records.single(Gateway, GATEWAY, document, findings)
    pki = records.single(Pki, PKI, document, findings)
    crypto = records.single(Crypto, CRYPTO, document, findings)
    firewall = records.single(Firewall, FIREWALL, document, findings)
    # A table that cannot be read is noted; the defaults stand in for it so that the rest can be judged too.
    around = {"gateway": gateway or Gateway(), "crypto": crypto or Crypto()}
    reading = Reading(findings, sources, around)
    web = records.web(document, reading)
    pools = _named("pool", records.pool, document, reading)
    names = subtable(document, "pool", (), Findings()) or {}
    around |= {"pools": {pool.name: pool for pool in pools}, "pool_names": list(names)}
    devices = _named("device", records.device, document, reading)
    sites = _named("site", records.site, document, reading)
    _warn_of_leftovers(document, sources.stored, findings)
    config = Config(
        gateway=gateway or Gateway(),
        sites=sites,
        pools=pools,
        devices=devices,
        pki=pki or Pki(),
        crypto=crypto or Crypto(),
        firewall=firewall or Firewall(),
        web=web or Web(),
    )
    # Rules between tables judge what could be read. The defaults keep each of them, so nothing is held against a table
    # that could not be read but for [gateway]: other keys of sites follow from it.
    if gateway:
        check_gateway(config, findings)
    check_interfaces(config, findings)
    check_devices(config, findings, now)
    check_services(config, findings)
    check_addresses(config, findings)
    return config


def _named(
    noun: str,
    record: Callable[[Table, str, Reading], Named | None],
    document: Table,
    reading: Reading,
) -> tuple[Named, ...]:
    """The records of all tables [NOUN.NAME] that could be read."""
    tables = subtable(document, noun, (), reading.findings) or {}
    found = []
    for name in tables:
        table = subtable(tables, name, (noun,), reading.findings)
        if table is not None and (made := record(table, name, reading)) is not None:
            found.append(made)
    return tuple(found)


def _warn_of_leftovers(document: Table, stored: Stored, findings: Findings) -> None:
    """Secrets of tables that the file does not have: of a device that was removed by hand, or is misspelt now."""
    for path in stored:
        table: object = document
        for part in path:
            table = table.get(part) if isinstance(table, dict) else None
        if table is None and path != ("web",):
            findings.warn(path, f"has secrets in {STORE} and no table here; misspelt, or removed")
