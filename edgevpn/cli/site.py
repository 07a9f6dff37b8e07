"""`site`: tunnels to other gateways, as the configuration file has them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

from edgevpn.cli.editing import change, judged, keys_of, now, read_secret
from edgevpn.cli.listing import cell, list_all, show_one
from edgevpn.cli.output import as_json
from edgevpn.config.changes import Keys, add_site, remove_site, set_site
from edgevpn.config.generate import new_psk
from edgevpn.config.model import Auth
from edgevpn.config.store import Store
from edgevpn.config.tables import Table

TITLES = ("NAME", "PEER", "AUTH", "HERE", "THERE", "START")


def _cells(name: str, keys: Table) -> tuple[str, ...]:
    """A site with its first child; the others say in THERE what they add."""
    children = list(keys.get("child", {"": keys}).values())
    here = list(dict.fromkeys(network for child in children for network in child["local_networks"]))
    there = list(dict.fromkeys(network for child in children for network in child["remote_networks"]))
    starts = list(dict.fromkeys(child["start"] for child in children))
    return (name, cell(keys["remote"]), keys["auth"], cell(here), cell(there), cell(starts))


def _list(options: argparse.Namespace) -> int:
    return list_all(options, "site", TITLES, _cells)


def _show(options: argparse.Namespace) -> int:
    return show_one(options, "site")


def _add(options: argparse.Namespace) -> int:
    """With a pre-shared key that is read, or made and shown this once: the peer needs the same."""
    keys = keys_of(("site", options.name), options.keys)
    secret = _secret(options, keys)
    saved = Store(options.config).change(lambda old: add_site(old, options.name, keys, secret, now()), now())
    shown = {} if options.secret else secret
    if options.json:
        print(as_json({"name": options.name, **shown}))
    else:
        print(f"site {options.name} is written; have the daemon read it: edgevpn reload")
        for kind, text in shown.items():
            print(f"{kind}: {text}   (shown this once; the peer needs the same)")
    return judged(saved)


def _set(options: argparse.Namespace) -> int:
    keys = keys_of(("site", options.name), options.keys)
    secret = _secret(options, keys) if options.secret else {}
    return change(options, lambda old: set_site(old, options.name, keys, secret, now()))


def _remove(options: argparse.Namespace) -> int:
    return change(options, lambda old: remove_site(old, options.name))


def _secret(options: argparse.Namespace, keys: Keys) -> Mapping[str, str]:
    auth = keys.get("auth", Auth.PSK.value)
    if auth == Auth.EAP.value and options.secret:
        return {"password": read_secret()}
    if auth != Auth.PSK.value or keys.get("psk_file") or keys.get("psk_env"):
        return {}
    return {"psk": read_secret() if options.secret else new_psk(os.urandom)}


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "add": _add,
    "set": _set,
    "remove": _remove,
}
