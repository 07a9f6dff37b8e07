"""`device`: phones and laptops, as the configuration file has them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

from edgevpn.cli.editing import change, judged, keys_of, now, one_of, read_secret, tables_of
from edgevpn.cli.listing import cell, list_all, show_one
from edgevpn.cli.output import as_json
from edgevpn.config.changes import Keys, add_device, remove_device, set_device, set_key
from edgevpn.config.errors import Refused
from edgevpn.config.generate import new_password, new_psk
from edgevpn.config.pool import Login
from edgevpn.config.store import Change, Store
from edgevpn.config.tables import Table

TITLES = ("NAME", "OWNER", "PLATFORM", "LOGIN", "POOL", "ADDRESS", "TUNNEL", "EXPIRES", "LET IN")


def _cells(name: str, keys: Table) -> tuple[str, ...]:
    addresses = [address for address in (keys["v4"], keys["v6"]) if address]
    cells = (keys["owner"], keys["platform"], keys["login"], keys["pool"], addresses, keys["mode"], keys["expires"])
    return (name, *map(cell, cells), cell(keys["enabled"]))


def _list(options: argparse.Namespace) -> int:
    return list_all(options, "device", TITLES, _cells)


def _show(options: argparse.Namespace) -> int:
    return show_one(options, "device")


def _add(options: argparse.Namespace) -> int:
    keys = keys_of(("device", options.name), options.keys)
    secret = _new_secret(options, keys.get("login", Login.PASSWORD.value), keys)
    return _save(options, secret, lambda old: add_device(old, options.name, keys, _stored(secret), now()))


def _set(options: argparse.Namespace) -> int:
    """A new way to log in needs a new secret."""
    keys = keys_of(("device", options.name), options.keys)
    old = one_of(tables_of(options.config), "device", options.name).get("login", Login.PASSWORD.value)
    login = keys.get("login") or (Login.PASSWORD.value if "login" in keys else old)
    renewed = options.new_secret or options.secret or login != old
    secret = _new_secret(options, login, keys) if renewed else {}
    return _save(options, secret, lambda old: set_device(old, options.name, keys, _stored(secret), now()))


def _enable(options: argparse.Namespace) -> int:
    one_of(tables_of(options.config), "device", options.name)
    return change(options, lambda old: set_key(old, ("device", options.name, "enabled"), value=True))


def _disable(options: argparse.Namespace) -> int:
    one_of(tables_of(options.config), "device", options.name)
    return change(options, lambda old: set_key(old, ("device", options.name, "enabled"), value=False))


def _remove(options: argparse.Namespace) -> int:
    return change(options, lambda old: remove_device(old, options.name))


def _new_secret(options: argparse.Namespace, login: object, keys: Keys) -> Mapping[str, str]:
    """The secret that a way to log in needs: read, or made. None where the file says where it is."""
    given = read_secret() if options.secret else ""
    match login:
        case Login.PASSWORD.value if not _is_elsewhere("password", keys):
            return {"password": given or new_password(os.urandom)}
        case Login.PSK.value if not _is_elsewhere("psk", keys):
            return {"psk": given or new_psk(os.urandom)}
        case _ if given:
            raise Refused("no secret is needed for this login")
        case _:
            return {}


def _is_elsewhere(key: str, keys: Keys) -> bool:
    return any(keys.get(f"{key}_{where}") for where in ("file", "env"))


def _stored(secret: Mapping[str, str]) -> Mapping[str, str]:
    """What is kept of a secret: of a password its hash."""
    from edgevpn.daemon.login.passwords import nt_hash

    return {"nt_hash": nt_hash(secret["password"])} if "password" in secret else secret


def _save(options: argparse.Namespace, secret: Mapping[str, str], what: Change) -> int:
    """Write the change, and only then show the secret, this once."""
    saved = Store(options.config).change(what, now())
    shown = {} if options.secret else secret
    if options.json:
        print(as_json({"name": options.name, **shown}))
    else:
        print(f"device {options.name} is written; have the daemon read it: edgevpn reload")
        for kind, text in shown.items():
            print(f"{kind}: {text}   (shown this once)")
    return judged(saved)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "add": _add,
    "set": _set,
    "enable": _enable,
    "disable": _disable,
    "remove": _remove,
}
