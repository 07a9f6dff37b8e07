"""From the owner's TOML file to `model.Config`, or to a list of all that is wrong with it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomli

from edgevpn.config import errors
from edgevpn.config.errors import MASKED, ConfigError, Findings, Problem, Refused, RefusedItems, shown
from edgevpn.config.locate import line_of, lines_of
from edgevpn.config.model import Child, Config, Gateway, PskKeys, Site
from edgevpn.config.rules import check_child, check_site, check_together
from edgevpn.config.secret import KEYS as PSK_KEYS
from edgevpn.config.secret import site_psk
from edgevpn.config.setting import Setting, settings_of
from edgevpn.config.values import PEER_IDENTITY

Table = dict[str, Any]
Values = dict[str, Any]

LARGEST_FILE = 1 << 20
NOUNS = ("gateway", "site")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_NAME_ALLOWED = "1 to 32 letters, digits, - and _"


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a file. Raises ConfigError with all its problems."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(LARGEST_FILE + 1)
    except OSError as error:
        fault = f"cannot be read: {error.strerror}"
        raise ConfigError((Problem(file=str(path), fault=fault, cure="name another with -c FILE"),)) from error
    config = parse(_decoded(octets, str(path)), str(path), environ)
    return replace(config, warnings=config.warnings + _check_mode(config, path, mode))


def parse(document: str, filename: str, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check the text of a file. Raises ConfigError with all its problems."""
    findings = Findings()
    config = _config(_tables(document, filename), findings, environ)
    if findings.errors or config is None:
        raise ConfigError(_located(findings.errors, document, filename))
    return replace(config, warnings=_located(findings.warnings, document, filename))


def _decoded(octets: bytes, filename: str) -> str:
    if len(octets) > LARGEST_FILE:
        raise ConfigError((Problem(file=filename, fault="is too large", allowed=f"up to {LARGEST_FILE} octets"),))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(file=filename, line=line, fault="is not UTF-8 text"),)) from None


def _check_mode(config: Config, path: Path, mode: int) -> tuple[Problem, ...]:
    """Warn of secrets that others can read. Raises ConfigError for a file that others can change."""
    cure = f"chmod 600 {path}"
    if mode & stat.S_IWOTH:
        fault = "can be changed by every user of this machine"
        raise ConfigError((Problem(file=str(path), fault=fault, cure=cure),))
    if mode & stat.S_IROTH and any(site.psk.source == "psk" for site in config.sites):
        fault = "holds secrets and can be read by every user of this machine"
        return (Problem(file=str(path), fault=fault, cure=cure),)
    return ()


def _tables(document: str, filename: str) -> Table:
    try:
        return tomli.loads(document)
    except (ValueError, RecursionError) as error:
        place = re.search(r" \(at (?:line (\d+).*|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else document.count("\n") + 1
        fault = str(error)[: place.start()] if place else "a value is out of all bounds"
        raise ConfigError((Problem(file=filename, line=line, fault=f"is not TOML: {fault}"),)) from None


def _located(problems: list[Problem], document: str, filename: str) -> tuple[Problem, ...]:
    if not problems:
        return ()
    lines = lines_of(document)
    located = (replace(problem, file=filename, line=line_of(problem.path, lines)) for problem in problems)
    return tuple(sorted(located, key=lambda problem: problem.line))


def _config(document: Table, findings: Findings, environ: Mapping[str, str]) -> Config | None:
    _refuse_unknown(document, NOUNS, (), findings)
    gateway = _gateway(_table(document, "gateway", (), findings) or {}, findings)
    named = _table(document, "site", (), findings) or {}
    sites = [_site(_table(named, name, ("site",), findings), name, gateway, environ, findings) for name in named]
    if gateway is None or None in sites:
        return None
    config = Config(gateway=gateway, sites=tuple(site for site in sites if site))
    check_together(config, findings)
    return config


def _gateway(table: Table, findings: Findings) -> Gateway | None:
    before = len(findings.errors)
    given = _read(table, (Gateway,), ("gateway",), findings)
    if len(findings.errors) > before:
        return None
    return Gateway(**_filled(Gateway, given))


def _site(
    table: Table | None, name: str, gateway: Gateway | None, environ: Mapping[str, str], findings: Findings
) -> Site | None:
    """The site of one table; None, with the reasons in `findings`, if the table cannot be used."""
    if table is None:
        return None
    path, before = ("site", name), len(findings.errors)
    _check_name(path, findings)
    given = _read(table, (Site, PskKeys, Child), path, findings, also=("child",))
    _refuse_missing(Site, table, path, findings)
    if given.get("remote") == () and "remote_id" not in table:
        findings.refuse(
            (*path, "remote_id"), 'is missing, and needed with remote = "any"', allowed=PEER_IDENTITY.allowed
        )
    psk = site_psk(given, environ, path, findings) if _all_read(PSK_KEYS, table, given) else None
    children = _children(table, given, path, findings)
    if len(findings.errors) > before or psk is None:
        return None
    values = _filled(Site, {"name": name, **given})
    if values["local_id"] is None and gateway:
        values["local_id"] = gateway.id
    site = Site(
        name=name,
        psk=psk,
        children=tuple(Child(name=child, **_filled(Child, values | given | own)) for child, own in children.items()),
        **values,
    )
    for child in site.children:
        check_child(child, (*path, "child", child.name) if "child" in table else path, findings)
    check_site(site, path, findings)
    return site if len(findings.errors) == before else None


def _children(table: Table, inherited: Values, path: errors.Path, findings: Findings) -> dict[str, Values]:
    """What each child's own table gives; a site without such tables has one child, of its own name."""
    tables = _table(table, "child", path, findings)
    if not tables:
        _refuse_missing(Child, table, path, findings)
        return {path[-1]: {}}
    children: dict[str, Values] = {}
    for name in tables:
        below = (*path, "child", name)
        own = _table(tables, name, (*path, "child"), findings)
        if own is not None:
            _check_name(below, findings)
            children[name] = _read(own, (Child,), below, findings)
            _refuse_missing(Child, table | own, below, findings)
    return children


def _table(parent: Table, key: str, path: errors.Path, findings: Findings) -> Table | None:
    """The table of this name; empty if there is none, None if something else has the name."""
    match parent.get(key, {}):
        case dict() as table:
            return table
        case _:
            findings.refuse((*path, key), "is not a table", cure=f"begin it with [{errors.dotted((*path, key))}]")
            return None


def _read(
    table: Table, records: tuple[type, ...], path: errors.Path, findings: Findings, also: tuple[str, ...] = ()
) -> Values:
    """The typed values of the keys that are written and right; the others are noted."""
    settings = {key: setting for record in records for key, setting in settings_of(record).items()}
    _refuse_unknown(table, (*settings, *also), path, findings)
    values: Values = {}
    for key, setting in settings.items():
        if key not in table:
            continue
        try:
            values[key] = setting.kind.read(table[key])
        except Refused as refusal:
            _note(setting, (*path, key), table[key], refusal, findings)
        except RefusedItems as refusals:
            for value, fault in refusals.items:
                _note(setting, (*path, key), value, fault, findings)
    return values


def _note(setting: Setting, path: errors.Path, value: object, refusal: Refused, findings: Findings) -> None:
    written = MASKED if setting.secret else shown(value)
    findings.refuse(path, refusal.fault, value=written, allowed=setting.kind.allowed, cure=refusal.cure)


def _filled(record: type, given: Mapping[str, Any]) -> Values:
    """A value for every key of a record: the given one, or its default."""
    known = dict(given)
    settings = settings_of(record)
    for key, setting in settings.items():
        if key not in known and setting.default:
            known[key] = setting.default(known)
    return {key: known[key] for key in settings}


def _all_read(keys: tuple[str, ...], table: Table, given: Values) -> bool:
    return all(key in given for key in keys if key in table)


def _check_name(path: errors.Path, findings: Findings) -> None:
    if not _NAME.fullmatch(path[-1]):
        findings.refuse(path, "is no name", allowed=_NAME_ALLOWED)


def _refuse_unknown(table: Table, known: tuple[str, ...], path: errors.Path, findings: Findings) -> None:
    """Note keys that nobody knows. Their values are not shown: a misspelt key may hold a secret."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            findings.refuse((*path, key), "is not a key here", cure=f"did you mean {near[0]}?" if near else "")


def _refuse_missing(record: type, table: Table, path: errors.Path, findings: Findings) -> None:
    for key, setting in settings_of(record).items():
        if setting.default is None and key not in table:
            findings.refuse((*path, key), "is missing", allowed=setting.kind.allowed)
