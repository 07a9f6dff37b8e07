"""From the tables of a file to records, one noun at a time. What is wrong is noted, and makes a record None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from edgevpn.config.credential import NtHash, Psk, Secret
from edgevpn.config.errors import Findings, Path, dotted, shown
from edgevpn.config.model import Auth, Child, Crypto, Device, Firewall, Gateway, Pki, Pool, Site, Web
from edgevpn.config.nouns import CHILD, DEVICE, POOL, SHORT, SITE, WEB, Naming, Noun
from edgevpn.config.pool import Login
from edgevpn.config.rules import check_child, check_device, check_pool, check_site
from edgevpn.config.secret import (
    NT_HASH,
    PASSWORD,
    PASSWORD_HASH,
    PPK,
    PSK,
    STORE,
    TOTP_SECRET,
    Slot,
    Sources,
    credential,
    one_of,
)
from edgevpn.config.tables import Table, Values, check_name, filled, read, refuse_missing, subtable
from edgevpn.config.values import PEER_IDENTITY
from edgevpn.frozen import dataclass

Single = TypeVar("Single", Gateway, Pki, Crypto, Firewall)
Made = TypeVar("Made", bound=Psk | Secret | NtHash)

PROOFS: Mapping[Login, tuple[Slot[Psk | Secret | NtHash], ...]] = {
    Login.PASSWORD: (PASSWORD, NT_HASH),
    Login.CERTIFICATE: (),
    Login.PSK: (PSK,),
    Login.EAP_TLS: (),
}
SITE_PROOFS: Mapping[Auth, tuple[Slot[Psk | Secret], ...]] = {
    Auth.PSK: (PSK,),
    Auth.CERTIFICATE: (),
    Auth.EAP: (PASSWORD,),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What all records of a file are read with; `around` holds the records that defaults of others come from."""

    findings: Findings
    sources: Sources
    around: Values

    @property
    def faults(self) -> int:
        """How many errors are noted so far."""
        return len(self.findings.errors)


def single(record: type[Single], noun: Noun, document: Table, findings: Findings) -> Single | None:
    """The record of a table that there is only one of."""
    before = len(findings.errors)
    table = subtable(document, noun.path[0], (), findings) or {}
    given = read(table, noun.keys, noun.path, findings)
    return record(**filled(record, given)) if len(findings.errors) == before else None


def web(document: Table, reading: Reading) -> Web | None:
    """The panel, with its secrets."""
    before, path = reading.faults, WEB.path
    table = subtable(document, path[0], (), reading.findings) or {}
    given = read(table, WEB.keys, path, reading.findings)
    if reading.faults > before:
        return None
    password = credential((PASSWORD_HASH,), given, reading.sources, path, reading.findings)
    totp = credential((TOTP_SECRET,), given, reading.sources, path, reading.findings)
    if reading.faults > before:
        return None
    return Web(**filled(Web, given), password_hash=password, totp_secret=totp)


def pool(table: Table, name: str, reading: Reading) -> Pool | None:
    """One pool."""
    path, before = ("pool", name), reading.faults
    check_name(_naming(POOL), path, reading.findings)
    given = read(table, POOL.keys, path, reading.findings)
    if reading.faults > before:
        return None
    made = Pool(name=name, **filled(Pool, {**reading.around, "name": name, **given}))
    check_pool(made, path, reading.findings)
    return made


def device(table: Table, name: str, reading: Reading) -> Device | None:
    """One device, of one of the pools in `around`."""
    path, before = ("device", name), reading.faults
    check_name(_naming(DEVICE), path, reading.findings)
    given = read(table, DEVICE.keys, path, reading.findings)
    login = given.get("login", Login.PASSWORD)
    proof = None if _is_bad("login", table, given) else _proof("login", login, PROOFS, table, given, path, reading)
    if not _has_pool(given, path, reading) or reading.faults > before:
        return None
    ppk = credential((PPK,), given, reading.sources, path, reading.findings)
    made = Device(name=name, credential=proof, ppk=ppk, **filled(Device, {**reading.around, "name": name, **given}))
    check_device(made, reading.around["pools"][made.pool], path, reading.findings)
    return made


def site(table: Table, name: str, reading: Reading) -> Site | None:
    """One site with its children."""
    path, findings, before = ("site", name), reading.findings, reading.faults
    check_name(_naming(SITE), path, findings)
    given = read(table, SITE.keys, path, findings, also=("child",))
    refuse_missing(Site, table, path, findings)
    if given.get("remote") == () and "remote_id" not in table:
        findings.refuse(
            (*path, "remote_id"), 'is missing, and needed with remote = "any"', allowed=PEER_IDENTITY.allowed
        )
    auth = given.get("auth", Auth.PSK)
    proof = None if _is_bad("auth", table, given) else _proof("auth", auth, SITE_PROOFS, table, given, path, reading)
    ppk = credential((PPK,), given, reading.sources, path, findings)
    children = _children(table, path, findings)
    if reading.faults > before:
        return None
    values = filled(Site, {**reading.around, "name": name, **given})
    if values["local_id"] is None:
        values["local_id"] = reading.around["gateway"].id
    made = Site(
        name=name,
        credential=proof,
        ppk=ppk,
        children=tuple(Child(name=child, **filled(Child, values | given | own)) for child, own in children.items()),
        **values,
    )
    for child in made.children:
        check_child(child, (*path, "child", child.name) if "child" in table else path, findings)
    check_site(made, path, findings)
    return made


def _children(table: Table, path: Path, findings: Findings) -> dict[str, Values]:
    """What each child's own table gives; a site without such tables has one child, of its own name."""
    tables = subtable(table, "child", path, findings)
    if not tables:
        refuse_missing(Child, table, path, findings)
        return {path[-1]: {}}
    children: dict[str, Values] = {}
    for name in tables:
        below = (*path, "child", name)
        own = subtable(tables, name, (*path, "child"), findings)
        if own is not None:
            check_name(_naming(CHILD), below, findings)
            children[name] = read(own, CHILD.keys, below, findings)
            refuse_missing(Child, table | own, below, findings)
    return children


def _has_pool(given: Values, path: Path, reading: Reading) -> bool:
    """True if the pool of a device can be used. One that is not there is noted; one that is bad has been already."""
    names, pools = reading.around["pool_names"], reading.around["pools"]
    pool = given.get("pool", names[0] if len(names) == 1 else None)
    if pool not in names:
        fault, value = ("is missing", "") if pool is None else ("is not configured", shown(pool))
        allowed = shown(", ".join(names))[1:-1]
        cure = "" if names else "write a table such as [pool.staff]"
        reading.findings.refuse((*path, "pool"), fault, value=value, allowed=allowed, cure=cure)
    return pool in pools


def _proof(
    key: str,
    chosen: Any,
    slots: Mapping[Any, tuple[Slot[Made], ...]],
    table: Table,
    given: Values,
    path: Path,
    reading: Reading,
) -> Made | None:
    """The secret that the chosen way to log in needs, if it needs one; keys of the other ways are noted."""
    findings, before = reading.findings, reading.faults
    stored = reading.sources.stored.get(path, {})
    wanted = slots[chosen]
    keys = [each for slot in wanted for each in slot.keys]
    for each, other in useless(chosen, slots).items():
        fault = f'is of no use with {key} = "{chosen.value}"'
        if each in table:
            findings.refuse((*path, each), fault, cure=f'take it out, or write {key} = "{other.value}"')
        elif each in stored:
            cure = f"forget it: edgevpn config unset {dotted((*path, each))}"
            findings.warn((*path, each), f"is in {STORE} and {fault}", cure=cure)
    if any(_is_bad(each, table, given) for each in keys):
        return None
    found = credential(wanted, given, reading.sources, path, findings)
    if found is None and wanted and reading.faults == before:
        findings.refuse((*path, wanted[0].key), "is missing", allowed=one_of(wanted))
    return found


def useless(chosen: Any, slots: Mapping[Any, tuple[Slot[Any], ...]]) -> dict[str, Any]:
    """The keys of secrets that a way to log in has no use for, each with a way that has."""
    used = {each for slot in slots[chosen] for each in slot.keys}
    keys = {each: other for other, theirs in slots.items() for slot in theirs for each in slot.keys}
    return {each: other for each, other in keys.items() if each not in used}


def _is_bad(key: str, table: Table, given: Values) -> bool:
    """True for a key that is written and could not be read, which is noted already."""
    return key in table and key not in given


def _naming(noun: Noun) -> Naming:
    return noun.naming or SHORT
